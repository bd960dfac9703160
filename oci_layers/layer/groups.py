"""Which files with several names (hard links) a layer must write again, so that the same names share a file.

A layer cannot name a file of a lower layer as the target of a hard link where layers are mounted as an overlay
(EDGE-13), and it cannot take one name out of a file. So the names of a file are written all or not at all, the first
with the content and the others as links to it (GEN-06). They stay as they are if all of them shared one equal file
before. A file whose names now have several files stays with those of them that are the most, or the first; what a
removed name leaves behind stays, too.

The names of a file may be in directories that both trees share, where nothing else differs. So they are decided before
the first change is emitted, by a pass over the directories that the trees do not share.
"""

from oci_layers.layer.compare import Comparison
from oci_layers.tree.node import Directory, Leaf
from oci_layers.tree.path import join
from oci_layers.tree.pathset import PathSet
from oci_layers.tree.tree import FileTree

__all__ = ["LinkGroups"]


class LinkGroups:
    """What becomes of the names of files that have several, in the old tree or in the new one.

    `leaders` has each name that was decided: the first name of its file if it is written, else None. `written` has the
    names that are written, and the directories above them.
    """

    def __init__(self, old: FileTree, new: FileTree, same: Comparison) -> None:
        self.leaders: dict[bytes, bytes | None] = {}
        self.written = PathSet()
        self._old = old
        self._new = new
        self._same = same
        self._old_names: dict[int, tuple[bytes, ...]] = {}
        self._new_names: dict[int, tuple[bytes, ...]] = {}
        self._shared: dict[int, Leaf | None] = {}
        self._keepers: dict[int, int] = {}
        if old.has_links or new.has_links:
            self._decide_all()

    def _decide_all(self) -> None:
        stack: list[tuple[bytes, Directory | None, Directory]] = [(b"", self._old.root, self._new.root)]
        while stack:
            path, before, after = stack.pop()
            if before is after:
                continue
            for name, node in after.children.items():
                other = None if before is None else before.children.get(name)
                if isinstance(node, Directory):
                    stack.append((join(path, name), other if isinstance(other, Directory) else None, node))
                elif other is not node:
                    self._decide(join(path, name), None if isinstance(other, Directory) else other, node)

    def _decide(self, path: bytes, other: Leaf | None, node: Leaf) -> None:
        """Decide about all names of the file `node`, which has the name `path`."""
        if path in self.leaders:
            return
        names = self._names_now(path, node)
        if len(names) == 1 and (other is None or len(self._names_before(other)) < 2):
            return  # No links are involved.
        shared = self._shared_before(node, names)
        if shared is not None and self._keeper(shared) == node.inode:
            self.leaders.update(dict.fromkeys(names))
            return
        self._write(names)

    def _write(self, names: tuple[bytes, ...]) -> None:
        self.leaders.update(dict.fromkeys(names, min(names, key=_in_order)))
        for name in names:
            self.written.add(name)

    def _names_now(self, path: bytes, node: Leaf) -> tuple[bytes, ...]:
        names = _names(self._new, self._new_names, node)
        return names if len(names) > 1 else (path,)

    def _names_before(self, node: Leaf) -> tuple[bytes, ...]:
        return _names(self._old, self._old_names, node)

    def _shared_before(self, node: Leaf, names: tuple[bytes, ...]) -> Leaf | None:
        """Return the one equal file that all `names` of `node` had before; None if there is none."""
        if node.inode not in self._shared:
            before = [self._old.at(name) for name in names]
            first = before[0]
            alike = (
                first is not None
                and not isinstance(first, Directory)
                and all(not isinstance(each, Directory | None) and each.inode == first.inode for each in before)
                and self._same.leaves(first, node)
            )
            self._shared[node.inode] = first if alike and not isinstance(first, Directory) else None
        return self._shared[node.inode]

    def _keeper(self, before: Leaf) -> int:
        """Return the inode in the new tree of the file that keeps the old file `before`, which had several names.

        The other files that could keep it are written, even if the trees share their nodes.
        """
        if before.inode not in self._keepers:
            files: dict[int, tuple[bytes, ...]] = {}
            for name in sorted(self._names_before(before), key=_in_order):
                node = self._new.at(name)
                if isinstance(node, Directory | None) or node.inode in files:
                    continue
                names = self._names_now(name, node)
                if self._shared_before(node, names) is not None:  # Then it is `before`, which has `name`.
                    files[node.inode] = names
            keeper = self._keepers[before.inode] = max(files, key=lambda inode: len(files[inode]))
            for inode, names in files.items():
                if inode != keeper:
                    self._write(names)
        return self._keepers[before.inode]


def _names(tree: FileTree, known: dict[int, tuple[bytes, ...]], node: Leaf) -> tuple[bytes, ...]:
    """Return the names of a file if it has several, kept in `known`, as there may be many; else one name or none."""
    names = known.get(node.inode)
    if names is None:
        names = tree.link_names(node.inode)
        if len(names) > 1:
            known[node.inode] = names
    return names


def _in_order(path: bytes) -> list[bytes]:
    """Return the key that sorts paths as `FileTree.walk` yields them."""
    return path.split(b"/")
