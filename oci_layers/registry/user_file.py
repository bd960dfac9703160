"""Files of a user about registries: read whole, within a limit, absent or not."""

import errno
import os

from oci_layers import system
from oci_layers.errors import LimitError, escape, locate
from oci_layers.limits import DEFAULT_LIMITS

__all__ = ["names_in", "read_user_file"]

_PIECE = 64 << 10
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_user_file(path: str, what: str) -> bytes | None:
    """Return the bytes of a file; None if it does not exist. `what` is in the errors of the system.

    Raises:
        LimitError: It has more than `document_bytes`.
        OSError: It cannot be read.
    """
    raw, allowed = bytearray(), DEFAULT_LIMITS.document_bytes
    try:
        fd = system.open_regular_file(path, follow=True)
        try:
            while len(raw) <= allowed and (piece := system.read(fd, _PIECE)):
                raw += piece
        finally:
            system.close(fd)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        locate(error, path, what)
        raise
    if len(raw) > allowed:
        too_large = LimitError("document_bytes", allowed, len(raw))
        too_large.add_note(escape(path))
        raise too_large
    return bytes(raw)


def names_in(directory: str) -> list[str]:
    """Return the names in a directory, sorted.

    Raises:
        OSError: It does not exist, or cannot be read.
    """
    fd = system.open_root(system.resolve(directory))
    try:
        return [os.fsdecode(name) for name in system.list_names(fd)]
    finally:
        system.close(fd)
