"""The five kinds of node in a tree.

Nodes that are not directories never change: a change makes a new node, and the names that shared the old one share the
new one. They have an inode id, which is the same for all names of one file (hard links). Only the tree whose token a
`Directory` has may change it (see `tree.FileTree`). Every node has the number of the layer that it came from.

Nodes compare by identity; `FileTree` compares what they show. The bytes of files are in `content`; `windows` has what
only nodes of Windows images have. Nothing refers weakly to a node, so none has room for that.
"""

from collections.abc import Mapping
from typing import Literal

import attrs

from oci_layers._empty import NO_XATTRS
from oci_layers.tree.content import EMPTY, Content
from oci_layers.tree.windows import WindowsMetadata

__all__ = [
    "NO_XATTRS",
    "OVERLAY_XATTRS",
    "Device",
    "Directory",
    "Fifo",
    "File",
    "Leaf",
    "Node",
    "Symlink",
    "implicit_directory",
]

OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.")
"""How the extended attributes begin in which an overlay mount keeps what it needs to know."""


@attrs.define(eq=False, weakref_slot=False)
class Directory:
    """A directory. An `implicit` one has no entry: a path below it implies it, or it is the root."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    implicit: bool = False
    children: dict[bytes, "Node"] = attrs.field(factory=dict, repr=False)
    token: object = attrs.field(default=None, repr=False)
    windows: WindowsMetadata | None = None


@attrs.define(eq=False, weakref_slot=False)
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
    windows: WindowsMetadata | None = None


@attrs.define(eq=False, weakref_slot=False)
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
    windows: WindowsMetadata | None = None


@attrs.define(eq=False, weakref_slot=False)
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
    windows: WindowsMetadata | None = None

    @property
    def number(self) -> tuple[str, int, int]:
        """What the device is: its kind, major and minor."""
        return self.kind, self.major, self.minor


@attrs.define(eq=False, weakref_slot=False)
class Fifo:
    """A named pipe."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    layer: int = 0
    inode: int = 0
    windows: WindowsMetadata | None = None


Leaf = File | Symlink | Device | Fifo
Node = Directory | Leaf


def implicit_directory(layer: int, token: object = None) -> Directory:
    """Return a directory that no entry describes: 0755, owned by root, at the epoch."""
    return Directory(0o755, 0, 0, 0, NO_XATTRS, layer, implicit=True, token=token)
