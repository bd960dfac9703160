"""An upper directory that fuse-overlayfs wrote, in the form of the kernel's.

fuse-overlayfs hides a name by a file `.wh.NAME` or a device 0:0, and what is below a directory by a file
`.wh..wh..opq` in it, beside attributes of three kinds; it makes these also where there is nothing to hide. The kernel
would show such files. What fuse-overlayfs notes for itself is left out.
"""

import attrs

from oci_layers.layer.overlay import escaped
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Device, Directory, Leaf, Node
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["in_kernel_form"]

_PREFIX = b".wh."
_OPAQUE = b".wh..wh..opq"
_OPAQUE_DEVICE = b".wh..opq"
"""A device that fuse-overlayfs makes beside the file, for a name that is none."""
_NOTES = b"user.fuseoverlayfs."
_MARKS = frozenset({b"trusted.overlay.opaque", b"user.overlay.opaque", b"user.fuseoverlayfs.opaque"})


def in_kernel_form(upper: FileTree) -> FileTree:
    """Return the tree of an upper directory of fuse-overlayfs as one that `layer.from_upper` reads."""
    tree = FileTree(limits=upper.limits)
    editor = TreeEditor(tree, follow=False)
    first: dict[int, tuple[bytes, Leaf]] = {}
    for path, node in upper.walk():
        parent, name = parent_and_name(path)
        if not path:
            root = _without_notes(node)
            assert isinstance(root, Directory)
            editor.describe_root(root)
        elif name.startswith(_PREFIX):
            hidden = name.removeprefix(_PREFIX)
            if name not in {_OPAQUE, _OPAQUE_DEVICE}:
                editor.put(editor.open_parent(parent), hidden, Device(0, 0, 0, 0))
        elif not isinstance(node, Directory) and node.inode in first and not isinstance(node, Device):
            editor.link(first[node.inode], editor.open_parent(parent), name)
        else:
            made = _without_notes(node)
            editor.put(editor.open_parent(parent), name, made)
            if not isinstance(node, Directory):
                assert not isinstance(made, Directory)
                first[node.inode] = path, made
    return tree


def _without_notes(node: Node) -> Node:
    """Return a copy of a node without the notes of fuse-overlayfs, and with the kernel's mark if it is opaque."""
    own = {key: value for key, value in node.xattrs.items() if not key.startswith(_NOTES) and key not in _MARKS}
    if not isinstance(node, Directory):
        return escaped(attrs.evolve(node, xattrs=own), NAMESPACE)
    bare = Directory(node.mode, node.uid, node.gid, node.mtime_ns, own)
    made = escaped(bare, NAMESPACE)
    assert isinstance(made, Directory)
    if _OPAQUE in node.children or any(node.xattrs.get(mark) == b"y" for mark in _MARKS):
        made.xattrs = {**made.xattrs, b"user.overlay.opaque": b"y"}
    return made
