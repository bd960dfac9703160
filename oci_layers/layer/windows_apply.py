"""What merging a layer for Windows does besides: names fold case, and streams belong to the files before them.

Names are looked up as NTFS does (`tree.fold`). So each path of a change is spelled as the tree spells it before the
engine sees it, and the engine compares bytes. A name that is there keeps its first spelling; a file that replaces it
has its own. A whiteout is spelled as the layers below do.
"""

import attrs

from oci_layers.errors import LayerError, LinkError
from oci_layers.layer.change import Add, Change, Link
from oci_layers.layer.windows_name import file_and_stream
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.fold import fold
from oci_layers.tree.node import Directory, File
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import WindowsMetadata

__all__ = ["attach_stream", "is_stream", "spelled"]

_MOST_STREAMS = 4096
"""The most streams of one file; a copy of their table is made for each."""


def spelled(change: Change, tree: FileTree, lower: FileTree) -> Change:
    """Return a change with its paths as `tree` spells them, or as `lower` does for a marker.

    The last component of a file or link keeps its spelling, so that it gets it; that of a directory over a directory
    does not.

    Raises:
        LinkError: A hard link to the name that it has itself.
    """
    match change:
        case Add(path):
            if is_stream(change):
                file, stream = file_and_stream(path)
                return attrs.evolve(change, path=tree.spelled(file) + b":" + stream)
            known = _in_parent(tree.spelled(path), path)
            if isinstance(change.node, Directory):
                known = _as_directory(known, tree, lower)
            return attrs.evolve(change, path=known)
        case Link(path, target):
            target = tree.spelled(target)
            if fold(target) == fold(path):
                raise LinkError(path, "a hard link to itself")
            return Link(_in_parent(tree.spelled(path), path), target)
        case _:
            return attrs.evolve(change, path=lower.spelled(change.path))


def _as_directory(path: bytes, *trees: FileTree) -> bytes:
    """Return a path as the first of some trees spells it that has a directory there; else the path itself."""
    for tree in trees:
        known = tree.spelled(path)
        if isinstance(tree.at(known), Directory):
            return _in_parent(path, known)
    return path


def _in_parent(known: bytes, path: bytes) -> bytes:
    """Return the last component of `path` in the parent of `known`."""
    return join(parent_and_name(known)[0], parent_and_name(path)[1])


def is_stream(change: Add) -> bool:
    """Return whether an addition to the tree of a Windows image is a stream of a file."""
    return isinstance(change.node, File) and b":" in change.path


def attach_stream(change: Add, merge: TreeEditor, *, is_new: bool) -> None:
    """Give the file of a stream the stream; `is_new` tells whether the layer has an entry of the file.

    Raises:
        LayerError: There is no such file, it is a hard link, or it has too many streams.
    """
    path, stream = file_and_stream(change.path)
    node = merge.tree.at(path)
    if node is None or not is_new:
        raise LayerError(change.path, "the stream does not follow its file")
    if not isinstance(node, Directory) and merge.tree.link_names(node.inode):
        raise LayerError(change.path, "a hard link has no streams of its own")
    windows = node.windows or WindowsMetadata()
    if len(windows.streams) >= _MOST_STREAMS:
        raise LayerError(change.path, f"the file has more than {_MOST_STREAMS} streams")
    assert isinstance(change.node, File)
    merge.count(len(stream))
    merge.change(path, windows=windows.with_stream(stream, change.node.content))
