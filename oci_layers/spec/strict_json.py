"""Untrusted bytes to a JSON object, by the rules of I-JSON (considerations.md; RFC 7493) and within limits.

The standard library's parser takes more than JSON (NaN, two equal keys of which the last wins, half of a surrogate
pair), recurses as deep as the text does, and converts numbers of any length. What would hurt is found before parsing,
in one pass over the bytes; what is merely wrong is marked while parsing, and found again in the result, where the way
to it is known. Types and fields are the business of `spec/codec`.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Literal

from oci_layers.errors import DocumentError, LimitError, Problem
from oci_layers.limits import Limits

__all__ = ["kind_of", "load_json", "pointer"]

_DEFAULT_LIMITS = Limits()

# A string, or what is left of the input after a quote that nothing closes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")

# No double has more digits before the point, and I-JSON promises no more than a double.
_INTEGER_DIGITS = 309

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction or exponent",
    type(None): "null",
}


class _Wrong:
    """Stands in a parsed document for something that JSON parsers let through."""

    def __init__(self, message: str) -> None:
        self.message = message


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
    marked: list[_Wrong] = []
    try:
        loaded = json.loads(text, **_hooks(marked))
        wrong = list(_wrongs(loaded, ())) if marked or _SURROGATE_ESCAPE.search(raw) else []
    except json.JSONDecodeError as error:
        message = f"is not JSON at line {error.lineno} column {error.colno}: {error.msg}"
        raise _document_error(media_type, message, len(text[: error.pos].encode())) from None
    except RecursionError:
        raise _document_error(media_type, "is nested more deeply than this interpreter can follow") from None
    if wrong:
        raise DocumentError(media_type, tuple(Problem(pointer(path), message) for path, message in wrong))
    if type(loaded) is not dict:
        raise _document_error(media_type, f"must be an object, not {kind_of(loaded)}")
    return loaded


def kind_of(value: object) -> str:
    """Return what a JSON value is, for a message."""
    return _KINDS[type(value)]


def pointer(path: tuple[str | int, ...]) -> str:
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


def _hooks(marked: list[_Wrong]) -> dict[str, Any]:
    """Return the hooks of the parser that put a mark in the place of what is wrong, and into `marked`."""

    def mark(message: str) -> _Wrong:
        marked.append(_Wrong(message))
        return marked[-1]

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


def _wrongs(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong in a parsed document; it is no deeper than the limit."""
    if isinstance(value, _Wrong):
        yield path, value.message
    elif isinstance(value, str):
        if _has_surrogate(value):
            yield path, "holds half of a surrogate pair"
    elif isinstance(value, dict):
        for key, item in value.items():
            if _has_surrogate(key):
                yield (*path, key), "is a key that holds half of a surrogate pair"
            yield from _wrongs(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _wrongs(item, (*path, index))


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
