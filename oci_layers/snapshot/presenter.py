"""Show a stack of directories as one, in the first way that this machine permits.

| presenter | is | needs |
|---|---|---|
| `detached` | a mount without a path, gone when its handle is closed | root, Linux 5.2 |
| `namespace` | the same, made by a child in a user namespace | Linux 5.11 that lets users have namespaces |
| `mounted` | a mount at a path, which stays until it is unmounted | root, Linux 5.2 |
| `fuse` | fuse-overlayfs at a path, which stays until it is unmounted | the program, /dev/fuse |

All show the same tree, but for what fuse-overlayfs keeps for itself: it shows no attribute in `user.overlay` or
`user.fuseoverlayfs`, takes an image's own `user.fuseoverlayfs.opaque` for a mark, and forgets at its end that a file
which was written has other names. Each is tried, and steps down with the error of the system: nothing is guessed from
a user's number or a version. What a system refuses for good is remembered for the process.
"""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import attrs

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.errors import PlaceMissingError, PresenterError, shortened
from oci_layers.snapshot.overlay import Stack

__all__ = ["PRESENTERS", "Presented", "PresenterName", "present", "reason_of", "unmount"]

PresenterName: TypeAlias = Literal["detached", "namespace", "mounted", "fuse", "farm"]
"""A way to show a stack of directories."""

_SECONDS = 60.0
_LASTING = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
_BEFORE_THE_STACK = frozenset({"fsopen", "unshare", "/dev/fuse"})
_refusals: dict[tuple[PresenterName, tuple[int, int]], str] = {}
"""What the system refused this process, as a user and group, before it looked at any directory."""


@attrs.define(eq=False)
class Presented(Closing):
    """The directory that shows a stack; a context manager that closes itself."""

    fd: int
    """An open directory, its root. A child that inherits it may `fchdir` there and `chroot`."""
    presenter: PresenterName
    path: str | None = None
    """Where it is mounted, by a presenter that needs a path."""
    refused: tuple[tuple[str, str], ...] = ()
    """Each presenter that was tried before, and why it could not: the name of the errno, and the system's words."""
    _closed: bool = False

    def close(self) -> None:
        """Close the directory, and unmount it from its path: at once, or when no file there is open any more.

        Twice is fine. A mount at a path that is not closed stays, after this process as well.

        Raises:
            OSError: It is not mounted at the path any more, or may not be unmounted.
        """
        if self._closed:
            return
        self._closed = True
        system.close(self.fd)
        if self.path is not None:
            unmount(self.path)

    def leave(self) -> str:
        """Close the directory, and leave it mounted at its path; return that.

        Raises:
            ValueError: It is mounted at no path.
        """
        if self.path is None:
            raise ValueError("what is mounted at no path is gone when it is closed")
        self._closed = True
        system.close(self.fd)
        return self.path


def present(
    stack: Stack,
    *,
    at: str | os.PathLike[str] | None = None,
    read_only: bool = False,
    presenters: Sequence[PresenterName] | None = None,
) -> Presented:
    """Show a stack of directories as one.

    A stack of no directories shows an empty one. The caller sees to it that no two show one upper directory at a time.

    Args:
        stack: The directories, which may be closed when this returns.
        at: An existing directory to mount at. Without it, nothing is mounted at any path.
        read_only: Refuse to write although there is an upper directory, and leave that as it is.
        presenters: Those that may be used, in that order; by default all of `PRESENTERS`.

    Raises:
        PresenterError: None could do it. Has the reason of each.
        PlaceMissingError: There is no directory to mount at.
        UnsupportedError: The upper directory of a stack to be read is one lower directory too many.
    """
    shown = stack.without_writing() if read_only else stack
    place = None if at is None else system.resolve(os.fspath(at))
    if place is not None and not system.is_existing_directory(place):
        raise PlaceMissingError(place, "no such directory")
    refused: list[tuple[str, str]] = []
    for name in PRESENTERS if presenters is None else presenters:
        at_path, show = _TABLE[name]
        if at_path != (place is not None):
            if at_path:
                refused.append((name, "it needs a path to mount at"))
            continue
        key = name, system.effective_ids()
        if key in _refusals:
            refused.append((name, _refusals[key]))
            continue
        try:
            _check_namespace(shown)
            fd = show(shown, place or "")
        except OSError as error:
            refused.append((name, reason_of(error)))
            if error.errno in _LASTING and error.filename in _BEFORE_THE_STACK:
                _refusals[key] = reason_of(error)
        else:
            return Presented(fd, name, place, tuple(refused))
    raise PresenterError(tuple(refused))


