"""Open a file at a path below an open directory in one call, and follow no link: openat2(2), which Python has not.

The same can be had by opening one directory after another, which every system can, at several times the cost.
"""

import errno
import functools
import os
import sys
from collections.abc import Callable

from oci_layers.system.files import READ, regular

__all__ = ["open_beneath"]

_OPENAT2 = 437
"""The same on every architecture of Linux that is left, other than Alpha."""
_RESOLVE = 0x0C  # RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH


def open_beneath(path: bytes, root: int) -> int:
    """Open a regular file at a path below the open directory `root`, for reading.

    Raises:
        OSError: A component is a link, or does not exist; or the system has no such call (ENOSYS), forbids it (EPERM),
            or takes no path of that length (ENAMETOOLONG).
        ValueError: The path has a NUL.
    """
    if b"\0" in path:
        raise ValueError("a path has no NUL")
    return regular(_call()(path, root), path)


@functools.cache
def _call() -> Callable[[bytes, int], int]:
    """Return the call, with its constant arguments filled in."""
    if sys.platform != "linux":
        raise _missing()
    try:
        import ctypes
    except ImportError:  # A Python may be built without it.
        raise _missing() from None

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]
    syscall.restype = ctypes.c_long
    how = (ctypes.c_uint64 * 3)(READ, 0, _RESOLVE)  # struct open_how
    size = ctypes.sizeof(how)

    def call(path: bytes, root: int) -> int:
        fd: int = syscall(_OPENAT2, root, path, how, size)
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fsdecode(path))
        return fd

    return call


def _missing() -> OSError:
    return OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "openat2")
