"""One document's bytes into all that is wrong with them, each finding with its place; and into the value to go on with.

The rules are in `rules`, the places in `positions`. What programs cannot read is an error here whatever the
profile says of the single faults. What documents say of one another is in `verify`.
"""

import re
from collections.abc import Iterable

import attrs

from oci_layers.errors import OCIError
from oci_layers.limits import Limits
from oci_layers.spec.codec import structure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_any, parse_config, parse_layout
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import role_of
from oci_layers.spec.strict_json import load_json
from oci_layers.validation.findings import Findings, Flaw
from oci_layers.validation.positions import Spot, locate, positions
from oci_layers.validation.rules import Profile, validate

__all__ = ["Value", "judge", "pinpoint"]

Value = Manifest | Index | ImageConfig | ImageLayout | Descriptor

_UNREADABLE = {"config": "CFG-24", "layout": "LAY-02", "descriptor": "DSC-09"}
_SHOWN = 60
_READ = 1 << 10


def judge(
    raw: bytes, descriptor: Descriptor, *, profile: Profile, limits: Limits
) -> tuple[Findings[Flaw], Value | None]:
    """Return what is wrong with a document, and what it says if it can be read.

    Memory and time grow with the document, whatever is wrong with it; see `spec.findings`.

    Raises:
        UnsupportedError: No document is of the descriptor's media type.
    """
    digest, media_type = descriptor.digest, descriptor.media_type
    breaches = validate(raw, media_type, profile=profile, limits=limits)
    flaws = [
        Flaw(each.rule, each.severity, digest, each.pointer, each.message, media_type=media_type, offset=each.offset)
        for each in breaches
    ]
    role = role_of(media_type)
    try:
        value = _parse(raw, descriptor, role, limits)
    except OCIError as error:
        value = None
        # What no program can read is an error, even where the profile calls its single faults warnings.
        if breaches.ok:
            rule = _UNREADABLE.get(role, "MAN-21")
            flaws.append(Flaw(rule, "error", digest, "", str(error), media_type=media_type))
    return Findings(flaws, breaches.left_out), value


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


def pinpoint(flaws: Iterable[Flaw], raw: bytes) -> list[Flaw]:
    """Return findings in one document with line, column and the text of the value there, shortened to 60 characters."""
    flaws = list(flaws)
    spots = locate(raw, (flaw.pointer for flaw in flaws))
    places = positions(raw, (flaw.offset for flaw in flaws if flaw.offset is not None))
    return [
        _placed(flaw, spots[flaw.pointer], None if flaw.offset is None else places[flaw.offset], raw) for flaw in flaws
    ]


def _placed(flaw: Flaw, spot: Spot, place: tuple[int, int] | None, raw: bytes) -> Flaw:
    line, column = place or (spot.line, spot.column)
    value = _text(raw, spot) if spot.found and flaw.pointer else None
    offset = spot.offset if flaw.offset is None else flaw.offset
    return attrs.evolve(flaw, line=line, column=column, offset=offset, value=value)


def _text(raw: bytes, spot: Spot) -> str:
    whole = raw[spot.offset : min(spot.end, spot.offset + _READ)].decode("utf-8", "replace")
    text = re.sub("[ \t\r\n]+", " ", whole)
    if len(text) <= _SHOWN and spot.end - spot.offset <= _READ:
        return text
    return text[: _SHOWN - 3] + "..."
