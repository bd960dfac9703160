"""Mounts without a place: an overlay of open directories as a handle, which ends when it is closed (Linux 5.2).

The calls are those of fsopen(2), fsconfig(2), fsmount(2), move_mount(2), open_tree(2) and mount_setattr(2), which
Python does not have. A failure is an `OSError` with the name of the call as its `filename` and, where the kernel
explains itself, its words as `strerror`.

A user may mount, and change the root, in a user namespace alone, which a process with threads cannot enter. `namespace`
runs this file as a program for that, so it imports nothing of the package, and as little else as it can.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Sequence

__all__ = ["attach_mount", "idmapped", "mount_overlay", "syncfs", "unmount"]

_NUMBERS = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "mount_setattr": 442,
}
"""The same on every architecture of Linux that is left, other than MIPS and Alpha, which answer ENOSYS."""
_HERE = -100  # AT_FDCWD
_EMPTY_PATH = 0x1000  # AT_EMPTY_PATH
_CLONE, _CLOEXEC = 1, os.O_CLOEXEC if sys.platform == "linux" else 0  # OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC
_FROM_HANDLE = 4  # MOVE_MOUNT_F_EMPTY_PATH
_READ_ONLY, _IDMAP = 1, 0x00100000  # MOUNT_ATTR_RDONLY, MOUNT_ATTR_IDMAP
_FLAG, _STRING, _HANDLE, _CREATE = 0, 1, 5, 6  # FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_SET_FD, ...
_LAZY, _NOFOLLOW = 2, 8  # MNT_DETACH, UMOUNT_NOFOLLOW
_NEW_USERS, _NEW_MOUNTS = 0x10000000, 0x00020000  # CLONE_NEWUSER, CLONE_NEWNS
_LONGEST = 255
"""Bytes of a string that fsconfig takes."""
_ENOUGH = 4096

_Call = Callable[..., int]
_Option = tuple[str, "str | int | None"]


def _kernel() -> _Call:
    """Return a function that makes the system call of a name, and raises its error."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "mount")
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    syscall = library.syscall
    syscall.restype = ctypes.c_long

    def call(name: str, *arguments: int | bytes | None) -> int:
        ready = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
        result: int = syscall(ctypes.c_long(_NUMBERS[name]), *ready) if name in _NUMBERS else library[name](*ready)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)
        return result

    return call


def mount_overlay(
    lowers: Sequence[int],
    options: Iterable[str] = (),
    *,
    upper: int | None = None,
    work: int | None = None,
    read_only: bool = False,
) -> int:
    """Mount an overlay of open directories, and return a handle on it, which is on no path.

    The mount ends when the handle, and all that was opened through it, is closed. The handle is one of O_PATH: open
    `.` in it to list names. The kernel takes no overlay of less than two directories, so an empty one is added. Before
    Linux 6.15 that is EINVAL: then the tree of a lower directory alone is shown as it is, and an upper one alone fails.

    Args:
        lowers: The lower directories, the uppermost first; at most 500.
        options: Options of the mount, as `name` or `name=value`, without commas or directories.
        upper: The directory for what is written; None for a mount that cannot be written.
        work: An empty directory beside it, for the kernel's use; needed with `upper`.
        read_only: Refuse to write, in spite of `upper`.

    Raises:
        OSError: EPERM without the privilege, ENOSYS before Linux 5.2 and on other systems; others of the kernel.
    """
    call = _kernel()
    pads: list[int] = []
    missing = max(0, (1 if upper is not None else 2) - len(lowers))
    try:
        if missing == 2:
            return _empty(call)
        pads.extend(_empty(call) for _ in range(missing))
        listed = [(name, value or None) for name, _, value in (option.partition("=") for option in options)]
        stack = _Stack((*lowers, *pads), upper, work)
        try:
            return _mount(call, "overlay", [*listed, *stack.by_handle()], read_only=read_only)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        try:  # Before Linux 6.13 there are names alone.
            return _mount(call, "overlay", [*listed, *stack.by_name()], read_only=read_only)
        except OSError as error:
            if error.errno != errno.EINVAL or not missing or upper is not None:
                raise
        return _clone(call, lowers[0], _READ_ONLY)
    finally:
        for fd in pads:
            os.close(fd)


