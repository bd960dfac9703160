"""The differences of two trees of which one was forked from the other, by metadata alone.

Forks share what neither has changed, so nodes that are the same object are the same, and a directory that both have is
skipped with everything in it. No content is read: files of the same size may differ.
"""

from collections.abc import Iterator
from typing import Literal

from oci_layers.layer.compare import Comparison
from oci_layers.tree.node import Device, Directory, File, Node, Symlink
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["Kind", "compare", "differences", "kind_of"]

_EVERYTHING = Comparison("never", ())
"""Compares all attributes, and no contents."""

Kind = Literal["added", "changed", "removed"]
"""What a layer can do to a name."""


def differences(lower: FileTree, upper: FileTree) -> Iterator[tuple[bytes, Node | None, Node | None]]:
    """Yield the path and the nodes in both trees, or None, where these are not the same object; sorted by path.

    A directory comes before what is in it. Directories that the trees share are skipped at once; one that differs only
    below is yielded, too.
    """
    stack: list[tuple[bytes, Node | None, Node | None]] = [(b"", lower.root, upper.root)]
    while stack:
        path, old, new = stack.pop()
        if old is new:
            continue
        yield path, old, new
        olds = old.children if isinstance(old, Directory) else {}
        news = new.children if isinstance(new, Directory) else {}
        names = [name for name, node in olds.items() if news.get(name) is not node]
        names += [name for name in news if name not in olds]
        names.sort(reverse=True)
        stack.extend((join(path, name), olds.get(name), news.get(name)) for name in names)


def kind_of(path: bytes, old: Node | None, new: Node | None) -> Kind | None:
    """Return what happened to a name; None if it shows the same as before.

    A layer adds the root if it is the first to describe it.
    """
    if old is None or (not path and _is_implicit(old) and not _is_implicit(new)):
        return "added"
    if new is None:
        return "removed"
    aspects, doubtful = compare(old, new)
    return "changed" if aspects or doubtful else None


def _is_implicit(node: Node | None) -> bool:
    return isinstance(node, Directory) and node.implicit


def compare(old: Node, new: Node) -> tuple[tuple[str, ...], bool]:
    """Return what of a node differs, and whether contents of the same size may differ, which this does not read.

    The names: `type`, `content`, `target` of a link, `device`, `mode`, `owner`, `mtime`, `xattrs`, `windows`.
    """
    aspects: list[str] = []
    doubtful = False
    match old, new:
        case File(), File():
            if old.content.size != new.content.size:
                aspects.append("content")
            else:
                doubtful = old.content is not new.content and new.content.size > 0
        case Symlink(), Symlink():
            if old.target != new.target:
                aspects.append("target")
        case Device(), Device():
            if old.number != new.number:
                aspects.append("device")
        case _:
            if type(old) is not type(new):
                aspects.append("type")
    return (*aspects, *_EVERYTHING.aspects(old, new)), doubtful
