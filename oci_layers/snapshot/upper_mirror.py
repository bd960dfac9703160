"""Write the changes that a layer makes to the merged tree into a directory, in the form of an overlay mount.

Theory of operation. The layer is applied to the tree below, and this mirror repeats each step, in a directory that
holds nothing of what is below. A file is written where it is in the merged tree, in directories that are made for it;
a step about a name that only a lower layer has does nothing yet. When the layer has ended, one walk over both trees,
which share the nodes that did not change, finds what the directory must hold. Most of it is there; the rest is made:
whiteouts, for names that the tree below shows and no others, and all names of a file of which one changed or went. So
the union of the directories is the merged tree, with its links, its parents and no name too many, whatever the tar had.
What a layer wrote again is a change, equal or not, and so is each directory above it.

The changes are written to a file beside the directory at the same time; see `changes_file`.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import attrs

from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.layer.overlay import escaped
from oci_layers.report import Report, Skipped
from oci_layers.snapshot.changes_file import SMALL, ContentOpener, StoredContent, link_line, node_line, whiteout_line
from oci_layers.snapshot.content_digests import ContentDigests, ContentHasher
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.tree.content import EMPTY, Extents, Inline, stored_pieces
from oci_layers.tree.node import Device, Directory, File, Leaf, Node
from oci_layers.tree.path import join
from oci_layers.tree.tree import FileTree

__all__ = ["UpperMirror"]

_Made: TypeAlias = dict[bytes, "_Made"]
"""The directories that are in the upper directory, by name, each with those in it."""

_Pair: TypeAlias = tuple[bytes, Directory | None, Directory, Directory, _Made]
"""A directory of the merged tree: its path, what is below it, itself, and what the upper directory has of it, twice."""

Known: TypeAlias = StoredContent | Inline
"""What is known of the bytes of a file."""

_PRIVATE = Directory(0o700, 0, 0, 0)
_ZEROS = bytes(1 << 18)
_HIDDEN = "an overlay mount cannot show a device 0:0"


class UpperMirror:
    """A `tree.Mirror` of one layer. Not thread-safe."""

    def __init__(
        self, mirror: DirectoryMirror, report: Report, digests: ContentDigests, checkpoint: Callable[[], None]
    ) -> None:
        """Take what it writes with.

        Args:
            mirror: The mirror of an empty directory, made with `overlay=True`; the caller closes it.
            report: Receives what the system refuses.
            digests: Hashes the contents; the caller closes it.
            checkpoint: Called after each directory that is finished, and each piece of a sparse file, whose holes take
                the time of reading them; an exception that it raises ends the work.
        """
        self._checkpoint = checkpoint
        self._mirror = mirror
        self._report = report
        self._digests = digests
        self._last: tuple[bytes, _Made] = (b"", {})
        self._made: _Made = self._last[1]
        self._upper = FileTree()
        """What the directory has of the merged tree, for the attributes of its directories."""
        self._written: dict[bytes, Leaf] = {}
        """The files that steps made, by path. One that went with its directory stays here; its node is in no tree."""
        self._contents: dict[int, Inline | ContentHasher] = {}
        """What was written to each file, by inode."""

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """Make `node` where it is in the merged tree."""
        here = self._enter(parent)
        if isinstance(node, Directory):
            self._make_directory(here, parent, name)
            return
        if _is_whiteout(node):
            self._report.skipped.add(Skipped("device", join(parent, name), node.layer, None, _HIDDEN))
        else:
            self._write(parent, name, node, data)
        self._written[join(parent, name)] = node

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """Link a file that this layer made; one of a lower layer is written with all its names in the end."""
        if self._written.get(target) is node and not _is_whiteout(node):
            self._enter(parent)
            self._mirror.link(target, parent, name, node)
            self._written[join(parent, name)] = node

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove what this layer made."""
        if isinstance(node, Directory):
            here = self._find(parent)
            if here is not None and name in here:
                del here[name]
                self._last = b"", self._made
                self._mirror.remove(parent, name, node)
        elif self._written.get(join(parent, name)) is node:
            del self._written[join(parent, name)]
            if not _is_whiteout(node):
                self._mirror.remove(parent, name, node)

    def complete(
        self, old: FileTree, new: FileTree, opener: ContentOpener, write_line: Callable[[str], object]
    ) -> list[tuple[bytes, File, StoredContent]]:
        """Make what is missing, and write the lines of all changes; return the files that are not small.

        Args:
            old: The tree below.
            new: The tree with this layer. Its new files get the contents that `opener` returns: nothing else has them.
            opener: Returns the content of a file that is in the directory, to be read when it has its name.
            write_line: Receives the lines of `changes_file`.
        """
        self._digests.wait()
        _renew_links(old, new)
        self._upper.root = _bare(new.root)
        files: list[tuple[bytes, File, StoredContent]] = []
        first: dict[int, bytes] = {}
        stack: list[_Pair] = [(b"", old.root, new.root, self._upper.root, self._made)]
        while stack:
            path, before, after, upper, made = stack.pop()
            self._checkpoint()
            write_line(node_line(path, after))
            below: list[_Pair] = []
            for name, other, node in _differing(before, after):
                here = join(path, name)
                if isinstance(node, Directory):
                    self._make_directory(made, path, name)
                    bare = upper.children[name] = _bare(node)
                    below.append((here, other if isinstance(other, Directory) else None, node, bare, made[name]))
                    continue
                upper.children[name] = node
                leader = first.setdefault(node.inode, here)
                self._place(here, path, name, node, leader)
                if leader != here:
                    write_line(link_line(here, leader))
                elif isinstance(node, File):
                    known = self._known(node)
                    write_line(node_line(here, node, known))
                    if isinstance(known, StoredContent):
                        files.append((here, node, known))
                        node.content = opener(here, known)
                    else:
                        node.content = known
                else:
                    write_line(node_line(here, node))
                if other is not None and self._is_missing(node):
                    self._hide(path, name)
            for name in sorted(before.children.keys() - after.children.keys()) if before is not None else ():
                self._hide(path, name)
                write_line(whiteout_line(join(path, name)))
            stack.extend(reversed(below))
        return files

    def finish(self) -> None:
        """Set the attributes of the directories."""
        self._mirror.finish(self._upper, checkpoint=self._checkpoint)

    def _place(self, path: bytes, parent: bytes, name: bytes, node: Leaf, leader: bytes) -> None:
        """Make a name of the file whose first name is `leader`, unless a step made it."""
        if self._written.get(path) is node or _is_whiteout(node):
            return
        if leader != path:
            self._mirror.link(leader, parent, name, node)
        else:
            content = node.content if isinstance(node, File) else EMPTY
            self._write(parent, name, node, stored_pieces(content) if content.size else None)

    def _known(self, node: File) -> Known:
        """Return what is known of the bytes of a file that is written."""
        known = self._contents.get(node.inode, EMPTY)
        if isinstance(known, Inline):
            return known
        return StoredContent(node.content.size, known.hexdigest(), node.content.extents)

    def _is_missing(self, node: Leaf) -> bool:
        """Return whether a file is not in the directory although its layer has it."""
        return _is_whiteout(node) or self._mirror.is_absent(node)

    def _hide(self, parent: bytes, name: bytes) -> None:
        """Make a whiteout.

        Raises:
            UnsupportedError: The system refuses it.
        """
        self._mirror.make(parent, name, Device(0, 0, 0, 0), None)

    def _make_directory(self, here: _Made, parent: bytes, name: bytes) -> None:
        if name not in here:
            self._mirror.make(parent, name, _PRIVATE, None)
            here[name] = {}

    def _enter(self, path: bytes) -> _Made:
        """Return the directory at a path of the merged tree, made with those above it."""
        if self._last[0] == path:
            return self._last[1]
        here, above = self._made, b""
        for name in path.split(b"/") if path else ():
            self._make_directory(here, above, name)
            here, above = here[name], join(above, name)
        self._last = path, here
        return here

    def _find(self, path: bytes) -> _Made | None:
        here = self._made
        for name in path.split(b"/") if path else ():
            below = here.get(name)
            if below is None:
                return None
            here = below
        return here

    def _write(self, parent: bytes, name: bytes, node: Leaf, data: Iterator[memoryview] | None) -> None:
        """Make a file, and note what its bytes are."""
        shown = escaped(node, NAMESPACE)
        if not isinstance(node, File) or data is None:
            self._mirror.make(parent, name, shown, None)
            return
        hashed = self._hashed(node, data)
        self._mirror.make(parent, name, shown, hashed)
        for _ in hashed:  # A file that ends with a hole is written before the generator ends.
            pass

    def _hashed(self, node: File, data: Iterator[memoryview]) -> Iterator[memoryview]:
        """Yield the stored bytes of a file, and note what they are."""
        size, extents = node.content.size, node.content.extents
        if size <= SMALL and extents is None:
            held = b"".join(data)
            self._contents[node.inode] = Inline(held)
            yield memoryview(held)
            return
        hasher = self._contents[node.inode] = self._digests.hasher(size)
        if extents is None:
            for piece in data:
                hasher.update(piece)
                yield piece
        else:

            def update(piece: bytes | memoryview) -> None:
                self._checkpoint()
                hasher.update(piece)

            yield from _hash_sparse(update, size, extents, data)


