"""The open directory of a store, which several threads use until one closes it.

Files are opened relative to its handle. The files opened for reading are closed with it, so that nothing reads a store
that its owner has closed; a range that is read meanwhile ends with `StoreError`.
"""

import contextlib
import errno
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from types import TracebackType

from oci_layers import system
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.errors import PlaceMissingError, StoreError, escape, locate

__all__ = ["Located", "OpenDirectory", "is_odd", "odd_file"]

_LINK = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})
"""The errors of systems for a link that is not followed; the last is for a link in place of a directory."""
_ODD = _LINK | {errno.EINVAL, errno.EISDIR, errno.ENXIO}


class Located:
    """A context that names a store in an OSError of its body; entered any number of times, by several threads."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            locate(error, self._place, "store")


class OpenDirectory:
    """An open directory. If it is not closed, it is closed when it is collected, with a `ResourceWarning`.

    A handle is used within `with directory as handle:`. `close` lets no new use begin; the handles are closed when the
    last use ends, so that none is closed, and its number given to another file, while a thread works with it.
    """

    _root = -1

    def __init__(self, directory: str) -> None:
        """Open a directory that the user named.

        Raises:
            PlaceMissingError: There is no such directory.
        """
        self.place = directory
        self._located = Located(directory)
        self._lock = threading.Lock()
        self._opened: weakref.WeakSet[OpenFile] = weakref.WeakSet()
        self._below: dict[tuple[bytes, ...], int] = {}
        self._removed: list[int] = []
        self._users = 0
        self._closed = False
        try:
            with self.located():
                self._root = system.open_root(system.resolve(directory))
                found = system.fstat(self._root)
        except (FileNotFoundError, NotADirectoryError):
            raise PlaceMissingError(directory, "no such directory") from None
        except BaseException:
            self.close()
            raise
        # Root writes to a directory of another user in that user's name.
        own = system.effective_ids()[0] != 0 or found.st_uid == 0
        self._owner = None if own else (found.st_uid, found.st_gid)

    def open_own(self, name: bytes, parent: int, *, follow: bool = False) -> int:
        """Open a directory that is part of the store; a link only with `follow`; return its handle.

        Raises:
            StoreError: It is a link, or no directory.
        """
        try:
            return system.open_directory(name, parent, follow=follow)
        except OSError as error:
            if is_odd(error):
                raise StoreError(self.place, f"{os.fsdecode(name)} is not a directory, or is a link") from error
            raise

    def __enter__(self) -> int:
        """Return the handle, which stays open until `__exit__`.

        Raises:
            StoreError: The directory has been closed.
        """
        with self._lock:
            if self._closed:
                raise StoreError(self.place, "closed")
            self._users += 1
        return self._root

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._closed and not self._users:
                self._close_handles()

    def located(self) -> "Located":
        """Return a context that names the store in an OSError of its body."""
        return self._located

    def directory(self, *names: bytes) -> int:
        """Return a handle on a directory below, which is made if it does not exist; kept open while this is used."""
        fd = self._below.get(names, -1)
        if fd >= 0 and not system.fstat(fd).st_nlink:  # It was removed.
            with self._lock:
                if self._below.get(names) == fd:
                    self._removed.append(self._below.pop(names))  # Another thread may be using it.
            fd = -1
        if fd < 0:
            parent = self.directory(*names[:-1]) if len(names) > 1 else self._root
            fd = self.make_directory(names[-1], parent)
            with self._lock:
                kept = self._below.setdefault(names, fd)
            if kept != fd:
                system.close(fd)
                fd = kept
        return fd

    def create_file(self, name: bytes, parent: int) -> int:
        """Create a file for writing, which all may read as far as the umask lets them; return its handle."""
        fd = system.open_new_file(name, parent, 0o644)
        try:
            self._own(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                system.unlink(name, parent)
            system.close(fd)
            raise
        return fd

    def make_directory(self, name: bytes, parent: int) -> int:
        """Open a directory, and make it if it does not exist; return its handle."""
        try:
            fd = self.open_own(name, parent)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                system.make_directory(name, parent, 0o755)
            fd = self.open_own(name, parent)
        try:
            # One that is root's and empty is new, or was made by a process that was killed before the next call.
            if self._owner is not None and system.fstat(fd).st_uid == 0 and not system.list_names(fd):
                self._own(fd)
        except BaseException:
            system.close(fd)
            raise
        return fd

    def _own(self, fd: int) -> None:
        if self._owner is not None:
            system.fchown(fd, *self._owner)

    def open_file(self, what: str, opener: Callable[[int], int], *, links: bool) -> SectionReader | None:
        """Open a file for reading; return None if there is none.

        Args:
            what: The name of the file in errors.
            opener: Opens the file, given the handle of the directory.
            links: Whether `opener` follows links, for the message of an error.

        Raises:
            StoreError: It is not a regular file, is reached through a link, or the directory has been closed.
        """
        with self as root, self.located():
            try:
                fd = opener(root)
            except FileNotFoundError:
                return None
            except OSError as error:
                if is_odd(error):
                    raise StoreError(self.place, odd_file(what, error, links=links)) from error
                raise
            file = OpenFile(fd, self.place)
            self._opened.add(file)
        try:
            return SectionReader(file, 0, file.size)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Close the directory and the files opened in it; later reads raise StoreError."""
        with self._lock:
            self._closed = True
            for file in list(self._opened):
                file.close()
            if not self._users:
                self._close_handles()

    def _close_handles(self) -> None:
        handles = [*self._removed, *self._below.values(), *([self._root] if self._root >= 0 else [])]
        self._removed, self._below, self._root = [], {}, -1
        with contextlib.ExitStack() as closing:  # All of them, also if one reports an error.
            for fd in handles:
                closing.callback(system.close, fd)

    def __del__(self) -> None:
        if self._root >= 0:
            try:
                warnings.warn(f"unclosed {escape(self.place)}", ResourceWarning, stacklevel=1, source=self)
            finally:
                self._users = 0
                self.close()


def is_odd(error: OSError) -> bool:
    """Return whether the error says that a file is not a regular one, or is reached through a link."""
    return error.errno in _ODD


def odd_file(what: str, error: OSError, *, links: bool) -> str:
    """Return why a file could not be opened as a regular file; without `links` the reason may be a link."""
    if links or error.errno not in _LINK:
        return f"{what} is not a regular file"
    return (
        f"{what} is not a regular file, or is reached through a link; "
        "links are followed with blob_links=True, in the command with --policy lenient or --profile lenient"
    )
