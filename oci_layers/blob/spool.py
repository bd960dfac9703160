"""Temporary files without a name, and how much of them there may be."""

import threading
from typing import IO

from oci_layers import system
from oci_layers.errors import LimitError, escape

__all__ = ["Spool"]


class Spool:
    """Where temporary files of one image go, and how much of them there may be."""

    def __init__(self, directory: str | None, allowed: int) -> None:
        self._directory = directory
        self._allowed = allowed
        self._used = 0
        self._lock = threading.Lock()

    def open(self) -> IO[bytes]:
        """Open a file without a name."""
        return system.temporary_file(self._directory)

    def write(self, file: IO[bytes], data: bytes) -> None:
        """Write to a file of this spool and count it, written or not.

        Raises:
            LimitError: All files together would have more than `temporary_bytes`; nothing was written.
            OSError: There is no room, for one; it names the directory.
        """
        try:
            self._take(len(data))
        except LimitError as error:
            where = escape(system.temporary_directory(self._directory))
            error.add_note(f"temporary files in {where} (TMPDIR or temporary_directory names another place)")
            raise
        system.write_temporary(file, data, self._directory)

    def _take(self, size: int) -> None:
        with self._lock:
            self._used += size
            if self._used > self._allowed:
                raise LimitError("temporary_bytes", self._allowed, self._used)

    def give_back(self, size: int) -> None:
        """Count bytes whose file is gone."""
        with self._lock:
            self._used -= size
