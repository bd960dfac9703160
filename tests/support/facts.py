"""What a stack of layers makes, path by path and in one form, of the oracle, of an engine and of a directory.

`REFUSED` is the outcome of a stack that is refused; which error refuses it is not compared.
"""

import functools
import hashlib

from oci_layers.errors import LayerError, LimitError
from oci_layers.layer import apply, decode
from oci_layers.testing.oracle import RefusedError, merge
from oci_layers.tree import Device, Directory, File, FileTree, Symlink
from oci_layers.tree.content import sha256

REFUSED = "refused"


def node_facts(node):
    """All that a node shows, without the names that share it."""
    kind, data, device = type(node).__name__.lower(), b"", None
    match node:
        case Directory():
            kind = "dir"
        case File():
            data = sha256(node.content)
        case Symlink():
            data = node.target
        case Device():
            kind, device = node.kind, (node.major, node.minor)
    return kind, *_attributes(node), data, device


def facts(tree, *, implied=True):
    """All that a `FileTree` shows, and whether each directory is implied; hard links by the first name of the file."""
    first = {}
    return {
        path: (
            *(*node_facts(node), implied and getattr(node, "implicit", False)),
            path if isinstance(node, Directory) else first.setdefault(node.inode, path),
        )
        for path, node in sorted(tree.walk())
    }


def oracle_facts(tree, *, implied=True):
    """The same of a tree of the oracle."""
    first = {}
    return {
        path: (
            *(node.kind, *_attributes(node), _digest(node.data) if node.kind == "file" else node.data),
            *(node.device, implied and node.implied),
            path if node.kind == "dir" else first.setdefault(node, path),
        )
        for path, node in sorted(tree.items())
    }


@functools.cache
def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _attributes(node):
    return node.mode, node.uid, node.gid, node.mtime_ns, dict(node.xattrs)


def expected(stack, *, parents="follow", implied=True):
    """What the oracle says of a stack."""
    try:
        return oracle_facts(merge(stack, parents=parents), implied=implied)
    except RefusedError:
        return REFUSED


def actual(stack, *, policy=None):
    """What the engine makes of a stack in memory."""
    tree = FileTree()
    try:
        for number, layer in enumerate(stack):
            apply(decode(layer, layer=number, policy=policy), tree, layer=number, policy=policy)
    except (LayerError, LimitError):
        return REFUSED
    return facts(tree)
