"""Where the bytes of a new archive go: to a file that gets its name once it is complete, or into a pipe.

A file is written as a sibling `.NAME.oci-layers-XXXXXXXX`, synced, and renamed to its name, so another process never
sees a part of an archive there. After an error or Ctrl-C the sibling is removed; only a kill leaves it. An archive that
exists is never changed or replaced. What went into a pipe cannot be taken back: an archive without an end is left.
"""

import contextlib
import errno
import os
import secrets
import warnings
from collections.abc import Iterator

from oci_layers import system
from oci_layers.errors import PlaceMissingError, StoreError, escape, locate

__all__ = ["ArchiveOutput"]

_NAME_BYTES = 200
_RANDOM_BYTES = 4
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""The errors of file systems without hard links."""
_ROLE = "archive"


class ArchiveOutput:
    """The bytes of one archive while it is written. Not thread-safe.

    If it is neither committed nor discarded, it is discarded when it is collected, with a `ResourceWarning`.
    """

    _fd = -1

    def __init__(self, file: str | os.PathLike[str], *, sync: bool) -> None:
        """Create the file, or open the pipe.

        Args:
            file: An absent file; or a pipe or device, which is written directly. `-` is standard output.
            sync: Whether `commit` syncs the file and its name.

        Raises:
            StoreError: There is something else.
            PlaceMissingError: The directory of the file does not exist.
        """
        self.place = os.fspath(file)
        self._sync = sync
        self._parent = -1
        self._name = self._temporary = b""
        with self._located():
            if system.is_pipe(self.place, write=True):
                self._fd = system.open_output_path(self.place)
            else:
                self._create()

    def _create(self) -> None:
        directory, name = os.path.split(system.resolve(self.place))
        try:
            self._parent = system.open_root(directory)
        except FileNotFoundError:
            raise PlaceMissingError(directory, "no such directory") from None
        except NotADirectoryError:
            raise StoreError(self.place, "its parent is not a directory") from None
        try:
            self._name = os.fsencode(name)
            self._check_absent()
            random = secrets.token_hex(_RANDOM_BYTES).encode()
            self._temporary = b".%s.oci-layers-%s" % (self._name[:_NAME_BYTES], random)
            self._fd = system.open_new_file(self._temporary, self._parent, 0o644)
        except BaseException:
            system.close(self._parent)
            raise

    def _check_absent(self) -> None:
        try:
            mode = system.lstat(self._name or b".", self._parent).st_mode
        except FileNotFoundError:
            return
        if system.is_directory(mode):
            raise StoreError(self.place, "it is a directory, not a file")
        raise StoreError(self.place, "it exists, and an archive that exists is not changed")

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        with self._located():
            system.write_all(self._fd, memoryview(data))

    def commit(self) -> None:
        """Give the file its name, after syncing it.

        Raises:
            StoreError: Something was put there meanwhile; it is left.
        """
        if self._temporary:
            with self._located():
                if self._sync:
                    system.fsync(self._fd)
                self._put_in_place()
                self._temporary = b""
            if self._sync:
                with self._located(f"{_ROLE}, which is in place but may not survive a power loss"):
                    system.fsync(self._parent)
        self._close()

    def _put_in_place(self) -> None:
        """Give the file its name by a hard link, which replaces nothing; by a rename where there are no hard links."""
        try:
            system.link(self._temporary, self._parent, self._name, self._parent)
        except FileExistsError:
            self._check_absent()
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._check_absent()
            system.rename(self._temporary, self._parent, self._name, self._parent)
        else:
            with contextlib.suppress(OSError):  # The archive is complete; the other name of it is left.
                system.unlink(self._temporary, self._parent)

    def discard(self, error: BaseException | None = None) -> None:
        """Remove the file, unless it was committed; do nothing the second time.

        Args:
            error: The reason. A file that cannot be removed is then a note of it, and otherwise an `OSError`.
        """
        name, self._temporary = self._temporary, b""
        try:
            if name:
                system.unlink(name, self._parent)
        except OSError as problem:
            left = os.path.join(os.path.dirname(system.resolve(self.place)), os.fsdecode(name))
            if error is None:
                locate(problem, left, "unfinished archive, which is left behind")
                raise
            error.add_note(f"{escape(left)} is left behind, it cannot be removed ({escape(str(problem))})")
        finally:
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        parent, self._parent = self._parent, -1
        try:
            if fd >= 0:
                system.close(fd)
        finally:
            if parent >= 0:
                system.close(parent)

    @contextlib.contextmanager
    def _located(self, role: str = _ROLE) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            locate(error, self.place, role)
            raise

    def __del__(self) -> None:
        if self._fd >= 0:
            try:
                warnings.warn(f"unclosed {escape(self.place)}", ResourceWarning, stacklevel=1, source=self)
            finally:
                self.discard()
