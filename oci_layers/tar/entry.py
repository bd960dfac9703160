"""One entry of an archive: its final metadata, its position, and its content.

An entry has the final values, after all extension headers are merged: names are bytes as stored, numbers are integers,
the size includes holes. Reader and writer use the same class; only the source of the content differs (`Content`).
The constants are the type flags of ustar (POSIX.1-2017, pax, "ustar Interchange Format").
Other flags are possible: an entry of an unknown type has content.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from oci_layers._empty import NO_XATTRS
from oci_layers.errors import LimitError, shortened
from oci_layers.limits import Limits

__all__ = [
    "BLOCK",
    "CHARACTER",
    "CONTIGUOUS",
    "DIRECTORY",
    "EMPTY",
    "FIFO",
    "FILE_TYPES",
    "GLOBAL",
    "GNU_SPARSE",
    "HARDLINK",
    "REGULAR",
    "SYMLINK",
    "UNREAD",
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
FILE_TYPES = frozenset({REGULAR, CONTIGUOUS})
"""The types of entries that have content."""
GLOBAL = b"g"
"""A PAX global header: `pax` has its records. It is emitted as an entry, and changes no other entry."""
GNU_SPARSE = b"S"
"""A sparse file in an old GNU archive. The reader emits it as REGULAR with `extents`; the writer refuses it."""

EMPTY: Mapping[bytes, bytes] = NO_XATTRS
"""The empty mapping, shared by all entries without extended attributes or records."""

_HEADER_ONLY = HARDLINK + SYMLINK + CHARACTER + BLOCK + DIRECTORY + FIFO
_ZEROS = bytes(256 << 10)


def stored_bytes(type_flag: bytes, size: int) -> int:
    """Return how many content bytes follow a header: none for links, devices, directories and fifos, else its size."""
    return 0 if type_flag in _HEADER_ONLY else size


class Content(Protocol):
    """The source of the stored bytes of an entry."""

    def stored(self, entry: "Entry") -> Iterator[memoryview]:
        """Return the stored bytes of `entry`, in pieces of together `stored_size` bytes."""


@attrs.frozen
class Pieces:
    """Content given in pieces, for new entries; readable as often as `pieces` can be iterated."""

    pieces: Iterable[bytes | memoryview] = ()

    def stored(self, entry: "Entry") -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        """Return the pieces."""
        return map(memoryview, self.pieces)


_NO_CONTENT = Pieces()


class _Unread:
    """The content of an entry whose archive has been read past it."""

    def stored(self, entry: "Entry") -> Iterator[memoryview]:
        return map(_refuse, (entry,))

    def __reduce__(self) -> str:
        return "UNREAD"


def _refuse(entry: "Entry") -> memoryview:
    raise ValueError(f"the content of {entry.name!r} was not kept")


UNREAD: Content = _Unread()
"""Content that was not kept: reading it raises ValueError."""


@attrs.define
class Entry:
    """One entry. Treat it as immutable. A pickle or a deep copy does not have the content that an archive holds.

    Two entries are equal if they describe a file with the same metadata; how and where an archive stores them (the
    fields from `pax` on) is not compared, nor is the content.
    """

    name: bytes
    """The name as stored, not cleaned; names of directories often end with a slash."""
    type: bytes = REGULAR
    """The type flag, one byte. A NUL flag becomes REGULAR, or DIRECTORY if the name ends with a slash."""
    mode: int = 0o644
    """The number as stored, not masked."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    """Bytes of content, holes included; 0 for types without content, even if the header has a size."""
    mtime_ns: int = 0
    """Nanoseconds since 1970, negative before; further digits are cut off."""
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
    """The offset in the archive of the first header block, extension headers included."""
    data_offset: int = attrs.field(default=0, eq=False)
    """The offset in the archive of the first stored byte of content."""
    stored_size: int = attrs.field(default=0, eq=False)
    """Bytes of content in the archive, without holes and sparse map."""
    extents: tuple[tuple[int, int], ...] | None = attrs.field(default=None, eq=False)
    """Offset and length of the stored parts of a sparse file, in order; None for a file without holes."""
    content: Content = attrs.field(default=_NO_CONTENT, eq=False, repr=False)

    def pieces(self) -> Iterator[memoryview]:
        """Return the stored bytes, without the holes, in pieces of at most about 1 MiB.

        The content of an entry from an archive can be read once, and only before the next entry is requested.

        Raises:
            TarFormatError: the archive ends inside the content.
            ValueError: the next entry was requested, or the content was read already.
        """
        return self.content.stored(self)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Return the content, holes as zeros, in bounded pieces; otherwise like `pieces`."""
        if self.extents is None:
            return self.pieces()
        return _expanded(self.pieces(), self.extents, self.size)

    def read(self, limit: int = Limits().content_bytes) -> bytes:
        """Return the whole content, holes as zeros; otherwise like `pieces`.

        There is always a limit, because a few hundred bytes of an archive can describe many gigabytes of holes.

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
