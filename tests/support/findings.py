"""Findings in one line each, as tests expect them."""

from oci_layers.layer.rules import layer_finding
from oci_layers.report import DocumentLocation, Finding


def in_document(rule, severity, pointer, message):
    """A finding of `validate`, which knows no digest."""
    return Finding(rule, severity, DocumentLocation(pointer), message)


def in_blob(rule, severity, digest, pointer, message):
    """A finding of `verify_image`."""
    return Finding(rule, severity, DocumentLocation(pointer, digest), message)


def in_layer(rule, path, layer, message=""):
    """A finding of the engine."""
    return layer_finding(rule, path, layer, message)


def in_entry(rule, path, layer, index, offset, message=""):
    """A finding of `lint`."""
    return layer_finding(rule, path, layer, message, index=index, offset=offset)
