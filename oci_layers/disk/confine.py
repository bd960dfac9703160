"""Directories of a tree on disk, by handle, and nothing outside of them.

Why this shape: a path that is handed to the kernel as a string can lead anywhere, whatever was checked before. So a
directory is only ever reached from the root's handle, one name at a time, each opened as a directory and never through
a link. Whatever another process does to the tree meanwhile, a name that has become a link is an error and not a way
out. Open directories are kept, as many as the process may well have open; the least recently used are closed. Removal
goes by the same handles. Nothing here recurses, so that depth costs neither stack nor handles.
"""

import contextlib
import errno
import sys
from collections.abc import Iterator

from oci_layers import system
from oci_layers.errors import UnsafePathError, UnsupportedError
from oci_layers.tree.path import join, parent_and_name

__all__ = ["Handles", "check_handles", "list_now", "remove_children", "remove_tree"]

_MOST_KEPT = 128
_FEWEST_KEPT = 4


def check_handles() -> None:
    """Refuse a platform on which nothing can be confined.

    Raises:
        UnsupportedError: It has no calls on names in open directories.
    """
    if not system.HAS_HANDLES:
        raise UnsupportedError("platform", sys.platform, "it has no calls on names in open directories")


def list_now(directory: int) -> list[bytes]:
    """Return the names that are in an open directory now, through a new handle.

    A handle on a directory of btrfs does not list what was made after it was opened, on kernels since 6.5; nor can one
    be listed that only leads to what is in it.
    """
    fd = system.open_directory(b".", directory)
    try:
        return system.list_names(fd)
    finally:
        system.close(fd)


class Handles:
    """The directories below one root, opened as they are asked for by resolved path."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}
        self._kept = max(_FEWEST_KEPT, min(_MOST_KEPT, system.open_file_limit() // 4))

    def directory(self, path: bytes) -> int:
        """Return a handle on the directory at a resolved path. It stays open until other calls push it out.

        Raises:
            UnsafePathError: A component is not a directory, or is a link: someone else changed the tree.
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
        """Open the directory at `path` in the one that was used last, which is therefore not the one to be closed."""
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
        """Give a handle on a directory that no other call pushes out."""
        fd = system.duplicate(self.directory(path))
        try:
            yield fd
        finally:
            system.close(fd)

    def forget(self, path: bytes) -> None:
        """Close what is open at or below `path`, which is about to be removed."""
        below = path + b"/"
        for known in [known for known in self._open if known == path or known.startswith(below)]:
            system.close(self._open.pop(known))

    def close(self) -> None:
        """Close every handle but the root's, which is the caller's."""
        while self._open:
            system.close(self._open.popitem()[1])


def remove_tree(name: bytes, parent: int) -> None:
    """Remove what stands at `name` in an open directory, with all that is below it, following no link."""
    if not _unlinked(name, parent):
        _remove(parent, [name])


def remove_children(root: int, *, keep: bytes | None = None) -> None:
    """Remove everything in an open directory, but not the directory; `keep` is a name in it that stays."""
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
    """Remove anything but a directory; return whether there is nothing any more."""
    try:
        system.unlink(name, at)
    except OSError as error:
        if error.errno not in {errno.EISDIR, errno.EPERM} or not system.is_directory(system.lstat(name, at).st_mode):
            raise
        return False
    return True


def _unlock(name: bytes, at: int) -> None:
    """Let its owner into a directory that is about to be emptied; root need not own it."""
    if system.lstat(name, at).st_mode & 0o700 == 0o700:
        return
    with system.hold(name, at) as pinned, contextlib.suppress(PermissionError):
        if system.is_directory(system.fstat(pinned).st_mode):
            system.chmod(system.proc_path(pinned) if system.HAS_PROC else pinned, 0o700)
