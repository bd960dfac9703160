"""One entry of an archive: its final metadata, where it is stored, and its content.

An entry says what the archive means, after every extension header was merged: names are bytes as stored, numbers are
integers, holes count in the size. The same class serves to read and to write; only where the content comes from differs
(`Content`). The constants are the type flags of ustar (POSIX.1-2017, pax, "ustar Interchange Format").
Other flags are possible: an entry of an unknown type is an entry with content.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

import attrs

from oci_layers.errors import LimitError, shortened
from oci_layers.limits import Limits

__all__ = [
    "BLOCK",
    "CHARACTER",
    "CONTIGUOUS",
    "DIRECTORY",
    "EMPTY",
    "FIFO",
    "GLOBAL",
    "GNU_SPARSE",
    "HARDLINK",
    "REGULAR",
    "SYMLINK",
    "Content",
    "Entry",
    "Pieces",
    "stored_bytes",
]

REGULAR = b"0"
HARDLINK = b"1"
SYMLINK = b"2"
CHARACTER = b"3"
BLOCK = b"4"
DIRECTORY = b"5"
FIFO = b"6"
CONTIGUOUS = b"7"
GLOBAL = b"g"
"""A PAX global header: `pax` has its records. It is reported as an entry, and changes no other entry."""
GNU_SPARSE = b"S"
"""How old GNU archives mark a sparse file. The reader reports one as REGULAR with `extents`; none is ever written."""

EMPTY: Mapping[bytes, bytes] = MappingProxyType({})
"""The one empty mapping that all entries without extended attributes or records share."""

_HEADER_ONLY = HARDLINK + SYMLINK + CHARACTER + BLOCK + DIRECTORY + FIFO
_ZEROS = bytes(256 << 10)


def stored_bytes(type_flag: bytes, size: int) -> int:
    """Return how many content bytes follow a header: none for links, devices, directories and fifos, else its size."""
    return 0 if type_flag in _HEADER_ONLY else size


class Content(Protocol):
    """Where the stored bytes of an entry come from."""

    def stored(self, entry: "Entry") -> Iterator[memoryview]:
        """Return the stored bytes of `entry`, in pieces that together have its `stored_size`."""


@attrs.frozen
class Pieces:
    """Content given in pieces, for entries made by hand; it can be read as often as `pieces` can be iterated."""

    pieces: Iterable[bytes | memoryview] = ()

    def stored(self, entry: "Entry") -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        """Return the pieces."""
        return map(memoryview, self.pieces)


_NO_CONTENT = Pieces()


@attrs.define
class Entry:
    """One entry. Treat it as immutable.

    Two entries are equal when they say the same about a file; how and where an archive stores them (`pax` and what
    follows it) is not compared, nor is the content.
    """

    name: bytes
    """As stored, not cleaned; directories often end with a slash."""
    type: bytes = REGULAR
    """One byte. A NUL flag is reported as REGULAR, or as DIRECTORY when the name ends with a slash."""
    mode: int = 0o644
    """The number as stored; nothing is masked."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Bytes of content, holes counted; 0 for types that have none, whatever the header says."""
    mtime_ns: int = 0
    """Nanoseconds since 1970, negative before; digits past the ninth are cut off."""
    linkname: bytes = b""
    uname: bytes = b""
    gname: bytes = b""
    devmajor: int = 0
    devminor: int = 0
    xattrs: Mapping[bytes, bytes] = EMPTY
    """From `SCHILY.xattr.*` and `LIBARCHIVE.xattr.*` records; the first wins."""
    pax: Mapping[bytes, bytes] = attrs.field(default=EMPTY, eq=False)
    """The records of the PAX header as stored (the pairs of a sparse map 0.0 joined into `GNU.sparse.map`)."""
    offset: int = attrs.field(default=0, eq=False)
    """Of the first header block in the archive, extension headers included."""
    data_offset: int = attrs.field(default=0, eq=False)
    """Of the first stored byte of content."""
    stored_size: int = attrs.field(default=0, eq=False)
    """Bytes of content in the archive, holes and sparse map not counted."""
    extents: tuple[tuple[int, int], ...] | None = attrs.field(default=None, eq=False)
    """Offset and length of what is stored of a sparse file, in order; None for a file without holes."""
    content: Content = attrs.field(default=_NO_CONTENT, eq=False, repr=False)

    def pieces(self) -> Iterator[memoryview]:
        """Return the stored bytes, without the holes, in pieces of at most about 1 MiB.

        An entry from an archive gives its content once, and only until the next entry is asked for.

        Raises:
            TarFormatError: the archive ends inside the content.
            ValueError: the next entry was asked for, or the content was read already.
        """
        return self.content.stored(self)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Return the content, holes as zeros, in bounded pieces; for the rest as `pieces`."""
        if self.extents is None:
            return self.pieces()
        return _expanded(self.pieces(), self.extents, self.size)

    def read(self, limit: int = Limits().content_bytes) -> bytes:
        """Return the whole content, holes as zeros; for the rest as `pieces`.

        A few hundred bytes of an archive may say a file of many gigabytes of holes, so there always is a limit.

        Raises:
            LimitError: the content is longer than `limit` bytes; nothing was read.
        """
        if self.size > limit:
            error = LimitError(limit="content_bytes", allowed=limit, seen=self.size)
            error.add_note(f"at the entry {shortened(self.name)}")
            raise error
        return b"".join(self.chunks())


def _expanded(
    pieces: Iterator[memoryview], extents: tuple[tuple[int, int], ...], size: int
) -> Iterator[bytes | memoryview]:
    position = 0
    piece = memoryview(b"")
    for offset, length in extents:
        yield from _zeros(offset - position)
        position = offset
        while position < offset + length:
            piece = piece or next(pieces)
            part = piece[: offset + length - position]
            yield part
            piece = piece[len(part) :]
            position += len(part)
    yield from _zeros(size - position)


def _zeros(count: int) -> Iterator[bytes]:
    while count >= len(_ZEROS):
        yield _ZEROS
        count -= len(_ZEROS)
    if count:
        yield _ZEROS[:count]
