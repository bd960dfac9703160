"""Changes as files of a directory, made as an unpacked image is."""

from collections.abc import Iterable
from pathlib import Path

from oci_layers import system
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Change
from oci_layers.layer.decode import decode
from oci_layers.layer.encode import tree_entries
from oci_layers.report import Report
from oci_layers.tree.tree import FileTree

__all__ = ["write_changes", "write_tree"]


def write_changes(directory: Path, changes: Iterable[Change], *, overlay: bool = False) -> None:
    """Make a directory, and in it the files that changes to nothing are; with `overlay`, as an upper directory.

    What this user may not make or set is left out.
    """
    directory.mkdir(0o755)
    tree = FileTree()
    root = system.open_root(str(directory))
    mirror = DirectoryMirror(root, report=Report(), overlay=overlay)
    try:
        apply(changes, tree, mirror=mirror)
        mirror.finish(tree)
    finally:
        mirror.close()
        system.close(root)


def write_tree(directory: Path, tree: FileTree) -> None:
    """Make a directory, and in it the files of a tree."""
    write_changes(directory, decode(tree_entries(tree)))
