"""The contents of a layer's files, read after the tree was made.

A tree says where contents are in the plain tar of their layer. The first question for a layer's contents reads the
whole layer, verified, into a temporary file without a name; later ones read from that. No byte is handed out before the
layer's digests hold.

A layer that is not compressed is copied, too: a blob may be written to after it was verified, the nameless file is out
of everyone's reach.
"""

import threading
from typing import IO

from oci_layers import system
from oci_layers.blob.spool import Spool
from oci_layers.blob.stream import PIECE
from oci_layers.errors import StoreError
from oci_layers.image.reader import LayerReader

__all__ = ["LayerContents"]


class LayerContents:
    """A `tree.Source`: ranges of one layer's plain tar. Threads may share it."""

    def __init__(self, layer: LayerReader, spool: Spool) -> None:
        self.layer = layer
        self._spool = spool
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._closed = False

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` of the plain tar.

        Raises:
            OCIError: The layer is not what its digests say, on the first call for it.
            StoreError: The image has been closed.
        """
        with self._lock:
            if self._closed:
                raise StoreError(self.layer.name, "the image has been closed, its contents cannot be read any more")
            if self._file is None:
                self._file, self._size = self._open()
            # Under the lock, or the file could be closed, and its number be another file's, meanwhile.
            parts = []
            size = min(size, self._size - offset)
            while size > 0 and (part := system.pread(self._file.fileno(), size, offset)):
                parts.append(part)
                offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _open(self) -> tuple[IO[bytes], int]:
        file = self._spool.open()
        size = 0
        try:
            with self.layer.open_uncompressed() as plain:
                while data := plain.read(PIECE):
                    size += len(data)
                    self._spool.write(file, data)
        except BaseException:
            file.close()
            self._spool.give_back(size)
            raise
        return file, size

    def close(self) -> None:
        """Let the temporary file go; reading is an error from now on."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()
                self._file = None
