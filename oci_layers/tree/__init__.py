"""A file system in memory: paths, nodes, and one node laid over another.

`path` cleans names, `pathset` holds sets of them; `node` has the kinds of node, `content` describes the bytes of files;
`tree` is the persistent `FileTree`, `resolve` follows links in it, `editor` changes it, `links` records the names of
hard-linked files; `dump` is the text form.
"""

from oci_layers.tree.content import NOWHERE, Content, DigestContent, Inline, RangeContent, RangeReader
from oci_layers.tree.dump import dump, parse
from oci_layers.tree.editor import Mirror, TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import clean
from oci_layers.tree.tree import FileTree

__all__ = [
    "NOWHERE",
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
