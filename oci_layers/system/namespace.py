"""What a fresh interpreter does in namespaces of its own: a mount by a user without privileges, a root for a program.

In a user namespace its user may mount. This process cannot enter one, as it may have threads, and would lose its own
view of the system. So a fresh interpreter enters it, with a namespace of mounts, mounts, sends the handle over a socket
and ends. The handle keeps the mount alive, and works outside of the namespaces like any open directory.

In the same way a user may change the root of a process, which then is a program in it; and a namespace of users alone,
in which nothing runs, says which owners a mount shows.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from oci_layers.system import mount

__all__ = ["mount_overlay_in_namespace", "run_in_root", "user_namespace"]

_SECONDS = 30.0
"""Far more than an interpreter takes to start, on any machine."""
_GRACE = 5.0
_ENOUGH = 4096


def mount_overlay_in_namespace(
    lowers: Sequence[int],
    options: Sequence[str] = (),
    *,
    upper: int | None = None,
    work: int | None = None,
    read_only: bool = False,
) -> int:
    """Mount an overlay like `mount_overlay`, in a new user namespace; the option `userxattr` is needed to write.

    Files that are written belong to the user of this process, and cannot be given to another one. It takes as long as
    an interpreter needs to start, about 20 ms. Nothing of this process is changed.

    Raises:
        OSError: The system permits no user namespaces (EPERM, EACCES, ENOSPC, ENOSYS), a directory is not where it was
            opened (ESTALE, ENOENT), the child does not answer (ETIMEDOUT), or an error of `mount_overlay`.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "unshare")
    import socket

    given = [*lowers, *(fd for fd in (upper, work) if fd is not None)]
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(_SECONDS)
        with theirs:
            child = subprocess.Popen(  # noqa: S603  # this interpreter, and a file of the package
                [
                    *(sys.executable, "-I", "-S", mount.__file__, "mount"),
                    *(str(theirs.fileno()), str(_or_none(upper)), str(_or_none(work))),
                    *(",".join(map(str, lowers)), "ro" if read_only else "rw", *options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *given),
            )
        try:
            answer, handles, _, _ = socket.recv_fds(ours, _ENOUGH, 1, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, f"the child does not answer in {_SECONDS:g} seconds", "unshare") from None
        finally:
            child.kill()
            child.wait()
    if handles:
        return handles[0]
    raise _error(answer)


def user_namespace(uids: Iterable[tuple[int, int, int]], gids: Iterable[tuple[int, int, int]]) -> int:
    """Return a handle on a new user namespace; it ends when the handle is closed.

    Args:
        uids: The ranges of users in it: the first one inside, the first one outside, and how many, as in
            user_namespaces(7).
        gids: Those of groups.

    Raises:
        OSError: EPERM without the privilege to map these ids, EINVAL for ranges that overlap or are too many; or the
            system permits no user namespaces.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "unshare")
    child = subprocess.Popen(  # noqa: S603  # this interpreter, and a file of the package
        [sys.executable, "-I", "-S", mount.__file__, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        try:
            answer = os.read(child.stdout.fileno(), _ENOUGH)
            if answer != b"entered":
                raise _error(answer)
            for name, ranges in (("uid_map", uids), ("gid_map", gids)):
                _write_map(f"/proc/{child.pid}/{name}", ranges)
            return os.open(f"/proc/{child.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            child.kill()
            child.wait()


def _write_map(path: str, ranges: Iterable[tuple[int, int, int]]) -> None:
    text = "".join(f"{inside} {outside} {size}\n" for inside, outside, size in ranges)
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())  # The kernel takes it in one call.
    except OSError as error:
        raise OSError(error.errno, error.strerror, path.rpartition("/")[2]) from None
    finally:
        os.close(fd)


def run_in_root(root: int, argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program with an open directory as its root and working directory; return how it ended.

    It has the standard streams of this process, and no other file. If this process may not change a root, the program
    is in new namespaces of users and mounts, in which its user is root, and alone. There is no other isolation.

    Args:
        root: The directory.
        argv: The program, looked up in the directory along PATH, and its arguments.
        environment: All of its variables.

    Returns:
        Its exit code, or the negative number of the signal that ended it.

    Raises:
        OSError: The system permits no user namespaces, or the program does not exist there or cannot be run. If the
            waiting is interrupted, the program is terminated, and killed if it does not end.
    """
    if sys.platform == "win32":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "chroot")
    variables = [f"{name}={value}" for name, value in environment.items()]
    reader, writer = os.pipe()
    with open(reader, "rb") as answers:
        try:
            child = subprocess.Popen(  # noqa: S603  # this interpreter, and a file of the package
                [
                    *(sys.executable, "-I", "-S", mount.__file__, "run"),
                    *(str(writer), str(root), str(len(variables)), *variables, *argv),
                ],
                pass_fds=(writer, root),
            )
        finally:
            os.close(writer)
        try:
            answer = answers.read(_ENOUGH)
            code = child.wait()
        except BaseException:
            _end(child)
            raise
    if answer:
        raise _error(answer)
    return code


def _end(child: subprocess.Popen[bytes]) -> None:
    """Terminate a child, or kill it."""
    child.terminate()
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _or_none(fd: int | None) -> int:
    return -1 if fd is None else fd


def _error(answer: bytes) -> OSError:
    """Return the error that a child reports; without any words it was killed, or could not start."""
    if not answer:
        return OSError(errno.ECHILD, "the child ended without an answer", "unshare")
    number, words, name = answer.decode("utf-8", "surrogateescape").split("\0")
    return OSError(int(number), words, name)
