"""Layers: tar entries into changes, and changes into the merged tree.

`whiteout` has the grammar of `.wh.` names, `decode` turns tar entries into the changes of `change`, `apply` merges
them, `encode` turns a tree or changes into entries, `policy` decides where there is a choice, and `rules` has the rules
of layers.

Two layers: the upper one removes a file of the lower one, and gives another of its files a second name:

    >>> from oci_layers.layer import Add, Change, Link, Opaque, Policy, Whiteout, apply
    >>> from oci_layers.layer import change_entries, decode, tree_entries
    >>> from oci_layers.tar import DIRECTORY, HARDLINK, Entry
    >>> from oci_layers.tree import FileTree
    >>> lower = [Entry(b"etc/", DIRECTORY, mode=0o755), Entry(b"etc/motd"), Entry(b"log/1888"), Entry(b"log/1889")]
    >>> upper = [Entry(b"log/.wh.1889"), Entry(b"etc/issue", HARDLINK, linkname=b"etc/motd")]
    >>> tree = FileTree()
    >>> apply(decode(lower), tree)
    >>> apply(decode(upper, layer=1), tree, layer=1)
    >>> [path for path, node in tree.walk()]
    [b'', b'etc', b'etc/issue', b'etc/motd', b'log', b'log/1888']

Each entry is one change, of four kinds:

    >>> def describe(change: Change) -> str:
    ...     match change:
    ...         case Add(path, node):
    ...             return f"{path} is a {type(node).__name__}"
    ...         case Link(path, target):
    ...             return f"{path} is another name of {target}"
    ...         case Whiteout(path):
    ...             return f"{path} of the layers below is removed"
    ...         case Opaque(path):
    ...             return f"all that is in {path} in the layers below is removed"
    >>> for change in decode([*upper, Entry(b"etc/.wh..wh..opq"), Entry(b"etc/motd")]):
    ...     print(describe(change))
    b'log/1889' of the layers below is removed
    b'etc/issue' is another name of b'etc/motd'
    all that is in b'etc' in the layers below is removed
    b'etc/motd' is a File

A policy decides where the spec leaves a choice or a layer breaks it. A name that climbs above the root is an error, or
is held at the root; it never leaves it:

    >>> list(decode([Entry(b"../motd")]))
    Traceback (most recent call last):
        ...
    oci_layers.errors.UnsafePathError: ../motd: the name climbs above the root of the image
    >>> [change.path for change in decode([Entry(b"../motd")], policy=Policy.preset("lenient"))]
    [b'motd']

A tree gives the entries of one layer that makes it:

    >>> [(entry.name, entry.linkname) for entry in tree_entries(tree)]
    [(b'./', b''), (b'etc/', b''), (b'etc/issue', b''), (b'etc/motd', b'etc/issue'), (b'log/', b''), (b'log/1888', b'')]

So do changes:

    >>> [entry.name for entry in change_entries([Whiteout(b"log/1888"), Opaque(b"etc")])]
    [b'log/.wh.1888', b'etc/.wh..wh..opq']
"""

from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.encode import change_entries, tree_entries
from oci_layers.layer.policy import Policy

__all__ = ["Add", "Change", "Link", "Opaque", "Policy", "Whiteout", "apply", "change_entries", "decode", "tree_entries"]
