"""Unnamed temporary files, the limit on their total size, and blobs in them: their digests are known at their ends."""

import threading
from typing import IO

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import LimitError, escape
from oci_layers.spec.digest import Digest

__all__ = ["Spool", "Spooled", "spooled"]


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


class Spooled(Closing):
    """A blob in a temporary file of a spool. The caller closes it, or leaves it as a context manager."""

    def __init__(self, file: OpenFile, digest: Digest, size: int, spool: Spool) -> None:
        self.digest = digest
        """The digest of the blob, always sha256."""
        self.size = size
        """The size of the blob."""
        self._file = file
        self._spool: Spool | None = spool

    def open(self) -> ByteStream:
        """Open the bytes from their beginning, as often as needed; several threads may read them at once."""
        return SectionReader(self._file, 0, self.size, own=False)

    def close(self) -> None:
        """Remove the temporary file; idempotent. Streams that are open raise StoreError."""
        self._file.close()
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.give_back(self.size)


def spooled(stream: ByteStream, spool: Spool, what: str) -> Spooled:
    """Write a stream to a temporary file, and hash it; `what` is its name in errors. The stream is not closed.

    Raises:
        LimitError: `temporary_bytes` of the spool is exceeded.
        OSError: The temporary file cannot be written; the error names its directory.
    """
    hasher, size = Digest.of(b"").hasher(), 0
    with spool.open() as file:
        try:
            while data := stream.read(PIECE):
                hasher.update(data)
                size += len(data)
                spool.write(file, data)
            return Spooled(
                OpenFile(system.duplicate(file.fileno()), what), Digest(f"sha256:{hasher.hexdigest()}"), size, spool
            )
        except BaseException:
            spool.give_back(size)
            raise
