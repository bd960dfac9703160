"""What a document is that nobody names; and what could be two things is refused as one of them."""

import json

import pytest

from oci_layers.errors import DocumentError, LimitError
from oci_layers.limits import Limits
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.validation.detect import detect_media_type
from oci_layers.validation.rules import validate


def guessed(document, **options):
    return detect_media_type(json.dumps(document).encode(), **options)


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({"schemaVersion": 2, "mediaType": OCI_MANIFEST}, OCI_MANIFEST),
        ({"schemaVersion": 2, "mediaType": OCI_INDEX}, OCI_INDEX),
        ({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "layers": []}, DOCKER_MANIFEST),
        ({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST_LIST, "manifests": []}, DOCKER_MANIFEST_LIST),
        ({"mediaType": DOCKER_CONFIG, "rootfs": {}}, DOCKER_CONFIG),
        ({"schemaVersion": 2, "config": {}, "layers": []}, OCI_MANIFEST),
        ({"schemaVersion": 2, "config": {}}, OCI_MANIFEST),
        ({"schemaVersion": 2, "manifests": []}, OCI_INDEX),
        ({"schemaVersion": 1, "fsLayers": []}, OCI_MANIFEST),
        ({"architecture": "amd64", "os": "linux"}, OCI_CONFIG),
        ({"config": {}, "rootfs": {}}, OCI_CONFIG),
        ({"imageLayoutVersion": "1.0.0"}, OCI_LAYOUT),
        ({"mediaType": OCI_MANIFEST, "digest": "", "size": 1}, OCI_DESCRIPTOR),
        ({"digest": "", "size": 1}, OCI_DESCRIPTOR),
        ({"mediaType": 7, "manifests": []}, OCI_INDEX),
        ({"mediaType": "application/x", "layers": []}, OCI_MANIFEST),
        ({"mediaType": OCI_LAYER, "layers": []}, OCI_MANIFEST),
        ({}, None),
        ({"schemaVersion": 2}, None),
        ({"a": 1}, None),
    ],
)
def test_a_document_is_what_it_says_or_what_it_looks_like(document, media_type):
    assert guessed(document) == media_type


@pytest.mark.parametrize(
    "document",
    [
        {"schemaVersion": 2, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "config": {}, "layers": []},
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "config": {}, "layers": []},
        {"schemaVersion": 2, "Layers": [], "Config": {}},
        {"schemaVersion": 2, "layers": [], "Manifests": []},
        {"schemaVersion": 1, "fsLayers": [], "history": []},
    ],
    ids=json.dumps,
)
def test_what_could_be_two_things_breaks_the_rule_that_forbids_it(document):
    raw = json.dumps(document).encode()
    media_type = detect_media_type(raw)
    assert any((each.rule, each.severity) == ("MAN-21", "error") for each in validate(raw, media_type))


def test_what_is_no_document_is_refused_as_everywhere():
    with pytest.raises(DocumentError):
        detect_media_type(b"[]")
    with pytest.raises(LimitError):
        guessed({"manifests": []}, limits=Limits(config_bytes=5))
    assert guessed({"manifests": []}, limits=Limits(document_bytes=5)) == OCI_INDEX
