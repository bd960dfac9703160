"""Contents that are made of others: several joined, a part of one, or pieces with holes between them; not copied."""

import itertools
from collections.abc import Iterator

import attrs

from oci_layers.errors import LayerError
from oci_layers.tree.content import Content, Extents

__all__ = ["Joined", "Part", "Spread"]

_PIECE = 1 << 18
_ZEROS = bytes(_PIECE)


@attrs.frozen(eq=False)
class Joined:
    """Contents one after another."""

    parts: tuple[Content, ...]

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(part.size for part in self.parts)

    @property
    def extents(self) -> Extents | None:
        """None: holes are zeros."""
        return None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the parts."""
        return itertools.chain.from_iterable(part.chunks() for part in self.parts)


@attrs.frozen(eq=False)
class Part:
    """A range of a content, which is read from its beginning."""

    content: Content
    offset: int
    size: int

    @property
    def extents(self) -> Extents | None:
        """None: holes are zeros."""
        return None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the range.

        Raises:
            LayerError: The content has become shorter.
        """
        start, left = self.offset, self.size
        for chunk in self.content.chunks() if left else ():
            piece = chunk[start : start + left]
            start = max(start - len(chunk), 0)
            left -= len(piece)
            if piece:
                yield piece
            if not left:
                return
        if left:
            raise LayerError(b"", f"{left} bytes are missing at the end")


@attrs.frozen(eq=False)
class Spread:
    """A content whose bytes are in pieces at increasing offsets, and zeros between them."""

    size: int
    pieces: tuple[tuple[int, Part], ...]

    @property
    def extents(self) -> Extents | None:
        """The offsets and lengths of the pieces."""
        return tuple((offset, part.size) for offset, part in self.pieces)

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes, zeros included."""
        at = 0
        for offset, part in self.pieces:
            yield from _zeros(offset - at)
            yield from part.chunks()
            at = offset + part.size
        yield from _zeros(self.size - at)


def _zeros(count: int) -> Iterator[bytes]:
    for done in range(0, count, _PIECE):
        yield _ZEROS[: count - done]
