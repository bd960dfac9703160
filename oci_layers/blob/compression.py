"""Compressed bytes to uncompressed bytes, within limits: gzip and zstd, and also bz2 and xz for Docker's archives.

A stream holds one or more members (frames); all are read, and only another member or the end may follow a member. Zeros
may follow the last gzip member, as gzip(1) accepts (tape blocks and some builders pad with them; they change no content
and the blob's digest covers them), and an xz stream, whose format has such padding. The output is limited in bytes and,
optionally, in its ratio to the input; one piece of it is held in memory. `spec.mediatype` has the compression that a
media type declares; `stream` checks digests, before and after decompression.

Members may be as short as 8 bytes, so the cost of a member must not depend on the bytes that follow it: a member gets
1 KiB first, then four times as many bytes on each request, and reports unused bytes by their number only.

isal decompresses gzip if installed, else zlib, and both accept the same input: reserved header flags, which only zlib
refuses, are checked here; headers with optional fields, which isal misreads in pieces, always go to zlib.
"""

import bz2
import lzma
import re
import sys
import zlib
from collections.abc import Callable
from typing import Any, Literal, Protocol

from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import CompressionError, LimitError
from oci_layers.limits import Limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

igzip_lib: Any  # a module without types, or None if isal is not installed
try:
    from isal import igzip_lib
except ImportError:
    igzip_lib = None

__all__ = ["Compression", "Decompressor", "decompressed", "sniff"]

Compression = Literal["", "gzip", "zstd", "bz2", "xz"]

_FREE = 1 << 20
"""The ratio of uncompressed to compressed bytes is checked past so many uncompressed bytes."""
_HEAD = 18
_FIRST = 1 << 10
"""Bytes that a member gets first; few, so that after a short member few bytes were copied in vain."""
_ISAL_FLAGS = frozenset({b"\x00", b"\x01", b"\x08"})
"""The flags of gzip headers that isal reads: no optional fields, or only a name."""
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SINGLE_SEGMENT = 0x20
"""The flag of a zstd frame that has no window of its own: its window is its content."""
_ERRORS: tuple[type[Exception], ...] = (zlib.error, zstd.ZstdError, lzma.LZMAError, OSError, EOFError, ValueError)
if igzip_lib is not None:
    _ERRORS = (*_ERRORS, igzip_lib.error)


class _Member(Protocol):
    """The common interface of the standard library's decompressors: one member, in pieces."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _ZlibMember:
    """A gzip member decompressed by zlib, with the interface of the others."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail and not self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _gzip(_: Limits, head: bytes) -> _Member:
    if igzip_lib is None or head[3:4] not in _ISAL_FLAGS:
        return _ZlibMember()
    member: _Member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return member


def _zstd(limits: Limits, _: bytes) -> _Member:
    lowest, highest = zstd.DecompressionParameter.window_log_max.bounds()
    window_log = min(max(lowest, (limits.window_bytes - 1).bit_length()), highest)
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})


def _bz2(_: Limits, __: bytes) -> _Member:
    return bz2.BZ2Decompressor()


def _xz(limits: Limits, _: bytes) -> _Member:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=limits.window_bytes)


_Start = Callable[[Limits, bytes], _Member]
"""Returns the decompressor for a member; takes the limits and the member's first bytes."""

_ZEROS = re.compile(rb"\0+")
_PADDED = frozenset({"gzip", "xz"})
"""The compressions after which zeros may follow."""

_MEMBERS: dict[str, _Start] = {"gzip": _gzip, "zstd": _zstd, "bz2": _bz2, "xz": _xz}


def sniff(head: bytes) -> Compression:
    """Return the compression of a stream, found in its first 16 bytes; "" if none is recognised.

    The magics are those of DMT-04 and the fixed bytes after them, because a tar may begin with any name.
    """
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or (len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head.startswith(b"BZh") and head[4:10] in {b"1AY&SY", b"\x17rE8P\x90"}:
        return "bz2"
    return ""


def _skippable(head: bytes) -> int:
    """Return the length of the skippable zstd frame that begins with `head`, 0 for another frame (RFC 8878, 3.1.2)."""
    if len(head) < 8 or head.startswith(_ZSTD_MAGIC):
        return 0
    return 8 + int.from_bytes(head[4:8], "little")


def _window(head: bytes) -> int:
    """Return the window size in bytes that the zstd frame beginning with `head` requires (RFC 8878, 3.1.1.1)."""
    if not head.startswith(_ZSTD_MAGIC) or len(head) < 6:
        return 0
    if head[4] & _SINGLE_SEGMENT:
        return _content_size(head) or 0
    base = 1 << (10 + (head[5] >> 3))
    return base + base // 8 * (head[5] & 7)


def _content_size(head: bytes) -> int | None:
    """Return how many bytes the zstd frame beginning with `head` promises; None if it does not (RFC 8878, 3.1.1.1)."""
    flags = head[4]
    single = flags & _SINGLE_SEGMENT
    if not single and not flags >> 6:
        return None
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (1, 2, 4, 8)[flags >> 6]
    return int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0)


