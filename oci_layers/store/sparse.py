"""A sparse member of an archive as the bytes that it stands for: what is stored, and zeros in the holes.

GNU tar with `-S`, and bsdtar on its own, write a layer that has a run of zeros as such a member. Nothing is expanded
but what is read. Which ranges are stored comes from `tar.reader`, which has judged them: in order, inside the size.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from oci_layers.blob.directory import PositionedReader, SectionReader

__all__ = ["SparseRange"]


class SparseRange(PositionedReader):
    """A file with holes, to be read in order or anywhere."""

    def __init__(self, stored: SectionReader, size: int, extents: Sequence[tuple[int, int]]) -> None:
        """Take what is stored of a file of `size` bytes, and the (offset, length) of each part of that in the file."""
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
        """Return up to `size` bytes, none of them past the next edge of a hole."""
        at = bisect_right(self._offsets, offset) - 1
        if at >= 0:
            start, length = self._extents[at]
            inside = offset - start
            if inside < length:
                return self._stored.read_at(self._places[at] + inside, min(size, length - inside))
        edge = self._offsets[at + 1] if at + 1 < len(self._offsets) else self.size
        return bytes(min(size, edge - offset))

    def close(self) -> None:
        """Close nothing: the file is the archive's."""
