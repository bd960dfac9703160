"""JSON pointers and the bytes of a document into positions: line, column, and where the value begins and ends.

For messages to people who have the document in an editor. One pass over the bytes finds any number of pointers; it has
no recursion, holds no more than the pointers, and accepts any bytes: in a truncated or malformed document it finds
positions up to the fault. A pointer to a value that does not exist gets the position of the nearest value around it. Of
several members with one name the last counts, as in most parsers.
"""

import json
import re
from collections.abc import Iterable, Mapping

import attrs

__all__ = ["Extent", "locate", "positions"]

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[][{},:]|[^][{},:"\x20\t\r\n]++', re.DOTALL)
_OPENING = frozenset({b"[", b"{"})
_CLOSING = frozenset({b"]", b"}"})
_CONTINUATION = bytes(range(0x80, 0xC0))
_LENIENT = json.JSONDecoder(strict=False)


@attrs.frozen
class Extent:
    """The position of a value in the bytes of a document."""

    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    offset: int
    """In bytes, from 0."""
    end: int
    """Where the value ends, in bytes; the end of the document if nothing closes it."""
    found: bool
    """Whether this is the value that was asked for, and not the nearest one around it."""


def locate(raw: bytes, pointers: Iterable[str]) -> dict[str, Extent]:
    """Return the position in a document of each of the JSON pointers (RFC 6901)."""
    root = _Wanted(len(raw))
    ways: dict[str, list[_Wanted]] = {}
    for pointer in pointers:
        ways[pointer] = way = [root]
        for step in pointer.split("/")[1:]:
            way.append(way[-1].below(step.replace("~1", "/").replace("~0", "~")))
    _walk(raw, root)
    nearest = {pointer: next((each for each in reversed(way) if each.found), root) for pointer, way in ways.items()}
    places = positions(raw, (wanted.offset for wanted in nearest.values()))
    return {
        pointer: Extent(*places[wanted.offset], wanted.offset, wanted.end, wanted.found and wanted is ways[pointer][-1])
        for pointer, wanted in nearest.items()
    }


def positions(raw: bytes, offsets: Iterable[int]) -> Mapping[int, tuple[int, int]]:
    """Return line and column, each from 1, of offsets in bytes; columns are counted in characters."""
    found: dict[int, tuple[int, int]] = {}
    at, line, column = 0, 1, 1
    for offset in sorted(set(offsets)):
        piece = raw[at:offset]
        newlines = piece.count(b"\n")
        if newlines:
            line, column = line + newlines, 1
            piece = piece[piece.rindex(b"\n") + 1 :]
        column += len(piece.translate(None, _CONTINUATION))
        at = offset
        found[offset] = line, column
    return found


class _Wanted:
    """A value to find, or one around a value to find."""

    __slots__ = ("children", "end", "found", "offset")

    def __init__(self, end: int) -> None:
        self.children: dict[str, _Wanted] = {}
        self.offset = 0
        self.end = end
        self.found = False

    def below(self, step: str) -> "_Wanted":
        return self.children.setdefault(step, _Wanted(self.end))


class _Open:
    """An array or an object that the walk is inside."""

    __slots__ = ("index", "key", "named", "wanted")

    def __init__(self, wanted: _Wanted, *, named: bool) -> None:
        self.wanted = wanted
        self.named = named
        self.key: str | None = None
        self.index = 0

    @property
    def child(self) -> _Wanted | None:
        return self.wanted.children.get(str(self.index) if self.key is None else self.key)


def _walk(raw: bytes, root: _Wanted) -> None:
    """Find the positions of `root` and everything below it."""
    around: list[_Open] = []
    unwanted = 0
    for token in _TOKEN.finditer(raw):
        text = token[0]
        if unwanted:
            unwanted += (text in _OPENING) - (text in _CLOSING)
            continue
        here = around[-1] if around else None
        if text in _CLOSING:
            if here is not None:
                here.wanted.end = token.end()
                around.pop()
            if not around:
                return
        elif text == b":":
            pass
        elif text == b",":
            if here is not None:
                here.index, here.key = here.index + 1, None
        elif here is not None and here.named and here.key is None:
            here.key = _string(text)
        else:
            wanted = root if here is None else here.child
            if wanted is not None:
                wanted.offset, wanted.found = token.start(), True
                wanted.end = len(raw) if text in _OPENING else token.end()
            if text in _OPENING:
                if wanted is None:
                    unwanted = 1
                else:
                    around.append(_Open(wanted, named=text == b"{"))
            elif here is None:
                return


def _string(text: bytes) -> str:
    """Return a key as the parser decodes it, or something similar where the parser refuses it."""
    if b"\\" in text:
        try:
            return str(_LENIENT.decode(text.decode("utf-8", "replace")))
        except ValueError:
            pass
    return text.strip(b'"').decode("utf-8", "replace")
