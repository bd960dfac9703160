"""The changes from one tree to another: what `apply` undoes, `apply(diff(old, new), old) == new`.

Two rules make the changes mean the same to every program that applies layers (layer.md, Creating the tar; GEN-01 to
GEN-08). No name is removed and made in one layer: what replaces another node is made alone, and a directory that stays
loses its old names one by one. And each parent of a changed name is described again, unchanged or not, since programs
disagree about the attributes of one that is not; a directory without an entry in an older layer becomes one with an
entry, with the attributes that it has.

In trees of Windows, a file that is spelled otherwise is written again, and a directory keeps the spelling that it has.

The order is that of `FileTree.walk`: a directory before what is in it, its markers right after it. Directories that
both trees share, such as a tree and its fork, are not searched.
"""

from collections.abc import Collection, Iterator

from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.compare import Aspect, Comparison, ContentMode
from oci_layers.layer.groups import LinkGroups
from oci_layers.layer.whiteout import check_name
from oci_layers.tree.fold import spelling
from oci_layers.tree.node import Directory, Node
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["diff"]


def diff(
    old: FileTree,
    new: FileTree,
    *,
    content: ContentMode = "auto",
    ignore: Collection[Aspect] = (),
    opaque: bool = False,
) -> Iterator[Change]:
    """Yield the changes that make `new` of `old`, as one layer over `old` has them.

    The changes are found while they are read. Both trees are forked first, so `apply(diff(old, new), old)` is allowed,
    and later changes of either tree make no difference. Time grows with the directories that the trees do not share,
    and memory with the hard links in them; contents are streamed by `Add.data`, and none is held.

    A file of several names is written whole, even if only one name is added. A name that is removed is a whiteout of
    its topmost vanished directory. A device 0:0, which is a whiteout in an overlay mount, is written like any other;
    `lint` reports it.

    Args:
        old: The layers below, merged.
        new: The tree to make.
        content: Whether files with the same attributes and size are compared by their bytes: `always`, `never`, or, as
            `auto`, where times cannot decide, since they have no nanoseconds, or are ignored. What is in memory or
            known by its digest is compared by `auto`, too.
        ignore: Attributes whose difference alone is no change: `mtime`, `directory-mtime`, `owner`, `mode`, `xattrs`;
            and `nanoseconds`, the fractions of a second where only one of two times has them, as after a program that
            cut them off. What is emitted for another reason has the attributes of `new` all the same.
        opaque: Use an opaque marker, instead of a whiteout for each name, in a directory that keeps none of its old
            names. Never in the root: an overlay mount ignores one there.

    Raises:
        NameFormatError: There is no such `content`, or no such attribute to ignore; raised at once.
        WhiteoutError: A name to make or remove that begins with `.wh.`, which no layer can have.
        OSError: A file of a scanned directory cannot be read to compare it.
    """
    return _Diff(old.fork(), new.fork(), Comparison(content, ignore), opaque=opaque).changes()


_Pair = tuple[int, bytes, Node | None, Node]
"""The depth and path of a name, what was there, and what is there now."""


class _Diff:
    """One walk over both trees. `above` has the directories down to the present one; `shown` of them are emitted."""

    def __init__(self, old: FileTree, new: FileTree, same: Comparison, *, opaque: bool) -> None:
        self.old = old
        self.new = new
        self.same = same
        self.opaque = opaque
        self.above: list[tuple[bytes, Directory]] = []
        self.shown = 0

    def changes(self) -> Iterator[Change]:
        self.groups = LinkGroups(self.old, self.new, self.same)
        stack: list[_Pair] = [(0, b"", self.old.root, self.new.root)]
        while stack:
            depth, path, before, after = stack.pop()
            del self.above[depth:]
            self.shown = min(self.shown, depth)
            if isinstance(after, Directory):
                self.above.append((path, after))
                lower = before if isinstance(before, Directory) else None
                yield from self.directory(path, lower, after)
                stack.extend(self.below(depth + 1, path, lower, after))
            else:
                change = self.leaf(path, before, after)
                if change is not None:
                    yield from self.parents()
                    yield change

    def directory(self, path: bytes, before: Directory | None, after: Directory) -> Iterator[Change]:
        """Yield a directory that differs, with its parents, and the markers in it."""
        vanished: list[bytes] = []
        if before is not None and before is not after:
            vanished = sorted(before.children.keys() - after.children.keys())
            if self.new.windows:  # A whiteout would remove the new name, too.
                vanished = [name for name in vanished if spelling(after.children, name) == name]
        if before is None or vanished or not self.same.directories(before, after):
            yield from self.parents()
        if before is not None and self.opaque and path and vanished and len(vanished) == len(before.children):
            yield Opaque(path)
            return
        for name in vanished:
            yield Whiteout(_checked(join(path, name)))

    def below(self, depth: int, path: bytes, before: Directory | None, after: Directory) -> Iterator[_Pair]:
        """Yield what is to be compared in a directory, the last name first."""
        children = {} if before is None else before.children
        written = self.groups.written.within(path) or {}
        for name in sorted(written if before is after else after.children, reverse=True):
            node, other = after.children[name], children.get(name)
            if other is None and self.new.windows:
                known = children.get(spelling(children, name))
                other = known if isinstance(known, Directory) else None
            if node is not other or name in written:
                yield depth, join(path, name), other, node

    def leaf(self, path: bytes, before: Node | None, after: Node) -> Change | None:
        """Return the change that makes a file; None if it is the same."""
        assert not isinstance(after, Directory)
        if path in self.groups.leaders:
            leader = self.groups.leaders[path]
            if leader is None:
                return None
            if leader != path:
                return Link(_checked(path), leader)
        elif before is not None and not isinstance(before, Directory) and self.same.leaves(before, after):
            return None
        return Add.of(_checked(path), after)

    def parents(self) -> Iterator[Change]:
        """Yield the directories down to the present one that are not emitted yet."""
        while self.shown < len(self.above):
            path, directory = self.above[self.shown]
            self.shown += 1
            if path or not self.new.windows:  # A layer for Windows has no entry of its root.
                yield Add(_checked(path), directory)


def _checked(path: bytes) -> bytes:
    """Return a path that a layer can have."""
    check_name(path)
    return path
