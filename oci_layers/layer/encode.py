"""Turn a tree, or changes, into the tar entries of one layer: the inverse of `decode`.

The entries of a tree are in the order of its paths, so a directory comes before what is in it (layer.md, Creating the
tar), and equal trees give equal entries. The first name of a file has its content, the others are hard links to it. The
entries of changes are in their order; a marker is an empty file of mode 0 at the epoch.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

import attrs

from oci_layers.errors import WhiteoutError
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX, is_marker
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, SYMLINK, Entry, Pieces
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["change_entries", "encode", "node_entries", "refuse_marker", "tree_entries"]


@attrs.frozen
class _Expanded:
    """The content of an entry, taken from a tree; holes are zeros."""

    content: Content

    def stored(self, entry: Entry) -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        return map(memoryview, self.content.chunks())


def refuse_marker(path: bytes) -> None:
    """Raise WhiteoutError if the last component of a clean path begins with `.wh.`, and would be read as a marker."""
    if is_marker(path):
        raise WhiteoutError(path, "no layer can add a name that begins with '.wh.'")


def tree_entries(tree: FileTree) -> Iterator[Entry]:
    """Yield the entries of one layer that makes `tree`, the root first.

    Contents are read when the entry is: `write_tar(tree_entries(tree))` holds one piece of one file in memory.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker.
    """
    return node_entries(tree.walk())


def node_entries(nodes: Iterable[tuple[bytes, Node]]) -> Iterator[Entry]:
    """Yield the entries of nodes of one tree, given with their paths, the parents first; as `tree_entries`."""
    first: dict[int, bytes] = {}
    for path, node in nodes:
        refuse_marker(path)
        if isinstance(node, Directory) or (known := first.setdefault(node.inode, path)) == path:
            yield _entry(path, node)
        else:
            yield _link(path, known, node)


def change_entries(changes: Iterable[Change]) -> Iterator[Entry]:
    """Yield the entries of one layer that makes `changes`, in their order.

    The content of a file is taken from `data` if the change has it, else from its node; each is read when the entry is.
    Memory held: a reference for each added node that is no directory.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker.
    """
    added: dict[bytes, Leaf] = {}
    for change in changes:
        match change:
            case Add(path, node, data):
                refuse_marker(path)
                if not isinstance(node, Directory):
                    added[path] = node
                entry = _entry(path, node)
                if data is not None and isinstance(node, File):
                    entry.content, entry.extents = Pieces(data), node.content.extents
                yield entry
            case Link(path, target):
                refuse_marker(path)
                file = added.get(target)
                if file is not None:
                    added[path] = file
                yield Entry(path, HARDLINK, linkname=target) if file is None else _link(path, target, file)
            case Whiteout(path):
                parent, name = parent_and_name(path)
                refuse_marker(path)
                yield Entry(join(parent, PREFIX + name), mode=0)
            case Opaque(path):
                yield Entry(join(path, OPAQUE_NAME), mode=0)
            case _:
                assert_never(change)


def _link(path: bytes, target: bytes, node: Leaf) -> Entry:
    """Return another name of a file. Some readers apply its metadata to the file, so it has those of the file."""
    return Entry(path, HARDLINK, node.mode, node.uid, node.gid, mtime_ns=node.mtime_ns, linkname=target)


def _entry(path: bytes, node: Node) -> Entry:
    entry = Entry(path, mode=node.mode, uid=node.uid, gid=node.gid, mtime_ns=node.mtime_ns, xattrs=node.xattrs)
    match node:
        case Directory():
            entry.name, entry.type = path + b"/" if path else b"./", DIRECTORY
        case File():
            entry.size = entry.stored_size = node.content.size
            entry.content = _Expanded(node.content)
        case Symlink():
            entry.type, entry.linkname = SYMLINK, node.target
        case Device():
            entry.type = CHARACTER if node.kind == "char" else BLOCK
            entry.devmajor, entry.devminor = node.major, node.minor
        case Fifo():
            entry.type = FIFO
        case _:
            assert_never(node)
    return entry


encode = change_entries
