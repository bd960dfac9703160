"""Tar archives: a byte stream to entries and back, one at a time.

`read_tar` reads all dialects that real layers use (v7, ustar, star, PAX, GNU, four kinds of sparse map), and yields
entries with their final names, numbers, extended attributes and content, as bytes. `write_tar` writes entries
deterministically, as ustar, and as PAX only if ustar cannot hold a value. Both process one entry at a time in bounded
memory. Other rooms decide which paths are valid, interpret whiteouts and apply entries.

An archive is written from entries; `Pieces` are the content of a new one, as often as it is read:

    >>> import io
    >>> from oci_layers import tar
    >>> text: tar.Content = tar.Pieces([b"The lamp ", b"is lit."])
    >>> entries = [
    ...     tar.Entry(b"etc/", tar.DIRECTORY, mode=0o755),
    ...     tar.Entry(b"etc/motd", tar.REGULAR, size=16, stored_size=16, content=text, xattrs={b"user.note": b"hi"}),
    ...     tar.Entry(b"etc/issue", tar.HARDLINK, linkname=b"etc/motd"),
    ...     tar.Entry(b"etc/mtab", tar.SYMLINK, linkname=b"/proc/mounts"),
    ...     tar.Entry(b"dev/null", tar.CHARACTER, mode=0o666, devmajor=1, devminor=3),
    ...     tar.Entry(b"dev/sda", tar.BLOCK, devmajor=8),
    ...     tar.Entry(b"run/pipe", tar.FIFO),
    ... ]
    >>> raw = b"".join(tar.write_tar(entries))
    >>> len(raw) % 512, raw == b"".join(tar.write_tar(entries))
    (0, True)

It is read from anything that has `read`. The content of an entry can be read until the next entry is requested:

    >>> def sizes(stream: tar.Stream) -> dict[bytes, int]:
    ...     return {entry.name: entry.size for entry in tar.read_tar(stream) if entry.type == tar.REGULAR}
    >>> sizes(io.BytesIO(raw))
    {b'etc/motd': 16}
    >>> for entry in tar.read_tar(io.BytesIO(raw)):
    ...     if entry.name == b"etc/motd":
    ...         print(b"".join(entry.chunks()), dict(entry.xattrs))
    b'The lamp is lit.' {b'user.note': b'hi'}

Types beyond those are rare: a contiguous file is a file; a global PAX header is an entry of its own; a sparse file
arrives as REGULAR with `extents`, and the writer takes no GNU_SPARSE. `EMPTY` is the mapping of an entry without
extended attributes:

    >>> odd = [tar.Entry(b"a", tar.CONTIGUOUS), tar.Entry(b"b", tar.GLOBAL, pax={b"comment": b"by hand"})]
    >>> [(entry.type, dict(entry.pax), entry.xattrs is tar.EMPTY) for entry in tar.read_tar(
    ...     io.BytesIO(b"".join(tar.write_tar(odd))))]
    [(b'7', {}, True), (b'g', {b'comment': b'by hand'}, True)]
    >>> next(tar.write_tar([tar.Entry(b"c", tar.GNU_SPARSE)]))
    Traceback (most recent call last):
        ...
    oci_layers.errors.LayerError: c: an entry of type b'S' cannot be written
"""

from oci_layers.tar.buffer import Stream
from oci_layers.tar.entry import (
    BLOCK,
    CHARACTER,
    CONTIGUOUS,
    DIRECTORY,
    EMPTY,
    FIFO,
    GLOBAL,
    GNU_SPARSE,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Content,
    Entry,
    Pieces,
)
from oci_layers.tar.reader import read_tar
from oci_layers.tar.writer import write_tar

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
    "Stream",
    "read_tar",
    "write_tar",
]
