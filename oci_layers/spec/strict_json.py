"""Untrusted bytes to a JSON object, by the rules of I-JSON (considerations.md; RFC 7493) and within limits.

The standard library's parser takes more than JSON (NaN, two equal keys of which the last wins, half of a surrogate
pair), recurses as deep as the text does, and converts numbers of any length. What would hurt is found before parsing,
in one pass over the bytes; what is merely wrong is marked while parsing, and found again in the result, where the way
to it is known. Types and fields are the business of `spec/codec`.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import attrs

from oci_layers.errors import DocumentError, LimitError, Problem
from oci_layers.limits import LISTED, Limits

__all__ = ["kind_of", "load_json", "pointer"]

_DEFAULT_LIMITS = Limits()

# A string, or what is left of the input after a quote that nothing closes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

# No double has more digits before the point, and I-JSON promises no more than a double.
_INTEGER_DIGITS = 309

# Characters of pointers, besides the last one, that are kept: there may be many problems below one long key.
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
    """Stands in a parsed document for something that JSON parsers let through."""

    message: str


class _Problems:
    """The first problems of a document, and how many there are."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.total = 0
        self._room = _POINTERS

    def add(self, path: Sequence[str | int], message: str) -> None:
        """Count a problem, and keep it while there is room."""
        self.total += 1
        if len(self.first) < LISTED and self._room > 0:
            where = pointer(path)
            self._room -= len(where)
            self.first.append(Problem(where, message))


def load_json(
    raw: bytes,
    *,
    media_type: str,
    limits: Limits = _DEFAULT_LIMITS,
    limit: Literal["document_bytes", "config_bytes"] = "document_bytes",
) -> dict[str, Any]:
    """Return the JSON object that `raw` is; `media_type` is for the error, `limit` the one that its length is held to.

    Raises:
        DocumentError: The bytes are not one I-JSON object.
        LimitError: There are too many of them, or arrays and objects are nested too deeply.
    """
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
    if type(loaded) is not dict:
        raise _document_error(media_type, f"must be an object, not {kind_of(loaded)}")
    return loaded


def kind_of(value: object) -> str:
    """Return what a JSON value is, for a message."""
    return _KINDS[type(value)]


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) that follows these keys and indexes."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _document_error(media_type: str, message: str, offset: int | None = None) -> DocumentError:
    return DocumentError(media_type, (Problem("", message, offset),))


def _check_depth(raw: bytes, allowed: int) -> None:
    """Refuse deep nesting before a parser recurses into it. Linear, whatever the bytes are."""
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
    """Return the hooks of the parser that put a mark in the place of what is wrong, and into `marked`, each once."""

    def mark(message: str) -> _Wrong:
        return marked.setdefault(message, _Wrong(message))

    def constant(text: str) -> _Wrong:
        return mark(f"{text} is not a JSON number")

    def integer(text: str) -> int | _Wrong:
        # A longer one would also cost time that grows with the square of its length.
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
                    found[key] = mark("stands in its object more than once")
                seen.add(key)
        return found

    return {
        "parse_constant": constant,
        "parse_int": integer,
        "parse_float": number,
        "object_pairs_hook": members,
    }


def _gather(value: object, path: list[str | int], found: _Problems) -> None:
    """Find what is wrong in a parsed document; it is no deeper than the limit."""
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
