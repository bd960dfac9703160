r"""PAX records: the content of an extended header, parsed and formatted.

A record is `LENGTH KEYWORD=VALUE\n`; LENGTH counts the whole record (POSIX.1-2017, pax, "pax Extended Header"). This
module has the records, the numbers and times in them, and the two ways to store extended attributes. It checks digits
itself, because Python's `int` and `float` accept underscores, signs, blanks and exponents. `reader` decides to which
entry a record applies, `writer` which values become records. Names are bytes for every value of `hdrcharset`.
Errors raised here have offsets from the start of the records; the reader adds the offset of the records.
"""

import binascii
import re
from collections.abc import Mapping

from oci_layers.errors import LimitError, TarFormatError, shortened
from oci_layers.tar.entry import Entry
from oci_layers.tar.header import malformed

__all__ = ["decimal", "format_records", "format_time", "merge", "parse_records", "parse_time", "xattr_record"]

LIBARCHIVE_XATTR = b"LIBARCHIVE.xattr."
SCHILY_XATTR = b"SCHILY.xattr."

_XATTRS = (SCHILY_XATTR, LIBARCHIVE_XATTR)
_FIELDS = frozenset({b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"uname", b"gname"})
_SPARSE_PAIR = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
_SPARSE_PAIRS = frozenset(_SPARSE_PAIR)
_STRINGS = frozenset({b"path", b"linkpath", b"uname", b"gname", b"GNU.sparse.name"})
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def parse_records(payload: bytes) -> dict[bytes, bytes]:
    """Return the records of one header; the last of equal keywords counts.

    The pairs of a sparse map 0.0, which repeat their keywords, are joined into a `GNU.sparse.map` as in 0.1.

    A name with a NUL, even at its end, is refused: GNU tar, bsdtar and Python cut the name off there, Go refuses it.

    Raises:
        TarFormatError: a record that is not well formed, a keyword with a NUL, a name with a NUL, pairs out of order.
    """
    records: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    start, end = 0, len(payload)
    while start < end:
        blank = payload.find(b" ", start, start + 20)
        digits = payload[start:blank]
        stop = start + int(digits) if blank > 0 and digits.isdigit() else 0
        equals = payload.find(b"=", blank + 1, stop - 1) if stop > blank else -1
        keyword, value = payload[blank + 1 : equals], payload[equals + 1 : stop - 1]
        if equals < 0 or not keyword or payload[stop - 1 : stop] != b"\n":
            raise malformed("a PAX record is malformed", start)
        if b"\0" in keyword:
            raise malformed("the keyword of a PAX record has a NUL", start)
        if keyword in _STRINGS and b"\0" in value:
            raise malformed(
                f"the PAX record {keyword.decode()} has a NUL, at which only some readers cut it off", start
            )
        if keyword in _SPARSE_PAIRS:
            if keyword != _SPARSE_PAIR[len(pairs) % 2] or b"," in value:
                raise malformed("a sparse map is out of order", start)
            pairs.append(value)
        else:
            records[keyword] = value
        start = stop
    if pairs:
        records[b"GNU.sparse.map"] = b",".join(pairs)
    return records


def decimal(value: bytes) -> int:
    """Return a decimal number of 64 bits, with an optional minus sign.

    Raises:
        TarFormatError: anything else.
    """
    if len(value) < 19 and value.isdigit():
        return int(value)
    digits = value.removeprefix(b"-")
    if not digits.isdigit():
        raise malformed(f"{shortened(value)} is not a decimal number")
    digits = digits.lstrip(b"0")
    magnitude = int(digits or b"0") if len(digits) < 20 else 1 << 64
    if magnitude >= 1 << 63:
        raise malformed("a number takes more than 64 bits")
    return -magnitude if value[:1] == b"-" else magnitude


def parse_time(value: bytes) -> int:
    """Return seconds with an optional fraction as nanoseconds, cut off after the ninth digit.

    Raises:
        TarFormatError: anything else.
    """
    seconds, _, fraction = value.partition(b".")
    nanoseconds = decimal(seconds) * 1_000_000_000
    if fraction:
        if not fraction.isdigit():
            raise malformed(f"{shortened(value)} is not a time")
        part = int(fraction[:9].ljust(9, b"0"))
        nanoseconds += -part if seconds[:1] == b"-" else part
    return nanoseconds


