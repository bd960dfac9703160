"""A room on disk: unpacked layers, images and containers in one directory, which any number of processes use.

    oci-layers-room              the version of this layout
    layers/ALGORITHM/HEX/        an unpacked layer, named by its chain_id
        fs/                      its changes to the merged tree below it, in overlay form
        changes                  the same changes as text: see `changes_file`
        layer.json               its `LayerRecord`; the last file that is written
    merged/ALGORITHM/HEX/fs/     what many layers have together, where a mount does not take so many: see `show`
    images/HEX.json              an image by the SHA-256 of its name: an `ImageRecord`
    containers/NAME/             `container.json`, `fs/` and `work/`, the upper and work directories of a mount
    mounts/HEX.json              a mount at a path, by the SHA-256 of the path: a `MountRecord`
    leases/                      a locked file for each lease
    tmp/                         what is being written, each in a directory that its writer has locked
    trash/                       what is being removed

Theory of operation. What has its name is whole: it is written in `tmp/`, synced, and gets its name by one rename,
under the shared lock of the room; what is removed is renamed to `trash/` first, under the exclusive lock. Nothing that
can be computed is stored: the layers of an image are those that its record leads to. In `tmp/`, a directory without a
lock was abandoned. The directory of a layer has the layer's own name there, so that two processes that want one layer
meet: the second waits for the lock, and then finds the layer done, or what a killed writer left.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator

import attrs

from oci_layers import system
from oci_layers.blob.lock import exclusive_lock, shared_lock
from oci_layers.blob.root import OpenDirectory, is_odd
from oci_layers.disk.confine import check_handles, list_now, remove_tree
from oci_layers.errors import PlaceMissingError, StoreError, UnsafePathError, locate
from oci_layers.spec.digest import Digest

__all__ = [
    "CHANGES",
    "CONTAINERS",
    "FS",
    "IMAGES",
    "LAYERS",
    "LEASES",
    "MERGED",
    "MOUNTS",
    "TMP",
    "TRASH",
    "WORK",
    "RoomDirectory",
    "Staging",
    "file_name",
    "is_room",
    "is_unfinished",
    "layer_names",
]

MARKER = b"oci-layers-room"
LAYERS, IMAGES, CONTAINERS, MOUNTS, LEASES = b"layers", b"images", b"containers", b"mounts", b"leases"
MERGED = b"merged"
TMP, TRASH = b"tmp", b"trash"
FS, WORK, CHANGES = b"fs", b"work", b"changes"

_VERSION = b'{"version": 1}\n'
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_OURS = frozenset({MARKER, LAYERS, MERGED, IMAGES, CONTAINERS, MOUNTS, LEASES, TMP, TRASH})
_MODE = 0o755
"""The mode of directories in a room, whose own directory is its owner's alone: set-id files are in there."""
_SMALL = 16 << 20
"""The most bytes of a record."""


@attrs.define
class Staging:
    """A directory in `tmp/`, locked by this process."""

    name: bytes
    fd: int
    published: bool = False


