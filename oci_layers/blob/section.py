"""Open files and ranges of them, which several threads may read at any offset.

`directory` opens blobs as `SectionReader`s, `store/archive` the members of archives. Nothing is verified here.
"""

import threading
import warnings

from oci_layers import system
from oci_layers.errors import StoreError, escape, locate

__all__ = ["OpenFile", "PositionedReader", "SectionReader"]


class OpenFile:
    """An open file that several ranges share. Reading after `close` is an error.

    Thread-safe. A lock prevents that one thread closes the file while another reads it, since the system may give the
    file's number to another file. A file that is not closed is closed when it is collected, with a `ResourceWarning`.
    """

    def __init__(self, fd: int, place: str) -> None:
        """Take ownership of an open file; `place` is its name in messages."""
        self.place = place
        self._fd = fd
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """The size in bytes."""
        try:
            return system.fstat(self._fd).st_size
        except OSError as error:
            locate(error, self.place, "store")
            raise

    @property
    def identity(self) -> tuple[int, int]:
        """The inode and the modification time in ns: both are the same as long as nothing replaces or changes it."""
        found = system.fstat(self._fd)
        return found.st_ino, found.st_mtime_ns

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; none at the end.

        Raises:
            StoreError: The file has been closed.
        """
        with self._lock:
            if self._fd < 0:
                raise StoreError(self.place, "closed")
            try:
                return system.pread(self._fd, size, offset)
            except OSError as error:
                locate(error, self.place, "store")
                raise

    def close(self) -> None:
        """Close the file; later reads raise StoreError."""
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                system.close(fd)

    def __del__(self) -> None:
        if self._fd >= 0:
            try:
                warnings.warn(f"unclosed {escape(self.place)}", ResourceWarning, stacklevel=1, source=self)
            finally:
                self.close()


class PositionedReader:
    """A stream over bytes that can be read at any offset: a subclass has `read_at`, and sets `size`."""

    size: int
    _at = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`."""
        raise NotImplementedError

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, between 1 and `size`; none at the end."""
        data = self.read_at(self._at, size)
        self._at += len(data)
        return data

    def seek(self, offset: int) -> int:
        """Go on at an offset; return it."""
        self._at = offset
        return offset

    def skip(self, size: int) -> int:
        """Skip `size` bytes, fewer at the end; return how many were skipped."""
        size = min(size, self.size - self._at)
        self._at += size
        return size


class SectionReader(PositionedReader):
    """A range of an open file, read in order or at any offset; with `own`, closing it closes the file."""

    def __init__(self, file: OpenFile, offset: int, size: int, *, own: bool = True) -> None:
        self.file = file
        self.size = size
        self._start = offset
        self._own = own

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` in the range."""
        return self.file.read_at(self._start + offset, max(0, min(size, self.size - offset)))

    def close(self) -> None:
        """Close the file, if this range owns it."""
        if self._own:
            self.file.close()
