"""The four changes that an entry of a layer can make to the file system below (layer.md, change types)."""

from collections.abc import Iterator

import attrs

from oci_layers.tree.content import stored_pieces
from oci_layers.tree.node import File, Node

__all__ = ["Add", "Change", "Link", "Opaque", "Whiteout"]


@attrs.define
class Add:
    """A node at a clean path, new or replacing another. `data` yields a file's stored bytes, before the next change."""

    path: bytes
    node: Node
    data: Iterator[memoryview] | None = None

    @classmethod
    def of(cls, path: bytes, node: Node) -> "Add":
        """Return the addition of a node whose content can be read; `data` reads it."""
        return cls(path, node, stored_pieces(node.content) if isinstance(node, File) and node.content.size else None)


@attrs.define
class Link:
    """Another name, at a clean path, of the file at the clean path `target` in the merged tree."""

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
