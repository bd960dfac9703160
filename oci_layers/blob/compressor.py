"""Plain bytes to compressed bytes: gzip and zstd, in bounded memory, the same bytes for the same input.

Theory of operation. gzip data is made of blocks of 1 MiB, each compressed by itself with the last 32 KiB before it as
its dictionary and ended at a byte boundary, as pigz does; so several threads compress at once, and the bytes do not
depend on their number. The header has no name, no time and 255 for the system; the checksum is computed here. zstd data
is one frame with a checksum, as zstd(1) and other builders of images write it, compressed in the caller's thread. The
bytes depend on the input, the level and the version of zlib or libzstd; on nothing else, such as how the input is cut
into pieces.

The encoder `isal` makes gzip data about ten times as fast as zlib, a tenth larger. Its bytes may also depend on the
kind of processor, so it is used only by request: those of zlib are the same wherever its version is. `compression` has
the way back.
"""

import collections
import contextlib
import sys
import threading
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from oci_layers import system
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import UnsupportedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

isal_zlib: Any  # a module without types, or None if isal is not installed
try:
    from isal import isal_zlib
except ImportError:
    isal_zlib = None

__all__ = ["GZIP_LEVELS", "Encoder", "check_level", "compressed", "require_encoder"]

Encoder = Literal["zlib", "isal"]
"""What makes gzip data."""

GZIP_LEVELS: Mapping[str, range] = {"zlib": range(10), "isal": range(4)}
"""The levels of each encoder of gzip data."""

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_GZIP_LEVEL = {"zlib": 6, "isal": 1}
_DICTIONARY = 32 << 10
"""The farthest that deflate refers back to, in bytes."""
_ZSTD_LEVEL = 3


def compressed(
    stream: ByteStream,
    compression: Literal["", "gzip", "zstd"],
    *,
    level: int | None = None,
    threads: int | None = None,
    encoder: Encoder = "zlib",
) -> ByteStream:
    """Return a stream of the compressed bytes of `stream`, which begins to be read when the result is.

    Memory: 3 MiB for each thread with gzip, what the level takes with zstd (3 MiB by default).

    Args:
        stream: Plain bytes; closed with the result. An error of it is raised by `read`, so that no compressed stream
            ends properly whose input did not.
        compression: What to compress with; with "", `stream` itself is returned.
        level: 0 to 9 for gzip, 6 by default; with isal 0 to 3, 1 by default; for zstd what libzstd knows, 3 by default.
        threads: How many threads compress gzip; by default as many as there are processors. With 1, or where the system
            cannot start a thread, the caller's does. The bytes are the same.
        encoder: What makes gzip data.

    Raises:
        ValueError: There is no such level, compression or encoder.
        UnsupportedError: isal is not installed.
    """
    check_level(compression, level, encoder)
    match compression:
        case "":
            return stream
        case "gzip":
            require_encoder(encoder)
            library: Any = isal_zlib if encoder == "isal" else zlib  # two modules with the same functions
            threads = system.cpu_count() if threads is None else threads
            return _GzipCompressor(stream, _GZIP_LEVEL[encoder] if level is None else level, threads, library)
        case "zstd":
            return _ZstdCompressor(stream, _ZSTD_LEVEL if level is None else level)


def require_encoder(encoder: Encoder) -> None:
    """Check that an encoder is installed, before anything is written.

    Raises:
        UnsupportedError: It is not.
    """
    if encoder == "isal" and isal_zlib is None:
        raise UnsupportedError("encoder of gzip", encoder, "it is not installed: pip install isal")


def check_level(compression: str, level: int | None, encoder: str = "zlib") -> None:
    """Check that there are a compression, an encoder and a level; "" has no levels, and any is accepted.

    Raises:
        ValueError: There is none.
    """
    if compression not in {"", "gzip", "zstd"}:
        raise ValueError(f"compression: expected gzip, zstd or an empty string, not {compression!r}")
    if compression == "gzip" and encoder not in GZIP_LEVELS:
        raise ValueError(f"encoder of gzip: expected zlib or isal, not {encoder!r}")
    if level is None or not compression:
        return
    lowest, highest = zstd.CompressionParameter.compression_level.bounds()
    if compression == "gzip":
        lowest, highest = GZIP_LEVELS[encoder][0], GZIP_LEVELS[encoder][-1]
    if not lowest <= level <= highest:
        raise ValueError(f"level of {compression}: expected {lowest} to {highest}, not {level}")


