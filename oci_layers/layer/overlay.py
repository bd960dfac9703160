"""Changes as the upper directory of an overlay mount, and such a directory as changes.

The kernel keeps what was changed in a mount in one directory (Documentation/filesystems/overlayfs.rst in its sources).
A removed name is a character device 0:0; or, in a directory whose attribute `overlay.opaque` is `x`, an empty file with
the attribute `overlay.whiteout`. An opaque directory has `y` in that attribute. The attributes are in the namespace
`trusted`, or `user` where the mount has the option `userxattr`; in the other one they are those of files. An attribute
of a file that looks like one of these has `overlay.` twice.

All functions are pure: `disk.scan` reads a directory into the tree that `from_upper` takes, and a
`disk.DirectoryMirror` with `overlay=True` makes what `to_upper` yields.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, assert_never

import attrs

from oci_layers.errors import LayerError, UnsupportedError, escape
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.tree.node import Device, Directory, File, Node
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Namespace", "escaped", "from_upper", "to_upper", "without_marks"]

Namespace: TypeAlias = Literal["trusted", "user"]
"""Where a mount has its attributes: in `trusted`, which only root may set, or, with `userxattr`, in `user`."""

_OVERLAY = b".overlay."
_ESCAPE = b"overlay."
_OPAQUE = b"opaque"
_WHITEOUT = b"whiteout"
_BOOKKEEPING = frozenset({b"impure", b"nlink", b"origin", b"protattr", b"upper", b"uuid"})
"""Attributes that the kernel needs only to find its files again."""
_HINTS = {
    b"redirect": "the directory was renamed; take the merged directory, or mount with redirect_dir=off",
    b"metacopy": "only its attributes are here; take the merged directory, or mount with metacopy=off",
}
_NO_HINT = "take the merged directory"


def from_upper(upper: FileTree, *, namespace: Namespace = "trusted") -> Iterator[Change]:
    """Yield the changes that an upper directory holds over its lower ones, in the order in which `diff` has them.

    The directory is as the kernel left it: it may have names that did not change, and markers that hide nothing. Apply
    the changes to the lower layers, and take the `diff`, for those that count. An opaque root, which no mount makes
    but programs that convert layers do, is an `Opaque` like any other, although a mount ignores it.

    Args:
        upper: What `disk.scan` returns for the directory. Only root sees attributes in `trusted`.
        namespace: Where the attributes of the mount are.

    Raises:
        UnsupportedError: A redirect, a file without its content (metacopy), or an attribute with an unknown meaning.
    """
    prefix = namespace.encode() + _OVERLAY
    first: dict[int, bytes] = {}
    stack: list[tuple[bytes, Node, bool]] = [(b"", upper.root, False)]
    while stack:
        path, node, hidden = stack.pop()
        xattrs, marks = _sorted_out(path, node, prefix)
        if isinstance(node, Directory):
            yield Add(path, attrs.evolve(node, xattrs=xattrs))
            if marks.get(_OPAQUE) == b"y":
                if not hidden:
                    yield Opaque(path)
                hidden = True
            white = {name for name, child in node.children.items() if _is_whiteout(child, marks, prefix)}
            yield from (Whiteout(join(path, name)) for name in sorted(white if not hidden else ()))
            names = sorted(node.children.keys() - white, reverse=True)
            stack.extend((join(path, name), node.children[name], hidden) for name in names)
        else:
            leader = first.setdefault(node.inode, path)
            yield Add.of(path, attrs.evolve(node, xattrs=xattrs)) if leader == path else Link(path, leader)


def without_marks(path: bytes, node: Node, namespace: Namespace) -> Node:
    """Return the node that a mount shows for one of a directory of it; raises as `from_upper`."""
    xattrs, _ = _sorted_out(path, node, namespace.encode() + _OVERLAY)
    return node if xattrs is node.xattrs else attrs.evolve(node, xattrs=xattrs)


def _sorted_out(path: bytes, node: Node, prefix: bytes) -> tuple[Mapping[bytes, bytes], Mapping[bytes, bytes]]:
    """Return the attributes of a file, and those that the mount has for it."""
    if not any(key.startswith(prefix) for key in node.xattrs):
        return node.xattrs, {}
    xattrs, marks = {}, {}
    for key, value in node.xattrs.items():
        mark = key.removeprefix(prefix)
        if mark == key:
            xattrs[key] = value
        elif mark.startswith(_ESCAPE):
            xattrs[prefix + mark.removeprefix(_ESCAPE)] = value
        elif mark == _OPAQUE and isinstance(node, Directory):
            marks[mark] = value
        elif mark not in _BOOKKEEPING:
            raise UnsupportedError(f"overlay attribute {escape(mark)}", escape(path), _HINTS.get(mark, _NO_HINT))
    return xattrs, marks


def _is_whiteout(node: Node, above: Mapping[bytes, bytes], prefix: bytes) -> bool:
    """Return whether a node in a directory with the marks `above` removes its name."""
    if isinstance(node, Device):
        return node.kind == "char" and node.major == node.minor == 0
    return (
        above.get(_OPAQUE) == b"x"
        and isinstance(node, File)
        and not node.content.size
        and (prefix + _WHITEOUT in node.xattrs)
    )


def to_upper(changes: Iterable[Change], *, namespace: Namespace = "trusted") -> Iterator[Change]:
    """Yield the files of the upper directory that holds `changes`: nodes and links alone, to apply to an empty tree.

    A mount shows the attributes of the upper directory as those of its root, so the changes have those, as all of
    `diff` do, unless there are none.

    Args:
        changes: Changes in which every directory on the way to a name has its own, before it, and a directory's
            opaque marker comes next after it, as `diff` yields them. Those of any other layer are made so by applying
            it, and taking the `diff`.
        namespace: Where the attributes of the mount are.

    Raises:
        LayerError: A directory that is only implied, or an opaque marker elsewhere.
        UnsupportedError: What a mount would not show: an opaque root, or a character device 0:0.
    """
    prefix = namespace.encode() + _OVERLAY
    described: set[bytes] = set()
    waiting: Add | None = None
    for change in changes:
        if isinstance(change, Opaque):
            yield _made_opaque(waiting, change, prefix)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
            waiting = None
        parent, _ = parent_and_name(change.path)
        if change.path and parent not in described:
            raise LayerError(change.path, "no change before it describes its directory")
        match change:
            case Add(path, Directory() as node):
                described.add(path)
                waiting = Add(path, escaped(node, namespace))
            case Add(path, node, data):
                if _is_whiteout(node, {}, prefix):
                    raise UnsupportedError("character device 0:0", escape(path), "an overlay mount reads a whiteout")
                yield Add(path, escaped(node, namespace), data)
            case Link():
                yield change
            case Whiteout(path):
                yield Add(path, Device(0, 0, 0, 0))
            case _:
                assert_never(change)
    if waiting is not None:
        yield waiting


def _made_opaque(directory: Add | None, marker: Opaque, prefix: bytes) -> Add:
    if not marker.path:
        raise UnsupportedError("opaque marker", "/", "an overlay mount ignores it; use a whiteout for each name")
    if directory is None or directory.path != marker.path:
        raise LayerError(marker.path, "the opaque marker does not come next after its directory")
    return Add(marker.path, attrs.evolve(directory.node, xattrs={**directory.node.xattrs, prefix + _OPAQUE: b"y"}))


def escaped(node: Node, namespace: Namespace) -> Node:
    """Return a node whose attributes a mount shows as those of `node`; the same one if it has none of overlay mounts.

    Linux does so since 6.7; an older one shows none of them.
    """
    prefix = namespace.encode() + _OVERLAY
    if not any(key.startswith(prefix) for key in node.xattrs):
        return node
    mine = {key: prefix + _ESCAPE + key.removeprefix(prefix) for key in node.xattrs if key.startswith(prefix)}
    return attrs.evolve(node, xattrs={mine.get(key, key): value for key, value in node.xattrs.items()})
