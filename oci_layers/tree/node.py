"""What stands in a tree: five kinds of node, and where the bytes of a file are.

Nodes that are not directories never change: a change makes a new node, and the names that shared the old one share the
new one. They carry an inode id, which names of one file (hard links) have in common. A `Directory` may be changed only
by the tree whose mark it bears (`tree.FileTree` has the rule). Every node knows the layer that it came from.

Contents are not held but described: `Inline` bytes for trees made in memory, `RangeContent` for a range of something
else, `DigestContent` where only a dump is left.
"""

import hashlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

import attrs

from oci_layers.errors import UnsupportedError

__all__ = [
    "EMPTY",
    "NOWHERE",
    "NO_XATTRS",
    "Content",
    "Device",
    "DigestContent",
    "Directory",
    "Extents",
    "Fifo",
    "File",
    "Inline",
    "Leaf",
    "Node",
    "RangeContent",
    "RangeReader",
    "Symlink",
    "implicit_directory",
    "same_content",
    "sha256",
]

_PIECE = 1 << 18
_ZEROS = bytes(_PIECE)

Extents = tuple[tuple[int, int], ...]
"""Where a sparse file has data, as (offset, length) pieces in order; the rest are holes."""

NO_XATTRS: Mapping[bytes, bytes] = MappingProxyType({})


class Content(Protocol):
    """The bytes of a file."""

    @property
    def size(self) -> int:
        """The number of bytes, those of holes among them."""
        ...

    @property
    def extents(self) -> Extents | None:
        """Where the data are, or None when there are no holes."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the expanded bytes in bounded pieces."""
        ...


class RangeReader(Protocol):
    """Something that stored contents are ranges of, such as a layer's plain tar."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from `offset`."""
        ...


class _Nowhere:
    """The source of contents that are written elsewhere as they pass, and read nowhere."""

    def read_at(self, offset: int, size: int) -> bytes:
        raise UnsupportedError("reading of contents that were not kept", f"{size} bytes from {offset}")


NOWHERE: RangeReader = _Nowhere()


@attrs.frozen
class Inline:
    """Contents in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @property
    def extents(self) -> None:
        """None: contents in memory have no holes."""
        return

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, in one piece."""
        if self.data:
            yield self.data


EMPTY = Inline(b"")


@attrs.frozen
class DigestContent:
    """Contents that are known by size and SHA-256 (lower-case hex) only, as a dump has them."""

    size: int
    sha256: str

    @property
    def extents(self) -> None:
        """None: nothing is known of holes."""
        return

    def chunks(self) -> Iterator[bytes]:
        """Raise UnsupportedError: there are no bytes."""
        raise UnsupportedError("reading of contents known by their digest only", self.sha256)


@attrs.define(eq=False)
class RangeContent:
    """Contents that lie in a source: the pieces of `extents` one after another from `offset`, or all of `size`."""

    source: RangeReader
    offset: int
    size: int
    extents: Extents | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the expanded bytes, read from the source as they are asked for."""
        for run in self.runs():
            if isinstance(run, int):
                yield from _zeros(run)
            else:
                yield run

    def runs(self) -> Iterator[bytes | int]:
        """Yield pieces of data as they are asked for, and the length of each hole."""
        at, stored = 0, self.offset
        for start, length in self.extents if self.extents is not None else ((0, self.size),):
            if start > at:
                yield start - at
            for done in range(0, length, _PIECE):
                yield self.source.read_at(stored + done, min(_PIECE, length - done))
            at, stored = start + length, stored + length
        if self.size > at:
            yield self.size - at


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield _ZEROS[:count]
        count -= _PIECE


@attrs.define(eq=False)
class Directory:
    """A directory. `implicit` ones were never an entry: a path below them, or nothing at all, implied them."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    implicit: bool = False
    children: dict[bytes, "Node"] = attrs.field(factory=dict, repr=False)
    mark: object = attrs.field(default=None, repr=False)


@attrs.define(eq=False)
class File:
    """A regular file."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    inode: int = 0
    content: Content = EMPTY


@attrs.define(eq=False)
class Symlink:
    """A symbolic link. Its mode means nothing and is always 0777."""

    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    inode: int = 0
    target: bytes = b""
    mode: int = 0o777


@attrs.define(eq=False)
class Device:
    """A character or block device."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    inode: int = 0
    kind: Literal["char", "block"] = "char"
    major: int = 0
    minor: int = 0


@attrs.define(eq=False)
class Fifo:
    """A named pipe."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    inode: int = 0


Leaf = File | Symlink | Device | Fifo
Node = Directory | Leaf


def implicit_directory(layer: int, mark: object = None) -> Directory:
    """Return a directory that nothing described: 0755, owned by root, at the epoch."""
    return Directory(0o755, 0, 0, 0, NO_XATTRS, layer, implicit=True, mark=mark)


def sha256(content: Content) -> str:
    """Return the SHA-256 of the expanded bytes, as lower-case hex."""
    if isinstance(content, DigestContent):
        return content.sha256
    hasher = hashlib.sha256()
    for chunk in content.chunks():
        hasher.update(chunk)
    return hasher.hexdigest()


def same_content(one: Content, other: Content) -> bool:
    """Compare expanded bytes, whatever pieces they come in; holes are zeros, and cost nothing where both have them."""
    if one is other:
        return True
    if one.size != other.size:
        return False
    if isinstance(one, DigestContent) or isinstance(other, DigestContent):
        return sha256(one) == sha256(other)
    if isinstance(one, Inline) and isinstance(other, Inline):
        return one.data == other.data
    left, right = _runs(one), _runs(other)
    a: bytes | int = b""
    b: bytes | int = b""
    while True:
        a = a or next(left, b"")
        b = b or next(right, b"")
        if not a or not b:
            return not a and not b
        size = min(_length(a), _length(b))
        if _run(a, size) != _run(b, size):
            return False
        a, b = _rest(a, size), _rest(b, size)


def _runs(content: Content) -> Iterator[bytes | int]:
    """Yield pieces of data, and of each hole that is known its length."""
    return content.runs() if isinstance(content, RangeContent) else content.chunks()


def _length(run: bytes | int) -> int:
    return run if isinstance(run, int) else len(run)


def _run(run: bytes | int, size: int) -> bytes | int:
    """Return the first `size` bytes of a run, as their number where they are zeros."""
    if isinstance(run, int):
        return size
    start = run[:size]
    return start if start.strip(b"\0") else size


def _rest(run: bytes | int, size: int) -> bytes | int:
    return run - size if isinstance(run, int) else run[size:]
