"""Entries to an archive, deterministically: the same entries give the same bytes.

An entry becomes one ustar header if that can hold it, else a PAX header and a ustar header: for names that are long or
not ASCII, link targets, owners, sizes and times out of range, fractions of a second, extended attributes, and the PAX
records of the entry (POSIX.1-2017, pax). GNU's extensions are never written, and holes are written as zeros (the image
spec advises against sparse files in layers). The caller decides on the entries and their order.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from oci_layers.errors import LayerError, SizeMismatchError, escape
from oci_layers.tar.buffer import BLOCK_BYTES
from oci_layers.tar.entry import GLOBAL, GNU_SPARSE, Entry, stored_bytes
from oci_layers.tar.header import checksum
from oci_layers.tar.pax import LIBARCHIVE_XATTR, SCHILY_XATTR, format_records, format_time, xattr_record

__all__ = ["END", "write_entry", "write_tar"]

END = bytes(2 * BLOCK_BYTES)
"""The end of an archive: two blocks of zeros."""
_LOCAL = b"x"
_UNWRITABLE = b"xLK\0" + GNU_SPARSE
_OWNED = frozenset({b"path", b"linkpath", b"size", b"uid", b"gid", b"uname", b"gname", b"mtime", b"hdrcharset"})
_OWNED_PREFIXES = (SCHILY_XATTR, LIBARCHIVE_XATTR, b"GNU.sparse.")
_MOST_7 = 0o7777777
_MOST_11 = 0o77777777777
_MOST_64 = (1 << 63) - 1


def write_tar(entries: Iterable[Entry]) -> Iterator[bytes | memoryview]:
    """Yield the bytes of an archive of `entries`, in their order, with two zero blocks at its end.

    The content is read from `Entry.chunks` as the archive is written, so entries may come directly from `read_tar`.
    Records in `Entry.pax` that do not belong to other fields are kept; in a global header all are.
    `offset`, `data_offset`, `stored_size` and `extents` are ignored. Memory held: one entry's headers and one piece.

    Raises:
        LayerError: an entry that cannot be written: a NUL in a name, a number out of range, a type such as `x`.
        SizeMismatchError: content longer or shorter than its entry's size; the bytes yielded so far are unusable.
    """
    for entry in entries:
        yield from write_entry(entry)
    yield END


def write_entry(entry: Entry) -> Iterator[bytes | memoryview]:
    """Yield the bytes of one entry, for an archive that is written bit by bit; the caller writes `END`.

    Raises:
        LayerError, SizeMismatchError: As `write_tar`.
    """
    yield _headers(entry)
    if entry.size:
        yield from _sized(entry)
        if entry.size % BLOCK_BYTES:
            yield bytes(-entry.size % BLOCK_BYTES)


def _sized(entry: Entry) -> Iterator[bytes | memoryview]:
    seen = 0
    for chunk in entry.chunks():
        seen += len(chunk)
        if seen > entry.size:
            break
        yield chunk
    if seen != entry.size:
        raise SizeMismatchError(what=escape(entry.name), expected=entry.size, actual=seen)


def _headers(entry: Entry) -> bytes:
    """Return all header blocks of one entry."""
    _check(entry)
    name = _split(entry.name)
    if entry.type == GLOBAL:
        return _extension(GLOBAL, name or (b"", b"pax_global_header"), entry.pax)
    records = _records(entry, fits=name is not None)
    header = _header(entry, name or (b"", entry.name[:100]), records)
    return _extension(_LOCAL, (b"", b"pax_header"), records) + header if records else header


def _check(entry: Entry) -> None:
    """Refuse an entry that neither ustar nor PAX can hold."""
    reason = ""
    if len(entry.type) != 1 or entry.type in _UNWRITABLE:
        reason = f"an entry of type {entry.type!r} cannot be written"
    elif b"\0" in b"".join((entry.name, entry.linkname, entry.uname, entry.gname, *entry.xattrs, *entry.pax)):
        reason = "a name with a NUL cannot be written"
    elif entry.pax and any(not keyword or b"=" in keyword for keyword in entry.pax):
        reason = "a PAX keyword is empty or has a ="
    elif not (0 <= entry.mode <= _MOST_7 and 0 <= entry.devmajor <= _MOST_7 and 0 <= entry.devminor <= _MOST_7):
        reason = "the mode or device number cannot be written"
    elif not (0 <= entry.uid <= _MOST_64 and 0 <= entry.gid <= _MOST_64 and 0 <= entry.size <= _MOST_64):
        reason = "the owner or size cannot be written"
    elif entry.size and (stored_bytes(entry.type, entry.size) == 0 or entry.type == GLOBAL):
        reason = f"an entry of type {entry.type!r} has no content"
    if reason:
        raise LayerError(path=entry.name, reason=reason)


def _records(entry: Entry, *, fits: bool) -> dict[bytes, bytes]:
    """Return the PAX records for the values that the ustar header of an entry cannot hold.

    `fits` tells whether it can hold the name.
    """
    records: dict[bytes, bytes] = {}
    if entry.pax:
        records = {k: v for k, v in entry.pax.items() if k not in _OWNED and not k.startswith(_OWNED_PREFIXES)}
    if entry.xattrs:
        records.update(xattr_record(name, value) for name, value in entry.xattrs.items())
    if entry.uid > _MOST_7:
        records[b"uid"] = b"%d" % entry.uid
    if entry.gid > _MOST_7:
        records[b"gid"] = b"%d" % entry.gid
    if entry.size > _MOST_11:
        records[b"size"] = b"%d" % entry.size
    seconds, fraction = divmod(entry.mtime_ns, 1_000_000_000)
    if fraction or not 0 <= seconds <= _MOST_11:
        records[b"mtime"] = format_time(entry.mtime_ns)
    names: dict[bytes, bytes] = {}
    if entry.linkname or entry.uname or entry.gname:
        texts = (b"linkpath", entry.linkname, 100), (b"uname", entry.uname, 31), (b"gname", entry.gname, 31)
        names = {keyword: text for keyword, text, most in texts if len(text) > most or not text.isascii()}
    if not fits:
        names[b"path"] = entry.name
    if names and not all(map(_is_utf8, names.values())):
        records[b"hdrcharset"] = b"BINARY"
    return records | names


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return `name` as prefix and name of a ustar header; None if it does not fit.

    The prefix is as long as possible. A slash joins the two, so a split leaves neither empty.
    """
    if not name.isascii():
        return None
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 1, min(156, len(name) - 1))
    if cut < 0 or len(name) - cut - 1 > 100:
        return None
    return name[:cut], name[cut + 1 :]


