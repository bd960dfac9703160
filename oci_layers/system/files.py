"""Files by handle: a name is one component in an open directory, and a link is never followed unless a caller asks."""

import contextlib
import errno
import os
import pathlib
import stat
from collections.abc import Iterator

__all__ = [
    "HAS_HANDLES",
    "HAS_PROC",
    "READ",
    "chmod",
    "close",
    "data_extents",
    "duplicate",
    "exists",
    "fchmod",
    "fchown",
    "fdatasync",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fsync",
    "ftruncate",
    "get_xattrs",
    "hold",
    "is_current_directory",
    "is_directory",
    "is_existing_directory",
    "is_pipe",
    "is_regular",
    "lchown",
    "link",
    "list_names",
    "lock",
    "lsetxattr",
    "lstat",
    "make_device",
    "make_directories",
    "make_directory",
    "make_fifo",
    "make_symlink",
    "may_trust_xattrs",
    "may_write",
    "open_directory",
    "open_existing_file",
    "open_new_file",
    "open_output_path",
    "open_parent",
    "open_regular_file",
    "open_root",
    "open_stream_path",
    "pread",
    "proc_path",
    "read",
    "read_link",
    "regular",
    "rename",
    "resolve",
    "rmdir",
    "touch",
    "unlink",
    "utime",
    "utime_at",
    "write_all",
    "write_at",
]

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | _CLOEXEC
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | _CLOEXEC
READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
    | _CLOEXEC
)
"""How a file is opened for reading: no link, no wait for a pipe, no terminal that takes the process over."""
_PIN = getattr(os, "O_PATH", 0) | getattr(os, "O_NOFOLLOW", 0) | _CLOEXEC
_EXISTING_FILE = (
    os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | _CLOEXEC
)
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
_OUTPUT = frozenset({"-", "/dev/stdout"})
_LARGEST_DEVICE_PART = 2**31 - 1
_NO_XATTR = frozenset({errno.ENOTSUP, errno.EPERM, errno.ENODATA})
HAS_PROC = os.path.isdir("/proc/self/fd")
HAS_HANDLES = {os.open, os.mkdir, os.stat, os.rename, os.unlink, os.rmdir} <= os.supports_dir_fd
"""Whether the system has calls on a name in an open directory, without which no tree is made or scanned."""

close = os.close
duplicate = os.dup
fchmod = getattr(os, "fchmod", None) or os.chmod
fchown = getattr(os, "fchown", None) or os.chown
fstat = os.fstat
fsync = os.fsync
fdatasync = getattr(os, "fdatasync", None) or os.fsync
ftruncate = os.ftruncate


def open_root(directory: str) -> int:
    """Open a directory that the user named; the last component must not be a link."""
    return os.open(directory, _DIRECTORY)


def open_parent(directory: str) -> int:
    """Open a directory that the user named, only to reach names in it; it need not be readable."""
    return os.open(directory, getattr(os, "O_PATH", 0) | _DIRECTORY)


def open_directory(name: bytes, parent: int, *, follow: bool = False) -> int:
    """Open a directory in the open directory `parent`; refuse a link without `follow`."""
    return os.open(name, _DIRECTORY & ~_NOFOLLOW if follow else _DIRECTORY, dir_fd=parent)


def open_new_file(name: bytes, parent: int, mode: int = 0o600) -> int:
    """Create a file, to read and write; `name` must not exist. The umask applies to `mode`, the owner's by default."""
    return os.open(name, _NEW_FILE, mode, dir_fd=parent)


def open_existing_file(name: bytes, parent: int) -> int:
    """Open a regular file for reading and writing; refuse a link, a device and a pipe."""
    return regular(os.open(name, _EXISTING_FILE, dir_fd=parent), name)


def open_regular_file(name: bytes | str, parent: int | None = None, *, follow: bool = False) -> int:
    """Open a regular file for reading; refuse a device, a pipe and, without `follow`, a link."""
    return regular(os.open(name, READ & ~_NOFOLLOW if follow else READ, dir_fd=parent), name)


