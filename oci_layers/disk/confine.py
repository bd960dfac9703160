"""Directories of a tree on disk, by handle, and nothing outside of them.

Why this shape: a path that is handed to the kernel as a string can lead anywhere, whatever was checked before. So a
directory is only ever reached from the root's handle, one name at a time, each opened as a directory and never through
a link. Whatever another process does to the tree meanwhile, a name that has become a link is an error and not a way
out. Open directories are kept, the least recently used are closed; removal goes by handle too, and does not recurse.
"""

import errno

from oci_layers import system
from oci_layers.errors import UnsafePathError
from oci_layers.tree.path import parent_and_name

__all__ = ["Handles", "remove_children", "remove_tree"]

_KEPT = 128


class Handles:
    """The directories below one root, opened as they are asked for by resolved path."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: dict[bytes, int] = {}

    def directory(self, path: bytes) -> int:
        """Return a handle on the directory at a resolved path. It stays open until other calls push it out.

        Raises:
            UnsafePathError: A component is not a directory, or is a link: someone else changed the tree.
        """
        if not path:
            return self._root
        fd = self._open.pop(path, None)
        if fd is None:
            parent, name = parent_and_name(path)
            try:
                fd = system.open_directory(name, self.directory(parent))
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENOENT}:
                    raise UnsafePathError(path, "the directory was changed by someone else meanwhile") from error
                raise
            if len(self._open) >= _KEPT:
                system.close(self._open.pop(next(iter(self._open))))
        self._open[path] = fd
        return fd

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
    try:
        system.unlink(name, parent)
    except OSError as error:
        if error.errno not in {errno.EISDIR, errno.EPERM} or not system.is_directory(
            system.lstat(name, parent).st_mode
        ):
            raise
    else:
        return
    fd = system.open_directory(name, parent)
    try:
        remove_children(fd)
    finally:
        system.close(fd)
    system.rmdir(name, parent)


def remove_children(root: int, *, keep: bytes | None = None) -> None:
    """Remove everything in an open directory, but not the directory; `keep` is a name in it that stays."""
    stack: list[tuple[int, bytes, list[bytes]]] = [(root, b"", [n for n in system.list_names(root) if n != keep])]
    try:
        while stack:
            fd, name, names = stack[-1]
            if names:
                _remove_or_enter(names.pop(), fd, stack)
                continue
            stack.pop()
            if stack:
                system.close(fd)
                system.rmdir(name, stack[-1][0])
    finally:
        for fd, _, _ in stack[1:]:
            system.close(fd)


def _remove_or_enter(name: bytes, fd: int, stack: list[tuple[int, bytes, list[bytes]]]) -> None:
    try:
        system.unlink(name, fd)
    except OSError as error:
        if error.errno not in {errno.EISDIR, errno.EPERM} or not system.is_directory(system.lstat(name, fd).st_mode):
            raise
        below = system.open_directory(name, fd)
        system.fchmod(below, 0o700)
        stack.append((below, name, system.list_names(below)))
