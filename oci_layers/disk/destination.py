"""DEST: an absent or empty directory into one that holds the whole image, or into what it was before.

Everything is built in a sibling `.NAME.oci-layers-XXXXXXXX` and put in place by one rename. With `in_place` it is built
inside DEST, beside a marker file that goes last; a failure empties DEST again. Whatever ends the work, an error or
Ctrl-C, DEST is then as it was; only a kill leaves the sibling, or the marker, behind.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from oci_layers import system
from oci_layers.disk.confine import remove_children, remove_tree
from oci_layers.errors import DestinationError

__all__ = ["MARKER", "destination"]

MARKER = b".oci-layers-incomplete"
_NAME_BYTES = 200
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextlib.contextmanager
def destination(dest: str | os.PathLike[str], *, in_place: bool = False, sync: bool = False) -> Iterator[int]:
    """Give a handle on an empty directory; when the block ends well, its content is at `dest`.

    Args:
        dest: Absent or an empty directory; a link is resolved first.
        in_place: Build inside `dest`, as a mount point or a parent that cannot be written demands.
        sync: Flush the rename to the disk too. Files are the mirror's.

    Raises:
        DestinationError: `dest` is refused; nothing was touched.
    """
    path = os.fsencode(system.resolve(os.fspath(dest)))
    shown = os.fspath(dest)
    parent, name = os.path.split(path)
    if not name:
        raise DestinationError(shown, "the root directory cannot be unpacked to")
    try:
        parent_fd = system.open_root(os.fsdecode(parent))
    except FileNotFoundError:
        raise DestinationError(shown, "its parent directory does not exist") from None
    except NotADirectoryError:
        raise DestinationError(shown, "its parent is not a directory") from None
    try:
        exists = _check(name, parent_fd, shown)
        if in_place:
            with _inside(name, parent_fd, shown, exists=exists) as root:
                yield root
        else:
            if exists:
                _check_replaceable(path, name, parent_fd, shown)
            with _beside(name, parent_fd, shown) as root:
                yield root
        if sync:
            system.fsync(parent_fd)
    finally:
        system.close(parent_fd)


def _check(name: bytes, parent: int, shown: str) -> bool:
    """Return whether DEST exists; refuse what is not an empty directory."""
    try:
        mode = system.lstat(name, parent).st_mode
    except FileNotFoundError:
        return False
    if not system.is_directory(mode):
        raise DestinationError(shown, "it exists and is not a directory")
    fd = system.open_directory(name, parent)
    try:
        names = system.list_names(fd)
    finally:
        system.close(fd)
    if MARKER in names:
        raise DestinationError(shown, "it holds what an interrupted unpacking left; empty it first")
    if names:
        raise DestinationError(shown, "the directory is not empty")
    return True


def _check_replaceable(path: bytes, name: bytes, parent: int, shown: str) -> None:
    if os.fsdecode(path) in system.mount_points() or (system.lstat(name, parent).st_dev != system.fstat(parent).st_dev):
        raise DestinationError(shown, "it is a mount point and cannot be replaced; use --in-place")
    if system.is_current_directory(path):
        raise DestinationError(shown, "it is the current directory and cannot be replaced; use --in-place")


@contextlib.contextmanager
def _beside(name: bytes, parent: int, shown: str) -> Iterator[int]:
    staging = b".%s.oci-layers-%s" % (name[:_NAME_BYTES], secrets.token_hex(4).encode())
    try:
        system.make_directory(staging, parent)
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            reason = f"its parent directory cannot be written ({os.strerror(error.errno or 0)}); use --in-place"
            raise DestinationError(shown, reason) from error
        raise
    try:
        root = system.open_directory(staging, parent)
        try:
            system.fchmod(root, 0o700)
            yield root
        finally:
            system.close(root)
        system.rename(staging, parent, name, parent)
    except BaseException:
        _clear(staging, parent)
        raise


def _clear(staging: bytes, parent: int) -> None:
    """Remove what was being built; its root may have got its final mode already."""
    with contextlib.suppress(FileNotFoundError):
        fd = system.open_directory(staging, parent)
        try:
            system.fchmod(fd, 0o700)
        finally:
            system.close(fd)
        remove_tree(staging, parent)


@contextlib.contextmanager
def _inside(name: bytes, parent: int, shown: str, *, exists: bool) -> Iterator[int]:
    if not exists:
        system.make_directory(name, parent)
    root = system.open_directory(name, parent)
    try:
        before = system.fstat(root)
        try:
            if exists:
                system.fchmod(root, 0o700)
            system.close(system.open_new_file(MARKER, root))
        except OSError as error:
            if error.errno in _NOT_WRITABLE:
                raise DestinationError(shown, f"it cannot be written ({os.strerror(error.errno or 0)})") from error
            raise
        try:
            yield root
            _remove_marker(root)
        except BaseException:
            system.fchmod(root, 0o700)
            remove_children(root, keep=MARKER)
            system.unlink(MARKER, root)
            if exists:
                system.fchown(root, before.st_uid, before.st_gid)
                system.fchmod(root, before.st_mode & 0o7777)
                system.utime(root, before.st_mtime_ns)
            else:
                system.rmdir(name, parent)
            raise
    finally:
        system.close(root)


def _remove_marker(root: int) -> None:
    """Remove the marker; the root keeps the mode and the time that it got."""
    final = system.fstat(root)
    system.fchmod(root, 0o700)
    system.unlink(MARKER, root)
    system.fchmod(root, final.st_mode & 0o7777)
    system.utime(root, final.st_mtime_ns)
