"""Tar archives: a byte stream to entries and back, one at a time.

`read_tar` reads all dialects that real layers use (v7, ustar, star, PAX, GNU, four kinds of sparse map), and yields
entries with their final names, numbers, extended attributes and content, as bytes. `write_tar` writes entries
deterministically, as ustar, and as PAX only if ustar cannot hold a value. Both process one entry at a time in bounded
memory. Other rooms decide which paths are valid, interpret whiteouts and apply entries.
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
