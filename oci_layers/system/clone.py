"""Files that share their blocks until one of them is written (ioctl_ficlone(2), ioctl_fideduperange(2))."""

import errno
import os
import struct
import sys

__all__ = ["clone_file", "dedupe_file"]

_CLONE = 0x40049409  # FICLONE
_DEDUPE = 0xC0189436  # FIDEDUPERANGE
_RANGE = struct.Struct("=QQHHIqQQiI")
"""struct file_dedupe_range with one file_dedupe_range_info."""
_MOST = 16 << 20
"""The most bytes that all file systems take at once."""


def clone_file(source: int, fd: int) -> None:
    """Let an open file have the contents of another, which take no space until one of the two is changed (FICLONE).

    Raises:
        OSError: EOPNOTSUPP or EINVAL if the file system has no such thing, EXDEV across file systems, ENOSYS on other
            systems than Linux.
    """
    _check_system()
    import fcntl

    fcntl.ioctl(fd, _CLONE, source)


def dedupe_file(source: int, fd: int, size: int) -> bool:
    """Let two open files of one size share the blocks of their contents, if these are equal; change nothing else.

    Returns:
        Whether they are equal, which the kernel compares. If they are not, a part may be shared that is.

    Raises:
        OSError: As `clone_file`.
    """
    _check_system()
    import fcntl

    at = 0
    while at < size:
        asked = bytearray(_RANGE.pack(at, min(_MOST, size - at), 1, 0, 0, fd, at, 0, 0, 0))
        fcntl.ioctl(source, _DEDUPE, asked, True)
        *_, done, status, _ = _RANGE.unpack(asked)
        if status < 0:
            raise OSError(-status, os.strerror(-status), "dedupe")
        if status > 0 or not done:
            return False
        at += done
    return True


def _check_system() -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), "clone")
