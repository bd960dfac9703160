"""One blob on its way into a store: bytes are hashed as they are written to a file that is no blob yet.

Theory of operation. A blob exists when its path does, so the path must not appear before the bytes are complete,
verified and, with `fsync`, on the disk. They are written to a file in `ingest/`, a directory beside `blobs/`; `commit`
compares size and digest, syncs the file, and renames it to the blob's path under the store's shared lock. A rename
replaces a blob that exists: the new bytes are verified, the old ones may be damaged.

The file is locked while a process writes it; without a lock it was abandoned, and garbage collection removes it once
it is old. A file named after the digest that is expected can be continued: what it holds is hashed first, and if the
whole then has another digest, all of it is discarded. Only one writer continues it; others write files of their own.

After an error in writing or syncing the file is removed, never tried again: the kernel may have dropped dirty pages.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.blob.root import OpenDirectory
from oci_layers.blob.stream import PIECE
from oci_layers.errors import DigestMismatchError, SizeMismatchError, StoreError, locate
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["INGEST", "Ingest", "partial_name"]

INGEST = b"ingest"
"""The directory of files that are no blobs yet; containerd and BuildKit have one of this name in their stores."""

_RECENT = 1.0
"""Seconds within which the time of a file is as good as now."""

Publish = Callable[[bytes, int, Digest], None]
"""Renames a file, given by its name and the handle of its directory, to the path of a blob."""


def partial_name(digest: Digest) -> bytes:
    """Return the name of the file in which the bytes of a blob are collected across interruptions."""
    return f"{digest.algorithm}-{digest.encoded}".encode()


class Ingest(Closing):
    """A writer of one blob. Not thread-safe.

    Leaving it as a context manager without `commit` discards the bytes; a resumable one keeps those written without
    an error.
    """

    def __init__(
        self,
        root: OpenDirectory,
        publish: Publish,
        *,
        sync: bool,
        expected: Descriptor | None = None,
        resume: bool = False,
    ) -> None:
        """Create the file; with `resume`, continue that of `expected`, and keep it when the writer is closed.

        Args:
            root: The directory of the store.
            publish: Called by `commit`.
            sync: Whether `commit` syncs the file.
            expected: The blob, if it is known.
            resume: Whether the bytes of `expected` are collected across interruptions.

        Raises:
            UnsupportedError: This installation cannot compute the algorithm of the digest.
        """
        self._root = root
        self._publish = publish
        self._sync = sync
        self._expected = expected
        self._partial = b""
        self._fd = -1
        self._name = b""
        self._failed = False
        self._is_open = False
        self._began = time.monotonic()
        self._committed: Descriptor | None = None
        self._like = Digest.of(b"") if expected is None else expected.digest
        self.offset = 0
        """The number of bytes that the file holds; a resumed one begins with those of the earlier writers."""
        self._hasher = self._like.hasher()
        root.__enter__()
        self._is_open = True
        try:
            self._directory = self._try(root.directory, INGEST)
            if not (resume and expected is not None and self._resume(expected)):
                self._name = secrets.token_hex(8).encode()
                with root.located():
                    self._fd = root.create_file(self._name, self._directory)
                    system.lock(self._fd, wait=True)  # Garbage collection has it for a moment, to look.
        except BaseException:
            self.close()
            raise

    def _resume(self, expected: Descriptor) -> bool:
        """Open the file of an expected blob, new or not; return False if another writer has it."""
        name = partial_name(expected.digest)
        try:
            fd = system.open_existing_file(name, self._directory)
        except FileNotFoundError:
            try:
                with self._root.located():
                    fd = self._root.create_file(name, self._directory)
            except FileExistsError:
                return False
        except OSError:
            return False  # A link or a device, which no writer made.
        try:
            with self._root.located():
                mine = system.lock(fd, wait=False) is True
        except BaseException:
            system.close(fd)
            raise
        if mine:
            self._fd, self._name, self._partial = fd, name, name
            if self._try(_is_named, fd, name, self._directory, links=1):
                self._try(self._hash_existing, expected)
                return True
            self._fd, self._name, self._partial = -1, b"", b""
        system.close(fd)
        return False

    def _hash_existing(self, expected: Descriptor) -> None:
        # Also of a file that was created here: another writer may have had it before it was locked.
        if system.fstat(self._fd).st_size > expected.size:
            self.restart()
            return
        while data := system.pread(self._fd, PIECE, self.offset):
            self._hasher.update(data)
            self.offset += len(data)

    def restart(self) -> None:
        """Discard all bytes and begin again.

        Raises:
            StoreError: The writer is closed, or has failed.
            OSError: The bytes cannot be discarded; the writer is of no more use.
        """
        self._check_open()
        self._try(system.ftruncate, self._fd, 0)
        self._hasher = self._like.hasher()
        self.offset = 0

    def write(self, data: bytes) -> int:
        """Append bytes; return how many.

        Raises:
            SizeMismatchError: There are more bytes than the expected blob has; the writer is of no more use.
            OSError: They cannot be written; the writer is of no more use.
            StoreError: The writer is closed, or has failed.
        """
        self._check_open()
        expected = self._expected
        if expected is not None and self.offset + len(data) > expected.size:
            self._failed = True
            raise SizeMismatchError(f"blob {expected.digest}", expected.size, self.offset + len(data))
        self._hasher.update(data)
        self._try(system.write_at, self._fd, memoryview(data), self.offset)
        self.offset += len(data)
        return len(data)

    def _check_open(self) -> None:
        if self._fd < 0:
            raise StoreError(self._root.place, "the writer is closed")
        if self._failed:  # The file may lack bytes that were hashed.
            raise StoreError(self._root.place, "the writer has failed")

    def commit(self, expected: Descriptor | Digest | None = None) -> Descriptor:
        """Verify the bytes, and make them a blob; again, if they are one, only verify.

        Args:
            expected: What the bytes must be; a digest alone leaves the size open.

        Returns:
            A descriptor with their digest and size, and the media type of `expected` if it has one.

        Raises:
            IntegrityError: They are something else; they are discarded.
            OSError: They cannot be stored; they are discarded.
        """
        expected = expected or self._expected
        try:
            found = self._committed or self._described(expected)
            if self._committed is None:
                self._try(self._store, found.digest)
                self._committed = found
            elif expected is not None:
                _compare(expected, str(found.digest), found.size)
        except BaseException:
            self._failed = self._committed is None
            self.close()
            raise
        self.close()
        return found

    def _described(self, expected: Descriptor | Digest | None) -> Descriptor:
        """Return the descriptor of the bytes, which are compared with what is expected."""
        self._check_open()
        digest = f"{self._like.algorithm}:{self._hasher.hexdigest()}"
        if expected is not None:
            _compare(expected, digest, self.offset)
        if isinstance(expected, Descriptor):
            return expected
        return Descriptor(media_type="application/octet-stream", digest=Digest(digest), size=self.offset)

    def _store(self, digest: Digest) -> None:
        if self._sync:
            system.fsync(self._fd)
        # The age of a blob counts from here; that of one written just now does already.
        if self._partial or time.monotonic() - self._began > _RECENT:
            system.touch(self._fd)
        self._publish(self._name, self._directory, digest)

    def _try(self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call a function; name the store in its OSError, after which the bytes on disk are not to be trusted."""
        try:
            return call(*arguments, **options)
        except OSError as error:
            self._failed = True
            locate(error, self._root.place, "store")
            raise

    def close(self) -> None:
        """Close the writer; discard its bytes, unless they were committed or can be resumed."""
        if not self._is_open:
            return
        self._is_open = False
        fd, self._fd = self._fd, -1
        resumable = self._name == self._partial and self.offset > 0 and not self._failed
        try:
            if fd >= 0 and self._committed is None and not resumable:
                with contextlib.suppress(OSError):  # What cannot be removed is left for the garbage collection.
                    # If it was published before an error, the name may be another writer's.
                    if self._name != self._partial or _is_named(fd, self._name, self._directory):
                        system.unlink(self._name, self._directory)
        finally:
            try:
                if fd >= 0:
                    system.close(fd)
            finally:
                self._root.__exit__()

    def __del__(self) -> None:
        self.close()


def _is_named(fd: int, name: bytes, directory: int, *, links: int | None = None) -> bool:
    """Return whether the open file has that name; with `links`, whether it has so many names.

    Its last writer may have published it before this one had the lock. After a power cut some file systems show a file
    that was renamed at both names; to write to it would damage the blob.
    """
    try:
        found, own = system.lstat(name, directory), system.fstat(fd)
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino) and links in (None, own.st_nlink)


def _compare(expected: Descriptor | Digest, digest: str, size: int) -> None:
    """Compare size, then digest."""
    wanted = str(expected if isinstance(expected, Digest) else expected.digest)
    if isinstance(expected, Descriptor) and expected.size != size:
        raise SizeMismatchError(f"blob {wanted}", expected.size, size)
    if digest != wanted:
        raise DigestMismatchError(f"blob {wanted}", wanted, digest)