class _Compressor:
    """A stream of compressed bytes; a subclass has `_more`, which returns the next of them, None at the end."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._ready = b""
        self._at = 0
        self._parts: list[bytes] = []
        self._missing = PIECE
        self._input_ended = False

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` compressed bytes; none at the end."""
        while self._at == len(self._ready):
            more = self._more()
            if more is None:
                return b""
            self._ready, self._at = more, 0
        data = self._ready[self._at : self._at + size]
        self._at += len(data)
        return data

    def _more(self) -> bytes | None:
        raise NotImplementedError

    def _block(self) -> bytes:
        """Return the next `PIECE` bytes of the input; fewer at its end, perhaps none.

        What was read before an error is kept, so that a caller who tries again loses nothing.
        """
        while self._missing and (data := self._stream.read(self._missing)):
            self._parts.append(data)
            self._missing -= len(data)
        self._input_ended = self._missing > 0
        parts, self._parts, self._missing = self._parts, [], PIECE
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close the plain stream."""
        self._stream.close()


class _ZstdCompressor(_Compressor):
    def __init__(self, stream: ByteStream, level: int) -> None:
        super().__init__(stream)
        parameter = zstd.CompressionParameter
        self._frame = zstd.ZstdCompressor(options={parameter.compression_level: level, parameter.checksum_flag: 1})
        self._ended = False

    def _more(self) -> bytes | None:
        if self._ended:
            return None
        data = self._frame.compress(self._block())
        if self._input_ended:
            self._ended = True
            data += self._frame.flush()
        return data


class _GzipCompressor(_Compressor):
    def __init__(self, stream: ByteStream, level: int, threads: int, library: Any) -> None:  # zlib or isal_zlib
        super().__init__(stream)
        self._library = library
        self._level = level
        self._threads = threads
        self._jobs: collections.deque[_Job] = collections.deque()
        self._ready = _GZIP_HEADER
        self._before = b""
        self._crc = 0
        self._size = 0
        self._ended = False

    def _more(self) -> bytes | None:
        while not self._input_ended and len(self._jobs) < max(1, self._threads):
            self._start(self._block())
        if self._jobs:
            return self._jobs.popleft().result()
        if self._ended:
            return None
        self._ended = True
        return self._crc.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")

    def _start(self, block: bytes) -> None:
        """Compress a block, in another thread if there may be some."""
        self._crc = self._library.crc32(block, self._crc)
        self._size += len(block)
        job = _Job(block, self._before, self._level, self._library, last=self._input_ended)
        self._before = block[-_DICTIONARY:]
        self._jobs.append(job)
        if self._threads > 1:
            job.start()

    def close(self) -> None:
        """Close the plain stream, after the threads have ended: each has one block to do."""
        try:
            for job in self._jobs:
                job.wait()
        finally:
            super().close()


class _Job:
    """One block of gzip data: compressed by a thread of its own if started, otherwise by the caller of `result`."""

    def __init__(self, block: bytes, before: bytes, level: int, library: Any, *, last: bool) -> None:  # as above
        self._library = library
        self._block = block
        self._before = before
        self._level = level
        self._last = last
        self._thread: threading.Thread | None = None
        self._result: bytes | None = None

    def start(self) -> None:
        """Start the thread; do nothing if the system cannot."""
        thread = threading.Thread(target=self._try, name="oci-layers-compressor", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def wait(self) -> None:
        """Wait for the thread, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def result(self) -> bytes:
        """Return the compressed block."""
        self.wait()
        if self._result is None:
            self._run()
        assert self._result is not None
        return self._result

    def _try(self) -> None:
        with contextlib.suppress(MemoryError):  # Raised by `result`, if it does not have the memory either.
            self._run()

    def _run(self) -> None:
        library = self._library
        deflate = library.compressobj(self._level, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, self._before)
        data = deflate.compress(self._block)
        self._result = data + deflate.flush(zlib.Z_FINISH if self._last else zlib.Z_SYNC_FLUSH)
