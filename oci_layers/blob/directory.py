"""Blobs in the directory of an image layout: `blobs/ALGORITHM/ENCODED` (image-layout.md, LAY-05).

Files are opened relative to directory handles, and no link is followed unless the caller allows it: a layout may be
untrusted, and a blob that is a link, a pipe or a device is refused without being read. Only digests of algorithms with
a fixed form become paths. `ingest` writes a blob and makes it appear whole; `lock` lets several processes write.

What is durable when follows from two facts: the bytes of a file survive a power cut once the file is synced, its name
once the directory is. A blob's file is synced before it gets its name, so the name never leads to fewer bytes.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Literal

from oci_layers import system
from oci_layers.blob.ingest import Ingest
from oci_layers.blob.lock import exclusive_lock, shared_lock
from oci_layers.blob.root import OpenDirectory, is_odd
from oci_layers.blob.section import SectionReader
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import BlobMissingError, NameFormatError, StoreError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["ALGORITHMS", "BLOBS", "DirectoryBlobs", "Fsync"]

BLOBS = b"blobs"
QUARANTINE = b"quarantine"
"""The directory of damaged blobs that were moved away."""
ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "blake3"})
"""The algorithms whose digests have a fixed form, and so can be names of files."""

Fsync = Literal["always", "commit", "never"]
"""When a store syncs what it writes:

* `always`: a blob survives a power cut when `put_blob` or `commit` returns, an image when `tag` returns.
* `commit`: an image and all of its blobs survive a power cut when `tag` returns; a blob that no image refers to yet may
  vanish, but is never there in part.
