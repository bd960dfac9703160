"""Unnamed temporary files, and the limit on their total size."""

import threading
from typing import IO

from oci_layers import system
from oci_layers.errors import LimitError, escape

__all__ = ["Spool"]


class Spool:
    """The temporary files of one image, with one limit on their total size. Thread-safe."""

    def __init__(self, directory: str | None, allowed: int) -> None:
        self._directory = directory
        self._allowed = allowed
        self._used = 0
        self._lock = threading.Lock()

    def open(self) -> IO[bytes]:
        """Open an unnamed file; the caller closes it."""
        return system.temporary_file(self._directory)

    def write(self, file: IO[bytes], data: bytes) -> None:
        """Write to a file of this spool, and count the bytes even if the write fails.

        Raises:
            LimitError: All files together would exceed `temporary_bytes`; nothing was written.
            OSError: The write fails, for example on a full disk; the error names the directory.
        """
        self.take(len(data))
        system.write_temporary(file, data, self._directory)

    def write_at(self, file: IO[bytes], data: bytes | memoryview, offset: int) -> None:
        """Write to a place in a file of this spool; the caller counts the bytes, by `take`.

        Raises:
            OSError: The write fails, for example on a full disk; the error names the directory.
        """
        system.write_temporary(file, data, self._directory, offset=offset)

    def take(self, size: int) -> None:
        """Count bytes that are to be written.

        Raises:
            LimitError: All files together would exceed `temporary_bytes`; the bytes are counted even so.
        """
        with self._lock:
            self._used += size
            if self._used <= self._allowed:
                return
            error = LimitError("temporary_bytes", self._allowed, self._used)
        where = escape(system.temporary_directory(self._directory))
        error.add_note(f"temporary files in {where} (TMPDIR or temporary_directory names another place)")
        raise error

    def give_back(self, size: int) -> None:
        """Subtract the bytes of a closed file from the count."""
        with self._lock:
            self._used -= size
