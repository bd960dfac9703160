"""What one entry of a layer does to the file system below: the four changes (layer.md, change types)."""

from collections.abc import Iterator

import attrs

from oci_layers.tree.node import Node

__all__ = ["Add", "Change", "Link", "Opaque", "Whiteout"]


@attrs.define
class Add:
    """A node at a clean path, new or in place of another. `data` are a file's stored bytes, while they pass by."""

    path: bytes
    node: Node
    data: Iterator[memoryview] | None = None


@attrs.define
class Link:
    """One more name, at a clean path, of the file at the clean path `target` in the merged tree."""

    path: bytes
    target: bytes


@attrs.define
class Whiteout:
    """The removal of what lower layers have at a clean path (WHT-01)."""

    path: bytes


@attrs.define
class Opaque:
    """The removal of all that lower layers have in the directory at a clean path (WHT-09)."""

    path: bytes


Change = Add | Link | Whiteout | Opaque
