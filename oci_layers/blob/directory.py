"""Blobs in the directory of an image layout: `blobs/ALGORITHM/ENCODED` (image-layout.md, LAY-05).

Files are opened relative to directory handles, and no link is followed unless the caller allows it: a layout may be
untrusted, and a blob that is a link, a pipe or a device is refused without being read. Only digests of algorithms with
a fixed form become paths. A blob is written to a temporary name, checked, then renamed. Not durable: data is not
fsynced.
"""

import contextlib
import errno
import os
import secrets
import threading
import warnings
from collections.abc import Iterator

from oci_layers import system
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, NameFormatError, StoreError, escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["DirectoryBlobs", "OpenFile", "PositionedReader", "SectionReader", "odd_file"]

_BLOBS = b"blobs"
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "blake3"})
_LINK = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})
"""The errors of systems for a link that is not followed; the last is for a link in place of a directory."""
_ODD = _LINK | {errno.EINVAL, errno.EISDIR, errno.ENXIO}


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
        return system.fstat(self._fd).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; none at the end.

        Raises:
            StoreError: The file has been closed.
        """
        with self._lock:
            if self._fd < 0:
                raise StoreError(self.place, "closed")
            return system.pread(self._fd, size, offset)

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


class DirectoryBlobs:
    """A `BlobStore` in an image layout's directory. `root` is an open handle on it; the caller closes it.

    With `links`, blobs may be symbolic links to regular files, and their directories links too, to any place: Bazel's
    rules_oci writes such layouts. Readers still verify their digests. No blob is written through a link.
    """

    def __init__(self, root: int, place: str, *, links: bool = False) -> None:
        self._root = root
        self._place = place
        self._links = links

    def open_blob(self, digest: Digest) -> SectionReader:
        """Open the bytes of a blob, not verified; the caller closes them.

        Raises:
            BlobMissingError: There is no such file.
            StoreError: It is not a regular file, or is reached through a link.
        """
        if digest.algorithm not in _ALGORITHMS:
            raise BlobMissingError(str(digest))
        try:
            fd = self._open(digest)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise BlobMissingError(str(digest)) from None
            if error.errno in _ODD:
                raise StoreError(self._place, odd_file(f"blob {digest}", error, links=self._links)) from error
            raise
        file = OpenFile(fd, self._place)
        return SectionReader(file, 0, file.size)

    def _open(self, digest: Digest) -> int:
        if self._links:
            path = b"/".join((_BLOBS, digest.algorithm.encode(), digest.encoded.encode()))
            return system.open_regular_file(path, self._root, follow=True)
        blobs = system.open_directory(_BLOBS, self._root)
        try:
            algorithm = system.open_directory(digest.algorithm.encode(), blobs)
        finally:
            system.close(blobs)
        try:
            return system.open_regular_file(digest.encoded.encode(), algorithm)
        finally:
            system.close(algorithm)

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the blob exists; raises StoreError as `open_blob` does."""
        try:
            self.open_blob(digest).close()
        except BlobMissingError:
            return False
        return True

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream` atomically, after verifying them against `descriptor`.

        Raises:
            IntegrityError: The bytes do not match; nothing was stored.
            UnsupportedError: This installation cannot compute the algorithm of the digest.
        """
        digest = descriptor.digest
        digest.hasher()
        blobs = _make_directory(_BLOBS, self._root)
        try:
            algorithm = _make_directory(digest.algorithm.encode(), blobs)
        finally:
            system.close(blobs)
        name = b".%s" % secrets.token_hex(8).encode()
        try:
            fd = system.open_new_file(name, algorithm)
            try:
                with VerifiedReader(stream, digest, descriptor.size, what=f"blob {digest}") as verified:
                    while data := verified.read(PIECE):
                        system.write_all(fd, memoryview(data))
                system.fchmod(fd, 0o644)
                system.rename(name, algorithm, digest.encoded.encode(), algorithm)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):  # It may have been renamed already.
                    system.unlink(name, algorithm)
                raise
            finally:
                system.close(fd)
        finally:
            system.close(algorithm)

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all files whose names are digests, sorted; other files are skipped (LAY-04)."""
        found = []
        try:
            blobs = system.open_directory(_BLOBS, self._root, follow=self._links)
        except FileNotFoundError:
            return
        try:
            for algorithm in sorted(_ALGORITHMS & {os.fsdecode(name) for name in system.list_names(blobs)}):
                found += [f"{algorithm}:{os.fsdecode(name)}" for name in self._names(algorithm, blobs)]
        finally:
            system.close(blobs)
        for text in found:
            try:
                digest = Digest.parse(text)
            except NameFormatError:
                continue
            yield digest

    def _names(self, algorithm: str, blobs: int) -> list[bytes]:
        try:
            fd = system.open_directory(algorithm.encode(), blobs, follow=self._links)
        except NotADirectoryError:
            return []
        try:
            return system.list_names(fd)
        finally:
            system.close(fd)


def odd_file(what: str, error: OSError, *, links: bool) -> str:
    """Return why a file could not be opened as a regular file; without `links` the reason may be a link."""
    if links or error.errno not in _LINK:
        return f"{what} is not a regular file"
    return (
        f"{what} is not a regular file, or is reached through a link; "
        "links are followed with blob_links=True, in the command with --policy lenient or --profile lenient"
    )


def _make_directory(name: bytes, parent: int) -> int:
    try:
        system.make_directory(name, parent)
    except FileExistsError:
        return system.open_directory(name, parent)
    fd = system.open_directory(name, parent)
    try:
        system.fchmod(fd, 0o755)
    except OSError:
        system.close(fd)
        raise
    return fd
