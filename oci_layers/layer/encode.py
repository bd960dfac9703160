"""Changes as the entries of one layer, the inverse of `decode`; and a whole tree as such changes.

A marker is an empty regular file of mode 0 at the epoch, as containerd and umoci write it (GEN-01). A sparse file is
written with its holes as zeros (layer.md advises against sparse entries). The order of the changes is kept; that of a
tree is the order of its paths, so a directory comes before what is in it (layer.md, Creating the tar), and equal trees
give equal entries.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

import attrs

from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.whiteout import check_name, marker_name
from oci_layers.layer.windows import windows_records
from oci_layers.tar.entry import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tree.content import Content
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["as_windows", "encode", "node_entries", "node_entry", "tree_entries"]


_TYPE_BITS = {REGULAR: 0o100000, DIRECTORY: 0o040000, SYMLINK: 0o120000}
"""What POSIX has above the permissions of a mode."""


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
            case Add(path, node, data):
                check_name(path)
                if not isinstance(node, Directory):
                    written[path] = node.mode, node.uid, node.gid, node.mtime_ns
                yield node_entry(path, node, data)
                if node.windows is not None and node.windows.streams:
                    yield from _stream_entries(path, node)
            case Link(path, target):
                check_name(path)
                mode, uid, gid, mtime_ns = written[path] = written.get(target, (0o644, 0, 0, 0))
                yield Entry(path, HARDLINK, mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, linkname=target)
            case Whiteout() | Opaque():
                yield Entry(marker_name(change), mode=0)
            case _:
                assert_never(change)


def tree_entries(tree: FileTree) -> Iterator[Entry]:
    """Yield the entries of one layer that makes `tree`, the root first; a layer for Windows has no entry of its root.

    Contents are read when the entry is: `write_tar(tree_entries(tree))` holds one piece of one file in memory.

    Raises:
        WhiteoutError: A name begins with `.wh.`, and would be read as a marker.
    """
    return node_entries(each for each in tree.walk() if each[0] or not tree.windows)


def node_entries(nodes: Iterable[tuple[bytes, Node]]) -> Iterator[Entry]:
    """Yield the entries of nodes of one tree, given with their paths, the parents first; as `tree_entries`."""
    return encode(_whole(nodes))


def _whole(nodes: Iterable[tuple[bytes, Node]]) -> Iterator[Change]:
    """Yield the changes that make nodes; the first name of a file has its content, the others are links to it."""
    first: dict[int, bytes] = {}
    for path, node in nodes:
        known = path if isinstance(node, Directory) else first.setdefault(node.inode, path)
        yield Add(path, node) if known == path else Link(path, known)


def node_entry(path: bytes, node: Node, data: Iterator[memoryview] | None = None) -> Entry:
    """Return the entry of a node, under the first of its names; `data` are a file's stored bytes, as in `Add`."""
    entry = Entry(path, mode=node.mode, uid=node.uid, gid=node.gid, mtime_ns=node.mtime_ns, xattrs=node.xattrs)
    match node:
        case File():
            _add_content(entry, node.content, data)
        case Directory():
            entry.type, entry.name = DIRECTORY, path + b"/" if path else b"./"
        case Symlink():
            entry.type, entry.linkname = SYMLINK, node.target
        case Device():
            entry.type = CHARACTER if node.kind == "char" else BLOCK
            entry.devmajor, entry.devminor = node.major, node.minor
        case Fifo():
            entry.type = FIFO
        case _:
            assert_never(node)
    return entry if node.windows is None else as_windows(entry, windows_records(node.windows))


def as_windows(entry: Entry, records: Mapping[bytes, bytes]) -> Entry:
    """Return an entry as Windows writes it: with the type in the mode, and no slash after the name of a directory."""
    entry.pax = records
    entry.mode |= _TYPE_BITS.get(entry.type, 0)
    entry.name = entry.name.rstrip(b"/")
    return entry


def _stream_entries(path: bytes, node: Node) -> Iterator[Entry]:
    """Yield the entries of the alternate data streams of a node, which follow it."""
    assert node.windows is not None
    for name in sorted(node.windows.streams):
        content = node.windows.streams[name]
        entry = Entry(path + b":" + name, mode=node.mode, uid=node.uid, gid=node.gid, mtime_ns=node.mtime_ns)
        _add_content(entry, content, None)
        yield entry


def _add_content(entry: Entry, content: Content, data: Iterator[memoryview] | None) -> None:
    entry.size = entry.stored_size = content.size
    if data is None:
        entry.content = _Expanded(content)
        return
    entry.content, entry.extents = _Stored(data), content.extents
    if content.extents is not None:
        entry.stored_size = sum(length for _, length in content.extents)
