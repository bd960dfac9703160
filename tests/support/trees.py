"""What layers make: in memory, on disk, and as one flat layer."""

import io
import os

from oci_layers.disk import DirectoryMirror
from oci_layers.layer import apply, decode
from oci_layers.layer.encode import tree_entries
from oci_layers.report import Report
from oci_layers.tar import (
    read_tar,
    write_tar,
)
from oci_layers.tree import FileTree


def merged(*tars, policy=None, mirror=None, on_finding=None, windows=False):
    """The tree that layers (bytes of tars, the lowest first) make; contents in memory."""
    tree = FileTree(windows=windows)
    for index, raw in enumerate(tars):
        entries = read_tar(io.BytesIO(raw))
        changes = decode(entries, layer=index, policy=policy, on_finding=on_finding, windows=windows)
        apply(changes, tree, layer=index, mirror=mirror, policy=policy, on_finding=on_finding)
    return tree


def mirrored(directory, *tars, policy=None, owner=None, dest=""):
    """Make the tree in an empty directory too; returns it and the mirror's report."""
    report = Report()
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        mirror = DirectoryMirror(root, owner=owner, report=report, dest=dest)
    except OSError:
        os.close(root)
        raise
    try:
        tree = merged(*tars, policy=policy, mirror=mirror, on_finding=report.findings.add)
        mirror.finish(tree)
    finally:
        mirror.close()
        os.close(root)
    return tree, report


def flattened(tree):
    """The bytes of one layer that makes the tree."""
    return b"".join(write_tar(tree_entries(tree)))
