"""Paths inside an image: from names, as archives and callers give them, to clean paths.

A clean path is bytes, relative to the root, its components joined by one slash, without `.`, `..`, or a slash at either
end; the root is the empty path. Names are cleaned lexically (`x/../y` is `y`) before any other code uses them. The
paths of the operating system are not handled here.
"""

import re
from collections.abc import Iterable
from typing import Protocol

from oci_layers.errors import LimitError, UnsafePathError
from oci_layers.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "AnyPath",
    "FSPath",
    "PathInImage",
    "check_limits",
    "clean",
    "join",
    "parent_and_name",
    "to_bytes",
    "to_bytes_each",
]

_PART = rb"(?:[^/.\0]|\.(?!\.?(?:/|\Z)))[^/\0]*"
_is_clean = re.compile(_PART + rb"(?:/" + _PART + rb")*").fullmatch
"""Matches exactly the clean paths except the root's: components without NUL that are neither `.` nor `..`."""


class FSPath(Protocol):
    """An object that returns its own path, as `os.PathLike` does."""

    def __fspath__(self) -> str | bytes: ...


class PathInImage(Protocol):
    """An object that returns its own path inside an image, not to be opened on the host: `image.ImagePath`."""

    def __image_path__(self) -> bytes: ...


AnyPath = bytes | str | FSPath | PathInImage


def _said(path: object) -> bytes | str:
    """Return the path that a path object has.

    Only these two methods make a path: `__bytes__` does not, since arrays and addresses have it, too.
    """
    for name in ("__image_path__", "__fspath__"):
        method = getattr(type(path), name, None)
        if method is not None:
            said = method(path)
            if isinstance(said, bytes | str):
                return said
    kind = type(path).__name__
    raise TypeError(f"a path inside an image is bytes, str, os.PathLike or an ImagePath, not {kind}")


def to_bytes_each(paths: Iterable[AnyPath]) -> list[bytes]:
    """Return each of `paths` as bytes; raises as `to_bytes`.

    Raises:
        TypeError: `paths` is a single path.
    """
    if isinstance(paths, bytes | str):
        raise TypeError(f"paths must be a list of paths, not one path: {paths!r}")
    return [to_bytes(path) for path in paths]


def to_bytes(path: AnyPath) -> bytes:
    """Return `path` as bytes; text is encoded as UTF-8 with `surrogateescape`.

    Raises:
        TypeError: It is not a path.
        UnsafePathError: It is text with surrogates that encode no byte.
    """
    if not isinstance(path, bytes | str):
        path = _said(path)
    if isinstance(path, str):
        try:
            return path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise UnsafePathError(path.encode("utf-8", "surrogatepass"), "the name is not valid Unicode") from None
    return path


def clean(path: bytes, *, clamp: bool = False, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Clean `path` lexically.

    Args:
        path: An absolute or relative name.
        clamp: Keep a path that climbs above the root at the root (`/../x` is `x`) instead of refusing it.
        limits: `component_bytes`, `path_bytes` and `path_depth` are checked.

    Raises:
        UnsafePathError: The path has a NUL or climbs above the root.
        LimitError: A component or the path is too long, or the path too deep.
    """
    result = path[2:] if path.startswith(b"./") else path
    if result.endswith(b"/"):
        result = result.rstrip(b"/")
    if not _is_clean(result):
        result = _clean_slowly(path, clamp=clamp)
        if b"\0" in result:
            raise UnsafePathError(path, "the name has a NUL byte")
    size = len(result)
    if size > limits.component_bytes or size > limits.path_bytes or result.count(b"/") >= limits.path_depth:
        check_limits(result, limits)
    return result


def _clean_slowly(path: bytes, *, clamp: bool) -> bytes:
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part in {b"", b"."}:
            continue
        if part != b"..":
            parts.append(part)
        elif parts:
            parts.pop()
        elif not clamp:
            raise UnsafePathError(path, "the name climbs above the root of the image")
    return b"/".join(parts)


def check_limits(path: bytes, limits: Limits) -> None:
    """Check a clean path against `path_bytes`, `path_depth` and `component_bytes`; raises LimitError."""
    parts = path.split(b"/")
    for limit, allowed, seen in (
        ("path_bytes", limits.path_bytes, len(path)),
        ("path_depth", limits.path_depth, len(parts)),
        ("component_bytes", limits.component_bytes, max(map(len, parts))),
    ):
        if seen > allowed:
            raise LimitError(limit, allowed, seen)


def parent_and_name(path: bytes) -> tuple[bytes, bytes]:
    """Split a clean path; the parent of a name in the root is the empty path."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def join(parent: bytes, name: bytes) -> bytes:
    """Join a clean parent and a name."""
    return parent + b"/" + name if parent else name
