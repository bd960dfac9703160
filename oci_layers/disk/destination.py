"""DEST: an absent or empty directory into one that holds the whole image, or into what it was before.

Everything is built in a sibling `.NAME.oci-layers-XXXXXXXX` and put in place by one rename. With `in_place` it is built
inside DEST, beside a marker file that is removed last; a failure empties DEST again. After an error or Ctrl-C, DEST is
as it was; only a kill, or a second Ctrl-C, leaves the sibling or the marker behind. A sibling is locked while it is
built, so that the next run can tell one that was left behind, and name it.

An error of the system in here is about DEST, and says so.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Mapping

import attrs

from oci_layers import system
from oci_layers.disk.confine import check_handles, list_now, remove_children, remove_tree
from oci_layers.errors import DestinationError, UnsafePathError, locate
from oci_layers.report import Report

__all__ = ["MARKER", "destination"]

MARKER = b".oci-layers-incomplete"
_NAME_BYTES = 200
_RANDOM_BYTES = 4
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
_ACL = b"system.posix_acl_"


@attrs.frozen
class _Dest:
    """DEST as a name in an open directory."""

    shown: str
    """The path as the caller gave it."""
    path: bytes
    """The absolute path, links resolved."""
    parent: int
    name: bytes

    @property
    def staging_prefix(self) -> bytes:
        """How the names of siblings begin."""
        return b".%s.oci-layers-" % self.name[:_NAME_BYTES]

    def sibling(self, name: bytes) -> str:
        """Return the full path of a name beside DEST."""
        return os.fsdecode(os.path.join(os.path.dirname(self.path), name))

    def advice(self) -> str:
        """Advise `--in-place` where it would work: DEST exists and can be written."""
        return "; use --in-place" if system.may_write(self.name, self.parent) else ""

    @contextlib.contextmanager
    def named(self, role: str = "destination") -> Iterator[None]:
        """Complete errors of the system with the path of DEST."""
        try:
            yield
        except OSError as error:
            locate(error, self.shown, role)
            raise


@contextlib.contextmanager
def destination(
    dest: str | os.PathLike[str], *, in_place: bool = False, sync: bool = False, report: Report | None = None
) -> Iterator[int]:
    """Give a handle on an empty directory; when the block ends well, its content is at `dest`.

    Args:
        dest: Absent or an empty directory; a link is resolved first.
        in_place: Build inside `dest`, as a mount point or a parent that cannot be written demands.
        sync: Flush the rename, or the end of the marker, to the disk too. Files are the mirror's.
        report: Gets the paths of what killed runs left beside `dest`.

    Raises:
        DestinationError: `dest` is refused; nothing was touched.
        UnsupportedError: This platform has no calls on names in open directories.
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
        with _inside(place, exists=exists, sync=sync) if in_place else _beside(place) as root:
            yield root
        if flushed is not None:
            with place.named("destination, which is in place but may not survive a power loss"):
                system.fsync(flushed)


def _find(shown: str, closing: contextlib.ExitStack) -> _Dest:
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
        fd = system.open_surroundings(os.fsdecode(parent))
    except FileNotFoundError:
        raise DestinationError(shown, "its parent directory does not exist") from None
    except NotADirectoryError:
        raise DestinationError(shown, "its parent is not a directory") from None
    except OSError as error:
        locate(error, None, "parent of the destination")
        raise
    closing.callback(system.close, fd)
    return _Dest(shown, path, fd, name)


def _check(place: _Dest) -> bool:
    """Return whether DEST exists; refuse what is not an empty directory."""
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


def _check_replaceable(place: _Dest) -> None:
    device = system.lstat(place.name, place.parent).st_dev
    if place.path in system.mount_points() or device != system.fstat(place.parent).st_dev:
        raise DestinationError(place.shown, f"it is a mount point and cannot be replaced{place.advice()}")
    if system.is_current_directory(place.path):
        raise DestinationError(place.shown, f"it is the current directory and cannot be replaced{place.advice()}")


def _open_parent(place: _Dest) -> int:
    """Open the parent to be flushed, before anything is made: a directory that cannot be read cannot be flushed."""
    try:
        return system.open_directory(b".", place.parent)
    except PermissionError as error:
        reason = f"its parent directory cannot be read ({os.strerror(error.errno or 0)}), which --sync needs"
        raise DestinationError(place.shown, reason) from error


def _leftovers(place: _Dest) -> list[str]:
    """Return the siblings that no process builds any more, as far as the parent can be listed."""
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
    """Tell whether a sibling has content and no lock. One that is empty may just have been made, and be locked next."""
    try:
        fd = system.open_directory(name, parent)
    except OSError:
        return False
    try:
        return system.lock(fd, wait=False) and bool(system.list_names(fd))
    except OSError:
        return False
    finally:
        system.close(fd)


