"""The records of Windows metadata in tar entries, read and written (layer.md, Windows attributes).

    MSWINDOWS.fileattr      the FILE_ATTRIBUTE bits, in decimal
    MSWINDOWS.rawsd         the security descriptor, in base64
    MSWINDOWS.sd            the same as SDDL text; old, and not written beside `rawsd` unless it was there
    MSWINDOWS.mountpoint    present on a symbolic link that is a junction
    MSWINDOWS.xattr.NAME    an extended attribute of NTFS, in base64
    LIBARCHIVE.creationtime, atime, ctime   times, as PAX has them

Layers of 2016 have `SCHILY.xattr.` before them, and four times as FILETIME, steps of 100 ns since 1601. They are read
and written in the newer form. A record that is malformed is dropped and reported. Streams are entries of their own,
`name:stream`, directly after the file; `decode` and `apply` know them.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Mapping

from oci_layers.errors import LimitError, TarFormatError, shortened
from oci_layers.limits import Limits
from oci_layers.tar.entry import Entry
from oci_layers.tar.pax import decimal, format_time, parse_time
from oci_layers.tree.windows import MAX_ATTRIBUTES, WindowsMetadata

__all__ = [
    "CREATED",
    "RECORD_PREFIX",
    "WINDOWS_PREFIXES",
    "RecordReader",
    "filetime_ns",
    "plain_xattrs",
    "windows_records",
]

RECORD_PREFIX = b"MSWINDOWS."
OLD_PREFIX = b"SCHILY.xattr.MSWINDOWS."
WINDOWS_PREFIXES = (RECORD_PREFIX, OLD_PREFIX)
"""What the keywords of such records begin with, creation time excepted."""
CREATED = b"LIBARCHIVE.creationtime"
_EA = b"xattr."
_TIMES = {CREATED: "created_ns", b"atime": "accessed_ns", b"ctime": "changed_ns"}
_OLD_TIMES = {b"createtime": "created_ns", b"accesstime": "accessed_ns", b"changetime": "changed_ns"}
_EPOCH_1601 = 116_444_736_000_000_000
_MAX_EA_NAME, _MAX_EA_VALUE = 255, 65_535
_MAX_INTERNED = 1024
_is_base64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?").fullmatch

Report = Callable[[str], None]


def filetime_ns(filetime: int) -> int:
    """Return a FILETIME, steps of 100 ns since 1601, as nanoseconds since 1970."""
    return (filetime - _EPOCH_1601) * 100


def plain_xattrs(xattrs: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Return extended attributes without those that are the old form of Windows metadata."""
    return {key: value for key, value in xattrs.items() if not key.startswith(RECORD_PREFIX)}


class RecordReader:
    """Reads the records of the entries of one layer. Many files have one descriptor, which is then held once."""

    def __init__(self, limits: Limits) -> None:
        """Take the limits; `xattr_bytes` is that of the extended attributes of NTFS, too."""
        self._limits = limits
        self._descriptors: dict[bytes, bytes] = {}

    def read(self, entry: Entry, report: Report) -> tuple[WindowsMetadata | None, int]:
        """Return the metadata of an entry, None if its records say nothing, and the time of its last write, in ns.

        Args:
            entry: An entry that has records.
            report: Called with the reason for each record that is dropped.

        Raises:
            LimitError: There are more bytes of extended attributes than `xattr_bytes`.
        """
        found: dict[str, object] = {}
        attributes: dict[bytes, bytes] = {}
        mtime_ns = entry.mtime_ns
        for key, value in entry.pax.items():
            is_old = key.startswith(OLD_PREFIX)
            word = key.removeprefix(OLD_PREFIX if is_old else RECORD_PREFIX)
            try:
                if key in _TIMES:
                    found[_TIMES[key]] = parse_time(value)
                elif word == key:
                    continue
                elif word.startswith(_EA):
                    attributes[_ea_name(word)] = _base64(value, _MAX_EA_VALUE)
                elif is_old and word in _OLD_TIMES:
                    found.setdefault(_OLD_TIMES[word], filetime_ns(decimal(value)))
                elif is_old and word == b"writetime":
                    mtime_ns = filetime_ns(decimal(value))
                else:
                    self._one(word, value, found)
            except (TarFormatError, ValueError) as error:
                report(f"{shortened(key)}: {getattr(error, 'reason', error)}")
        size = sum(map(len, attributes)) + sum(map(len, attributes.values()))
        if size > self._limits.xattr_bytes:
            raise LimitError("xattr_bytes", self._limits.xattr_bytes, size)
        if attributes:
            found["extended_attributes"] = attributes
        if not found:
            return None, mtime_ns
        return WindowsMetadata(**found), mtime_ns  # type: ignore[arg-type]  # each value has the type of its field

    def _one(self, word: bytes, value: bytes, found: dict[str, object]) -> None:
        match word:
            case b"fileattr":
                attributes = decimal(value)
                if not 0 <= attributes <= MAX_ATTRIBUTES:
                    raise ValueError(f"{attributes} is outside 32 bits")
                found["attributes"] = attributes
            case b"rawsd":
                found["security_descriptor"] = self._descriptor(value)
            case b"sd":
                found["sddl"] = value
            case b"mountpoint":
                found["is_junction"] = True
            case _:
                raise ValueError("an unknown record")

    def _descriptor(self, value: bytes) -> bytes:
        known = self._descriptors.get(value)
        if known is None:
            known = _base64(value, self._limits.header_bytes)
            if len(self._descriptors) < _MAX_INTERNED:
                self._descriptors[value] = known
        return known


def _ea_name(word: bytes) -> bytes:
    name = word.removeprefix(_EA)
    if not 0 < len(name) <= _MAX_EA_NAME:
        raise ValueError(f"the name of an attribute has {len(name)} bytes, and may have 1 to {_MAX_EA_NAME}")
    return name


def _base64(value: bytes, most: int) -> bytes:
    if not _is_base64(value):
        raise ValueError("not base64")
    data = binascii.a2b_base64(value)
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes, at most {most} are possible")
    return data


def windows_records(windows: WindowsMetadata) -> dict[bytes, bytes]:
    """Return the PAX records of metadata: what `RecordReader` reads, streams excepted."""
    return dict(_records(windows))


def _records(windows: WindowsMetadata) -> Iterator[tuple[bytes, bytes]]:
    if windows.attributes is not None:
        yield RECORD_PREFIX + b"fileattr", b"%d" % windows.attributes
    if windows.security_descriptor is not None:
        yield RECORD_PREFIX + b"rawsd", binascii.b2a_base64(windows.security_descriptor, newline=False)
    if windows.sddl is not None:
        yield RECORD_PREFIX + b"sd", windows.sddl
    if windows.is_junction:
        yield RECORD_PREFIX + b"mountpoint", b"1"
    for name, value in windows.extended_attributes.items():
        yield RECORD_PREFIX + _EA + name, binascii.b2a_base64(value, newline=False)
    for key, field in _TIMES.items():
        time = getattr(windows, field)
        if time is not None:
            yield key, format_time(time)
