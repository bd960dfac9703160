"""The contents of a layer's files, read after the tree was merged.

A tree records the offset of contents in the uncompressed tar of their layer. The first read of a layer's contents
verifies the layer; no byte is returned before. A layer that is compressed is copied into an unnamed temporary file,
within `Limits.temporary_bytes` for all layers of an image together; an uncompressed one is read where it is
(`blob.verified_section`), each piece verified again.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import IO

from oci_layers import system
from oci_layers.blob.spool import Spool
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.blob.verified_section import VerifiedSection
from oci_layers.errors import StoreError
from oci_layers.image.origin import Origin
from oci_layers.image.reader import LayerReader

__all__ = ["LayerContents", "contents_of", "copied"]

OpenLayerBytes = Callable[[], AbstractContextManager[ByteStream]]


def contents_of(reader: LayerReader, spool: Spool, origin: Origin | None = None) -> "LayerContents":
    """Return the contents of a layer; with the origin of its image, they can be pickled."""
    place = None if origin is None else (origin, reader.index)
    return LayerContents(reader.name, reader.open_uncompressed, spool, place, reader.open_in_place)


class LayerContents:
    """A `tree.RangeReader` of one layer's uncompressed tar. Thread-safe."""

    def __init__(
        self,
        name: str,
        open_layer: OpenLayerBytes,
        spool: Spool,
        origin: tuple[Origin, int] | None = None,
        open_in_place: Callable[[], VerifiedSection | None] | None = None,
    ) -> None:
        """Read the contents of a layer, later.

        Args:
            name: The name of the layer in errors.
            open_layer: Opens the verified uncompressed bytes of the layer.
            spool: Makes the temporary file.
            origin: The origin of the image, and the number of the layer; without them, this cannot be pickled.
            open_in_place: Opens the bytes where they are, if that is possible.
        """
        self.name = name
        self._open_in_place = open_in_place
        self._in_place: VerifiedSection | None = None
        self._open_layer = open_layer
        self._spool = spool
        self._origin = origin
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._closed = False

    def __reduce__(self) -> tuple[Callable[..., "LayerContents"], tuple[object, ...]]:
        """Pickle the name of the image, which is opened again when the contents are read.

        Raises:
            TypeError: The image was not opened by its name, or it was read from a pipe.
        """
        if self._origin is None:
            raise TypeError(
                f"{self.name}: only contents of an image from open_image can be pickled, and none read from a pipe"
            )
        return _detached, (self.name, *self._origin)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` of the uncompressed tar, fewer at its end.

        Raises:
            OCIError: The layer is missing or damaged; raised before any byte is returned.
            StoreError: The image is closed.
        """
        with self._lock:
            if self._closed:
                raise StoreError(self.name, "the image has been closed, its contents cannot be read any more")
            if self._file is None and self._in_place is None:
                self._in_place = None if self._open_in_place is None else self._open_in_place()
                if self._in_place is None:
                    self._file, self._size = self._open()
            if self._in_place is not None:
                return self._in_place.read_at(offset, size)
            assert self._file is not None
            # Under the lock, or another thread could close the file, and its descriptor become another file's.
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
            with self._open_layer() as plain:
                while data := plain.read(PIECE):
                    size += len(data)
                    self._spool.write(file, data)
        except BaseException:
            file.close()
            self._spool.give_back(size)
            raise
        return file, size

    def copy(self) -> "_Copy":
        """Return what takes the uncompressed bytes, instead of another reading of the layer."""
        return _Copy(self, self._spool)

    def adopt(self, file: IO[bytes], size: int) -> None:
        """Take a temporary file of the spool that has all bytes, which the caller has verified."""
        with self._lock:
            if not self._closed and self._file is None and self._in_place is None:
                self._file, self._size = file, size
                return
        file.close()
        self._spool.give_back(size)

    def close(self) -> None:
        """Close the temporary file; later reads raise an error."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()
                self._file = None
            if self._in_place is not None:
                self._in_place.close()
                self._in_place = None


class _Copy:
    """The uncompressed bytes of a layer, copied to a temporary file while the layer is read for something else."""

    def __init__(self, contents: LayerContents, spool: Spool) -> None:
        self._contents = contents
        self._spool = spool
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append bytes; raises as `Spool.write`."""
        if self._file is None:
            self._file = self._spool.open()
        self._size += len(data)
        self._spool.write(self._file, data)

    def keep(self) -> None:
        """Give the file to the contents, if anything was written."""
        if self._file is not None:
            self._contents.adopt(self._file, self._size)

    def discard(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._spool.give_back(self._size)


@contextlib.contextmanager
def copied(contents: Mapping[int, LayerContents]) -> Iterator[Callable[[int], Callable[[bytes], None] | None]]:
    """Yield a function that returns what takes the bytes of the layer with a number; None if it is not in `contents`.

    The block reads and verifies these layers to their end. When it ends, their contents need not be read again; when it
    raises, the copies are discarded.
    """
    copies = {index: each.copy() for index, each in contents.items()}
    try:
        yield lambda index: copies[index].write if index in copies else None
    except BaseException:
        for each in copies.values():
            each.discard()
        raise
    for each in copies.values():
        each.keep()


def _detached(name: str, origin: Origin, index: int) -> LayerContents:
    """Return contents of a layer of an image that the first read opens, and closes again."""
    spool = Spool(origin.temporary_directory, origin.temporary_bytes)
    return _DetachedContents(name, functools.partial(origin.open_layer, index), spool, (origin, index))


class _DetachedContents(LayerContents):
    """Contents whose image is closed: their file is closed when they are collected."""

    def __del__(self) -> None:
        self.close()
