"""A file system in memory: what a path is, what stands at it, and how one thing is laid over another.

`path` cleans names, `node` has the kinds of node and where contents are, `tree` the persistent `FileTree`, `editor` the
mechanics of changing one, `dump` the text form.
"""

from oci_layers.tree.dump import dump, parse
from oci_layers.tree.editor import Merge, Mirror
from oci_layers.tree.node import (
    Content,
    Device,
    Digested,
    Directory,
    Fifo,
    File,
    Inline,
    Leaf,
    Node,
    Source,
    Stored,
    Symlink,
)
from oci_layers.tree.path import clean
from oci_layers.tree.tree import FileTree

__all__ = [
    "Content",
    "Device",
    "Digested",
    "Directory",
    "Fifo",
    "File",
    "FileTree",
    "Inline",
    "Leaf",
    "Merge",
    "Mirror",
    "Node",
    "Source",
    "Stored",
    "Symlink",
    "clean",
    "dump",
    "parse",
]
