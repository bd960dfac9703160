"""Build inside DEST, under a marker file that is removed last; restore DEST on failure.

After an error or Ctrl-C, DEST is empty and has its old attributes, or is absent again. Only a kill, or a second Ctrl-C,
leaves a part of the tree, and the marker with it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping

from oci_layers import system
from oci_layers.disk.confine import list_now, remove_children
from oci_layers.disk.target import NOT_WRITABLE, Dest, drop_acl, make_directory
from oci_layers.errors import DestinationError, UnsafePathError, escape

__all__ = ["MARKER", "inside"]

MARKER = b".oci-layers-incomplete"


@contextlib.contextmanager
def _made(place: Dest) -> Iterator[None]:
    """Create DEST; on failure remove it, once it is empty."""
    made = True
    try:
        try:
            with place.named():
                make_directory(place.name, place)
        except Exception:
            made = False
            raise
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):  # A note already explains why it is not empty.
                system.rmdir(place.name, place.parent)
        raise


@contextlib.contextmanager
def inside(place: Dest, *, exists: bool, sync: bool) -> Iterator[int]:
    """Yield a handle on DEST, which is created if it does not exist; otherwise as `destination`."""
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
                        drop_acl(root)
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
    """Refuse an image that has a file with the marker's name."""
    try:
        yield
    except UnsafePathError as error:
        if error.path != MARKER:
            raise
        reason = f"the image holds {os.fsdecode(MARKER)}, which --in-place uses itself; unpack without --in-place"
        raise DestinationError(shown, reason) from error


def _mark(root: int, shown: str) -> None:
    """Create the marker, which only one process can; on failure nothing has changed."""
    try:
        try:
            fd = system.open_new_file(MARKER, root)
        except PermissionError:
            fd = _mark_unlocked(root)
    except FileExistsError as error:
        raise DestinationError(shown, "something else is being unpacked there") from error
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            raise DestinationError(shown, f"it cannot be written ({os.strerror(error.errno or 0)})") from error
        raise
    system.close(fd)


def _mark_unlocked(root: int) -> int:
    """Create the marker in a directory that its owner may not write but may chmod."""
    mode = system.fstat(root).st_mode & 0o7777
    system.fchmod(root, 0o700)
    try:
        return system.open_new_file(MARKER, root)
    except Exception:
        system.fchmod(root, mode)
        raise


def _unmark(root: int) -> None:
    """Remove the marker; the root keeps its final mode and time."""
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
    """Restore DEST; if that fails, add a note to the error."""
    shown = escape(shown)
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
    """Remove everything, the marker last; unless `ours`, only a lone marker, which Ctrl-C in `_mark` may leave."""
    if not ours and list_now(root) != [MARKER]:
        return
    with contextlib.suppress(PermissionError):
        system.fchmod(root, 0o700)
    remove_children(root, keep=MARKER)
    with contextlib.suppress(FileNotFoundError):
        system.unlink(MARKER, root)


def _restore(root: int, before: os.stat_result, xattrs: Mapping[bytes, bytes]) -> None:
    """Restore the attributes of a directory; what cannot be set now was not changed before either."""
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