def reason_of(error: OSError) -> str:
    """Return the name of an error's number, its words and what they are about."""
    code = errno.errorcode.get(error.errno or 0, str(error.errno))
    return shortened(f"{code}: {error.strerror}" + (f" ({error.filename})" if error.filename else ""))


def _check_namespace(stack: Stack) -> None:
    """Refuse attributes that the system hides from this process: what they remove would be shown."""
    if stack.namespace == "trusted" and not system.may_trust_xattrs():
        raise OSError(errno.EPERM, "attributes in trusted are hidden from this user; use those in user")


def _detached(stack: Stack, _: str) -> int:
    return _root(system.mount_overlay(stack.lowers, stack.options, upper=stack.upper, work=stack.work))


def _namespace(stack: Stack, _: str) -> int:
    if stack.namespace != "user":
        raise OSError(errno.EPERM, "attributes in trusted are hidden in a user namespace; use those in user")
    return _root(system.mount_overlay_in_namespace(stack.lowers, stack.options, upper=stack.upper, work=stack.work))


def _mounted(stack: Stack, path: str) -> int:
    return _root(system.mount_overlay(stack.lowers, stack.options, upper=stack.upper, work=stack.work), path)


def _root(mount: int, path: str | None = None) -> int:
    """Open the root of a mount, attach it to a path if there is one, and close its own handle."""
    try:
        fd = system.open_directory(b".", mount)
        try:
            if path is not None:
                system.attach_mount(mount, path)
        except OSError:
            system.close(fd)
            raise
    finally:
        system.close(mount)
    return fd


def _fuse(stack: Stack, path: str) -> int:
    """Start fuse-overlayfs, which goes on in the background once it is mounted.

    It has no option for a namespace: it reads the attributes of both. It gets the directories as handles, with names
    that have no character at which it splits; that of an upper directory it resolves, and then splits at a colon.
    """
    system.close(system.open_output_path("/dev/fuse"))
    # A mount of nothing shows the empty directory that it covers.
    lowers = [system.proc_path(fd) for fd in stack.lowers] or [path]
    options, handles = ["lowerdir=" + ":".join(lowers)], list(stack.lowers)
    if stack.upper is not None and stack.work is not None:
        options += [f"upperdir={system.proc_path(stack.upper)}", f"workdir={system.proc_path(stack.work)}"]
        handles += [stack.upper, stack.work]
    program = ["fuse-overlayfs", "-o", ",".join(options), path]
    ended = system.run_program(program, timeout=_SECONDS, handles=handles)
    if ended.code != 0:
        words = "; ".join(ended.stderr.decode("utf-8", "replace").splitlines())
        raise OSError(errno.EIO, words or f"exit code {ended.code}", program[0])
    try:
        return system.open_root(path)
    except OSError:
        unmount(path)
        raise


def unmount(path: str) -> None:
    """Unmount a path; if a file there is open, take the mount off its path and let it end with the last one."""
    try:
        system.unmount(path)
    except PermissionError:
        ended = system.run_program(["fusermount3", "-u", "-z", path], timeout=_SECONDS)
        if ended.code != 0:
            raise
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        system.unmount(path, lazy=True)


_TABLE: dict[PresenterName, tuple[bool, Callable[[Stack, str], int]]] = {
    "detached": (False, _detached),
    "namespace": (False, _namespace),
    "mounted": (True, _mounted),
    "fuse": (True, _fuse),
}
"""Whether it mounts at a path, and what does it: returns the open root, or raises the error for which it steps down."""
PRESENTERS: tuple[PresenterName, ...] = tuple(_TABLE)
"""All presenters, the best first."""
