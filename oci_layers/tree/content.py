"""The bytes of files, described rather than held.

`Inline` holds bytes, for trees made in memory; `RangeContent` is a range of a source, such as the uncompressed tar of a
layer; `DigestContent` has only size and digest, as a dump does. Anything with size, extents and chunks is a `Content`.
"""

import hashlib
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import attrs

from oci_layers.errors import UnsupportedError

__all__ = [
    "EMPTY",
    "NOWHERE",
    "Content",
    "DigestContent",
    "Extents",
    "Inline",
    "RangeContent",
    "RangeReader",
    "same_content",
    "sha256",
    "stored_pieces",
]

_PIECE = 1 << 18
_ZEROS = bytes(_PIECE)

Extents = tuple[tuple[int, int], ...]
"""Where a sparse file has data: (offset, length) pieces in order; the rest are holes."""


class Content(Protocol):
    """The bytes of a file."""

    @property
    def size(self) -> int:
        """The number of bytes, including holes."""
        ...

    @property
    def extents(self) -> Extents | None:
        """Where the data are, or None if there are no holes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the expanded bytes in bounded pieces."""
        ...


@runtime_checkable
class RangeReader(Protocol):
    """A source of which stored contents are ranges, such as the uncompressed tar of a layer."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset`."""
        ...


class _Nowhere:
    """The source of contents that are streamed once and not kept: every read raises."""

    def read_at(self, offset: int, size: int) -> bytes:
        raise UnsupportedError("reading of contents that were not kept", f"{size} bytes from {offset}")


NOWHERE: RangeReader = _Nowhere()


@attrs.frozen
class Inline:
    """Contents in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def extents(self) -> None:
        """None: contents in memory have no holes."""
        return

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, in one piece."""
        if self.data:
            yield self.data


EMPTY = Inline(b"")


@attrs.frozen
class DigestContent:
    """Contents known only by size and SHA-256 (lower-case hex), as in a dump."""

    size: int
    sha256: str

    @property
    def extents(self) -> None:
        """None: holes are not known."""
        return

    def chunks(self) -> Iterator[bytes]:
        """Raise UnsupportedError: there are no bytes."""
        raise UnsupportedError("reading of contents known by their digest only", self.sha256)


@attrs.define(eq=False)
class RangeContent:
    """Contents in a source: the pieces of `extents` one after another from `offset`, or all of `size`."""

    source: RangeReader
    offset: int
    size: int
    extents: Extents | None = None

    def is_range_of(self, other: "RangeContent") -> bool:
        """Tell whether this is the same range of the same source, and so the same bytes."""
        mine = self.offset, self.size, self.extents
        theirs = other.offset, other.size, other.extents
        return self.source is other.source and self.source is not NOWHERE and mine == theirs

    def chunks(self) -> Iterator[bytes]:
        """Yield the expanded bytes, read from the source on demand."""
        for run in self.runs():
            if isinstance(run, int):
                yield from _zeros(run)
            else:
                yield run

    def runs(self) -> Iterator[bytes | int]:
        """Yield each piece of data as bytes, read on demand, and each hole as its length."""
        at, stored = 0, self.offset
        for start, length in self.extents if self.extents is not None else ((0, self.size),):
            if start > at:
                yield start - at
            for done in range(0, length, _PIECE):
                yield self.source.read_at(stored + done, min(_PIECE, length - done))
            at, stored = start + length, stored + length
        if self.size > at:
            yield self.size - at


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield _ZEROS[:count]
        count -= _PIECE


def sha256(content: Content) -> str:
    """Return the SHA-256 of the expanded bytes, as lower-case hex."""
    if isinstance(content, DigestContent):
        return content.sha256
    hasher = hashlib.sha256()
    for chunk in content.chunks():
        hasher.update(chunk)
    return hasher.hexdigest()


def same_content(one: Content, other: Content) -> bool:
    """Compare expanded bytes, however they are chunked; holes equal zeros, and cost nothing where both have them."""
    if one is other:
        return True
    if one.size != other.size:
        return False
    if isinstance(one, DigestContent) or isinstance(other, DigestContent):
        return sha256(one) == sha256(other)
    if isinstance(one, Inline) and isinstance(other, Inline):
        return one.data == other.data
    if isinstance(one, RangeContent) and isinstance(other, RangeContent) and one.is_range_of(other):
        return True
    left, right = _runs(one), _runs(other)
    a: bytes | int = b""
    b: bytes | int = b""
    while True:
        a = a or next(left, b"")
        b = b or next(right, b"")
        if not a or not b:
            return not a and not b
        size = min(_length(a), _length(b))
        if _run(a, size) != _run(b, size):
            return False
        a, b = _rest(a, size), _rest(b, size)


def stored_pieces(content: Content) -> Iterator[memoryview]:
    """Yield the bytes that are not in holes, in bounded pieces, read on demand."""
    if isinstance(content, RangeContent):
        yield from (memoryview(run) for run in content.runs() if not isinstance(run, int))
    elif content.extents is None:
        yield from (memoryview(chunk) for chunk in content.chunks())
    else:
        yield from _without_holes(content.chunks(), content.extents)


def _without_holes(chunks: Iterator[bytes], extents: Extents) -> Iterator[memoryview]:
    at, waiting = 0, list(extents[::-1])
    for chunk in chunks:
        view, end = memoryview(chunk), at + len(chunk)
        while waiting and waiting[-1][0] < end:
            start, length = waiting.pop()
            stop = min(start + length, end)
            if stop < start + length:
                waiting.append((stop, start + length - stop))
            yield view[start - at : stop - at]
        at = end


def _runs(content: Content) -> Iterator[bytes | int]:
    """Yield pieces of data as bytes, and each known hole as its length."""
    return content.runs() if isinstance(content, RangeContent) else content.chunks()


def _length(run: bytes | int) -> int:
    return run if isinstance(run, int) else len(run)


def _run(run: bytes | int, size: int) -> bytes | int:
    """Return the first `size` bytes of a run, or `size` itself if all of them are zeros."""
    if isinstance(run, int):
        return size
    start = run[:size]
    return start if start.strip(b"\0") else size


def _rest(run: bytes | int, size: int) -> bytes | int:
    return run - size if isinstance(run, int) else run[size:]
