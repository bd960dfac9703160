"""What a path inside an image may be.

Turns names as an archive or a caller spells them into clean paths: bytes, relative to the root, components joined by
one slash, no `.`, no `..`, no slash at either end; the root itself is the empty path. Names are cleaned lexically
(`x/../y` is `y`) before anything else looks at them. What the operating system makes of a path is not known here.
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
"""Matches clean paths, but for the root's, and nothing else: parts without NUL that are neither `.` nor `..`."""


class FSPath(Protocol):
    """Anything that says its own path, as `os.PathLike` does."""

    def __fspath__(self) -> str | bytes: ...


class PathInImage(Protocol):
    """Anything that says its own path inside an image, and is not to be opened on the host: `image.ImagePath`."""

    def __image_path__(self) -> bytes: ...


AnyPath = bytes | str | FSPath | PathInImage


def _said(path: object) -> bytes | str:
    """Return what a path object says that it is.

    These two methods alone make a path: `__bytes__` does not, since arrays and addresses have it, too.
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
        TypeError: It is one path, and not several.
    """
    if isinstance(paths, bytes | str):
        raise TypeError(f"paths is one path and no list of paths: {paths!r}")
    return [to_bytes(path) for path in paths]


def to_bytes(path: AnyPath) -> bytes:
    """Return `path` as bytes; text goes through UTF-8 with `surrogateescape`.

    Raises:
        TypeError: It is no path.
        UnsafePathError: It is text with surrogates that stand for no byte.
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
        path: A name as it was written, absolute or relative.
        clamp: Keep what climbs above the root at the root (`/../x` is `x`) instead of refusing it.
        limits: `component_bytes`, `path_bytes` and `path_depth` are held.

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
    """Hold a clean path against `path_bytes`, `path_depth` and `component_bytes`; raises LimitError."""
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
