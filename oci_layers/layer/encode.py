"""A tree as the entries of one layer that makes it: the inverse of `decode` and `apply`.

The order is that of the paths, so a directory comes before what is in it (layer.md, Creating the tar), and equal trees
give equal entries. The first name of a file has its content, the others are hard links to it.
"""

from collections.abc import Iterator
from typing import assert_never

import attrs

from oci_layers._empty import NO_XATTRS
from oci_layers.errors import WhiteoutError
from oci_layers.layer.whiteout import PREFIX
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, SYMLINK, Entry
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["node_entry", "tree_entries"]


@attrs.frozen
class _Expanded:
    """The content of an entry, taken from a tree; holes are zeros."""

    content: Content

    def stored(self, entry: Entry) -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        return map(memoryview, self.content.chunks())


def tree_entries(tree: FileTree) -> Iterator[Entry]:
    """Yield the entries of one layer that makes `tree`, the root first.

    Contents are read when the entry is: `write_tar(tree_entries(tree))` holds one piece of one file in memory.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker.
    """
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        if parent_and_name(path)[1].startswith(PREFIX):
            raise WhiteoutError(path, "no layer can add a name that begins with '.wh.'")
        known = None if isinstance(node, Directory) else first.setdefault(node.inode, path)
        if known is not None and known != path:
            # Some readers apply the metadata of the link to the file, so it has those of the file.
            yield attrs.evolve(
                node_entry(path, node), type=HARDLINK, size=0, stored_size=0, linkname=known, xattrs=NO_XATTRS
            )
        else:
            yield node_entry(path, node)


def node_entry(path: bytes, node: Node) -> Entry:
    """Return the entry of a node, under the first of its names."""
    entry = Entry(path, mode=node.mode, uid=node.uid, gid=node.gid, mtime_ns=node.mtime_ns, xattrs=node.xattrs)
    match node:
        case File():
            entry.size = entry.stored_size = node.content.size
            entry.content = _Expanded(node.content)
        case Directory():
            entry.type = DIRECTORY
            entry.name = path + b"/" if path else b"./"
        case Symlink():
            entry.type = SYMLINK
            entry.linkname = node.target
        case Device():
            entry.type = CHARACTER if node.kind == "char" else BLOCK
            entry.devmajor, entry.devminor = node.major, node.minor
        case Fifo():
            entry.type = FIFO
        case _:
            assert_never(node)
    return entry
