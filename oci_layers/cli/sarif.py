"""Findings as a SARIF 2.1.0 log (OASIS), which CI systems read.

A file has a URI, relative if the file is below the working directory. A finding in a JSON document that is a file has
line and column. A finding inside an archive or a compressed layer has a logical location, because no region of the file
corresponds to it. The fingerprint of a finding stays the same when lines, digests and offsets change.
"""

import hashlib
import os
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import attrs

from oci_layers._version import __version__
from oci_layers.report import Rule, Severity

__all__ = ["Result", "file_uri", "sarif_log"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "finding/v1"


@attrs.frozen(kw_only=True)
class Result:
    """One finding."""

    rule: Rule
    severity: Severity
    message: str
    uri: str
    """The URI of the file."""
    line: int | None = None
    column: int | None = None
    name: str = ""
    """The part of the file that the finding is about; empty for the whole file."""
    kind: str = "value"
    """The kind of `name`, a SARIF term."""
    identity: tuple[str, ...] = ()
    """The values that identify the finding in later runs."""
    properties: Mapping[str, Any] = attrs.field(factory=dict)  # Any: JSON


def file_uri(path: str) -> str:
    """Return the URI of a file: relative if it is below the working directory, else absolute."""
    absolute, here = os.path.abspath(path), os.getcwd()
    if absolute.startswith(os.path.join(here, "")):
        return urllib.parse.quote(
            PurePath(os.path.relpath(absolute, here)).as_posix().encode("utf-8", "surrogateescape")
        )
    return "file://" + urllib.parse.quote(PurePath(absolute).as_posix().encode("utf-8", "surrogateescape"))


def sarif_log(results: Iterable[Result], *, left_out: str = "") -> dict[str, Any]:  # Any: JSON
    """Return the log of one run; `left_out` is a message about results that it omits, or empty."""
    rules: dict[str, int] = {}
    descriptions: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    seen: Counter[str] = Counter()
    for result in results:
        if result.rule.id not in rules:
            rules[result.rule.id] = len(rules)
            descriptions.append(_description(result.rule))
        rows.append(_row(result, rules[result.rule.id], seen))
    driver = {"name": "oci-layers", "version": __version__, "semanticVersion": __version__, "rules": descriptions}
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": left_out}}]
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": rows,
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _description(rule: Rule) -> dict[str, Any]:  # Any: JSON
    found: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": rule.sentence},
        "defaultConfiguration": {"level": rule.severity},
    }
    if rule.fix:
        found["help"] = {"text": rule.fix}
    return found


def _row(result: Result, index: int, seen: Counter[str]) -> dict[str, Any]:  # Any: JSON
    physical: dict[str, Any] = {"artifactLocation": {"uri": result.uri}}
    if result.line is not None:
        physical["region"] = {"startLine": result.line, "startColumn": result.column}
    location: dict[str, Any] = {"physicalLocation": physical}
    if result.name:
        location["logicalLocations"] = [{"fullyQualifiedName": result.name, "kind": result.kind}]
    identity = "\0".join((result.rule.id, *result.identity)).encode("utf-8", "surrogateescape")
    key = hashlib.sha256(identity).hexdigest()
    seen[key] += 1
    row = {
        "ruleId": result.rule.id,
        "ruleIndex": index,
        "level": result.severity,
        "message": {"text": result.message},
        "locations": [location],
        # A number distinguishes findings that are otherwise equal.
        "partialFingerprints": {_FINGERPRINT: f"{key}:{seen[key]}"},
    }
    return row | {"properties": dict(result.properties)} if result.properties else row
