"""A sparse member of an archive as its full content: the stored bytes, and zeros in the holes.

GNU tar with `-S`, and bsdtar by default, write a layer that has a run of zeros as such a member. Only the bytes that
are read are expanded. `tar.reader` returns the stored ranges, checked: in order and inside the size.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from oci_layers.blob.section import PositionedReader, SectionReader

__all__ = ["SparseRange"]


class SparseRange(PositionedReader):
    """A file with holes, read in order or at any offset."""

    def __init__(self, stored: SectionReader, size: int, extents: Sequence[tuple[int, int]]) -> None:
        """Take the stored bytes of a file of `size` bytes, and the (offset, length) in the file of each stored part."""
        self.size = size
        self._stored = stored
        self._extents = extents
        self._offsets = [offset for offset, _ in extents]
        self._places = [0, *accumulate(length for _, length in extents)]

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`; fewer only at the end."""
        parts = []
        size = max(0, min(size, self.size - offset))
        while size and (part := self._piece(offset, size)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return b"".join(parts)

    def _piece(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes, up to the next edge of a hole."""
        at = bisect_right(self._offsets, offset) - 1
        if at >= 0:
            start, length = self._extents[at]
            inside = offset - start
            if inside < length:
                return self._stored.read_at(self._places[at] + inside, min(size, length - inside))
        edge = self._offsets[at + 1] if at + 1 < len(self._offsets) else self.size
        return bytes(min(size, edge - offset))

    def close(self) -> None:
        """Do nothing: the archive owns the file."""
