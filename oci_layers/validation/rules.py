"""Check the bytes of a document: the rules of the spec as one table, and the walk through a document.

A rule is data (`rule`); the tables beside this module hold them all, each under its id. The walk knows only which kinds
of objects are where. It works on the JSON itself and not on the typed values of `spec.codec`, which do not exist for a
malformed document, so that all faults are found at once and each has its location.

Three profiles set the severity of findings. `default` uses that of the table. `strict` is for authors of documents:
advice of the spec is required, so warnings are errors and notes are warnings. `lenient` is for users of existing
registries: null equals absent, faults that programs can handle are warnings, and notes are left out. What is not JSON,
or exceeds a limit, is an error in all three.

Time and memory grow with the document, and not with the number of its faults: the first are kept, the others only
counted (`findings`).

    found = validate(raw, OCI_MANIFEST)
    for finding in found:
        print(finding)          # error DSC-07 /layers/0/size: must not be negative
    found.ok, found.total       # of all findings, including those left out
"""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from oci_layers.errors import DocumentError, LimitError, UnsupportedError
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.report import DocumentFinding, DocumentLocation, Finding, Rule, Severity
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.spec.strict_json import load_json, pointer
from oci_layers.validation.annotations import ANNOTATION_RULES
from oci_layers.validation.config import CONFIG_RULES
from oci_layers.validation.descriptor import DESCRIPTOR_RULES
from oci_layers.validation.findings import Findings, Sieve
from oci_layers.validation.manifest import MANIFEST_RULES
from oci_layers.validation.not_checked import ELSEWHERE_RULES
from oci_layers.validation.platform import PLATFORM_RULES
from oci_layers.validation.rule import Check, Profile, severity_in

__all__ = ["CHECKED_RULES", "DOCUMENT_RULES", "Profile", "validate"]

CHECKED_RULES = sorted(
    (*DESCRIPTOR_RULES, *ANNOTATION_RULES, *MANIFEST_RULES, *PLATFORM_RULES, *CONFIG_RULES, *ELSEWHERE_RULES),
    key=lambda row: row.rule.id,
)
"""Every rule of documents with its checks, by id."""

DOCUMENT_RULES: Mapping[str, Rule] = {row.rule.id: row.rule for row in CHECKED_RULES}
"""Every rule of documents by its id, including those that no program can check."""


# The kinds of object of each media type: an object follows the rules of all its kinds.
_DOCUMENTS = {
    OCI_DESCRIPTOR: "descriptor",
    OCI_MANIFEST: "manifest oci-manifest",
    DOCKER_MANIFEST: "manifest docker-manifest",
    OCI_INDEX: "index oci-index",
    DOCKER_MANIFEST_LIST: "index docker-index",
    OCI_CONFIG: "config",
    DOCKER_CONFIG: "config",
    OCI_LAYOUT: "layout",
}
# The kinds of object in the fields of each kind; `[]` are arrays of them.
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "manifest": {
        "config": "descriptor",
        "layers": "[] descriptor",
        "subject": "descriptor",
        "annotations": "annotations",
    },
    "index": {"manifests": "[] descriptor entry", "subject": "descriptor", "annotations": "annotations"},
    "descriptor": {"annotations": "annotations", "platform": "platform"},
    "config": {"config": "container", "rootfs": "rootfs", "history": "[] history"},
    "container": {"Labels": "labels", "Healthcheck": "healthcheck"},
}
# Only in these may an optional field be null (CFG-01).
_NULLABLE = frozenset({"config", "container", "rootfs", "history", "healthcheck"})
_REQUIRED: Mapping[str, frozenset[str]] = {
    "manifest": frozenset({"schemaVersion", "config", "layers"}),
    "index": frozenset({"schemaVersion", "manifests"}),
    "descriptor": frozenset({"mediaType", "digest", "size"}),
    "platform": frozenset({"architecture", "os"}),
    "config": frozenset({"architecture", "os", "rootfs"}),
    "rootfs": frozenset({"type", "diff_ids"}),
    "layout": frozenset({"imageLayoutVersion"}),
}

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[][{}]', re.DOTALL)
_DEEPER = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}

_Path = tuple[str | int, ...]


