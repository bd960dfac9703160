"""Create DEST as a whole: an absent or empty directory becomes one that holds the image, or stays as it was.

Theory of operation. The caller fills a sibling `.NAME.oci-layers-XXXXXXXX`, which one rename(2) then moves to DEST.
A rename replaces an empty directory and nothing else, so another process never sees a part of the image at DEST.
Where DEST cannot be replaced (it is a mount point, or its parent is not writable), `in_place` builds inside it.
DEST is checked before anything is created.

After an error or Ctrl-C the sibling is removed and DEST is as it was. Only a kill, or a second Ctrl-C, leaves the
sibling. It is locked while it is built, so the next run recognizes an abandoned one (content and no lock), and reports
it. An `OSError` that is raised here names DEST or its parent.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from oci_layers import system
from oci_layers.disk.confine import check_handles, list_now, remove_tree
from oci_layers.disk.in_place import MARKER, inside
from oci_layers.disk.target import NOT_WRITABLE, Dest, drop_acl, make_directory
from oci_layers.errors import DestinationError, UnsafePathError, escape, locate
from oci_layers.report import Report

__all__ = ["destination"]

_RANDOM_BYTES = 4
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})


@contextlib.contextmanager
def destination(
    dest: str | os.PathLike[str], *, in_place: bool = False, sync: bool = False, report: Report | None = None
) -> Iterator[int]:
    """Yield a handle on an empty directory; when the block ends without an error, its content is at `dest`.

    Args:
        dest: Absent or an empty directory; a link is resolved first.
        in_place: Build inside `dest`: needed for a mount point, and where the parent is not writable.
        sync: Flush the rename, or the removal of the marker, to the disk too. `DirectoryMirror` flushes the files.
        report: Receives the paths of directories that killed runs left beside `dest`.

    Raises:
        DestinationError: `dest` is refused, and is unchanged.
        UnsupportedError: This platform has no system calls relative to open directories.
    """
    check_handles()
    with contextlib.ExitStack() as closing:
        place = _find(os.fspath(dest), closing)
        with place.named():
            exists = _check(place)
            if exists and not in_place:
                _check_replaceable(place)
            flushed = None
            if sync and not (in_place and exists):
                flushed = _open_parent(place)
                closing.callback(system.close, flushed)
            if report is not None:
                report.leftovers.extend(_leftovers(place))
        with inside(place, exists=exists, sync=sync) if in_place else _beside(place) as root:
            yield root
        if flushed is not None:
            with place.named("destination, which is in place but may not survive a power loss"):
                system.fsync(flushed)


def _find(shown: str, closing: contextlib.ExitStack) -> Dest:
    if not shown:
        raise DestinationError(shown, "the destination has no name")
    try:
        odd = b"\0" in os.fsencode(shown)
    except UnicodeEncodeError:
        odd = True
    if odd:
        raise DestinationError(shown, "no file can have this name")
    try:
        path = os.fsencode(system.resolve(shown))
        parent, name = os.path.split(path)
        if not name:
            raise DestinationError(shown, "the root directory cannot be unpacked to")
        fd = system.open_parent(os.fsdecode(parent))
    except FileNotFoundError:
        raise DestinationError(shown, "its parent directory does not exist") from None
    except NotADirectoryError:
        raise DestinationError(shown, "its parent is not a directory") from None
    except OSError as error:
        locate(error, None, "parent of the destination")
        raise
    closing.callback(system.close, fd)
    return Dest(shown, path, fd, name)


def _check(place: Dest) -> bool:
    """Return whether DEST exists; refuse anything but an empty directory."""
    try:
        mode = system.lstat(place.name, place.parent).st_mode
    except FileNotFoundError:
        return False
    if not system.is_directory(mode):
        raise DestinationError(place.shown, "it exists and is not a directory")
    fd = system.open_directory(place.name, place.parent)
    try:
        names = system.list_names(fd)
    finally:
        system.close(fd)
    if MARKER in names:
        raise DestinationError(place.shown, "it holds what an interrupted unpacking left; empty it first")
    if names:
        raise DestinationError(place.shown, "the directory is not empty")
    return True


def _check_replaceable(place: Dest) -> None:
    device = system.lstat(place.name, place.parent).st_dev
    if place.path in system.mount_points() or device != system.fstat(place.parent).st_dev:
        raise DestinationError(place.shown, f"it is a mount point and cannot be replaced{place.advice()}")
    if system.is_current_directory(place.path):
        raise DestinationError(place.shown, f"it is the current directory and cannot be replaced{place.advice()}")


def _open_parent(place: Dest) -> int:
    """Open the parent for fsync before anything is created: a directory that cannot be read cannot be flushed."""
    try:
        return system.open_directory(b".", place.parent)
    except PermissionError as error:
        reason = f"its parent directory cannot be read ({os.strerror(error.errno or 0)}), which --sync needs"
        raise DestinationError(place.shown, reason) from error


def _leftovers(place: Dest) -> list[str]:
    """Return the abandoned siblings; none if the parent cannot be listed."""
    prefix = place.staging_prefix
    try:
        names = list_now(place.parent)
    except PermissionError:
        return []
    length = len(prefix) + 2 * _RANDOM_BYTES
    return [
        place.sibling(name)
        for name in names
        if name.startswith(prefix) and len(name) == length and _is_left(name, place.parent)
    ]


def _is_left(name: bytes, parent: int) -> bool:
    """Return whether a sibling has content and no lock; an empty one may be new and not locked yet."""
    try:
        fd = system.open_directory(name, parent)
    except OSError:
        return False
    try:
        return system.lock(fd, wait=False) is True and bool(system.list_names(fd))
    except OSError:
        return False
    finally:
        system.close(fd)


@contextlib.contextmanager
def _beside(place: Dest) -> Iterator[int]:
    staging = place.staging_prefix + secrets.token_hex(_RANDOM_BYTES).encode()
    made, root = True, -1
    try:
        with place.named():
            try:
                make_directory(staging, place)
            except Exception:  # Not Ctrl-C, which may come after the directory was created.
                made = False
                raise
            root = system.open_directory(staging, place.parent)
            system.lock(root, wait=True)
            system.fchmod(root, 0o700)
            drop_acl(root)
        yield root
        with place.named():
            _put_in_place(staging, place)
    except BaseException as error:
        if made:
            _clear(staging, place, error)
        raise
    finally:
        if root >= 0:
            system.close(root)


def _put_in_place(staging: bytes, place: Dest) -> None:
    try:
        system.rename(staging, place.parent, place.name, place.parent)
    except OSError as error:
        if error.errno in _TAKEN:
            raise DestinationError(place.shown, "something else was put there meanwhile") from error
        if error.errno in NOT_WRITABLE | {errno.EBUSY}:
            reason = f"it cannot be replaced ({os.strerror(error.errno or 0)}){place.advice()}"
            raise DestinationError(place.shown, reason) from error
        raise


def _clear(staging: bytes, place: Dest, error: BaseException) -> None:
    """Remove the sibling unless it was renamed already; if that fails, add a note to the error."""
    left = f"{escape(place.sibling(staging))} is left behind"
    try:
        try:
            system.lstat(staging, place.parent)
        except FileNotFoundError:
            return
        remove_tree(staging, place.parent)
    except (OSError, UnsafePathError) as problem:
        error.add_note(f"{left}, it cannot be removed ({problem})")
    except BaseException as again:
        again.add_note(f"{left}; remove it with rm -r")
        raise