def _extension(type_flag: bytes, name: tuple[bytes, bytes], records: Mapping[bytes, bytes]) -> bytes:
    payload = format_records(records)
    header = _block(name, (0o644, 0, 0, len(payload), 0), type_flag)
    return header + payload + bytes(-len(payload) % BLOCK_BYTES)


def _header(entry: Entry, name: tuple[bytes, bytes], records: Mapping[bytes, bytes]) -> bytes:
    """Return the ustar header of an entry; values that have a record are cut short, or 0."""
    numbers = (
        entry.mode,
        0 if b"uid" in records else entry.uid,
        0 if b"gid" in records else entry.gid,
        0 if b"size" in records else entry.size,
        min(max(entry.mtime_ns // 1_000_000_000, 0), _MOST_11),
    )
    texts = (
        entry.linkname[:100],
        b"" if b"uname" in records else entry.uname,
        b"" if b"gname" in records else entry.gname,
    )
    return _block(name, numbers, entry.type, texts, (entry.devmajor, entry.devminor))


def _block(
    name: tuple[bytes, bytes],
    numbers: tuple[int, int, int, int, int],
    type_flag: bytes,
    texts: tuple[bytes, bytes, bytes] = (b"", b"", b""),
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """Return one ustar header block: prefix and name; mode to mtime; type; link, user and group; device numbers."""
    prefix, base = name
    linkname, uname, gname = texts
    first = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (base.ljust(100, b"\0"), *numbers)
    second = type_flag + linkname.ljust(100, b"\0") + _tail(uname, gname, device, prefix)
    return b"%b%06o\0 %b" % (first, checksum(first + b"        " + second), second)


@lru_cache(maxsize=256)
def _tail(uname: bytes, gname: bytes, device: tuple[int, int], prefix: bytes) -> bytes:
    """Return the end of a block, which many entries share."""
    owner = b"ustar\x0000" + uname.ljust(32, b"\0") + gname.ljust(32, b"\0")
    return owner + b"%07o\0%07o\0" % device + prefix.ljust(167, b"\0")
