"""Blobs in the directory of an image layout: `blobs/ALGORITHM/ENCODED` (image-layout.md, LAY-05).

Everything is reached by handle and no link is followed: a layout may come from anywhere, and a blob that is a link, a
pipe or a device is refused without being touched. Only digests of algorithms with a fixed form become paths. Writing is
into a temporary name and a rename, after the check; what survives a power cut is not promised here.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from oci_layers import system
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, NameFormatError, StoreError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["DirectoryBlobs", "FileRange"]

_BLOBS = b"blobs"
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "blake3"})
_ODD = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.EMLINK})


class FileRange:
    """A range of an open file, to be read in order or anywhere; `own` says that closing it closes the file."""

    def __init__(self, fd: int, offset: int, size: int, *, own: bool = True) -> None:
        self.size = size
        self._fd = fd
        self._start = offset
        self._at = 0
        self._own = own

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes from where the last call ended; none at the end."""
        data = system.pread(self._fd, min(size, self.size - self._at), self._start + self._at)
        self._at += len(data)
        return data

    def skip(self, size: int) -> int:
        """Go on by `size` bytes, or to the end; return how many these were."""
        size = min(size, self.size - self._at)
        self._at += size
        return size

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` in the range."""
        return system.pread(self._fd, max(0, min(size, self.size - offset)), self._start + offset)

    def again(self) -> "FileRange":
        """Return the same range, to be read from its beginning, that leaves the file open."""
        return FileRange(self._fd, self._start, self.size, own=False)

    def close(self) -> None:
        """Close the file, if it is this range's own."""
        if self._own and self._fd >= 0:
            system.close(self._fd)
            self._fd = -1


class DirectoryBlobs:
    """A `BlobStore` in an image layout's directory. `root` is an open handle on it, and the caller's to close."""

    def __init__(self, root: int, place: str) -> None:
        self._root = root
        self._place = place

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return the bytes of a blob, not checked.

        Raises:
            BlobMissingError: There is no such file.
            StoreError: There is something that is no regular file, or is reached through a link.
        """
        if digest.algorithm not in _ALGORITHMS:
            raise BlobMissingError(str(digest))
        try:
            fd = self._open(digest)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise BlobMissingError(str(digest)) from None
            if error.errno in _ODD:
                reason = f"blob {digest} is not a regular file, or is reached through a link"
                raise StoreError(self._place, reason) from error
            raise
        return FileRange(fd, 0, system.fstat(fd).st_size)

    def _open(self, digest: Digest) -> int:
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
        """Tell whether there is such a blob; raises as `open_blob` where there is something else."""
        try:
            self.open_blob(digest).close()
        except BlobMissingError:
            return False
        return True

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream`, checked against `descriptor` before they get their name.

        Raises:
            IntegrityError: The bytes are others; nothing was stored.
            UnsupportedError: The digest is of an algorithm that cannot be computed here.
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
                with contextlib.suppress(FileNotFoundError):  # It may have got its name already.
                    system.unlink(name, algorithm)
                raise
            finally:
                system.close(fd)
        finally:
            system.close(algorithm)

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all files whose names are digests, sorted; what is no blob is passed over (LAY-04)."""
        found = []
        try:
            blobs = system.open_directory(_BLOBS, self._root)
        except FileNotFoundError:
            return
        try:
            for algorithm in sorted(_ALGORITHMS & {os.fsdecode(name) for name in system.list_names(blobs)}):
                found += [f"{algorithm}:{os.fsdecode(name)}" for name in _names(algorithm, blobs)]
        finally:
            system.close(blobs)
        for text in found:
            with contextlib.suppress(NameFormatError):
                yield Digest.parse(text)


def _names(algorithm: str, blobs: int) -> list[bytes]:
    try:
        fd = system.open_directory(algorithm.encode(), blobs)
    except NotADirectoryError:
        return []
    try:
        return system.list_names(fd)
    finally:
        system.close(fd)


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
