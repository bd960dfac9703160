"""Layers: tar entries into changes, and changes into the merged tree.

`whiteout` has the grammar of `.wh.` names, `decode` turns tar entries into the changes of `change`, `apply` merges
them, `policy` decides where there is a choice, and `rules` has the rules of layers. The other way, `diff` finds the
changes between two trees, `encode` turns changes into entries, and `overlay` has the upper directories of mounts.

Two layers: the upper one removes a file of the lower one, and gives another of its files a second name:

    >>> from oci_layers.layer import Add, Change, Link, Opaque, Policy, Whiteout, apply, decode, tree_entries
    >>> from oci_layers.layer import Difference, diff, differences, encode, from_upper, to_upper
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

Two trees give the changes between them, and the entries of a layer that makes them. Each directory on the way to a
change is among them, and no name is both removed and made:

    >>> from oci_layers.tree import File, Inline, TreeEditor
    >>> edited = tree.fork()
    >>> editor = TreeEditor(edited)
    >>> log = editor.open_parent(b"log")
    >>> editor.drop(log, b"1888")
    >>> editor.put(log, b"1890", File(0o644, 0, 0, 0, content=Inline(b"a storm")))
    >>> [(entry.name, entry.size) for entry in encode(diff(tree, edited))]
    [(b'./', 0), (b'log/', 0), (b'log/.wh.1888', 0), (b'log/1890', 7)]
    >>> again = tree.fork()
    >>> apply(diff(tree, edited), again)
    >>> again == edited, list(diff(again, edited))
    (True, [])

`differences` is for people: each name that is added, changed or removed, and in what:

    >>> [(each.kind, each.path) for each in differences(tree, edited)]
    [('removed', b'log/1888'), ('added', b'log/1890')]
    >>> shown: list[Difference] = list(differences(FileTree(), tree))
    >>> shown[0].path, shown[0].new
    (b'etc', Directory(mode=493, ...))

The kernel's form of a layer is the upper directory of an overlay mount. `disk.scan` reads one, and a
`disk.DirectoryMirror` with `overlay=True` writes one:

    >>> upper = FileTree()
    >>> apply(to_upper(diff(tree, edited)), upper)
    >>> upper.require("log/1888")
    Device(mode=0, uid=0, gid=0, ... kind='char', major=0, minor=0, windows=None)
    >>> list(from_upper(upper))[2]
    Whiteout(path=b'log/1888')
"""

from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.diff import diff
from oci_layers.layer.difference import Difference, differences
from oci_layers.layer.encode import encode, tree_entries
from oci_layers.layer.overlay import from_upper, to_upper
from oci_layers.layer.policy import Policy

__all__ = [
    "Add",
    "Change",
    "Difference",
    "Link",
    "Opaque",
    "Policy",
    "Whiteout",
    "apply",
    "decode",
    "diff",
    "differences",
    "encode",
    "from_upper",
    "to_upper",
    "tree_entries",
]
