"""What differs between two trees, name by name, for a person to read; `diff` has what a layer must say about it.

A name is added, removed, or changed, and then in which attributes. Unlike `diff`, this describes no directory only
because something in it changed, and reports each name that vanishes with a directory. Hard links count by what they
join: a name that is now the same file as another one, or no longer, of the names that both trees have.
"""

from collections.abc import Collection, Iterator
from typing import Literal, TypeAlias

import attrs

from oci_layers.layer.compare import Aspect, Comparison, ContentMode
from oci_layers.tree.node import Device, Directory, File, Leaf, Node, Symlink
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["Difference", "differences"]

What: TypeAlias = Literal["type", "content", "target", "device", "links", "mode", "owner", "mtime", "xattrs", "windows"]
"""In what a name differs."""


@attrs.frozen(eq=False)
class Difference:
    """One name that differs."""

    path: bytes
    old: Node | None
    """What it was; None if it is added."""
    new: Node | None
    """What it is; None if it is removed."""
    what: tuple[What, ...] = ()
    """In what a changed name differs; if in its type, in nothing else."""

    @property
    def kind(self) -> Literal["added", "changed", "removed"]:
        """What happened to the name."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"


def differences(
    old: FileTree, new: FileTree, *, content: ContentMode = "auto", ignore: Collection[Aspect] = ()
) -> Iterator[Difference]:
    """Yield the names in which `new` differs from `old`, in the order of `FileTree.walk`.

    They are found while they are read; neither tree may change meanwhile. Directories that both trees share are not
    searched. Memory: the names in the directories above the current one. For arguments and errors see `diff`; contents
    are compared also where only the times of two files differ.

    Raises:
        NameFormatError: There is no such `content`, or no such attribute to ignore; raised at once.
        OCIError, OSError: A file cannot be read to compare it.
    """
    return _Walk(old, new, Comparison(content, ignore)).differences()


class _Walk:
    def __init__(self, old: FileTree, new: FileTree, comparison: Comparison) -> None:
        self.old = old
        self.new = new
        self.comparison = comparison
        self.joined: dict[tuple[int, int], bool] = {}
        """Whether hard links changed, by the old and the new file, as there may be many names of one."""

    def differences(self) -> Iterator[Difference]:
        stack: list[tuple[bytes, Node | None, Node | None]] = [(b"", self.old.root, self.new.root)]
        while stack:
            path, before, after = stack.pop()
            if before is None or after is None:
                yield Difference(path, before, after)
            else:
                what = self.what(path, before, after)
                if what:
                    yield Difference(path, before, after, what)
            if before is not after:
                olds, news = _children(before), _children(after)
                stack += [
                    (join(path, name), olds.get(name), news.get(name))
                    for name in sorted(olds.keys() | news.keys(), reverse=True)
                    if olds.get(name) is not news.get(name) or not isinstance(news[name], Directory)
                ]

    def what(self, path: bytes, before: Node, after: Node) -> tuple[What, ...]:
        """Return in what two nodes of one name differ."""
        if type(before) is not type(after):
            return ("type",)
        found: list[What] = []
        if before is not after:
            match before, after:
                case File(), File() if not self.comparison.contents(before, after):
                    found.append("content")
                case Symlink(), Symlink() if before.target != after.target:
                    found.append("target")
                case Device(), Device() if before.number != after.number:
                    found.append("device")
        if not isinstance(before, Directory) and not isinstance(after, Directory) and self.joins(path, before, after):
            found.append("links")
        return (*found, *self.comparison.aspects(before, after))

    def joins(self, path: bytes, before: Leaf, after: Leaf) -> bool:
        """Tell whether a name is joined with other names than before, of those that both trees have."""
        pair = before.inode, after.inode
        if pair not in self.joined:
            names = self.old.link_names(before.inode), self.new.link_names(after.inode)
            if not any(names):
                return False
            olds = {path, *(each for each in names[0] if _is_leaf(self.new.at(each)))}
            news = {path, *(each for each in names[1] if _is_leaf(self.old.at(each)))}
            self.joined[pair] = olds != news
        return self.joined[pair]


def _is_leaf(node: Node | None) -> bool:
    return not isinstance(node, Directory | None)


def _children(node: Node | None) -> dict[bytes, Node]:
    return node.children if isinstance(node, Directory) else {}
