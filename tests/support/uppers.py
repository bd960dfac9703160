"""Upper directories on disk, and mounts of them, for tests that run as root."""

import contextlib
import os
import subprocess

from oci_layers.disk import DirectoryMirror
from oci_layers.layer import apply, to_upper
from oci_layers.report import Report
from oci_layers.tree import FileTree


def write_tree(directory, changes, *, overlay=False):
    """Make the files that changes to nothing are; returns what was skipped."""
    os.mkdir(directory)
    report, tree = Report(), FileTree()
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    mirror = DirectoryMirror(root, report=report, overlay=overlay)
    try:
        apply(changes, tree, mirror=mirror)
        mirror.finish(tree)
    finally:
        mirror.close()
        os.close(root)
    return list(report.skipped)


def write_upper(directory, changes, *, namespace="trusted"):
    """Make the upper directory that holds changes."""
    return write_tree(directory, to_upper(changes, namespace=namespace), overlay=True)


@contextlib.contextmanager
def mounted(point, *lower, upper=None, work=None, options=()):
    """Mount directories, the highest first, and give the mount point; for reading unless there is an upper one."""
    os.makedirs(point, exist_ok=True)
    words = ["lowerdir=" + ":".join(map(os.fspath, lower)), *options]
    words += ["ro"] if upper is None else [f"upperdir={upper}", f"workdir={work}"]
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", ",".join(words), point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)
