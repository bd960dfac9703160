"""Changes as the entries of one layer, the inverse of `decode`; and a whole tree as such changes.

A marker is an empty regular file of mode 0 at the epoch, as containerd and umoci write it (GEN-01). A sparse file is
written with its holes as zeros (layer.md advises against sparse entries). The order of the changes is kept; that of a
tree is the order of its paths, so a directory comes before what is in it (layer.md, Creating the tar), and equal trees
give equal entries.
"""

from collections.abc import Iterable, Iterator
from typing import assert_never

import attrs

from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.whiteout import check_name, marker_name
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["encode", "tree_entries"]


@attrs.frozen
class _Expanded:
    """The content of an entry, taken from a tree; holes are zeros."""

    content: Content

    def stored(self, entry: Entry) -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        return map(memoryview, self.content.chunks())


@attrs.frozen
class _Stored:
    """The content of an entry, taken from a change; read once."""

    data: Iterator[memoryview]

    def stored(self, entry: Entry) -> Iterator[memoryview]:  # noqa: ARG002 - a method of the Content protocol
        return self.data


def encode(changes: Iterable[Change]) -> Iterator[Entry]:
    """Yield one entry for each change; `decode(encode(changes))` are the same changes.

    The content of a file is `Add.data`, which is read once and before the next entry, or without it that of the node.
    A hard link has the metadata of its target if that is among the changes, as some programs give the file those of
    the link (EDGE-13). For that a few numbers are kept for each file; contents are not.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker; or a whiteout of the root.
    """
    written: dict[bytes, tuple[int, int, int, int]] = {}
    for change in changes:
        match change:
            case Add(path, node):
                check_name(path)
                if not isinstance(node, Directory):
                    written[path] = node.mode, node.uid, node.gid, node.mtime_ns
                yield _entry(change)
            case Link(path, target):
                check_name(path)
                mode, uid, gid, mtime_ns = written[path] = written.get(target, (0o644, 0, 0, 0))
                yield Entry(path, HARDLINK, mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, linkname=target)
            case Whiteout() | Opaque():
                yield Entry(marker_name(change), mode=0)
            case _:
                assert_never(change)


def tree_entries(tree: FileTree) -> Iterator[Entry]:
    """Yield the entries of one layer that makes `tree`, the root first.

    Contents are read when the entry is: `write_tar(tree_entries(tree))` holds one piece of one file in memory.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker.
    """
    return encode(_whole(tree))


def _whole(tree: FileTree) -> Iterator[Change]:
    """Yield the changes that make `tree`; the first name of a file has its content, the others are links to it."""
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        known = path if isinstance(node, Directory) else first.setdefault(node.inode, path)
        yield Add(path, node) if known == path else Link(path, known)


def _entry(change: Add) -> Entry:
    path, node = change.path, change.node
    entry = Entry(path, mode=node.mode, uid=node.uid, gid=node.gid, mtime_ns=node.mtime_ns, xattrs=node.xattrs)
    match node:
        case Directory():
            return attrs.evolve(entry, name=path + b"/" if path else b"./", type=DIRECTORY)
        case File():
            return _file(entry, node, change.data)
        case Symlink():
            return attrs.evolve(entry, type=SYMLINK, linkname=node.target)
        case Device():
            kind = CHARACTER if node.kind == "char" else BLOCK
            return attrs.evolve(entry, type=kind, devmajor=node.major, devminor=node.minor)
        case Fifo():
            return attrs.evolve(entry, type=FIFO)
        case _:
            assert_never(node)


def _file(entry: Entry, node: File, data: Iterator[memoryview] | None) -> Entry:
    size, extents = node.content.size, node.content.extents
    if data is None:
        return attrs.evolve(entry, type=REGULAR, size=size, stored_size=size, content=_Expanded(node.content))
    stored = size if extents is None else sum(length for _, length in extents)
    return attrs.evolve(entry, type=REGULAR, size=size, stored_size=stored, extents=extents, content=_Stored(data))
