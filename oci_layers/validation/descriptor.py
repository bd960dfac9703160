"""The rules of descriptors and digests, as a table (descriptor.md).

Descriptors are in manifests and indexes, digests in descriptors and configs. The rule of its algorithm reports a fault
in a digest, wherever the digest is. The annotations of a descriptor have a table of their own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR
from oci_layers.spec.digest import Digest
from oci_layers.validation.annotations import annotated
from oci_layers.validation.grammar import decoded_base64, is_digest, is_media_type, is_uri
from oci_layers.validation.rule import (
    OK,
    Check,
    Fault,
    array_of,
    each_matches,
    fault,
    has_type,
    matches,
    must_be,
    required,
    rule,
    unchecked,
)

__all__ = ["DESCRIPTOR_RULES"]

_INT64_MAX = (1 << 63) - 1
_DIGEST = re.compile(r"[a-z0-9]++(?:[+._-][a-z0-9]++)*+:[a-zA-Z0-9=_-]+")
_IN_CONTENT = "It is about content, which no document holds; `blob.stream` and `verify` check it."
_PROGRAMS = "It is about what programs do, not about the content of a document."


def _is_web(text: str) -> bool:
    # Another rule reports what is not a URI at all.
    return text.partition(":")[0].lower() in {"http", "https"} or not is_uri(text)


def _size_type(value: object) -> Sequence[Fault]:
    if type(value) is not int:
        return fault(must_be(int, value))
    return OK if value <= _INT64_MAX else fault("must not be more than 2^63-1")


def _size_sign(value: object) -> Sequence[Fault]:
    return fault("must not be negative") if type(value) is int and value < 0 else OK


def _data_matches(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    text, size, digest = node.get("data"), node.get("size"), node.get("digest")
    data = decoded_base64(text) if type(text) is str else None
    if data is None:
        return OK
    if type(size) is int and len(data) != size:
        return fault(f"holds {len(data)} bytes, not the {size} of the descriptor's size", "data")
    if type(digest) is not str or not digest.startswith(("sha256:", "sha384:", "sha512:")):
        return OK
    actual = str(Digest.of(data, digest.partition(":")[0]))
    return OK if actual == digest or not is_digest(digest) else fault(f"has the digest {actual}", "data")


def _empty_descriptor(node: Mapping[str, Any]) -> Sequence[Fault]:  # Any: JSON.
    if node.get("mediaType") != EMPTY_DESCRIPTOR.media_type:
        return OK
    found = []
    digest = node.get("digest")
    if type(digest) is str and digest.startswith("sha256:") and digest != EMPTY_DESCRIPTOR.digest.text:
        found.append((("digest",), "must be the digest of {}, because the media type is that of the empty value"))
    if type(node.get("size")) is int and node["size"] != EMPTY_DESCRIPTOR.size:
        found.append((("size",), "must be 2, because the media type is that of the empty value"))
    return found


def _digest_checks(fits: Callable[[str], object], message: str) -> tuple[Check, ...]:
    return (matches("descriptor.digest", fits, message), each_matches("rootfs.diff_ids", fits, message))


def _algorithm(name: str, length: int) -> tuple[Check, ...]:
    prefix, good = f"{name}:", re.compile(f"{name}:[a-f0-9]{{{length}}}")

    def fits(text: str) -> object:
        # DIG-01 reports what is not a digest at all.
        return not text.startswith(prefix) or good.fullmatch(text) or not _DIGEST.fullmatch(text)

    return _digest_checks(fits, f"is no valid {name} digest: expected {length} lowercase hex digits")


DESCRIPTOR_RULES = (
    rule(
        "DSC-01",
        "MUST",
        "error",
        "A descriptor has a `mediaType`, a string.",
        (required("descriptor", "mediaType"), has_type("descriptor.mediaType", str)),
    ),
    rule(
        "DSC-02",
        "MUST",
        "error",
        "A descriptor's `mediaType` is TYPE/SUBTYPE after RFC 6838 section 4.2, without parameters.",
        (matches("descriptor.mediaType", is_media_type, "is not a media type", tolerated=True),),
    ),
    unchecked("DSC-03", "MUST", "The grammar of media types is one regular expression.", "DSC-02 checks it."),
    rule(
        "DSC-04",
        "MUST",
        "error",
        "A descriptor has a `digest`, a string.",
        (required("descriptor", "digest"), has_type("descriptor.digest", str)),
    ),
    unchecked("DSC-05", "SHOULD", "Content from an untrusted source is verified by its digest.", _IN_CONTENT),
    rule("DSC-06", "MUST", "error", "A descriptor has a `size`.", (required("descriptor", "size"),)),
    rule("DSC-07", "MUST NOT", "error", "`size` is not negative.", (Check("descriptor.size", _size_sign),)),
    unchecked("DSC-08", "SHOULD NOT", "Content of another length than `size` is not trusted.", _IN_CONTENT),
    rule("DSC-09", "MUST", "error", "`size` is an integer of 64 bits.", (Check("descriptor.size", _size_type),)),
    rule("DSC-10", "MUST", "error", "`urls` is an array of strings.", (array_of("descriptor.urls", str),)),
    rule(
        "DSC-11",
        "MUST",
        "error",
        "Each of `urls` is a URI after RFC 3986.",
        (each_matches("descriptor.urls", is_uri, "is not a URI after RFC 3986", tolerated=True),),
    ),
    rule(
        "DSC-12",
        "SHOULD",
        "warning",
        "Each of `urls` is of the scheme http or https.",
        (each_matches("descriptor.urls", _is_web, "is of neither scheme, http or https"),),
    ),
    rule("DSC-13", "MUST", "error", "`annotations` of a descriptor is an object.", (annotated("descriptor"),)),
    rule("DSC-14", "MUST", "error", "`data` is a string.", (has_type("descriptor.data", str),)),
    rule(
        "DSC-15",
        "MUST",
        "error",
        "`data` is base64 after RFC 4648 section 4, padded.",
        (matches("descriptor.data", lambda text: decoded_base64(text) is not None, "is not padded base64"),),
    ),
    rule(
        "DSC-16",
        "MUST",
        "error",
        "`data` decodes to the content that `digest` and `size` name.",
        (Check("descriptor", _data_matches),),
    ),
    unchecked("DSC-17", "INFO", "A schema cannot decode base64.", "DSC-15 and DSC-16 decode it."),
    unchecked("DSC-18", "MAY", "Small content is embedded as `data`.", _PROGRAMS),
    unchecked("DSC-19", "MUST NOT", "`data` is not added where that changes a digest that is in use.", _PROGRAMS),
    unchecked("DSC-20", "SHOULD", "Portability is considered before embedding.", "The spec gives no number."),
    rule("DSC-21", "MUST", "error", "`artifactType` is a string.", (has_type("descriptor.artifactType", str),)),
    rule(
        "DSC-22",
        "MUST",
        "error",
        "`artifactType` of a descriptor follows the grammar of media types.",
        (matches("descriptor.artifactType", is_media_type, "is not a media type", tolerated=True),),
    ),
    unchecked("DSC-24", "INFO", "Go writes the fields in a certain order.", "Order means nothing: CON-05."),
    unchecked("DSC-25", "MUST", "`mediaType`, `digest` and `size` are required.", "DSC-01, DSC-04, DSC-06 check it."),
    unchecked("DSC-26", "SHOULD", "New fields are proposed to the spec first.", "Unknown fields are allowed."),
    unchecked("DSC-27", "SHOULD", "Other formats embed descriptors for external content.", _PROGRAMS),
    unchecked("DSC-28", "INFO", "The entries of an index are full descriptors.", "The rules of descriptors check it."),
    rule(
        "DIG-01",
        "MUST",
        "error",
        "A digest is ALGORITHM:ENCODED, the algorithm of lower-case words with single separators.",
        _digest_checks(_DIGEST.fullmatch, "is not a digest"),
    ),
    unchecked("DIG-02", "MUST", "The grammar of digests is one regular expression.", "DIG-01 checks it."),
    unchecked(
        "DIG-03", "MAY", "An algorithm restricts the encoded part further.", "DIG-05 to DIG-07 check those known."
    ),
    unchecked("DIG-04", "SHOULD", "A digest of an unknown algorithm is valid.", "DIG-01 takes every algorithm."),
    rule("DIG-05", "MUST", "error", "A sha256 digest has 64 lower-case hexadecimal digits.", _algorithm("sha256", 64)),
    rule(
        "DIG-06", "MUST", "error", "A sha512 digest has 128 lower-case hexadecimal digits.", _algorithm("sha512", 128)
    ),
    rule("DIG-07", "MUST", "error", "A blake3 digest has 64 lower-case hexadecimal digits.", _algorithm("blake3", 64)),
    rule(
        "DIG-08",
        "SHOULD",
        "note",
        "Digests are of sha256, the one algorithm that every implementation can verify.",
        _digest_checks(
            lambda text: text.startswith("sha256:") or not _DIGEST.fullmatch(text),
            "is not of sha256, the one algorithm that all can verify",
        ),
    ),
    unchecked("DIG-09", "SHOULD", "Useful algorithms are submitted for registration.", _PROGRAMS),
    unchecked("DIG-10", "INFO", "A digest is its algorithm and the encoded hash.", _IN_CONTENT),
    rule(
        "DIG-11",
        "INFO",
        "error",
        "A sha384 digest, which Go's tools know, has 96 lower-case hexadecimal digits.",
        _algorithm("sha384", 96),
    ),
    unchecked(
        "DIG-12", "INFO", "Go distinguishes three kinds of malformed digests.", "DIG-01 and the algorithms' rules do."
    ),
    unchecked("DIG-13", "SHOULD", "Content is verified before it is consumed.", _IN_CONTENT),
    unchecked("DIG-14", "SHOULD", "Size is verified before the digest, and both before any parsing.", _IN_CONTENT),
    unchecked("DIG-15", "MAY", "Content is made canonical for stable identifiers.", _PROGRAMS),
    unchecked("DIG-16", "INFO", "The first colon of a digest is the only one.", "DIG-01 checks it."),
    rule(
        "ART-01",
        "MUST",
        "error",
        "The empty descriptor, and the content of its media type, are those of the two bytes {}.",
        (Check("descriptor", _empty_descriptor, tolerated=True),),
    ),
)