def _make_directory(name: bytes, place: _Dest) -> None:
    try:
        system.make_directory(name, place.parent)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        if error.errno in _NOT_WRITABLE:
            advice = "" if name == place.name else place.advice()
            raise DestinationError(place.shown, f"its parent directory cannot be written ({text}){advice}") from error
        if error.errno == errno.ENOENT:
            reason = f"no directory can be made in its parent ({text}); choose another destination"
            raise DestinationError(place.shown, reason) from error
        raise


@contextlib.contextmanager
def _beside(place: _Dest) -> Iterator[int]:
    staging = place.staging_prefix + secrets.token_hex(_RANDOM_BYTES).encode()
    made, root = True, -1
    try:
        with place.named():
            try:
                _make_directory(staging, place)
            except Exception:  # What is no Exception is Ctrl-C, and may have come when it was made.
                made = False
                raise
            root = system.open_directory(staging, place.parent)
            system.lock(root, wait=True)
            system.fchmod(root, 0o700)
            _drop_acl(root)
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


def _put_in_place(staging: bytes, place: _Dest) -> None:
    try:
        system.rename(staging, place.parent, place.name, place.parent)
    except OSError as error:
        if error.errno in _TAKEN:
            raise DestinationError(place.shown, "something else was put there meanwhile") from error
        if error.errno in _NOT_WRITABLE | {errno.EBUSY}:
            reason = f"it cannot be replaced ({os.strerror(error.errno or 0)}){place.advice()}"
            raise DestinationError(place.shown, reason) from error
        raise


def _clear(staging: bytes, place: _Dest, error: BaseException) -> None:
    """Remove what was being built, if it has not got its name yet; the error gets a note of what is left."""
    left = f"{place.sibling(staging)} is left behind"
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


@contextlib.contextmanager
def _made(place: _Dest) -> Iterator[None]:
    """Make DEST, and remove it again, empty as it then is, on failure."""
    made = True
    try:
        try:
            with place.named():
                _make_directory(place.name, place)
        except Exception:
            made = False
            raise
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # A note says already why it is not empty.
                system.rmdir(place.name, place.parent)
        raise


@contextlib.contextmanager
def _inside(place: _Dest, *, exists: bool, sync: bool) -> Iterator[int]:
    with contextlib.nullcontext() if exists else _made(place):
        with place.named():
            root = system.open_directory(place.name, place.parent)
        try:
            with place.named():
                before, xattrs = system.fstat(root), system.get_xattrs(root)
            marked = False
            try:
                with place.named():
                    _mark(root, place.shown)
                    marked = True
                    with contextlib.suppress(PermissionError):
                        system.fchmod(root, 0o700)
                        _drop_acl(root)
                with _unmarked_names(place.shown):
                    yield root
                with place.named():
                    _unmark(root)
                    if sync:
                        system.fsync(root)
            except BaseException as error:
                if marked or not isinstance(error, Exception):
                    _undo(root, before, xattrs, place.shown, error, ours=marked)
                raise
        finally:
            system.close(root)


@contextlib.contextmanager
def _unmarked_names(shown: str) -> Iterator[None]:
    """Refuse an image that has a file of the marker's name."""
    try:
        yield
    except UnsafePathError as error:
        if error.path != MARKER:
            raise
        reason = f"the image holds {os.fsdecode(MARKER)}, which --in-place uses itself; unpack without --in-place"
        raise DestinationError(shown, reason) from error


def _mark(root: int, shown: str) -> None:
    """Make the marker; only one unpacking can. Where that fails, nothing has changed."""
    try:
        try:
            fd = system.open_new_file(MARKER, root)
        except PermissionError:
            fd = _mark_unlocked(root)
    except FileExistsError as error:
        raise DestinationError(shown, "something else is being unpacked there") from error
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            raise DestinationError(shown, f"it cannot be written ({os.strerror(error.errno or 0)})") from error
        raise
    system.close(fd)


def _mark_unlocked(root: int) -> int:
    """Make the marker in a directory whose owner may not write it, but may change that."""
    mode = system.fstat(root).st_mode & 0o7777
    system.fchmod(root, 0o700)
    try:
        return system.open_new_file(MARKER, root)
    except Exception:
        system.fchmod(root, mode)
        raise


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


def _undo(
    root: int, before: os.stat_result, xattrs: Mapping[bytes, bytes], shown: str, error: BaseException, *, ours: bool
) -> None:
    """Make DEST what it was; the error gets a note where that fails."""
    try:
        _empty(root, ours=ours)
    except (OSError, UnsafePathError) as problem:
        error.add_note(f"{shown} could not be emptied again ({problem})")
        return
    except BaseException as again:
        again.add_note(f"{shown} holds what was unpacked so far; empty it")
        raise
    try:
        _restore(root, before, xattrs)
    except OSError as problem:
        error.add_note(f"{shown} could not be given its attributes back ({problem})")


def _empty(root: int, *, ours: bool) -> None:
    """Remove all that was built, the marker last. Ctrl-C while it was made may have left it; no more is ours then."""
    if not ours and list_now(root) != [MARKER]:
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
