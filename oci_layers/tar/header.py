"""One header block: 512 bytes to an entry.

The dialect of a block (v7, ustar, star or GNU), its numbers (octal, or base-256 if octal cannot hold the value), its
strings and its checksum (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"). Where
readers differ, this module follows Go's archive/tar, with which container engines read layers. `reader` merges
extension headers; `pax` parses their records.

The headers of one archive are similar: the same owners and times, and the same second half. So repeated parts are
parsed once and kept by their bytes, in bounded caches; entries share the parsed values.
Errors raised here have offsets from the start of the block; the reader adds the offset of the block.
"""

from functools import lru_cache
from struct import Struct
from zlib import adler32

from oci_layers.errors import TarFormatError
from oci_layers.tar.entry import EMPTY, Content, Entry

__all__ = ["GNU_MAGIC", "checksum", "is_header", "malformed", "number", "parse_header", "string"]

GNU_MAGIC = b"ustar  \0"
_USTAR_MAGIC = b"ustar\0"

_FIELDS = Struct("100s24s12s12s8sc100s255s")
"""Name; mode, uid and gid; size; mtime; checksum; type; link name; and the second half, which v7 does not have."""
_TAIL = Struct("6s2s32s32s8s8s155s8s4s")
"""Magic, version, user, group, device major and minor, prefix, and the trailer of star."""
_BLANKS = 8 * 0x20


def malformed(reason: str, offset: int = 0) -> TarFormatError:
    """Return an error without a path; its offset counts from the start of the parsed bytes."""
    return TarFormatError(path=b"", reason=reason, offset=offset)


def string(field: bytes) -> bytes:
    """Return a string field up to its first NUL."""
    return field.partition(b"\0")[0]


@lru_cache(maxsize=4096)
def number(field: bytes) -> int:
    """Return a numeric field: octal between blanks and NULs, or base-256 if its first bit is set.

    Raises:
        TarFormatError: anything else, or a number outside 64 bits.
    """
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if value >> (bits - 1):
            value -= 1 << bits
        if not -(1 << 63) <= value < 1 << 63:
            raise malformed("a number takes more than 64 bits")
        return value
    digits = string(field.strip(b" \0"))
    if digits.strip(b"01234567"):
        raise malformed(f"{field!r} is not an octal number")
    return int(digits or b"0", 8)


@lru_cache(maxsize=1024)
def _owner(fields: bytes) -> tuple[int, int, int]:
    return number(fields[:8]), number(fields[8:16]), number(fields[16:])


@lru_cache(maxsize=1024)
def _nanoseconds(field: bytes) -> int:
    return number(field) * 1_000_000_000


@lru_cache(maxsize=256)
def _tail(fields: bytes) -> tuple[bytes, bytes, int, int, bytes]:
    """Return user, group, device major and minor, and the prefix of the name."""
    magic, version, uname, gname, major, minor, prefix, _, trailer = _TAIL.unpack(fields)
    if magic == _USTAR_MAGIC:
        prefix = string(prefix[:131] if trailer == b"tar\0" else prefix)
    elif magic + version == GNU_MAGIC:
        prefix = _gnu_prefix(prefix)
    else:
        return b"", b"", 0, 0, b""
    return string(uname), string(gname), number(major), number(minor), prefix


def _gnu_prefix(field: bytes) -> bytes:
    """Return the name prefix of a GNU header, normally empty: it has access and change times there instead.

    Go before 1.8 wrote a prefix nevertheless; it is one if the times are not numbers and the text is ASCII.
    """
    try:
        number(field[:12])
        number(field[12:24])
    except TarFormatError:
        prefix = string(field)
        return prefix if prefix.isascii() else b""
    return b""


def checksum(block: bytes) -> int:
    """Return the sum of all bytes of a block, those of the checksum field included.

    Adler-32 from 0 has the plain sum of its bytes, modulo 65521, in its lower half: exact for 256 bytes (65280).
    """
    return (adler32(block[:256], 0) & 0xFFFF) + (adler32(block[256:], 0) & 0xFFFF)


@lru_cache(maxsize=4096)
def _expected(field: bytes) -> int:
    """Return what `checksum` returns for a block with this checksum field, which counts as blanks, if it is right."""
    try:
        return number(field) + sum(field) - _BLANKS
    except TarFormatError:
        return -1


def is_header(block: bytes) -> bool:
    """Tell whether the checksum of a block is right, and so whether the block is a header.

    The sum that old programs computed is right, too: it counts bytes above 127 as negative, each 256 less.
    """
    total, outside = checksum(block), block[:148] + block[156:]
    return _expected(block[148:156]) in {total, total - 256 * sum(byte > 127 for byte in outside)}


def parse_header(block: bytes, offset: int, content: Content) -> Entry:
    """Return the entry of one block, with the type flag as stored and the size not yet checked.

    Raises:
        TarFormatError: a wrong checksum, a malformed number, a negative size.
    """
    name, owner, size, mtime, expected, type_flag, linkname, tail = _FIELDS.unpack(block)
    if checksum(block) != _expected(expected) and not is_header(block):
        raise malformed("the checksum of the header is wrong", 148)
    mode, uid, gid = _owner(owner)
    uname, gname, major, minor, prefix = _tail(tail)
    name = string(name)
    if prefix:
        name = prefix + b"/" + name
    length = number(size)
    if length < 0:
        raise malformed("the size is negative", 124)
    return Entry(
        name,
        type_flag,
        mode,
        uid,
        gid,
        length,
        _nanoseconds(mtime),
        string(linkname) if linkname[0] else b"",
        uname,
        gname,
        major,
        minor,
        EMPTY,
        EMPTY,
        offset,
        offset + 512,
        0,
        None,
        content,
    )