* `never`: everything survives the death of the process, and nothing is promised of a power cut.
"""


class DirectoryBlobs:
    """A `BlobStore` in a directory. Any number of threads and processes may use it at once.

    With `links`, blobs may be symbolic links to regular files, and their directories links too, to any place: Bazel's
    rules_oci writes such layouts. Readers still verify their digests. No blob is written through a link.
    """

    def __init__(
        self, root: OpenDirectory, *, below: bytes = BLOBS, links: bool = False, fsync: Fsync = "always"
    ) -> None:
        """Use an open directory, which the caller closes.

        Args:
            root: The directory of a layout, or one that has the directories of algorithms itself.
            below: The name of the directory that has those; empty if `root` itself has them.
            links: Whether to follow links when reading.
            fsync: When to sync; see `Fsync`.
        """
        self.root = root
        self._below = below
        self._links = links
        self._fsync = fsync
        self._synced: set[int] = set()

    def open_blob(self, digest: Digest) -> SectionReader:
        """Open the bytes of a blob, not verified; the caller closes them.

        Raises:
            BlobMissingError: There is no such file.
            StoreError: It is not a regular file, is reached through a link, or the store has been closed.
        """
        found = None
        if digest.algorithm in ALGORITHMS:
            found = self.root.open_file(f"blob {digest}", lambda root: self._open(digest, root), links=self._links)
        if found is None:
            raise BlobMissingError(str(digest))
        return found

    def _open(self, digest: Digest, root: int) -> int:
        if self._links:
            path = b"/".join(filter(None, (self._below, digest.algorithm.encode(), digest.encoded.encode())))
            return system.open_regular_file(path, root, follow=True)
        algorithm, name = digest.algorithm.encode(), digest.encoded.encode()
        # One directory is closed before the next is opened: few files may be open.
        blobs = system.open_directory(self._below or b".", root)
        directory = _through(blobs, lambda blobs: system.open_directory(algorithm, blobs))
        return _through(directory, lambda directory: system.open_regular_file(name, directory))

    @contextlib.contextmanager
    def open_algorithm(self, algorithm: str, root: int, *, change: bool = False) -> Iterator[int]:
        """Yield a handle on the directory of an algorithm, which exists; `root` is a handle on the directory.

        With `change`, a link is refused even if links are followed for reading: what it leads to is not this store's.
        """
        follow = self._links and not change
        with (
            _closing(self.root.open_own(self._below or b".", root, follow=follow)) as blobs,
            _closing(self.root.open_own(algorithm.encode(), blobs, follow=follow)) as fd,
        ):
            yield fd

    def _open_below(self, root: int) -> contextlib.AbstractContextManager[int]:
        return _closing(self.root.open_own(self._below or b".", root, follow=self._links))

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the blob exists; raises StoreError as `open_blob` does."""
        try:
            self.open_blob(digest).close()
        except BlobMissingError:
            return False
        return True

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob of this digest and size exists, and keep it as if it had been stored just now.

        A blob whose time cannot be changed, such as another user's, counts as missing, so that the caller stores it.
        """
        digest = descriptor.digest
        if digest.algorithm not in ALGORITHMS:
            return False
        with self.root as root, self.root.located():
            fd = -1
            try:
                with shared_lock(root):
                    fd = self._open(digest, root)
                    if system.fstat(fd).st_size != descriptor.size:
                        return False
                    system.touch(fd)
                if self._fsync != "never":
                    system.fdatasync(fd)  # Its writer may not have synced it, nor its name.
                if self._fsync == "always":
                    self._sync_name(digest)
            except (FileNotFoundError, PermissionError):
                return False
            except OSError as error:
                if is_odd(error):
                    return False
                raise
            finally:
                if fd >= 0:
                    system.close(fd)
        return True

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream` atomically, after verifying them against `descriptor`; the stream is closed.

        If the stream can `skip` bytes, what an interrupted call has stored is not read again: it is hashed, and the
        stream is continued after it.

        Raises:
            IntegrityError: The bytes do not match; nothing was stored.
            UnsupportedError: This installation cannot compute the algorithm of the digest.
            OSError: They cannot be stored; nothing was.
        """
        with contextlib.closing(stream):
            skip = getattr(stream, "skip", None)
            with self.ingest(descriptor, resume=skip is not None) as writer:
                if writer.offset and skip is not None:
                    skip(writer.offset)
                while data := stream.read(PIECE):
                    writer.write(data)
                writer.commit()

    def ingest(self, expected: Descriptor | None = None, *, resume: bool = False) -> Ingest:
        """Return a writer of one blob.

        Args:
            expected: The blob, if it is known before its bytes are.
            resume: Continue the bytes that an earlier writer of `expected` has left, and leave them if this one is
                closed before it commits. The caller writes from `offset` of the writer on.

        Raises:
            UnsupportedError: This installation cannot compute the algorithm of the digest.
        """
        if expected is not None and expected.digest.algorithm not in ALGORITHMS:
            expected.digest.hasher()
            raise StoreError(self.root.place, f"no blob can have the digest {expected.digest}")
        return Ingest(self.root, self._publish, sync=self._fsync != "never", expected=expected, resume=resume)

    def _publish(self, name: bytes, directory: int, digest: Digest) -> None:
        fd = self._directory(digest)
        with self.root as root, shared_lock(root):
            system.rename(name, directory, digest.encoded.encode(), fd)
        if self._fsync == "always":
            self._sync_name(digest)

    def _directory(self, digest: Digest) -> int:
        return self.root.directory(*filter(None, (self._below, digest.algorithm.encode())))

    def _sync_name(self, digest: Digest) -> None:
        """Sync the name of a blob."""
        fd = -1 if self._links else self._directory(digest)
        if fd in self._synced:
            system.fsync(fd)
            return
        # The first time, because another process may have made the directories and not synced them yet.
        self.sync()
        if fd >= 0:
            self._synced.add(fd)

    def sync(self) -> None:
        """Sync the names of all blobs, so that those put before survive a power cut; nothing with `never`."""
        if self._fsync == "never":
            return
        with self.root as root, self.root.located():
            try:
                with self._open_below(root) as blobs:
                    for algorithm in self._algorithms(blobs):
                        with (
                            contextlib.suppress(StoreError),  # It holds no blobs of this store.
                            _closing(self.root.open_own(algorithm.encode(), blobs, follow=self._links)) as fd,
                        ):
                            system.fsync(fd)
                    system.fsync(blobs)
            except FileNotFoundError:
                pass
            system.fsync(root)

    def delete_blob(self, digest: Digest) -> None:
        """Delete a blob; do nothing if there is none. Whether anything refers to it is the caller's matter.

        Raises:
            StoreError: The file system has no locks, so a writer may be about to refer to the blob.
        """
        if digest.algorithm not in ALGORITHMS:
            return
        with self.root as root, self.root.located(), exclusive_lock(root, self.root.place) as excludes:
            if not excludes:
                raise StoreError(self.root.place, "its file system has no locks, so nothing can be deleted safely")
            try:
                with self.open_algorithm(digest.algorithm, root, change=True) as algorithm:
                    system.unlink(digest.encoded.encode(), algorithm)
            except FileNotFoundError:
                pass

    def quarantine(self, digest: Digest, identity: tuple[int, int] | None) -> str | None:
        """Move the file of a damaged blob to `quarantine/`, and return its path there.

        Args:
            digest: The blob.
            identity: The inode and modification time of the file, as `OpenFile.identity`; None for what is no regular
                file.

        Returns:
            None if another process has replaced or deleted the file.
        """
        source, name = digest.encoded.encode(), f"{digest.algorithm}-{digest.encoded}".encode()
        with (
            self.root as root,
            self.root.located(),
            exclusive_lock(root, self.root.place),
            contextlib.suppress(FileNotFoundError),
            self.open_algorithm(digest.algorithm, root, change=True) as algorithm,
        ):
            found = system.lstat(source, algorithm)
            own = (found.st_ino, found.st_mtime_ns) if system.is_regular(found.st_mode) else None
            if identity == own:
                return self._move_away(source, algorithm, name, root)
        return None

    def _move_away(self, source: bytes, algorithm: int, name: bytes, root: int) -> str:
        target = self.root.make_directory(QUARANTINE, root)
        try:
            taken = set(system.list_names(target))
            numbered = (b"%s.%d" % (name, number) for number in itertools.count(1))
            name = next(each for each in itertools.chain((name,), numbered) if each not in taken)
            system.rename(source, algorithm, name, target)
            if self._fsync != "never":
                system.fsync(target)
                system.fsync(algorithm)
        finally:
            system.close(target)
        return f"{QUARANTINE.decode()}/{name.decode()}"

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all files whose names are digests, sorted; other files are skipped (LAY-04)."""
        for algorithm, names in self.names().items():
            for name in names:
                try:
                    yield Digest.parse(f"{algorithm}:{os.fsdecode(name)}")
                except NameFormatError:
                    continue

    def names(self) -> dict[str, list[bytes]]:
        """Return the names in the directories of algorithms, those that are no digests too, sorted."""
        found: dict[str, list[bytes]] = {}
        with self.root as root, self.root.located():
            try:
                with self._open_below(root) as blobs:
                    for algorithm in self._algorithms(blobs):
                        with (
                            contextlib.suppress(StoreError),  # Not a directory: `foreign` lists it.
                            _closing(self.root.open_own(algorithm.encode(), blobs, follow=self._links)) as fd,
                        ):
                            found[algorithm] = system.list_names(fd)
            except FileNotFoundError:
                pass
        return found

    def statuses(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """Yield the digest of each regular file whose name is one, with its size, modification time in ns and inode."""
        for algorithm, name, status in self._entries():
            if _is_blob(algorithm, name) and status is not None and system.is_regular(status.st_mode):
                found = status.st_size, status.st_mtime_ns, status.st_ino
                yield f"{algorithm}:{os.fsdecode(name)}", found

    def foreign(self) -> Iterator[str]:
        """Yield the paths of files that are no blobs: other names, and names of blobs that are no regular files."""
        below = os.fsdecode(self._below)
        for algorithm, name, status in self._entries():
            if not _is_blob(algorithm, name) or (status is not None and not system.is_regular(status.st_mode)):
                yield "/".join(filter(None, (below, algorithm, os.fsdecode(name))))
        known = self.names()
        with self.root as root, contextlib.suppress(FileNotFoundError), self._open_below(root) as blobs:
            for name in system.list_names(blobs) if self._below else ():
                if os.fsdecode(name) not in known:
                    yield f"{below}/{os.fsdecode(name)}"

    def _entries(self) -> Iterator[tuple[str, bytes, os.stat_result | None]]:
        """Yield what is in the directories of algorithms; the status is None for what was deleted meanwhile."""
        with self.root as root, self.root.located():
            for algorithm, names in self.names().items():
                with self.open_algorithm(algorithm, root) as directory:
                    for name in names:
                        status = None
                        with contextlib.suppress(FileNotFoundError):
                            status = system.lstat(name, directory)
                        yield algorithm, name, status

    @staticmethod
    def _algorithms(blobs: int) -> list[str]:
        return sorted(ALGORITHMS & {os.fsdecode(name) for name in system.list_names(blobs)})


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        system.close(fd)


def _is_blob(algorithm: str, name: bytes) -> bool:
    try:
        Digest.parse(f"{algorithm}:{os.fsdecode(name)}")
    except NameFormatError:
        return False
    return True


def _through(directory: int, opener: Callable[[int], int]) -> int:
    """Open something in a directory, and close the directory, whatever happens; return the handle of the thing."""
    fd = -1
    try:
        with _closing(directory):
            fd = opener(directory)
    except BaseException:
        if fd >= 0:
            system.close(fd)
        raise
    return fd
