r"""An image for Windows: the drive C: of its tree, and what a Linux disk cannot hold of it.

The layers of such an image have `Files`, which is the drive, and beside it `Hives` and `UtilityVM`. `shown` is the tree
of `Files` alone. On disk all three are written, and beside them `meta.jsonl` (`windows.unpacked`). A link is made if it
leads to a place of its drive, by a relative path; any other is only in that file. A file without permissions, as
Windows writes them all, gets 0644, or 0444 if it is read-only, and a directory 0755.
"""

from collections.abc import Iterator

import attrs

from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.report import Skipped
from oci_layers.tree.node import Directory, File, Leaf, Node, Symlink
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import DRIVES, drive_depth, posix_target
from oci_layers.windows.unpacked import METADATA_FILE, unpacked_lines

__all__ = ["WindowsMirror", "keep_metadata", "shown"]


def shown(tree: FileTree) -> FileTree:
    """Return a merged tree as a process sees it: that of the drive C:, or `tree` itself if it is not of Windows.

    It shares its nodes with that of the layers, and is empty if they have no drive.
    """
    if not tree.windows:
        return tree
    path = tree.spelled(b"Files")
    if not isinstance(tree.at(path), Directory):
        return FileTree(limits=tree.limits, drives=(b"",))
    return tree.subtree(path)


class WindowsMirror:
    """A `tree.Mirror` before a directory: links have paths of Linux there, or are left out and reported."""

    def __init__(self, mirror: DirectoryMirror) -> None:
        """Take the mirror of the directory."""
        self._mirror = mirror

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """As `DirectoryMirror.make`."""
        if isinstance(node, Symlink):
            target = _linux_target(parent, node.target)
            if target is None:
                self._mirror.leave_out(node, join(parent, name), "symlink", "it leads out of the drive")
                return
            node = attrs.evolve(node, target=target)
        self._mirror.make(parent, name, node, data)

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """As `DirectoryMirror.link`."""
        self._mirror.link(target, parent, name, node)

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """As `DirectoryMirror.remove`."""
        self._mirror.remove(parent, name, node)


def _linux_target(parent: bytes, target: bytes) -> bytes | None:
    """Return the target of a link in a directory of a layer, relative; None if it leads out of the drive."""
    path = posix_target(target)
    if b"\\" in path or b":" in path:
        return None
    if not path.startswith(b"/"):
        return path
    names = parent.split(b"/")
    depth = drive_depth(names, DRIVES)
    if depth is None:
        return None
    return b"/".join([b".."] * (len(names) - depth) + [path.strip(b"/") or b"."])


def keep_metadata(tree: FileTree, mirror: DirectoryMirror) -> None:
    """Write what the disk does not hold to `meta.jsonl` in the top directory, and report each name that is in it.

    Raises:
        UnsafePathError: The image has such a file there.
        LimitError: A stream has more than 64 MiB.
    """
    node = File(0o644, 0, 0, 0)
    mirror.make(b"", METADATA_FILE, node, _lines(tree, mirror))


def _lines(tree: FileTree, mirror: DirectoryMirror) -> Iterator[memoryview]:
    for path, node, line in unpacked_lines(tree):
        if node.windows is not None or isinstance(node, Symlink):
            mirror.report.skipped.add(Skipped("windows", path, node.layer, None, f"kept in {METADATA_FILE.decode()}"))
        yield memoryview(line)