class RoomDirectory:
    """The directory of a room. It can be used by several threads."""

    def __init__(self, place: str, *, sync: bool, read_only: bool = False) -> None:
        """Open a room, or make one of a directory that is absent or empty.

        Args:
            place: The directory.
            sync: Whether what is written survives a power cut.
            read_only: Whether the room must exist, and is never written.

        Raises:
            PlaceMissingError: There is no such directory, and it is `read_only`; or none that it could be made in.
            StoreError: It holds something else, or a room of another version.
            UnsupportedError: The platform has no calls on names in open directories.
        """
        check_handles()
        self.place = place
        self.path = system.resolve(place)
        self.is_read_only = read_only
        self._sync = sync
        if not read_only:
            self._make()
        self.root = OpenDirectory(place)
        try:
            self._check()
        except BaseException:
            self.root.close()
            raise

    def _make(self) -> None:
        """Make the directory itself."""
        parent, name = os.path.split(self.path)
        if system.is_existing_directory(self.path) or not name:
            return
        try:
            at = system.open_root(parent)
        except (FileNotFoundError, NotADirectoryError):
            raise PlaceMissingError(self.place, "its parent directory does not exist") from None
        except OSError as error:
            locate(error, self.place, "room")
            raise
        try:
            with contextlib.suppress(FileExistsError):
                system.make_directory(os.fsencode(name), at)
            if self._sync:
                system.fsync(at)
        except OSError as error:
            locate(error, self.place, "room")
            raise
        finally:
            system.close(at)

    def _check(self) -> None:
        """Read the marker, and write it in an empty directory."""
        with self.root as root, self.root.located():
            marker = self._read_small(MARKER, root)
            if marker is None and not self.is_read_only:
                with exclusive_lock(root, self.place):
                    marker = self._read_small(MARKER, root)
                    if marker is None:
                        self._begin(root)
                        return
            if marker is None:
                raise StoreError(self.place, f"not a room: there is no file {MARKER.decode()}")
            if marker != _VERSION:
                raise StoreError(self.place, "a room of another version")

    def _begin(self, root: int) -> None:
        found = [name for name in system.list_names(root) if name not in _OURS]
        unfinished = [name for name in found if name.startswith(b"." + MARKER)]
        foreign = [name for name in found if name not in unfinished]
        if foreign:
            raise StoreError(self.place, f"not a room, and not empty: it has {os.fsdecode(foreign[0])}")
        for name in sorted(_OURS - {MARKER}):
            with contextlib.suppress(FileExistsError):
                system.make_directory(name, root, _MODE)
        for name in unfinished:  # A killed process left it.
            system.unlink(name, root)
        self.replace_in(root, MARKER, _VERSION)

    @contextlib.contextmanager
    def directory(self, *names: bytes, make: bool = False) -> Iterator[int]:
        """Yield a handle on a directory of the room, made with `make` if it is missing.

        Raises:
            FileNotFoundError: There is none.
            StoreError: It is a link, or no directory.
        """
        with self.root as root, contextlib.ExitStack() as closing:
            fd = root
            for name in names:
                with self.root.located():
                    fd = self._open_below(name, fd, make=make)
                closing.callback(system.close, fd)
            yield fd

    def _open_below(self, name: bytes, parent: int, *, make: bool) -> int:
        try:
            return self.root.open_own(name, parent)
        except FileNotFoundError:
            if not make:
                raise
        with contextlib.suppress(FileExistsError):
            system.make_directory(name, parent, _MODE)
        self.sync_directory(parent)
        return self.root.open_own(name, parent)

    def names(self, *names: bytes) -> list[bytes]:
        """Return the names in a directory of the room; none if it does not exist."""
        try:
            with self.directory(*names) as fd, self.root.located():
                return list_now(fd)
        except FileNotFoundError:
            return []

    def records(self, directory: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the name and the bytes of each record in a directory that was written to its end."""
        for name in self.names(directory):
            raw = None if is_unfinished(name) else self.read(directory, name)
            if raw is not None:
                yield name, raw

    def read(self, *names: bytes) -> bytes | None:
        """Return a small file; None if there is none."""
        try:
            with self.directory(*names[:-1]) as fd, self.root.located():
                return self._read_small(names[-1], fd)
        except FileNotFoundError:
            return None

    def _read_small(self, name: bytes, parent: int) -> bytes | None:
        try:
            fd = system.open_regular_file(name, parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            if is_odd(error):
                raise StoreError(self.place, f"{os.fsdecode(name)} is not a regular file") from error
            raise
        try:
            raw = b""
            while piece := system.pread(fd, 1 << 16, len(raw)):
                raw += piece
                if len(raw) > _SMALL:
                    raise StoreError(self.place, f"{os.fsdecode(name)} is too large")
            return raw
        finally:
            system.close(fd)

    def _write_file(self, name: bytes, data: bytes, parent: int) -> None:
        fd = system.open_new_file(name, parent, 0o644)
        try:
            system.write_all(fd, memoryview(data))
            if self._sync:
                system.fsync(fd)
        finally:
            system.close(fd)

    def write_in(self, directory: int, name: bytes, data: bytes) -> None:
        """Write a new small file in an open directory, and sync it."""
        with self.root.located():
            self._write_file(name, data, directory)

    def replace(self, directory: bytes, name: bytes, data: bytes) -> None:
        """Write a small file in a directory of the room, over one that has the name."""
        with self.directory(directory, make=True) as fd:
            self.replace_in(fd, name, data)

    def replace_in(self, directory: int, name: bytes, data: bytes) -> None:
        """Write a small file in an open directory, over one that has the name, and sync both."""
        temporary = b"." + name + b"-" + secrets.token_hex(4).encode()
        with self.root.located():
            try:
                self._write_file(temporary, data, directory)
                system.rename(temporary, directory, name, directory)
            except BaseException:
                with contextlib.suppress(OSError):
                    system.unlink(temporary, directory)
                raise
            self.sync_directory(directory)

    def remove_file(self, *names: bytes) -> None:
        """Remove a file; one that does not exist is no error."""
        with contextlib.suppress(FileNotFoundError), self.directory(*names[:-1]) as fd, self.root.located():
            system.unlink(names[-1], fd)

    def sync_directory(self, fd: int) -> None:
        """Sync the names in an open directory."""
        if self._sync:
            with self.root.located():
                system.fsync(fd)

    def sync_all(self, fd: int) -> None:
        """Sync the whole file system, which is faster than syncing each of many files."""
        if self._sync:
            system.syncfs(fd)

    @contextlib.contextmanager
    def staging(self, name: bytes | None = None) -> Iterator[Staging]:
        """Yield a new directory in `tmp/`, locked; it is removed in the end, unless it was published.

        Args:
            name: Its name; if another process has one of this name, wait for it. A name of its own by default.
        """
        with self.directory(TMP, make=True) as tmp:
            chosen = name or secrets.token_hex(8).encode()
            with self.root.located():
                fd = self._lock_staging(chosen, tmp)
            made = Staging(chosen, fd)
            try:
                yield made
            finally:
                try:
                    if not made.published:
                        remove_tree(chosen, tmp)
                finally:
                    system.close(fd)

    def _lock_staging(self, name: bytes, tmp: int) -> int:
        """Make a directory in `tmp/` and lock it; return its handle. One that a killed process left is removed."""
        while True:
            with contextlib.suppress(FileExistsError):
                system.make_directory(name, tmp, _MODE)
            try:
                fd = self.root.open_own(name, tmp)
            except FileNotFoundError:
                continue
            try:
                self._wait_for(fd)
                here = system.fstat(fd)
                with contextlib.suppress(FileNotFoundError):
                    found = system.lstat(name, tmp)
                    if os.path.samestat(found, here):
                        if not list_now(fd):
                            return fd
                        remove_tree(name, tmp)
            except BaseException:
                system.close(fd)
                raise
            system.close(fd)

    def _wait_for(self, fd: int) -> None:
        if system.lock(fd, wait=True) is None:
            raise StoreError(self.place, "its file system has no locks, which a room needs")

    def publish(self, staging: Staging, *names: bytes) -> bool:
        """Give a staging directory its name, under the shared lock; return False if the name is taken.

        Everything in it must be synced.
        """
        with (
            self.directory(TMP) as tmp,
            self.directory(*names[:-1], make=True) as parent,
            self.root.located(),
            self.shared(),
        ):
            self.sync_directory(staging.fd)
            try:
                system.rename(staging.name, tmp, names[-1], parent)
            except OSError as error:
                if error.errno in _TAKEN:
                    return False
                raise
            staging.published = True
            self.sync_directory(parent)
        return True

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the shared lock of the room: nothing is collected meanwhile."""
        with self.root as root, contextlib.ExitStack() as held:
            with self.root.located():
                held.enter_context(shared_lock(root))
            yield

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the exclusive lock of the room.

        Raises:
            StoreError: The file system has no locks.
        """
        with self.root as root, contextlib.ExitStack() as held:
            with self.root.located():
                excludes = held.enter_context(exclusive_lock(root, self.place))
            if not excludes:
                raise StoreError(self.place, "its file system has no locks, without which nothing can be removed")
            yield

    @contextlib.contextmanager
    def leased(self) -> Iterator[None]:
        """Hold a lease: what is written or touched from now on is not collected."""
        with self.directory(LEASES, make=True) as leases:
            name = secrets.token_hex(8).encode()
            with self.root.located():
                fd = system.open_new_file(name, leases)
            try:
                system.lock(fd, wait=True)
                yield
            finally:
                with contextlib.suppress(OSError):
                    system.unlink(name, leases)
                system.close(fd)

    def touch(self, *names: bytes) -> bool:
        """Give a directory the time of now, so that it is not collected; return False if it does not exist."""
        try:
            with self.directory(*names) as fd, self.root.located():
                system.touch(fd)
        except FileNotFoundError:
            return False
        return True

    def is_at(self, fd: int, *names: bytes) -> bool:
        """Return whether an open directory is the one that has a name in the room."""
        try:
            with self.directory(*names) as other, self.root.located():
                return os.path.samestat(system.fstat(fd), system.fstat(other))
        except FileNotFoundError:
            return False

    def discard(self, *names: bytes) -> bytes | None:
        """Rename something of the room to `trash/`; return its name there, None if it does not exist.

        The caller has the exclusive lock, or the lock of what it discards.
        """
        name = secrets.token_hex(8).encode()
        try:
            with self.directory(*names[:-1]) as parent, self.directory(TRASH, make=True) as trash, self.root.located():
                system.rename(names[-1], parent, name, trash)
                self.sync_directory(parent)
        except FileNotFoundError:
            return None
        return name

    def empty_trash(self, *names: bytes) -> None:
        """Remove what is in `trash/`, all or the given names, which another process may be removing as well."""
        with self.directory(TRASH, make=True) as trash, self.root.located():
            for name in names or list_now(trash):
                with contextlib.suppress(FileNotFoundError, UnsafePathError):
                    remove_tree(name, trash)

    def close(self) -> None:
        """Close the directory."""
        self.root.close()


def is_room(place: str) -> bool:
    """Return whether a path leads to a room."""
    return system.exists(os.path.join(place, os.fsdecode(MARKER)))


def is_unfinished(name: bytes) -> bool:
    """Return whether a name is that of a record that `RoomDirectory.replace` has not written to its end."""
    return name.startswith(b".")


def file_name(text: str) -> bytes:
    """Return the name of the file that has the record of something with a name of any form."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest().encode() + b".json"


def layer_names(chain_id: Digest) -> tuple[bytes, bytes, bytes]:
    """Return the names that lead to the directory of a layer."""
    return LAYERS, chain_id.algorithm.encode(), chain_id.encoded.encode()
