"""Check and parse one document: its bytes into findings with line and column, and into a typed value.

The rules are in `rules`, line and column in `positions`. A document that programs cannot read has an error here, even
if the profile makes its single faults warnings. `verify` compares documents with one another.
"""

import re
from collections.abc import Iterable
from typing import Any

import attrs

from oci_layers.errors import OCIError
from oci_layers.limits import Limits
from oci_layers.report import DocumentFinding, DocumentLocation, Finding
from oci_layers.spec.codec import structure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_any, parse_config, parse_layout
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import role_of
from oci_layers.spec.strict_json import load_json
from oci_layers.validation.findings import Findings
from oci_layers.validation.positions import Extent, locate, positions
from oci_layers.validation.rules import Profile, validate

__all__ = ["Value", "add_positions", "check_document", "relocated"]

Value = Manifest | Index | ImageConfig | ImageLayout | Descriptor

_UNREADABLE = {"config": "CFG-24", "layout": "LAY-02", "descriptor": "DSC-09"}
_SHOWN = 60
_READ = 1 << 10


def check_document(
    raw: bytes, descriptor: Descriptor, *, profile: Profile, limits: Limits
) -> tuple[Findings, Value | None]:
    """Return the findings of a document, and its value, or None if it cannot be read.

    Memory and time grow with the document, not with the number of its faults; see `findings`.

    Raises:
        UnsupportedError: The descriptor's media type is not that of a known document.
    """
    digest, media_type = descriptor.digest, descriptor.media_type
    validated = validate(raw, media_type, profile=profile, limits=limits)
    found = [relocated(each, digest=digest, media_type=media_type) for each in validated]
    role = role_of(media_type)
    try:
        value = _parse(raw, descriptor, role, limits)
    except OCIError as error:
        value = None
        # What no program can read is an error, even if the profile makes its single faults warnings.
        if validated.ok:
            rule = _UNREADABLE.get(role, "MAN-21")
            location = DocumentLocation(digest=digest, media_type=media_type)
            found.append(Finding(rule, "error", location, str(error)))
    return Findings(found, validated.left_out), value


def _parse(raw: bytes, descriptor: Descriptor, role: str, limits: Limits) -> Value | None:
    match role:
        case "empty":
            return None
        case "config":
            return parse_config(raw, descriptor, limits).value
        case "layout":
            return parse_layout(raw, limits)
        case "descriptor":
            media_type = descriptor.media_type
            return structure(load_json(raw, media_type=media_type, limits=limits), Descriptor, media_type=media_type)
        case _:
            return parse_any(raw, descriptor, limits).value


def relocated(finding: DocumentFinding, **changes: Any) -> DocumentFinding:  # Any: fields of `DocumentLocation`
    """Return a finding with some fields of its location changed."""
    return attrs.evolve(finding, location=attrs.evolve(finding.location, **changes))


def add_positions(findings: Iterable[DocumentFinding], raw: bytes) -> list[DocumentFinding]:
    """Return findings in one document with line, column and the text of the value there, shortened to 60 characters."""
    findings = list(findings)
    extents = locate(raw, (each.location.pointer for each in findings))
    offsets = [each.location.offset for each in findings]
    lines = positions(raw, (offset for offset in offsets if offset is not None))
    placed = []
    for each, offset in zip(findings, offsets, strict=True):
        extent = extents[each.location.pointer]
        value = _text(raw, extent) if extent.found and each.location.pointer else None
        if offset is None:
            position = {"line": extent.line, "column": extent.column, "offset": extent.offset}
        else:
            position = {"line": lines[offset][0], "column": lines[offset][1]}
        placed.append(relocated(each, **position, value=value))
    return placed


def _text(raw: bytes, extent: Extent) -> str:
    whole = raw[extent.offset : min(extent.end, extent.offset + _READ)].decode("utf-8", "replace")
    text = re.sub("[ \t\r\n]+", " ", whole)
    if len(text) <= _SHOWN and extent.end - extent.offset <= _READ:
        return text
    return text[: _SHOWN - 3] + "..."
