"""A file system in memory: what a path is, what stands at it, and how one thing is laid over another.

`path` cleans names, `pathset` keeps sets of them; `node` has the kinds of node, `content` where the bytes of files are;
`tree` is the persistent `FileTree`, `resolve` follows links in it, `editor` changes it, `links` has the names of files
with several; `dump` is the text form.
"""

from oci_layers.tree.content import Content, DigestContent, Inline, RangeContent, RangeReader
from oci_layers.tree.dump import dump, parse
from oci_layers.tree.editor import Mirror, TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
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
