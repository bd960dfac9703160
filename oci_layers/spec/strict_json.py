"""Untrusted bytes to a JSON value, by the rules of I-JSON (considerations.md; RFC 7493) and within limits.

The standard library's parser accepts more than JSON (NaN, two equal keys of which the last wins, half of a surrogate
pair), recurses as deep as the text nests, and converts numbers of any length. Deep nesting is found before parsing, in
one pass over the bytes. Other faults are replaced by marks while parsing; a walk through the result then finds the
marks and their JSON pointers. Types and fields are checked in `spec/codec`.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import attrs

from oci_layers.errors import DocumentError, LimitError, Problem
from oci_layers.limits import DEFAULT_LIMITS, LISTED, Limits

__all__ = ["kind_of", "load_json", "load_value", "pointer"]


# A string, or the rest of the input after a quote that is never closed.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

# No double has more digits before the point, and I-JSON promises no more than a double.
_INTEGER_DIGITS = 309

# Characters of all pointers kept, the last one not counted: there may be many problems below one long key.
_POINTERS = 1 << 20

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction or exponent",
    type(None): "null",
}


@attrs.frozen
class _Wrong:
    """A mark in a parsed document, in the place of a value that I-JSON does not allow."""

    message: str


class _Problems:
    """The first problems of a document, and their total number."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.total = 0
        self._room = _POINTERS

    def add(self, path: Sequence[str | int], message: str) -> None:
        """Count a problem, and keep it if there is room."""
        self.total += 1
        if len(self.first) < LISTED and self._room > 0:
            where = pointer(path)
            self._room -= len(where)
            self.first.append(Problem(where, message))


def load_json(
    raw: bytes,
    *,
    media_type: str,
    limits: Limits = DEFAULT_LIMITS,
    limit: Literal["document_bytes", "config_bytes"] = "document_bytes",
) -> dict[str, Any]:
    """Parse one JSON object; errors report `media_type`, and `limit` names the limit on the length of `raw`.

    Raises:
        DocumentError: The bytes are not one I-JSON object.
        LimitError: The bytes exceed `limit`, or arrays and objects are nested more deeply than `json_depth`.
    """
    loaded = load_value(raw, media_type=media_type, limits=limits, limit=limit)
    if type(loaded) is not dict:
        raise _document_error(media_type, f"must be an object, not {kind_of(loaded)}")
    return loaded


def load_value(
    raw: bytes,
    *,
    media_type: str,
    limits: Limits = DEFAULT_LIMITS,
    limit: Literal["document_bytes", "config_bytes"] = "document_bytes",
) -> Any:  # Any: the values of JSON
    """Parse one JSON value of any type; otherwise like `load_json`."""
    if not isinstance(raw, bytes):
        raise TypeError(f"raw: expected bytes, not {type(raw).__name__}")
    allowed: int = getattr(limits, limit)
    if len(raw) > allowed:
        raise LimitError(limit, allowed, len(raw))
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _document_error(media_type, "begins with a byte order mark", 0)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _document_error(media_type, f"is not UTF-8 at byte {error.start}", error.start) from None
    _check_depth(raw, limits.json_depth)
    marked: dict[str, _Wrong] = {}
    found = _Problems()
    try:
        loaded = json.loads(text, **_hooks(marked))
        if marked or _SURROGATE_ESCAPE.search(raw):
            _gather(loaded, [], found)
    except json.JSONDecodeError as error:
        message = f"is not JSON at line {error.lineno} column {error.colno}: {error.msg}"
        raise _document_error(media_type, message, len(text[: error.pos].encode())) from None
    except RecursionError:
        raise _document_error(media_type, "is nested more deeply than this interpreter can follow") from None
    if found.total:
        raise DocumentError(media_type, tuple(found.first), found.total)
    return loaded


def kind_of(value: object) -> str:
    """Return the name of a JSON value's type, for a message."""
    return _KINDS[type(value)]


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) that follows these keys and indexes."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _document_error(media_type: str, message: str, offset: int | None = None) -> DocumentError:
    return DocumentError(media_type, (Problem("", message, offset),))


def _check_depth(raw: bytes, allowed: int) -> None:
    """Refuse deep nesting before a parser recurses into it. Takes linear time for all input."""
    if raw.count(b"[") + raw.count(b"{") <= allowed:
        return
    depth = 0
    for byte in _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS):
        if byte in b"]}":
            depth -= 1
            continue
        depth += 1
        if depth > allowed:
            raise LimitError("json_depth", allowed, depth)


def _hooks(marked: dict[str, _Wrong]) -> dict[str, Any]:
    """Return parser hooks that replace invalid values by marks; `marked` gets each different mark once."""

    def mark(message: str) -> _Wrong:
        return marked.setdefault(message, _Wrong(message))

    def constant(text: str) -> _Wrong:
        return mark(f"{text} is not a JSON number")

    def integer(text: str) -> int | _Wrong:
        # Converting a longer number takes time quadratic in its length.
        return int(text) if len(text) <= _INTEGER_DIGITS else mark(f"is a number of {len(text)} digits")

    def number(text: str) -> float | _Wrong:
        value = float(text)
        return value if math.isfinite(value) else mark("is a number that no double can hold")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = dict(pairs)
        if len(found) != len(pairs):
            seen = set()
            for key, _ in pairs:
                if key in seen:
                    found[key] = mark("name is repeated in its object")
                seen.add(key)
        return found

    return {
        "parse_constant": constant,
        "parse_int": integer,
        "parse_float": number,
        "object_pairs_hook": members,
    }


def _gather(value: object, path: list[str | int], found: _Problems) -> None:
    """Find the problems of a parsed document by recursion; `_check_depth` has limited its depth."""
    if isinstance(value, _Wrong):
        found.add(path, value.message)
    elif isinstance(value, str):
        if _has_surrogate(value):
            found.add(path, "holds half of a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            path.append(key)
            if _has_surrogate(key):
                found.add(path, "is a key that holds half of a surrogate pair")
            _gather(item, path, found)
            path.pop()
    elif isinstance(value, list):
        for index, item in enumerate(value):
            path.append(index)
            _gather(item, path, found)
            path.pop()


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None
