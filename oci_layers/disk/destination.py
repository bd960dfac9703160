"""DEST: an absent or empty directory into one that holds the whole image, or into what it was before.

Everything is built in a sibling `.NAME.oci-layers-XXXXXXXX` and put in place by one rename. With `in_place` it is built
inside DEST, beside a marker file that goes last; a failure empties DEST again. Whatever ends the work, an error or
Ctrl-C, DEST is then as it was; only a kill leaves the sibling, or the marker, behind.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping

from oci_layers import system
from oci_layers.disk.confine import remove_children, remove_tree
from oci_layers.errors import DestinationError, UnsafePathError

__all__ = ["MARKER", "destination"]

MARKER = b".oci-layers-incomplete"
_NAME_BYTES = 200
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
_ACL = b"system.posix_acl_"


@contextlib.contextmanager
def destination(dest: str | os.PathLike[str], *, in_place: bool = False, sync: bool = False) -> Iterator[int]:
    """Give a handle on an empty directory; when the block ends well, its content is at `dest`.

    Args:
        dest: Absent or an empty directory; a link is resolved first.
        in_place: Build inside `dest`, as a mount point or a parent that cannot be written demands.
        sync: Flush the rename, or the end of the marker, to the disk too. Files are the mirror's.

    Raises:
        DestinationError: `dest` is refused; nothing was touched.
    """
    shown = os.fspath(dest)
    if not shown:
        raise DestinationError(shown, "the destination has no name")
    path = os.fsencode(system.resolve(shown))
    parent, name = os.path.split(path)
    if not name:
        raise DestinationError(shown, "the root directory cannot be unpacked to")
    try:
        parent_fd = system.open_surroundings(os.fsdecode(parent))
    except FileNotFoundError:
        raise DestinationError(shown, "its parent directory does not exist") from None
    except NotADirectoryError:
        raise DestinationError(shown, "its parent is not a directory") from None
    try:
        exists = _check(name, parent_fd, shown)
        if in_place:
            with _inside(name, parent_fd, shown, exists=exists, sync=sync) as root:
                yield root
        else:
            if exists:
                _check_replaceable(path, name, parent_fd, shown)
            with _beside(name, parent_fd, shown) as root:
                yield root
        if sync:
            _flush(parent_fd)
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
    if path in system.mount_points() or (system.lstat(name, parent).st_dev != system.fstat(parent).st_dev):
        raise DestinationError(shown, "it is a mount point and cannot be replaced; use --in-place")
    if system.is_current_directory(path):
        raise DestinationError(shown, "it is the current directory and cannot be replaced; use --in-place")


def _make_directory(name: bytes, parent: int, shown: str, hint: str) -> None:
    try:
        system.make_directory(name, parent)
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            reason = f"its parent directory cannot be written ({os.strerror(error.errno or 0)}){hint}"
            raise DestinationError(shown, reason) from error
        raise


@contextlib.contextmanager
def _beside(name: bytes, parent: int, shown: str) -> Iterator[int]:
    staging = b".%s.oci-layers-%s" % (name[:_NAME_BYTES], secrets.token_hex(4).encode())
    made = True
    try:
        try:
            _make_directory(staging, parent, shown, "; use --in-place")
        except Exception:  # What is no Exception is Ctrl-C, and may have come when it was made.
            made = False
            raise
        root = system.open_directory(staging, parent)
        try:
            system.fchmod(root, 0o700)
            _drop_acl(root)
            yield root
        finally:
            system.close(root)
        _put_in_place(staging, name, parent, shown)
    except BaseException as error:
        if made:
            _clear(staging, parent, error)
        raise


def _put_in_place(staging: bytes, name: bytes, parent: int, shown: str) -> None:
    try:
        system.rename(staging, parent, name, parent)
    except OSError as error:
        if error.errno in _TAKEN:
            raise DestinationError(shown, "something else was put there meanwhile") from error
        if error.errno in _NOT_WRITABLE | {errno.EBUSY}:
            reason = f"it cannot be replaced ({os.strerror(error.errno or 0)}); use --in-place"
            raise DestinationError(shown, reason) from error
        raise


def _clear(staging: bytes, parent: int, error: BaseException) -> None:
    """Remove what was being built, if it has not got its name yet; `error` is told of what cannot be removed."""
    try:
        system.lstat(staging, parent)
    except FileNotFoundError:
        return
    try:
        remove_tree(staging, parent)
    except (OSError, UnsafePathError) as problem:
        error.add_note(f"{os.fsdecode(staging)} is left behind, it cannot be removed ({problem})")


@contextlib.contextmanager
def _made(name: bytes, parent: int, shown: str) -> Iterator[None]:
    """Make DEST, and remove it again, empty as it then is, on failure."""
    made = True
    try:
        try:
            _make_directory(name, parent, shown, "")
        except Exception:
            made = False
            raise
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # It was said already why it is not empty.
                system.rmdir(name, parent)
        raise


@contextlib.contextmanager
def _inside(name: bytes, parent: int, shown: str, *, exists: bool, sync: bool) -> Iterator[int]:
    with contextlib.nullcontext() if exists else _made(name, parent, shown):
        root = system.open_directory(name, parent)
        try:
            before, xattrs = system.fstat(root), system.get_xattrs(root)
            marked = False
            try:
                _mark(root, shown)
                marked = True
                with contextlib.suppress(PermissionError):
                    system.fchmod(root, 0o700)
                    _drop_acl(root)
                yield root
                _unmark(root)
                if sync:
                    _flush(root)
            except BaseException as error:
                try:
                    if marked or not isinstance(error, Exception):
                        _empty(root, ours=marked)
                    _restore(root, before, xattrs)
                except (OSError, UnsafePathError) as problem:
                    error.add_note(f"{shown} could not be emptied again ({problem})")
                raise
        finally:
            system.close(root)


def _mark(root: int, shown: str) -> None:
    """Make the marker; only one unpacking can."""
    try:
        try:
            fd = system.open_new_file(MARKER, root)
        except PermissionError:
            system.fchmod(root, 0o700)
            fd = system.open_new_file(MARKER, root)
    except FileExistsError as error:
        raise DestinationError(shown, "something else is being unpacked there") from error
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            raise DestinationError(shown, f"it cannot be written ({os.strerror(error.errno or 0)})") from error
        raise
    system.close(fd)


def _unmark(root: int) -> None:
    """Remove the marker; the root keeps the mode and the time that it got."""
    final = system.fstat(root)
    try:
        system.unlink(MARKER, root)
    except PermissionError:
        system.fchmod(root, 0o700)
        system.unlink(MARKER, root)
        system.fchmod(root, final.st_mode & 0o7777)
    with contextlib.suppress(PermissionError):
        system.utime(root, final.st_mtime_ns)


def _empty(root: int, *, ours: bool) -> None:
    """Remove all that was built, the marker last. Ctrl-C while it was made may have left it; no more is ours then."""
    if not ours and system.list_names(root) != [MARKER]:
        return
    with contextlib.suppress(PermissionError):
        system.fchmod(root, 0o700)
    remove_children(root, keep=MARKER)
    with contextlib.suppress(FileNotFoundError):
        system.unlink(MARKER, root)


def _restore(root: int, before: os.stat_result, xattrs: Mapping[bytes, bytes]) -> None:
    """Give a directory back what it had; what may not be set was not changed either."""
    with contextlib.suppress(PermissionError):
        system.fchown(root, before.st_uid, before.st_gid)
    with contextlib.suppress(PermissionError):
        system.fchmod(root, before.st_mode & 0o7777)
        now = system.get_xattrs(root)
        for key in now.keys() - xattrs.keys():
            system.fremovexattr(root, key)
        for key in xattrs:
            if now.get(key) != xattrs[key]:
                system.fsetxattr(root, key, xattrs[key])
        system.utime(root, before.st_mtime_ns)


def _drop_acl(root: int) -> None:
    """Remove access lists, which whatever is made inside would inherit."""
    for key in system.get_xattrs(root):
        if key.startswith(_ACL):
            system.fremovexattr(root, key)


def _flush(directory: int) -> None:
    """Flush a directory to the disk; the handle may be one that only leads to what is in it."""
    fd = system.open_directory(b".", directory)
    try:
        system.fsync(fd)
    finally:
        system.close(fd)