def _bare(directory: Directory) -> Directory:
    """Return a directory with the attributes that one has on disk, and nothing in it."""
    shown = escaped(directory, NAMESPACE)
    return Directory(shown.mode, shown.uid, shown.gid, shown.mtime_ns, shown.xattrs, shown.layer)


def _differing(before: Directory | None, after: Directory) -> list[tuple[bytes, Node | None, Node]]:
    """Return the names of a directory whose nodes are not those of the tree below, in order, with both nodes."""
    if before is after:
        return []
    lower = {} if before is None else before.children
    names = sorted(name for name, node in after.children.items() if lower.get(name) is not node)
    return [(name, lower.get(name), after.children[name]) for name in names]


def _is_whiteout(node: Node) -> bool:
    """Return whether an overlay mount takes a node of an image for a whiteout."""
    return isinstance(node, Device) and node.number == ("char", 0, 0)


def _renew_links(old: FileTree, new: FileTree) -> None:
    """Give each file of which the layer changed some names, and left others, a node of its own.

    So all its names are written as one file. Otherwise those that are left would be the file of a lower layer, with the
    number of names that it has there.
    """
    for inode in new.linked_inodes() if old.root.children else ():
        names = new.link_names(inode)
        same = [old.at(path) is new.at(path) for path in names]
        if not any(same) or (all(same) and len(old.link_names(inode) or names) == len(names)):
            continue
        renewed: Leaf | None = None
        for path in names:
            node = new.at(path)
            assert not isinstance(node, Directory | None)
            renewed = renewed or attrs.evolve(node)
            here = new.writable_root()
            *parents, name = path.split(b"/")
            for each in parents:
                here = new.writable_child(here, each)
            here.children[name] = renewed


def _hash_sparse(
    update: Callable[[bytes | memoryview], None], size: int, extents: Extents, data: Iterator[memoryview]
) -> Iterator[memoryview]:
    """Yield the stored bytes of a sparse file, and hash them with zeros for its holes."""
    at, piece = 0, memoryview(b"")
    for start, length in extents:
        _hash_zeros(update, start - at)
        at = start + length
        missing = length
        while missing:
            if not piece:
                piece = next(data)
                yield piece
            now = piece[:missing]
            update(now)
            piece, missing = piece[len(now) :], missing - len(now)
    _hash_zeros(update, size - at)


def _hash_zeros(update: Callable[[bytes | memoryview], None], count: int) -> None:
    while count > 0:
        update(_ZEROS[:count])
        count -= len(_ZEROS)
