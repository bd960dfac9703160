"""A file system in memory: what a path is, what stands at it, and how one thing is laid over another.

`path` cleans names, `node` has the kinds of node and where contents are, `tree` the persistent `FileTree`, `editor` the
mechanics of changing one, `dump` the text form.
"""

from oci_layers.tree.dump import dump, parse
from oci_layers.tree.editor import Mirror, TreeEditor
from oci_layers.tree.node import (
    Content,
    Device,
    DigestContent,
    Directory,
    Fifo,
    File,
    Inline,
    Leaf,
    Node,
    RangeContent,
    RangeReader,
    Symlink,
)
from oci_layers.tree.path import clean
from oci_layers.tree.tree import FileTree

__all__ = [
    "Content",
    "Device",
    "DigestContent",
    "Directory",
    "Fifo",
    "File",
    "FileTree",
    "Inline",
    "Leaf",
    "Mirror",
    "Node",
    "RangeContent",
    "RangeReader",
    "Symlink",
    "TreeEditor",
    "clean",
    "dump",
    "parse",
]