def regular(fd: int, name: bytes | str) -> int:
    """Return an open regular file; close and refuse any other."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", os.fsdecode(name))
    return fd


def open_stream_path(path: str) -> int:
    """Open a file or a pipe that the user named for reading; `-` is standard input, links are followed.

    A named pipe is waited for until another process opens it. A directory, a terminal or another device is refused.
    """
    flags = os.O_RDONLY | _CLOEXEC if is_pipe(path) else READ & ~_NOFOLLOW
    return _checked(os.dup(0) if path == "-" else os.open(path, flags), path, devices=False)


def open_output_path(path: str) -> int:
    """Open a pipe that the user named for writing; `-` and `/dev/stdout` are standard output, which may be a file.

    A named pipe is waited for until another process opens it. A terminal is refused; another device is not.
    """
    fd = os.dup(1) if path in _OUTPUT else os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | _CLOEXEC)
    return _checked(fd, path, devices=True)


def _checked(fd: int, path: str, *, devices: bool) -> int:
    """Return an open file that can be read or written in order; close and refuse any other."""
    mode = os.fstat(fd).st_mode
    streams = stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    if not streams and not (devices and stat.S_ISCHR(mode) and not os.isatty(fd)):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file and not a pipe", path)
    return fd


@contextlib.contextmanager
def hold(name: bytes, parent: int) -> Iterator[int]:
    """Yield a handle on what exists at `name`, itself and not the target of a link, without opening it."""
    fd = os.open(name, _PIN, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def proc_path(fd: int) -> str:
    """Return a path to the file that the handle has open, even if its name changes."""
    return f"/proc/self/fd/{fd}"


def make_directory(name: bytes, parent: int, mode: int = 0o700) -> None:
    """Make a directory. The umask applies to `mode`: only its owner may use it."""
    os.mkdir(name, mode, dir_fd=parent)


def make_symlink(target: bytes, name: bytes, parent: int) -> None:
    """Make a symbolic link."""
    os.symlink(target, name, dir_fd=parent)


def _not_here(name: bytes | str) -> OSError:
    """Return the error of a call that this platform does not have."""
    return OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), os.fsdecode(name))


def make_fifo(name: bytes, parent: int) -> None:
    """Make a named pipe that only its owner may use."""
    if os.mkfifo not in os.supports_dir_fd:
        raise _not_here(name)
    os.mkfifo(name, 0o600, dir_fd=parent)


def make_device(name: bytes, parent: int, *, block: bool, major: int, minor: int) -> None:
    """Make a device that only its owner may use; raise EINVAL, as the system does, for numbers out of range."""
    if max(major, minor) > _LARGEST_DEVICE_PART:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(name))
    if os.mknod not in os.supports_dir_fd:
        raise _not_here(name)
    os.mknod(name, 0o600 | (stat.S_IFBLK if block else stat.S_IFCHR), os.makedev(major, minor), dir_fd=parent)


def link(source: bytes, source_parent: int, name: bytes, parent: int) -> None:
    """Make a hard link; if the source is a symbolic link, link it itself."""
    os.link(source, name, src_dir_fd=source_parent, dst_dir_fd=parent, follow_symlinks=False)


def rename(source: bytes, source_parent: int, name: bytes, parent: int) -> None:
    """Rename, also over an empty directory or a file."""
    os.rename(source, name, src_dir_fd=source_parent, dst_dir_fd=parent)


def unlink(name: bytes, parent: int) -> None:
    """Remove anything but a directory."""
    os.unlink(name, dir_fd=parent)


def rmdir(name: bytes, parent: int) -> None:
    """Remove an empty directory."""
    os.rmdir(name, dir_fd=parent)


def lstat(name: bytes, parent: int) -> os.stat_result:
    """Return the status of `name`, or of the link itself."""
    return os.stat(name, dir_fd=parent, follow_symlinks=False)


def may_write(name: bytes, parent: int) -> bool:
    """Return whether the system permits new files in the directory `name`."""
    effective = os.access in os.supports_effective_ids
    return os.access(name, os.W_OK | os.X_OK, dir_fd=parent, effective_ids=effective)


def lock(fd: int, *, wait: bool, shared: bool = False) -> bool | None:
    """Take the lock on an open file or directory, until the last handle that shares it is closed.

    Args:
        fd: The file. Two handles opened apart exclude each other, in one process too.
        wait: Wait while another handle has the lock.
        shared: Share the lock with others that share it.

    Returns:
        Whether it was taken: False if another handle has it and `wait` is False, None if the platform or the file
        system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover  # Windows
        return None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def is_directory(mode: int) -> bool:
    """Return whether the mode of a stat result is a directory's."""
    return stat.S_ISDIR(mode)


def is_regular(mode: int) -> bool:
    """Return whether the mode of a stat result is a regular file's."""
    return stat.S_ISREG(mode)


