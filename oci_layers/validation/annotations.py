"""The rules of annotations, as a table (annotations.md). The labels of a config follow them too.

Rules of keys and values apply to every such map; rules of `ref.name` depend on the object that the map belongs to.
Unknown keys are allowed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from oci_layers.errors import NameFormatError
from oci_layers.spec import annotations as keys
from oci_layers.spec.reference import Reference, is_ref_name
from oci_layers.validation.grammar import is_date_time, is_digest, is_licence, is_uri
from oci_layers.validation.rule import OK, Check, Fault, fault, has_type, must_be, quoted, rule, tolerant, unchecked

__all__ = ["ANNOTATION_RULES", "annotated"]

_ANY_KEY = re.compile(r"[A-Za-z0-9-]++(?:\.[A-Za-z0-9_/-]++)++")
_RESERVED = "org.opencontainers."
_OWN = "org.opencontainers.image."
# Keys of annotations.md, then those that conversion.md makes of the fields of a config.
_PREDEFINED = frozenset(value for name in keys.__all__ if (value := getattr(keys, name)).startswith(_OWN)) | frozenset(
    _OWN + name
    for name in ("os", "architecture", "variant", "os.version", "os.features", "author", "stopSignal", "exposedPorts")
)

_FORMS: Mapping[str, tuple[Callable[[str], object], str]] = {
    keys.CREATED: (is_date_time, "is not a date and time after RFC 3339"),
    keys.URL: (is_uri, "is not a URI after RFC 3986"),
    keys.DOCUMENTATION: (is_uri, "is not a URI after RFC 3986"),
    keys.SOURCE: (is_uri, "is not a URI after RFC 3986"),
    keys.LICENSES: (is_licence, "is not an SPDX licence expression"),
    keys.BASE_DIGEST: (is_digest, "is not a digest"),
}


def _each_item(test: Callable[[str, Any], str | None]) -> tuple[Check, Check]:  # Any: JSON.
    """Return the checks of annotations and of labels that call `test` for the fault of each key and its value."""

    def run(node: Mapping[str, Any]) -> Iterable[Fault]:  # Any: JSON.
        return (((key,), message) for key, value in node.items() if (message := test(key, value)))

    return Check("annotations", run), Check("labels", run)


def _text(_key: str, value: object) -> str | None:
    return None if type(value) is str else must_be(str, value)


def _reverse_dns(key: str, _value: object) -> str | None:
    return None if _ANY_KEY.fullmatch(key) else f"{quoted(key)} is not a name in reverse domain order"


def _reserved(key: str, _value: object) -> str | None:
    if not key.startswith(_RESERVED) or key in _PREDEFINED:
        return None
    return f"{quoted(key)} is not defined by the spec, to which the prefix belongs"


def _form(key: str, value: object) -> str | None:
    form = _FORMS.get(key)
    return f"{quoted(value)} {form[1]}" if form and type(value) is str and value and not form[0](value) else None


def _base_name(key: str, value: object) -> str | None:
    if key != keys.BASE_NAME or type(value) is not str or not value:
        return None
    try:
        whole = str(Reference.parse(value)).startswith(value)
    except NameFormatError:
        whole = False
    return None if whole else f"{quoted(value)} is not a full name with its registry"


def _is_not_null(value: object) -> Sequence[Fault]:
    return fault("must be left out or be empty where there are none, not null") if value is None else OK


def annotated(kind: str) -> Check:
    """Return a check that `annotations` of a kind of object are an object; null has its own rule, ANN-04."""
    another = has_type(f"{kind}.annotations", dict)
    return Check(another.at, lambda value: OK if value is None else another.run(value))


_REF_NAME_CHARS = re.compile(r"[A-Za-z0-9._:@/+-]+")


def _ref_name(place: str, fits: Callable[[str], object], message: str) -> Check:
    def run(node: object) -> Sequence[Fault]:
        value = node.get(keys.REF_NAME) if type(node) is dict else None
        return OK if type(value) is not str or fits(value) else fault(f"{quoted(value)} {message}", keys.REF_NAME)

    return Check(place, run)


_TEXTS = _each_item(_text)

ANNOTATION_RULES = (
    rule(
        "ANN-01",
        "MUST",
        "error",
        "The value of an annotation is a string, perhaps an empty one.",
        (_TEXTS[0], *tolerant(_TEXTS[1], inside=type(None))),
    ),
    rule(
        "ANN-02",
        "SHOULD",
        "note",
        "The key of an annotation is a name in reverse domain order.",
        _each_item(_reverse_dns),
    ),
    rule(
        "ANN-03",
        "MUST NOT",
        "warning",
        "Keys that begin with org.opencontainers are the spec's alone.",
        _each_item(_reserved),
    ),
    rule(
        "ANN-04",
        "MUST",
        "error",
        "Where there are no annotations, the field is left out or an empty object, not null.",
        tuple(Check(f"{kind}.annotations", _is_not_null) for kind in ("descriptor", "manifest", "index")),
    ),
    unchecked("ANN-05", "MUST NOT", "Unknown keys are not an error.", "No rule mentions them."),
    rule(
        "ANN-06",
        "INFO",
        "warning",
        "The predefined annotations have the form that the spec gives them, or are empty.",
        _each_item(_form),
    ),
    rule(
        "ANN-07",
        "SHOULD",
        "warning",
        "`ref.name` is only on entries of an index, and has only letters, digits and -._:@/+.",
        (
            _ref_name("manifest.annotations", lambda _: False, "names nothing here, only on an entry of an index"),
            _ref_name("index.annotations", lambda _: False, "names nothing here, only on an entry of the index"),
            _ref_name("entry.annotations", _REF_NAME_CHARS.fullmatch, "has other characters than -._:@/+"),
        ),
    ),
    rule(
        "ANN-08",
        "INFO",
        "warning",
        "`ref.name` is of words with single separators between them.",
        (
            _ref_name(
                "entry.annotations",
                lambda text: is_ref_name(text) or not _REF_NAME_CHARS.fullmatch(text),
                "is not of words with single separators",
            ),
        ),
    ),
    rule(
        "ANN-09",
        "SHOULD",
        "warning",
        "`base.name` is a full reference, with its registry, or is empty.",
        _each_item(_base_name),
    ),
    unchecked(
        "ANN-10",
        "MAY",
        "Labels of label-schema.org are honoured as well.",
        "It is about what programs do, not about the content of a document.",
    ),
)
