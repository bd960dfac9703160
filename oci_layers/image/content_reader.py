"""The contents of a file as a seekable raw binary file.

Contents in memory and in a layer are read by range, so that reading the end of a large archive costs no more than
reading its beginning; holes are zeros, without a read. Any other contents only yield their bytes in order, and a seek
back reads them again from the beginning. Nothing is buffered here: `io.BufferedReader` does that.
"""

import errno
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from operator import index
from typing import Any

from oci_layers.errors import LimitError
from oci_layers.tree.content import Content, Inline, RangeContent, RangeReader

__all__ = ["ContentReader", "PositionedFile", "check_size", "is_text", "range_reader"]

_PIECE = 1 << 18


def check_size(size: int, allowed: int) -> None:
    """Raise LimitError if more bytes are to be read into memory at once than `Limits.content_bytes` allows."""
    if size > allowed:
        raise LimitError("content_bytes", allowed, size)


def is_text(mode: str, buffering: int, *text: str | None) -> bool:
    """Tell whether a file is opened for text; raises ValueError for invalid combinations of arguments of `open`."""
    if mode not in {"r", "rt", "tr", "rb", "br"}:
        raise ValueError(f"mode {mode!r}: an image can only be read, 'r' or 'rb'")
    if "b" not in mode:
        if buffering == 0:
            raise ValueError("text cannot be read without a buffer")
        return True
    if any(each is not None for each in text):
        raise ValueError("mode 'rb' takes no encoding, errors or newline")
    return False


class PositionedFile(io.RawIOBase):
    """A raw file with a position, which `seek` sets: a subclass reads or writes there, and has `_length`."""

    _position = 0

    def _length(self) -> int:
        """Return the number of bytes in the file; raise ValueError if it is closed."""
        raise NotImplementedError

    def seekable(self) -> bool:
        """Return True: `seek` works."""
        self._length()
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        self._length()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the position, as `io.IOBase.seek`, and return it; it may be past the end.

        Raises:
            OSError: The position is negative; the errno is EINVAL, as for a file on disk.
        """
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length()}
        if whence not in bases:
            raise ValueError(f"whence is {whence}, and may be 0, 1 or 2")
        position = bases[whence] + index(offset)
        if position < 0:
            raise OSError(errno.EINVAL, f"position {position} is before the beginning of the file")
        self._position = position
        return position


class ContentReader(PositionedFile):
    """Contents as a file. Not thread-safe; other readers may read the same contents at the same time."""

    def __init__(self, content: Content, allowed: int) -> None:
        """Open contents at their beginning.

        Args:
            content: The contents.
            allowed: The most bytes that `readall` returns.
        """
        self._size = content.size
        self._allowed = allowed
        self._read_at = range_reader(content)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _length(self) -> int:
        self._check_open()
        return self._size

    def readable(self) -> bool:
        """Return True."""
        self._check_open()
        return True

    def readinto(self, buffer: Any, /) -> int:  # Any: a writable buffer, which has no type before Python 3.12
        """Read into a buffer, perhaps without filling it; return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return all bytes from the position on.

        Raises:
            LimitError: There are more than `allowed`; nothing is read then.
        """
        self._check_open()
        check_size(self._size - self._position, self._allowed)
        return b"".join(iter(lambda: self._next(_PIECE), b""))

    def _next(self, size: int) -> bytes:
        self._check_open()
        size = min(size, _PIECE, self._size - self._position)
        data = self._read_at(self._position, size) if size > 0 else b""
        self._position += len(data)
        return data


def range_reader(content: Content) -> Callable[[int, int], bytes]:
    """Return a function that takes an offset inside the contents and a size, and reads 1 to `size` bytes there."""
    match content:
        case Inline():
            return lambda offset, size: content.data[offset : offset + size]
        case RangeContent():
            return _Pieces(content).read_at
        case RangeReader():
            return content.read_at
        case _:
            return _InOrder(content).read_at


class _Pieces:
    """Contents stored in a layer, read by range."""

    def __init__(self, content: RangeContent) -> None:
        self._content = content
        self._extents = content.extents if content.extents is not None else ((0, content.size),)
        self._starts = [start for start, _ in self._extents]
        self._stored = list(accumulate((length for _, length in self._extents), initial=content.offset))

    def read_at(self, offset: int, size: int) -> bytes:
        following = bisect_right(self._starts, offset)
        if following:
            start, length = self._extents[following - 1]
            within = offset - start
            if within < length:
                return self._content.source.read_at(self._stored[following - 1] + within, min(size, length - within))
        end = self._starts[following] if following < len(self._starts) else self._content.size
        return bytes(min(size, end - offset))


class _InOrder:
    """Contents that only yield their bytes in order, from the beginning."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._chunks: Iterator[bytes] = iter(())
        self._chunk = b""
        self._at: int | None = None

    def read_at(self, offset: int, size: int) -> bytes:
        if self._at is None or offset < self._at:
            self._chunks, self._chunk, self._at = self._content.chunks(), b"", 0
        while offset >= self._at + len(self._chunk):
            self._at += len(self._chunk)
            self._chunk = next(self._chunks, b"")
            if not self._chunk:
                return b""
        return self._chunk[offset - self._at :][:size]
