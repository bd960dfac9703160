"""What stands in a tree: five kinds of node, and where the bytes of a file are.

Nodes that are not directories never change: a change makes a new node, and the names that shared the old one share the
new one. They carry an inode id, which names of one file (hard links) have in common. A `Directory` may be changed only
by the tree whose token it has (`tree.FileTree` has the rule). Every node knows the layer that it came from.

The bytes of files are in `content`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import attrs

from oci_layers.tree.content import EMPTY, Content

__all__ = [
    "NO_XATTRS",
    "Device",
    "Directory",
    "Fifo",
    "File",
    "Leaf",
    "Node",
    "Symlink",
    "implicit_directory",
]

NO_XATTRS: Mapping[bytes, bytes] = MappingProxyType({})


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
    token: object = attrs.field(default=None, repr=False)


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


def implicit_directory(layer: int, token: object = None) -> Directory:
    """Return a directory that nothing described: 0755, owned by root, at the epoch."""
    return Directory(0o755, 0, 0, 0, NO_XATTRS, layer, implicit=True, token=token)