def validate(raw: bytes, media_type: str, *, profile: Profile = "default", limits: Limits = DEFAULT_LIMITS) -> Findings:
    """Return the findings of a document, in the order of their locations; empty if it follows all rules.

    The result is a tuple of the first 1,000 findings of each severity; its `total`, `totals` and `left_out` count all
    of them. `media_type` is that of the document's descriptor. A document is valid in a profile, and the result is
    `ok`, if no finding has the severity `error`. A document that is not JSON, or exceeds a limit, is not checked
    further.

    Raises:
        UnsupportedError: The media type is not that of a known document.
        TypeError: `raw` is text; the digest of a document is that of its bytes.
    """
    kinds = _DOCUMENTS.get(media_type)
    if kinds is None and media_type != OCI_EMPTY:
        raise UnsupportedError("media type of a document", media_type)
    try:
        loaded = load_json(
            raw,
            media_type=media_type,
            limits=limits,
            limit="config_bytes" if kinds == "config" else "document_bytes",
        )
    except DocumentError as error:
        found = (_finding("CON-04", each.pointer, each.message, each.offset) for each in error.problems)
        more = error.total - len(error.problems)
        return Findings(found, {("CON-04", "error"): more} if more else {})
    except LimitError as error:
        return Findings([_past_limit(raw, error)])
    if kinds is None:
        good = raw == b"{}"
        return Findings([] if good else [_finding("ART-01", "", "must be the two bytes {} and nothing else")])
    faults = _Faults(profile)
    _visit(loaded, _kind(kinds), (), faults)
    return faults.findings()


def _finding(rule: str, at: str, message: str, offset: int | None = None) -> DocumentFinding:
    return Finding(rule, "error", DocumentLocation(at, offset=offset), message)


def _past_limit(raw: bytes, error: LimitError) -> DocumentFinding:
    if error.limit != "json_depth":
        message = f"limit {error.limit} is {error.allowed}, the document has {error.seen} bytes"
        return _finding("LIM-01", "", message)
    depth = 0
    tokens = _TOKEN.finditer(raw)
    at = next(token.start() for token in tokens if (depth := depth + _DEEPER.get(token[0], 0)) > error.allowed)
    message = f"limit {error.limit} is {error.allowed}, the document is nested more deeply at byte {at}"
    return _finding("LIM-02", "", message, at)


@attrs.frozen
class _Field:
    """A field of an object: its checks, and the kind of object that it holds."""

    checks: tuple[tuple[Rule, Check], ...]
    kind: "_Kind | None"
    many: bool
    required: bool


@attrs.frozen
class _Kind:
    """A kind of object: the checks of the whole object, and its fields."""

    checks: tuple[tuple[Rule, Check], ...]
    fields: Mapping[str, _Field]
    nullable: bool


@functools.cache
def _kind(names: str) -> _Kind:
    """Return the checks and fields of an object that is of all the kinds in `names`."""
    whole: list[tuple[Rule, Check]] = []
    by_field: dict[str, list[tuple[Rule, Check]]] = {}
    held: dict[str, str] = {}
    required: set[str] = set()
    kinds = names.split()
    for name in kinds:
        held |= _FIELDS.get(name, {})
        required |= _REQUIRED.get(name, frozenset())
    for row in CHECKED_RULES:
        for check in row.checks:
            kind, dot, field = check.at.partition(".")
            if kind in kinds:
                (by_field.setdefault(field, []) if dot else whole).append((row.rule, check))
    fields = {}
    for field in {**by_field, **held}:
        inner = held.get(field, "")
        many = inner.startswith("[]")
        nested = _kind(inner.removeprefix("[] ")) if inner else None
        fields[field] = _Field(tuple(by_field.get(field, ())), nested, many, field in required)
    return _Kind(tuple(whole), fields, not _NULLABLE.isdisjoint(kinds))


class _Faults:
    """The faults found so far in a document: the first ones, and the number of the others."""

    def __init__(self, profile: Profile) -> None:
        self._profile: Profile = profile
        self._sieve = Sieve()
        self._kept: list[tuple[_Path, str, Severity, str]] = []

    def takes_null(self, kind: _Kind) -> bool:
        """Return whether an optional field of such an object may be null."""
        return kind.nullable or self._profile == "lenient"

    def add(self, checks: Iterable[tuple[Rule, Check]], value: Any, path: _Path) -> None:  # Any: JSON.
        """Check the value at a place."""
        for rule, check in checks:
            for below, message in check.run(value):
                severity = severity_in(check.severity or rule.severity, self._profile, tolerated=check.tolerated)
                if severity is not None and self._sieve.admits(rule.id, severity):
                    self._kept.append(((*path, *below), rule.id, severity, message))

    def findings(self) -> Findings:
        """Return the findings in the order of their locations."""
        self._kept.sort(key=lambda fault: fault[:2])
        found = (
            Finding(rule, severity, DocumentLocation(pointer(path)), message)
            for path, rule, severity, message in self._kept
        )
        return Findings(found, self._sieve.left_out)


def _visit(node: dict[str, Any], kind: _Kind, path: _Path, faults: _Faults) -> None:
    faults.add(kind.checks, node, path)
    for key, value in node.items():
        field = kind.fields.get(key)
        if field is None or (value is None and not field.required and faults.takes_null(kind)):
            continue
        faults.add(field.checks, value, (*path, key))
        if field.kind is None:
            continue
        if type(value) is dict and not field.many:
            _visit(value, field.kind, (*path, key), faults)
        elif type(value) is list and field.many:
            for index, item in enumerate(value):
                if type(item) is dict:
                    _visit(item, field.kind, (*path, key, index), faults)
