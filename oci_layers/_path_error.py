"""The errors of paths inside an image, which are also those that the operating system raises for paths on disk."""

import errno
from typing import Any

import attrs

from oci_layers._error import MissingError
from oci_layers._text import shortened

__all__ = [
    "IsDirectoryError",
    "NotDirectoryError",
    "NotPermittedError",
    "PathError",
    "PathExistsError",
    "PathMissingError",
]


@attrs.define(eq=False, slots=False, str=False)
class PathError(MissingError, OSError):
    """A path inside an image that does not exist, or is not of the requested kind.

    Also the `OSError` that the operating system raises for such a path on disk, with its `errno`, `strerror` and
    `filename`. Raised directly where no subclass fits: a loop of links, or the link target of a path that is no link.
    """

    path: bytes
    reason: str
    errno: int = errno.EINVAL

    def __attrs_post_init__(self) -> None:
        self.strerror = self.reason
        self.filename = self.path.decode("utf-8", "surrogateescape")

    def __reduce__(self) -> tuple[Any, ...]:  # Any: the fields, as the class takes them, and those of a caller
        # `OSError.__reduce__` would add `filename` to the arguments.
        return type(self), (self.path, self.reason, self.errno), self.__dict__

    def _sentence(self) -> str:
        return f"{shortened(self.path)}: {self.reason}"


@attrs.define(eq=False, slots=False, str=False)
class PathMissingError(PathError, FileNotFoundError):
    """A path that does not exist in the merged file system."""

    reason: str = "no such file or directory"
    errno: int = errno.ENOENT


@attrs.define(eq=False, slots=False, str=False)
class NotDirectoryError(PathError, NotADirectoryError):
    """A path that is not a directory, or that leads through something that is not a directory."""

    reason: str = "not a directory"
    errno: int = errno.ENOTDIR


@attrs.define(eq=False, slots=False, str=False)
class IsDirectoryError(PathError, IsADirectoryError):
    """A path that is a directory where a file is required."""

    reason: str = "is a directory"
    errno: int = errno.EISDIR


@attrs.define(eq=False, slots=False, str=False)
class PathExistsError(PathError, FileExistsError):
    """A path that exists where a new one is to be made."""

    reason: str = "file exists"
    errno: int = errno.EEXIST


@attrs.define(eq=False, slots=False, str=False)
class NotPermittedError(PathError, PermissionError):
    """An operation that no process may do at a path, such as a hard link to a directory."""

    reason: str = "operation not permitted"
    errno: int = errno.EPERM