def decompressed(
    stream: ByteStream, compression: Compression | None, limits: Limits, *, what: str = "stream"
) -> "Decompressor":
    """Return a stream of the uncompressed bytes of `stream`.

    Args:
        stream: Compressed bytes; closed with the result.
        compression: The compression that the media type declares, "" for none; None to detect it from the bytes.
        limits: `plain_bytes`, `ratio` and `window_bytes` are enforced.
        what: The name of the stream in errors.

    Raises:
        CompressionError: The bytes have another compression than declared.
    """
    head = b""
    while len(head) < _HEAD and (data := stream.read(_HEAD - len(head))):
        head += data
    found = sniff(head)
    if compression is not None and found != compression:
        shown = found or ("empty" if not head else "no compression that is known")
        raise CompressionError(what, f"the media type promises {compression or 'plain tar'}, the bytes are {shown}")
    return Decompressor(stream, found, head, limits, what)


class Decompressor:
    """A stream of uncompressed bytes. Returned by `decompressed`."""

    def __init__(self, stream: ByteStream, compression: Compression, head: bytes, limits: Limits, what: str) -> None:
        self.compression = compression
        self.is_empty = not head
        self._stream = stream
        self._limits = limits
        self._what = what
        self._start = _MEMBERS.get(compression)
        self._member: _Member | None = None
        self._missing: int | None = None
        """The bytes that the current zstd frame still promises; libzstd itself does not count them in every case."""
        # `_pending[_at:]` are the compressed bytes that were read but not yet used.
        self._pending = head
        self._at = 0
        self._share = _FIRST
        self._taken = len(head)
        self._given = 0

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` uncompressed bytes; none at the end.

        Raises:
            CompressionError: The stream is damaged or cut short.
            LimitError: A limit is exceeded.
        """
        data = self._plain(size) if self._start is None else self._inflate(self._start, size)
        self._given += len(data)
        if self._given > self._limits.plain_bytes:
            raise self._past("plain_bytes", self._limits.plain_bytes, self._given)
        ratio = self._limits.ratio
        if ratio is not None and self._given > _FREE and self._given > ratio * self._taken:
            raise self._past("ratio", ratio, self._given // max(1, self._taken))
        return data

    def _past(self, limit: str, allowed: int, seen: int) -> LimitError:
        error = LimitError(limit, allowed, seen)
        error.add_note(self._what)
        return error

    def _plain(self, size: int) -> bytes:
        if self._at < len(self._pending):
            return self._next(size)
        data = self._stream.read(size)
        self._taken += len(data)
        return data

    def _next(self, size: int) -> bytes:
        """Return up to `size` of the pending bytes."""
        data = self._pending[self._at : self._at + size]
        self._at += len(data)
        return data

    def _more(self) -> bool:
        """Read another piece and append it to the pending bytes; return False at the end of the stream."""
        data = self._stream.read(PIECE)
        self._taken += len(data)
        self._pending = self._pending[self._at :] + data
        self._at = 0
        return bool(data)

    def _inflate(self, start: _Start, size: int) -> bytes:
        while True:
            member = self._member
            if member is None:
                if not self._next_member():
                    return b""
                head = self._head()
                member = self._member = start(self._limits, head)
                self._share = _FIRST
                self._missing = _content_size(head) if self.compression == "zstd" and len(head) > 4 else None
            data = b""
            if member.needs_input:
                data = self._input()
            try:
                plain = member.decompress(data, size)
            except _ERRORS as error:
                raise CompressionError(self._what, f"damaged {self.compression} data ({error})") from None
            if self._missing is not None:
                self._missing -= len(plain)
            if member.eof:
                if self._missing:
                    raise CompressionError(self._what, "damaged zstd data (not as long as it promises)")
                self._at -= len(member.unused_data)
                self._member = None
            if plain:
                return plain

    def _input(self) -> bytes:
        """Return more bytes for the current member."""
        if self._at == len(self._pending) and not self._more():
            raise self._cut()
        share, self._share = self._share, min(4 * self._share, PIECE)
        return self._next(share)

    def _cut(self) -> CompressionError:
        return CompressionError(self._what, f"the {self.compression} data is cut short")

    def _head(self) -> bytes:
        return self._pending[self._at : self._at + _HEAD]

    def _next_member(self) -> bool:
        """Advance to the next member; return False if there is none."""
        padded = self.compression in _PADDED and self._skip_zeros()
        while True:
            while len(self._pending) - self._at < _HEAD and self._more():
                pass
            head = self._head()
            if not head:
                return False
            if sniff(head) != self.compression or (padded and self.compression == "gzip"):
                raise CompressionError(self._what, f"garbage after the {self.compression} data")
            if self.compression != "zstd" or not (length := _skippable(head)):
                break
            self._skip(length)
        if self.compression == "gzip" and len(head) > 3 and head[3] & 0xE0:
            raise CompressionError(self._what, "damaged gzip data (reserved flags)")
        if self.compression == "zstd" and (window := _window(head)) > self._limits.window_bytes:
            raise self._past("window_bytes", self._limits.window_bytes, window)
        return True

    def _skip_zeros(self) -> bool:
        """Advance to the next byte that is not zero, or to the end; return whether there were zeros."""
        skipped = 0
        while self._at < len(self._pending) or self._more():
            zeros = _ZEROS.match(self._pending, self._at)
            if zeros is None:
                break
            skipped += zeros.end() - self._at
            self._at = zeros.end()
        if self.compression == "xz" and skipped % 4:  # The xz file format, 2.2
            raise CompressionError(self._what, "damaged xz data (padding that is no multiple of four bytes)")
        return bool(skipped)

    def _skip(self, count: int) -> None:
        """Skip `count` bytes."""
        while count > len(self._pending) - self._at:
            count -= len(self._pending) - self._at
            self._at = len(self._pending)
            if not self._more():
                raise self._cut()
        self._at += count

    def close(self) -> None:
        """Close the compressed stream."""
        self._stream.close()
