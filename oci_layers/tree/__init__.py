"""A file system in memory: paths, nodes, and one node laid over another.

`path` cleans names, `pathset` holds sets of them; `node` has the kinds of node, `content` describes the bytes of files;
`tree` is the persistent `FileTree`, `resolve` follows links in it, `editor` changes it, `links` records the names of
hard-linked files; `dump` is the text form; `windows` and `fold` have what only images for Windows need.

An editor lays nodes over a tree; missing parents are made. `dump` shows a tree, `parse` reads what it wrote:

    >>> from oci_layers import tree
    >>> files = tree.FileTree()
    >>> editor = tree.TreeEditor(files)
    >>> etc, dev = editor.open_parent(tree.clean(b"/./etc/")), editor.open_parent(b"dev")
    >>> editor.put(etc, b"motd", tree.File(0o644, 0, 0, 0, content=tree.Inline(b"lit")))
    >>> editor.put(etc, b"issue", tree.Symlink(0, 0, 0, target=b"motd"))
    >>> editor.put(dev, b"null", tree.Device(0o666, 0, 0, 0, kind="char", major=1, minor=3))
    >>> editor.put(dev, b"log", tree.Fifo(0o600, 0, 0, 0))
    >>> editor.put(etc, b"ssl", tree.Directory(0o700, 0, 0, 0))
    >>> print(tree.dump(files), end="")
    / dir 0755 0:0 0.000000000
    /dev dir 0755 0:0 0.000000000
    /dev/log fifo 0600 0:0 0.000000000
    /dev/null char 0666 0:0 0.000000000 device=1:3
    /etc dir 0755 0:0 0.000000000
    /etc/issue symlink 0777 0:0 0.000000000 target=motd
    /etc/motd file 0644 0:0 0.000000000 text=lit
    /etc/ssl dir 0700 0:0 0.000000000
    >>> tree.parse(tree.dump(files)) == files
    True

A fork takes constant time, and the two trees change independently. A `Mirror` repeats every step somewhere else:

    >>> class Shown:
    ...     def make(self, parent: bytes, name: bytes, node: tree.Node, data: object) -> None:
    ...         print("make", parent, name)
    ...     def link(self, target: bytes, parent: bytes, name: bytes, node: tree.Leaf) -> None:
    ...         print("link", target, parent, name)
    ...     def remove(self, parent: bytes, name: bytes, node: tree.Node) -> None:
    ...         print("remove", parent, name)
    >>> mirror: tree.Mirror = Shown()
    >>> fork = files.fork()
    >>> editor = tree.TreeEditor(fork, mirror=mirror)
    >>> editor.link(editor.find(b"etc/motd"), editor.open_parent(b"etc"), b"issue")
    remove b'etc' b'issue'
    link b'etc/motd' b'etc' b'issue'
    >>> "etc/issue" in fork, fork == files
    (True, False)

A tree of an image for Windows finds names in any case, and its nodes have metadata that no other node has:

    >>> drive = tree.FileTree(windows=True)
    >>> editor = tree.TreeEditor(drive)
    >>> read_only = tree.WindowsMetadata(attributes=0x21)
    >>> editor.put(editor.open_parent(b"Files"), b"boot.ini", tree.File(0o444, 0, 0, 0, windows=read_only))
    >>> drive.require("FILES/Boot.INI").windows.is_read_only, files.require("etc/motd").windows
    (True, None)

Contents are described, and read when they are needed: from memory, from a range of a source, or not at all:

    >>> class Tar:
    ...     def read_at(self, offset: int, size: int) -> bytes:
    ...         return b"The lamp is lit."[offset : offset + size]
    >>> source: tree.RangeReader = Tar()
    >>> content: tree.Content = tree.RangeContent(source, offset=4, size=4)
    >>> b"".join(content.chunks())
    b'lamp'
    >>> next(tree.RangeContent(tree.NOWHERE, offset=4, size=4).chunks())
    Traceback (most recent call last):
        ...
    oci_layers.errors.UnsupportedError: unsupported reading of contents that were not kept: 4 bytes from 4
    >>> tree.DigestContent(size=3, sha256="00" * 32).size
    3
"""

from oci_layers.tree.content import NOWHERE, Content, DigestContent, Inline, RangeContent, RangeReader
from oci_layers.tree.dump import dump, parse
from oci_layers.tree.editor import Mirror, TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.path import clean
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import WindowsMetadata

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
    "WindowsMetadata",
    "clean",
    "dump",
    "parse",
]
