"""Tar archives: a byte stream into entries and back, one at a time.

`read_tar` reads every dialect that real layers are written in (v7, ustar, star, PAX, GNU, four kinds of sparse map) and
gives each entry its final name, numbers, extended attributes and content, as bytes. `write_tar` writes the same
entries deterministically, as ustar, and as PAX only where ustar cannot hold a value. Both work on one entry at a time
in bounded memory. What a path may be, what a whiteout means and what is done with an entry is not known here.
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
