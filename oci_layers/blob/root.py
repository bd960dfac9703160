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
from collections.abc import Callable, Iterator

from oci_layers import system
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.errors import PlaceMissingError, StoreError, escape

__all__ = ["OpenDirectory", "is_odd", "odd_file"]

_LINK = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})
"""The errors of systems for a link that is not followed; the last is for a link in place of a directory."""
_ODD = _LINK | {errno.EINVAL, errno.EISDIR, errno.ENXIO}


class OpenDirectory:
    """An open directory. If it is not closed, it is closed when it is collected, with a `ResourceWarning`."""

    _root = -1

    def __init__(self, directory: str) -> None:
        """Open a directory that the user named.

        Raises:
            PlaceMissingError: There is no such directory.
        """
        self.place = directory
        self._lock = threading.Lock()
        self._opened: weakref.WeakSet[OpenFile] = weakref.WeakSet()
        try:
            self._root = system.open_root(system.resolve(directory))
        except (FileNotFoundError, NotADirectoryError):
            raise PlaceMissingError(directory, "no such directory") from None
        found = system.fstat(self._root)
        # Root writes to a directory of another user in that user's name.
        own = system.effective_ids()[0] != 0 or found.st_uid == 0
        self._owner = None if own else (found.st_uid, found.st_gid)

    def create_file(self, name: bytes, parent: int) -> int:
        """Create a file for writing, which all may read as far as the umask lets them; return its handle."""
        return self._owned(system.open_new_file(name, parent, 0o644))

    def make_directory(self, name: bytes, parent: int) -> int:
        """Open a directory, and make it if it does not exist; return its handle.

        Raises:
            StoreError: It is a link, or no directory.
        """
        try:
            return self.open_own(name, parent)
        except FileNotFoundError:
            try:
                system.make_directory(name, parent, 0o755)
            except FileExistsError:
                return self.open_own(name, parent)
        return self._owned(self.open_own(name, parent))

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

    def _owned(self, fd: int) -> int:
        if self._owner is not None:
            try:
                system.fchown(fd, *self._owner)
            except BaseException:
                system.close(fd)
                raise
        return fd

    @contextlib.contextmanager
    def handle(self) -> Iterator[int]:
        """Yield the handle, which stays open meanwhile: for a few system calls, as `close` waits for them.

        Raises:
            StoreError: The directory has been closed.
        """
        with self._lock:
            if self._root < 0:
                raise StoreError(self.place, "closed")
            yield self._root

    def duplicate(self) -> int:
        """Return another handle, for work that takes time; the caller closes it.

        Raises:
            StoreError: The directory has been closed.
        """
        with self.handle() as root:
            return system.duplicate(root)

    def open_file(self, what: str, opener: Callable[[int], int], *, links: bool) -> SectionReader | None:
        """Open a file for reading; return None if there is none.

        Args:
            what: The name of the file in errors.
            opener: Opens the file, given the handle of the directory.
            links: Whether `opener` follows links, for the message of an error.

        Raises:
            StoreError: It is not a regular file, is reached through a link, or the directory has been closed.
        """
        with self.handle() as root:
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