class _Stack:
    """The directories of an overlay as options, in two dialects."""

    def __init__(self, lowers: Sequence[int], upper: int | None, work: int | None) -> None:
        self.lowers = lowers
        self.above = [] if upper is None or work is None else [("upperdir", upper), ("workdir", work)]

    def by_handle(self) -> list[_Option]:
        return [*(("lowerdir+", fd) for fd in self.lowers), *self.above]

    def by_name(self) -> list[_Option]:
        """Return names, which have neither a comma nor a colon; in one string where it is short enough for that."""
        names = [f"/proc/self/fd/{fd}" for fd in self.lowers]
        joined = ":".join(names)
        lowers = [("lowerdir", joined)] if len(joined) <= _LONGEST else [("lowerdir+", name) for name in names]
        return [*lowers, *((key, f"/proc/self/fd/{fd}") for key, fd in self.above)]


def _empty(call: _Call) -> int:
    """Mount an empty directory, and return the handle."""
    return _mount(call, "tmpfs", [("mode", "0755"), ("size", "4096")], read_only=True)


def _mount(call: _Call, kind: str, options: Iterable[_Option], *, read_only: bool) -> int:
    fs = call("fsopen", kind.encode(), 1)
    try:
        for key, value in options:
            match value:
                case None:
                    call("fsconfig", fs, _FLAG, key.encode(), None, 0)
                case int():
                    call("fsconfig", fs, _HANDLE, key.encode(), None, value)
                case str():
                    call("fsconfig", fs, _STRING, key.encode(), os.fsencode(value), 0)
        call("fsconfig", fs, _CREATE, None, None, 0)
        return call("fsmount", fs, 1, _READ_ONLY if read_only else 0)
    except OSError as error:
        raise OSError(error.errno, _words(fs) or error.strerror, error.filename) from None
    finally:
        os.close(fs)


def _words(fs: int) -> str:
    """Return what the kernel says about a mount that failed, such as `overlay: missing 'lowerdir'`."""
    said = []
    try:
        while line := os.read(fs, _ENOUGH):
            said.append(line.decode("utf-8", "replace").strip()[2:])
    except OSError:
        pass
    return "; ".join(said)


def idmapped(directory: int, namespace: int) -> int:
    """Return a handle on a mount of the tree of an open directory, in which owners are mapped (Linux 5.12).

    Args:
        directory: The directory.
        namespace: A user namespace, as `user_namespace` returns it: an owner that is on the disk is shown as the one
            that it is outside of the namespace.

    Raises:
        OSError: EPERM without the privilege; EINVAL of a file system that has no such mounts; ENOSYS.
    """
    return _clone(_kernel(), directory, _IDMAP, namespace)


def _clone(call: _Call, directory: int, attributes: int, namespace: int = 0) -> int:
    """Return a handle on a mount of the tree of an open directory, with attributes of mount_setattr(2)."""
    fd = call("open_tree", directory, b"", _CLONE | _CLOEXEC | _EMPTY_PATH)
    try:
        wanted = b"".join(each.to_bytes(8, sys.byteorder) for each in (attributes, 0, 0, namespace))
        call("mount_setattr", fd, b"", _EMPTY_PATH, wanted, len(wanted))
    except OSError:
        os.close(fd)
        raise
    return fd


def attach_mount(mount: int, path: str) -> None:
    """Attach a mount to an existing directory, where it stays until `unmount`; `mount` is a handle that made it.

    Raises:
        OSError: The directory does not exist, or the privilege is missing.
    """
    _kernel()("move_mount", mount, b"", _HERE, os.fsencode(path), _FROM_HANDLE)


def unmount(path: str, *, lazy: bool = False) -> None:
    """Unmount what is mounted at a path, itself and not the target of a link.

    With `lazy`, take it off the path although files on it are open: it ends with the last of them.

    Raises:
        OSError: EBUSY while files on it are open, EINVAL if nothing is mounted there, EPERM without the privilege.
    """
    _kernel()("umount2", os.fsencode(path), _NOFOLLOW | (_LAZY if lazy else 0))


