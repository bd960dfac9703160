"""The image layout (image-layout.md): a marker, an index and blobs, in a directory or in a tar file.

This module interprets the files; a `LayoutFiles` opens them, in a directory (`LayoutDirectory`) or in an archive
(`archive.TarArchive`). Unknown files in a layout are no error (LAY-04).
"""

import contextlib
import errno
import os
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Protocol

from oci_layers import system
from oci_layers.blob.directory import DirectoryBlobs, OpenFile, SectionReader, odd_file
from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import LimitError, OCIError, PlaceMissingError, StoreError, escape
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_index, parse_layout
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import OCI_INDEX

__all__ = ["LayoutDirectory", "LayoutFiles", "read_file", "read_layout_index"]


class LayoutFiles(Protocol):
    """The files of a layout or an archive."""

    place: str

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout."""
        ...

    def open_file(self, name: str) -> ByteStream | None:
        """Open a file at the top; return None if there is none. The caller closes it."""
        ...

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory with this name at the top."""
        ...

    def close(self) -> None:
        """Close the place and the files opened in it."""
        ...


class LayoutDirectory:
    """A layout in a directory. Also the `BlobSource` of the layout.

    Thread-safe. If it is not closed, it is closed when it is collected, with a `ResourceWarning`.
    """

    _root = -1

    def __init__(self, directory: str | os.PathLike[str], *, links: bool = False) -> None:
        """Open a directory; with `links`, its files and blobs may be symbolic links to any place.

        Raises:
            PlaceMissingError: There is no such directory.
        """
        self.place = os.fspath(directory)
        self._links = links
        self._lock = threading.Lock()
        self._opened: weakref.WeakSet[OpenFile] = weakref.WeakSet()
        try:
            self._root = system.open_root(system.resolve(self.place))
        except (FileNotFoundError, NotADirectoryError):
            raise PlaceMissingError(self.place, "no such directory") from None

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout."""
        return self

    def open_file(self, name: str) -> ByteStream | None:
        """Open a file at the top; return None if there is none.

        Raises:
            StoreError: It is not a regular file, or the directory has been closed.
        """
        with self._using_root() as root:
            try:
                fd = system.open_regular_file(name.encode(), root, follow=self._links)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO}:
                    raise StoreError(self.place, odd_file(name, error, links=self._links)) from error
                raise
            file = OpenFile(fd, self.place)
            self._opened.add(file)
        return SectionReader(file, 0, file.size)

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory with this name at the top."""
        with self._using_root() as root:
            try:
                system.close(system.open_directory(name.encode(), root, follow=self._links))
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                    return False
                raise
            return True

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob, not verified."""
        with self._using_root() as root:
            found = DirectoryBlobs(root, self.place, links=self._links).open_blob(digest)
            self._opened.add(found.file)
        return found

    @contextlib.contextmanager
    def _using_root(self) -> Iterator[int]:
        """Yield the handle of the directory; a lock keeps it open meanwhile."""
        with self._lock:
            if self._root < 0:
                raise StoreError(self.place, "closed")
            yield self._root

    def close(self) -> None:
        """Close the directory and the files opened in it; later reads raise StoreError."""
        with self._lock:
            for file in list(self._opened):
                file.close()
            root, self._root = self._root, -1
            if root >= 0:
                system.close(root)

    def __del__(self) -> None:
        if self._root >= 0:
            try:
                warnings.warn(f"unclosed {escape(self.place)}", ResourceWarning, stacklevel=1, source=self)
            finally:
                self.close()


def read_file(files: LayoutFiles, name: str, *, limit: str, allowed: int) -> bytes | None:
    """Return all bytes of a small file at the top; None if there is no file.

    Raises:
        LimitError: The file is longer than `allowed` bytes.
    """
    stream = files.open_file(name)
    if stream is None:
        return None
    raw = b""
    try:
        while data := stream.read(1 << 16):
            raw += data
            if len(raw) > allowed:
                raise LimitError(limit, allowed, len(raw))
    finally:
        stream.close()
    return raw


def read_layout_index(files: LayoutFiles, limits: Limits) -> Index:
    """Return the index of a layout, after checking its marker.

    Raises:
        StoreError: There is no marker or no index: this is not a layout.
        DocumentError: One of them is malformed, or of an unknown version.
    """
    allowed = limits.document_bytes
    marker = read_file(files, "oci-layout", limit="document_bytes", allowed=allowed)
    if marker is None:
        raise StoreError(files.place, "not an OCI image layout: there is no file oci-layout")
    with _about("oci-layout"):
        parse_layout(marker, limits)
    raw = read_file(files, "index.json", limit="document_bytes", allowed=allowed)
    if raw is None:
        raise StoreError(files.place, "not a complete OCI image layout: there is no file index.json")
    with _about("index.json"):
        return parse_index(raw, Descriptor.of(raw, media_type=OCI_INDEX), limits).value


@contextlib.contextmanager
def _about(name: str) -> Iterator[None]:
    """Add the name of a file to errors, as a note."""
    try:
        yield
    except OCIError as error:
        error.add_note(name)
        raise