def merge(entry: Entry, records: Mapping[bytes, bytes], xattr_bytes: int) -> None:
    """Set the fields of a new entry from records. An empty value leaves the field of the header.

    Raises:
        TarFormatError: a number, time or attribute that is not well formed.
        LimitError: extended attributes of more than `xattr_bytes`.
    """
    entry.pax = records
    attributes = False
    for keyword, value in records.items():
        if keyword in _FIELDS:
            if value:
                try:
                    _merge_one(entry, keyword, value)
                except TarFormatError as error:
                    error.reason = f"the PAX record {keyword.decode()}: {error.reason}"
                    raise
        elif keyword.startswith(_XATTRS):
            attributes = True
    if attributes:
        entry.xattrs = _xattrs(records, xattr_bytes)


def _merge_one(entry: Entry, keyword: bytes, value: bytes) -> None:
    match keyword:
        case b"path":
            entry.name = value
        case b"linkpath":
            entry.linkname = value
        case b"size":
            entry.size = decimal(value)
            if entry.size < 0:
                raise malformed("the size is negative")
        case b"mtime":
            entry.mtime_ns = parse_time(value)
        case b"uid":
            entry.uid = decimal(value)
        case b"gid":
            entry.gid = decimal(value)
        case b"uname":
            entry.uname = value
        case _:  # b"gname", the last of _FIELDS
            entry.gname = value


def _xattrs(records: Mapping[bytes, bytes], limit: int) -> dict[bytes, bytes]:
    xattrs: dict[bytes, bytes] = {}
    schily: dict[bytes, bytes] = {}
    for keyword, value in records.items():
        if keyword.startswith(SCHILY_XATTR):
            schily[keyword.removeprefix(SCHILY_XATTR)] = value
        elif keyword.startswith(LIBARCHIVE_XATTR):
            name = _ESCAPE.sub(_unescaped, keyword.removeprefix(LIBARCHIVE_XATTR))
            if b"\0" in name:
                raise malformed("the name of an extended attribute has a NUL")
            xattrs[name] = _base64(value)
    xattrs |= schily
    seen = sum(map(len, xattrs)) + sum(map(len, xattrs.values()))
    if seen > limit:
        raise LimitError(limit="xattr_bytes", allowed=limit, seen=seen)
    return xattrs


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return binascii.unhexlify(escape[1])


def _base64(value: bytes) -> bytes:
    """Decode base64 with or without final padding, which libarchive leaves out."""
    value = value.rstrip(b"=")
    try:
        return binascii.a2b_base64(value + b"=" * (-len(value) % 4), strict_mode=True)
    except binascii.Error:
        raise malformed("an extended attribute is not base64") from None


def format_time(nanoseconds: int) -> bytes:
    """Return a time in the format of `parse_time`, with the fewest digits."""
    seconds, part = divmod(abs(nanoseconds), 1_000_000_000)
    fraction = f".{part:09}".rstrip("0") if part else ""
    return f"{'-' if nanoseconds < 0 else ''}{seconds}{fraction}".encode()


def xattr_record(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return the keyword and value of one extended attribute.

    The keyword is `SCHILY.xattr.*`, which every engine reads; for a name with `=`, an escaped `LIBARCHIVE.xattr.*`.
    """
    if b"=" not in name:
        return SCHILY_XATTR + name, value
    escaped = name.replace(b"%", b"%25").replace(b"=", b"%3D")
    return LIBARCHIVE_XATTR + escaped, binascii.b2a_base64(value, newline=False)


def format_records(records: Mapping[bytes, bytes]) -> bytes:
    """Return the content of a header with these records, sorted by keyword."""
    return b"".join(_format_record(keyword, records[keyword]) for keyword in sorted(records))


def _format_record(keyword: bytes, value: bytes) -> bytes:
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest)
    while length != (total := len(rest) + len(str(length))):
        length = total
    return str(length).encode() + rest