def is_pipe(path: str, *, write: bool = False) -> bool:
    """Return whether a user's path leads to a pipe, or is `-`; with `write`, also to what else is written in order."""
    if path == "-" or (write and path in _OUTPUT):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or (write and stat.S_ISCHR(mode))


def list_names(fd: int) -> list[bytes]:
    """Return the names in an open directory, in the order of their bytes."""
    return sorted(os.fsencode(name) for name in os.listdir(fd))


def read_link(name: bytes, parent: int) -> bytes:
    """Return the target of a symbolic link."""
    return os.readlink(name, dir_fd=parent)


def lchown(name: bytes, parent: int, uid: int, gid: int) -> None:
    """Change the owner of `name`, or of the link itself."""
    os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)


def utime(fd: int, mtime_ns: int) -> None:
    """Set the access and modification time of an open file."""
    os.utime(fd, ns=(mtime_ns, mtime_ns))


def touch(fd: int) -> None:
    """Set the access and modification time of an open file to now, by the clock of its file system."""
    os.utime(fd)


def utime_at(name: bytes, parent: int, mtime_ns: int) -> None:
    """Set the times of `name`, or of the link itself."""
    os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=parent, follow_symlinks=False)


def fsetxattr(fd: int | str, name: bytes, value: bytes) -> None:
    """Set an extended attribute of an open file, or of the file at a `proc_path`."""
    if not hasattr(os, "setxattr"):
        raise _not_here(name)
    os.setxattr(fd, name, value)


def fremovexattr(fd: int, name: bytes) -> None:
    """Remove an extended attribute of an open file."""
    os.removexattr(fd, name)


def lsetxattr(directory: str, link_name: bytes, name: bytes, value: bytes) -> None:
    """Set an extended attribute of the link `link_name` itself, in the directory at a `proc_path`."""
    if not hasattr(os, "setxattr"):
        raise _not_here(name)
    os.setxattr(os.fsencode(directory) + b"/" + link_name, name, value, follow_symlinks=False)


def may_trust_xattrs() -> bool:
    """Return whether this process reads and sets attributes in `trusted`, which root of a user namespace may not."""
    if not hasattr(os, "memfd_create"):
        return False
    fd = os.memfd_create("trusted")
    try:
        os.setxattr(fd, "trusted.probe", b"")
    except OSError as error:
        return error.errno != errno.EPERM
    finally:
        os.close(fd)
    return True


def chmod(path: str | int, mode: int) -> None:
    """Change the mode of the file at a `proc_path`, or of an open file."""
    os.chmod(path, mode)


def get_xattrs(path: int | str | bytes, *, follow: bool = True) -> dict[bytes, bytes]:
    """Return the readable extended attributes of an open file or of a path."""
    found: dict[bytes, bytes] = {}
    if not hasattr(os, "listxattr"):
        return found
    try:
        names = os.listxattr(path, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _NO_XATTR:
            return found
        raise
    for name in sorted(names):
        try:
            found[os.fsencode(name)] = os.getxattr(path, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise
    return found


def write_all(fd: int, data: memoryview) -> None:
    """Write all of `data` at the file's position."""
    written = os.write(fd, data)
    while written < len(data):
        data = data[written:]
        written = os.write(fd, data)


def write_at(fd: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at `offset`."""
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def pread(fd: int, size: int, offset: int) -> bytes:
    """Read up to `size` bytes at `offset`; empty at the end."""
    return os.pread(fd, size, offset)


def read(fd: int, size: int) -> bytes:
    """Read up to `size` bytes at the file's position; empty at the end."""
    return os.read(fd, size)


def data_extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the (offset, length) pieces of an open file that are not holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        at = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        yield start, at - start


def resolve(path: str) -> str:
    """Return the absolute path that a user's path leads to; components that do not exist are kept."""
    try:
        return str(pathlib.Path(path).resolve())
    except RuntimeError:  # A loop of links, before Python 3.13; the path is kept.
        return os.path.abspath(path)


def exists(path: str) -> bool:
    """Return whether a user's path leads to anything."""
    return os.path.exists(path)


def is_existing_directory(path: str) -> bool:
    """Return whether a user's path leads to a directory."""
    return os.path.isdir(path)


def make_directories(path: str) -> None:
    """Make a directory that a user named, and those above it, for the user alone; what exists stays as it is."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above != path:
        make_directories(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)


def is_current_directory(path: bytes) -> bool:
    """Return whether a path is the working directory of this process."""
    try:
        return os.path.samefile(path, b".")
    except OSError:
        return False