def syncfs(fd: int) -> None:
    """Flush all of the file system of an open file to the disk; on other systems than Linux, all file systems.

    Raises:
        OSError: What was written since the file was opened could not be stored.
    """
    if sys.platform == "linux":
        _kernel()("syncfs", fd)
    else:
        os.sync()


def _enter_namespaces(call: _Call) -> None:
    """Enter new namespaces of users and mounts, in which the user of this process is root, and alone."""
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", _NEW_USERS | _NEW_MOUNTS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def _again(fd: int) -> int:
    """Open a directory again, in the mounts of these namespaces, which are copies and not those of `fd`."""
    path = os.readlink(f"/proc/self/fd/{fd}")
    new = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    if not os.path.samestat(os.fstat(fd), os.fstat(new)):
        raise OSError(errno.ESTALE, "the directory was moved", path)
    return new


def _serve(arguments: Sequence[str]) -> None:
    """Mount in new namespaces, and send the handle over a socket, or why there is none.

    The arguments are the numbers of the socket, the upper and the work directory (-1 for none), and the lower ones,
    and the options.
    """
    import _socket  # `socket` takes longer than all the rest.

    number, upper, work, lowers, read_only, *options = arguments
    pair = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, int(number))
    try:
        _enter_namespaces(_kernel())
        mount = mount_overlay(
            [_again(int(fd)) for fd in lowers.split(",") if fd],
            options,
            upper=_again(int(upper)) if int(upper) >= 0 else None,
            work=_again(int(work)) if int(work) >= 0 else None,
            read_only=read_only == "ro",
        )
    except OSError as error:
        pair.sendall(f"{error.errno}\0{error.strerror}\0{error.filename}".encode("utf-8", "surrogateescape"))
    else:
        handle = mount.to_bytes(4, sys.byteorder)
        pair.sendmsg([b"0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handle)])
    finally:
        pair.close()


def _hold(_: Sequence[str]) -> None:
    """Enter a new user namespace without any ids, report that on standard output, and wait for the end of the input."""
    try:
        _kernel()("unshare", _NEW_USERS)
    except OSError as error:
        answer = f"{error.errno}\0{error.strerror}\0{error.filename}"
    else:
        answer = "entered"
    os.write(1, answer.encode("utf-8", "surrogateescape"))
    os.read(0, 1)


def _run(arguments: Sequence[str]) -> None:
    """Become a program that has an open directory as its root, or send why not through a pipe.

    The arguments are the numbers of the pipe and of the directory, how many variables there are, these, and the
    program with its arguments.
    """
    import signal

    pipe, root, count = map(int, arguments[:3])
    variables, argv = arguments[3 : 3 + count], arguments[3 + count :]
    os.set_inheritable(pipe, False)
    try:
        os.fchdir(root)
        os.close(root)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them.
            signal.signal(number, signal.SIG_DFL)
        try:
            os.chroot(".")
        except PermissionError:
            _enter_namespaces(_kernel())
            os.chroot(".")
        sys.path.clear()  # From here on a module would be one of the directory.
        _execute(argv, dict(each.partition("=")[::2] for each in variables))
    except OSError as error:
        name = error.filename or "chroot"
        os.write(pipe, f"{error.errno}\0{error.strerror}\0{name}".encode("utf-8", "surrogateescape"))


def _execute(argv: Sequence[str], environment: dict[str, str]) -> None:
    """Become a program, which is looked for along PATH; `os.execvpe` imports modules for that."""
    name, problem = argv[0], errno.ENOENT
    for directory in [""] if "/" in name else environment["PATH"].split(":"):
        try:
            os.execve(f"{directory}/{name}" if directory else name, list(argv), environment)  # noqa: S606  # it is asked for
        except OSError as error:
            if error.errno not in {None, errno.ENOENT, errno.ENOTDIR}:
                problem = error.errno
    raise OSError(problem, os.strerror(problem), name)


if __name__ == "__main__":
    {"mount": _serve, "run": _run, "hold": _hold}[sys.argv[1]](sys.argv[2:])
