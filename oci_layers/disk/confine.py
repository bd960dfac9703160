"""Open and remove directories of a tree on disk by handle, and never leave the root.

Theory of operation. A resolved path becomes an open directory (a file descriptor), and every other call names a file
relative to one. A path string that is given to the kernel can lead anywhere, even if it was checked. So each
directory is opened from the root's handle, one name at a time, as a directory and never through a link (O_DIRECTORY,
O_NOFOLLOW). If another process replaces a directory by a link meanwhile, opening it fails with `UnsafePathError`.

`Handles` caches open directories: up to a quarter of the process's limit on open files, at least 4, at most 128. A full
cache closes the least recently used one. Removal uses the same handles. Nothing here recurses, so depth costs neither
stack nor handles.
"""

import contextlib
import errno
import sys
from collections.abc import Iterator

from oci_layers import system
from oci_layers.errors import UnsafePathError, UnsupportedError
from oci_layers.tree.path import join, parent_and_name

__all__ = ["Handles", "check_handles", "list_now", "open_file", "remove_children", "remove_tree"]

_MOST_KEPT = 128
_FEWEST_KEPT = 4


def check_handles() -> None:
    """Refuse a platform on which paths cannot be confined.

    Raises:
        UnsupportedError: The platform has no system calls relative to open directories.
    """
    if not system.HAS_HANDLES:
        raise UnsupportedError("platform", sys.platform, "it has no calls on names in open directories")


def list_now(directory: int) -> list[bytes]:
    """Return the current names in an open directory, through a new handle.

    On btrfs, with kernels since 6.5, a handle does not list names that were created after it was opened. An O_PATH
    handle cannot be listed at all.
    """
    fd = system.open_directory(b".", directory)
    try:
        return system.list_names(fd)
    finally:
        system.close(fd)


class Handles:
    """A cache of open directories below one root, opened on demand by resolved path. Not thread-safe."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}
        self._kept = max(_FEWEST_KEPT, min(_MOST_KEPT, system.open_file_limit() // 4))

    def directory(self, path: bytes) -> int:
        """Return a handle on the directory at a resolved path. It stays open until later calls evict it.

        Raises:
            UnsafePathError: A component is not a directory, or is a link: another process changed the tree.
        """
        missing = []
        while path and path not in self._open:
            missing.append(path)
            path, _ = parent_and_name(path)
        fd = self._root
        if path:
            fd = self._open[path] = self._open.pop(path)
        while missing:
            fd = self._enter(missing.pop(), fd)
        return fd

    def _enter(self, path: bytes, parent: int) -> int:
        """Open the directory at `path` in `parent`, which was used last, so a full cache does not close it."""
        _, name = parent_and_name(path)
        try:
            fd = system.open_directory(name, parent)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENOENT}:
                raise UnsafePathError(path, "the directory was changed by someone else meanwhile") from error
            raise
        if len(self._open) >= self._kept:
            system.close(self._open.pop(next(iter(self._open))))
        self._open[path] = fd
        return fd

    @contextlib.contextmanager
    def held(self, path: bytes) -> Iterator[int]:
        """Yield a handle on a directory that stays open until the block ends."""
        fd = system.duplicate(self.directory(path))
        try:
            yield fd
        finally:
            system.close(fd)

    def forget(self, path: bytes) -> None:
        """Close the handles at and below `path`, which is about to be removed."""
        below = path + b"/"
        for known in [known for known in self._open if known == path or known.startswith(below)]:
            system.close(self._open.pop(known))

    def close(self) -> None:
        """Close every handle except the root's, which the caller closes."""
        while self._open:
            system.close(self._open.popitem()[1])


def open_file(path: bytes, root: int) -> int:
    """Open the regular file at a resolved path below an open directory, for reading; the caller closes it.

    In one call where the kernel has it (openat2, Linux 5.6), which holds the path to the same rule.

    Raises:
        UnsafePathError: A component is not a directory, or is a link: another process changed the tree.
        OSError: The file does not exist, is not a regular file, or cannot be read.
    """
    with contextlib.suppress(OSError):  # What is wrong, if anything is, is found below.
        return system.open_beneath(path, root)
    handles = Handles(root)
    try:
        parent, name = parent_and_name(path)
        return system.open_regular_file(name, handles.directory(parent))
    finally:
        handles.close()


def remove_tree(name: bytes, parent: int) -> None:
    """Remove `name` in an open directory, and everything below it, without following links."""
    if not _unlinked(name, parent):
        _remove(parent, [name])


def remove_children(root: int, *, keep: bytes | None = None) -> None:
    """Remove everything in an open directory except the name `keep`; the directory itself stays."""
    _remove(root, [name for name in list_now(root) if name != keep])


def _remove(root: int, names: list[bytes]) -> None:
    handles = Handles(root)
    stack = [(b"", names)]
    try:
        while stack:
            path, names = stack[-1]
            at = handles.directory(path)
            if names:
                name = names.pop()
                if not _unlinked(name, at):
                    _unlock(name, at)
                    below = join(path, name)
                    stack.append((below, system.list_names(handles.directory(below))))
                continue
            stack.pop()
            if path:
                handles.forget(path)
                parent, name = parent_and_name(path)
                system.rmdir(name, handles.directory(parent))
    finally:
        handles.close()


def _unlinked(name: bytes, at: int) -> bool:
    """Unlink anything but a directory; return False for a directory."""
    try:
        system.unlink(name, at)
    except OSError as error:
        if error.errno not in {errno.EISDIR, errno.EPERM} or not system.is_directory(system.lstat(name, at).st_mode):
            raise
        return False
    return True


def _unlock(name: bytes, at: int) -> None:
    """Give the owner access to a directory before it is emptied; a refusal is ignored, as root may need no access."""
    if system.lstat(name, at).st_mode & 0o700 == 0o700:
        return
    with system.hold(name, at) as pinned, contextlib.suppress(PermissionError):
        if system.is_directory(system.fstat(pinned).st_mode):
            system.chmod(system.proc_path(pinned) if system.HAS_PROC else pinned, 0o700)
