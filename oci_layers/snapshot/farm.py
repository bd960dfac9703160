"""A merged tree as one directory whose files are those of the layers: hard links, clones, or copies.

A hard link takes no space, and what is written to it is written to the layer; so files are linked only to be read. A
clone shares the blocks of a file until one of both is written, where the file system can do so (FICLONE); where it
cannot, a file is copied.
"""

import contextlib
import errno
from collections.abc import Sequence

from oci_layers import system
from oci_layers.disk.confine import Handles
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import Owner
from oci_layers.layer.overlay import escaped
from oci_layers.report import Report
from oci_layers.snapshot.directory import FS, RoomDirectory
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.snapshot.share import Share
from oci_layers.tree.content import stored_pieces
from oci_layers.tree.node import Device, Directory, File, Leaf
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["grow"]

_NO_LINK = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOENT})
"""Why a file is not linked: it has too many names, is on another file system, or is not there."""
_NO_CLONE = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EPERM})


def grow(
    tree: FileTree, layers: Sequence[RoomLayer], root: int, *, share: Share, owner: Owner, overlay: bool = False
) -> Report:
    """Make a tree of unpacked layers in an open, empty directory; return what was made.

    Args:
        tree: The merged tree of the layers.
        layers: The layers, the topmost first.
        root: The directory.
        share: How its files are shared.
        owner: The owners of the files that are not linked.
        overlay: Whether the directory is one of an overlay mount.

    Raises:
        OSError: The system fails.
    """
    report = Report()
    farm = _Farm(layers[::-1], root, share=share)
    mirror = DirectoryMirror(root, owner=owner, report=report, overlay=overlay, clone=farm.clone)
    try:
        first: dict[int, bytes] = {}
        for path, node in tree.walk():
            parent, name = parent_and_name(path)
            if isinstance(node, Directory):
                if path:
                    mirror.make(parent, name, node, None)
            elif isinstance(node, Device) and node.number == ("char", 0, 0):
                continue  # A mount does not show it, and reads it as a whiteout.
            elif (leader := first.setdefault(node.inode, path)) != path:
                mirror.link(leader, parent, name, node)
            elif not farm.link(path, node):
                data = stored_pieces(node.content) if isinstance(node, File) and node.content.size else None
                mirror.make(parent, name, escaped(node, NAMESPACE) if overlay else node, data)
        mirror.finish(tree)
    finally:
        mirror.close()
        farm.close()
    return report


class _Farm:
    """Links and clones files of layers."""

    def __init__(self, layers: Sequence[RoomLayer], root: int, *, share: Share) -> None:
        self._share = share
        self._layers = layers
        self._here = Handles(root)
        self._clones = share == "clone"
        self._closing = contextlib.ExitStack()
        self._closing.callback(self._here.close)
        self._rooms: dict[RoomDirectory, Handles] = {}
        for layer in layers:
            if layer.room not in self._rooms:
                self._rooms[layer.room] = Handles(self._closing.enter_context(layer.room.directory()))
                self._closing.callback(self._rooms[layer.room].close)

    def _directory(self, path: bytes, number: int) -> tuple[Handles, bytes]:
        """Return the open directories of a room, and the path there of a directory of a layer."""
        layer = self._layers[number]
        return self._rooms[layer.room], b"/".join((*layer.names, FS, path) if path else (*layer.names, FS))

    def link(self, path: bytes, node: Leaf) -> bool:
        """Link a file from the layer that it came from; return False if it is to be made."""
        if self._share != "link":
            return False
        parent, name = parent_and_name(path)
        handles, above = self._directory(parent, node.layer)
        try:
            with handles.held(above) as source:
                system.link(name, source, name, self._here.directory(parent))
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        return True

    def clone(self, path: bytes, node: File, fd: int) -> bool:
        """Fill an open file with the content of a file of a layer, by sharing its blocks; return False if it cannot."""
        if not self._clones:
            return False
        parent, name = parent_and_name(path)
        handles, above = self._directory(parent, node.layer)
        try:
            source = system.open_regular_file(name, handles.directory(above))
            try:
                system.clone_file(source, fd)
            finally:
                system.close(source)
        except OSError as error:
            if error.errno not in _NO_CLONE:
                raise
            self._clones = False
            return False
        return True

    def close(self) -> None:
        """Close the directories."""
        self._closing.close()
