"""Write the changes that a layer makes to the merged tree into a directory, in the form of an overlay mount.

Theory of operation. The layer is applied to the tree below, and this mirror repeats each step, in a directory that
holds nothing of what is below. A file is written where it is in the merged tree, in directories that are made for it;
a step about a name that only a lower layer has does nothing yet. When the layer has ended, the `diff` of the two trees,
which tells their nodes apart by identity, says what the directory must hold. Most of it is there; the rest is made:
whiteouts, for names that the tree below shows and no others, and all names of a file of which one changed or went. So
the union of the directories is the merged tree, with its links, its parents and no name too many, whatever the tar had.

The changes are written to a file beside the directory at the same time; see `changes_file`.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, assert_never

import attrs

from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.diff import diff
from oci_layers.layer.overlay import escaped
from oci_layers.report import Report, Skipped
from oci_layers.snapshot.changes_file import SMALL, ContentOpener, StoredContent, line_of
from oci_layers.snapshot.content_digests import ContentDigests, ContentHasher
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.tree.content import EMPTY, Extents, Inline, stored_pieces
from oci_layers.tree.node import Device, Directory, File, Leaf, Node
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["UpperMirror"]

_Made: TypeAlias = dict[bytes, "_Made"]
"""The directories that are in the upper directory, by name, each with those in it."""

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
        self._upper = _Skeleton(Directory(0, 0, 0, 0))
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
        self._upper = _Skeleton(new.root)
        files = []
        for change in self._changes(old, new):
            content: Known = EMPTY
            if isinstance(change, Add) and isinstance(change.node, File):
                content = self._place_file(change.path, change.node)
                if isinstance(content, StoredContent):
                    files.append((change.path, change.node, content))
                    change.node.content = opener(change.path, content)
                else:
                    change.node.content = content
            write_line(line_of(change, content))
            node = self._place(change, self._upper)
            if node is not None and self._is_missing(node) and old.at(change.path) is not None:
                self._hide(change.path)
        return files

    def finish(self) -> None:
        """Set the attributes of the directories."""
        self._mirror.finish(self._upper.tree, checkpoint=self._checkpoint)

    def _changes(self, old: FileTree, new: FileTree) -> Iterator[Change]:
        """Yield the root, changed or not, then what differs; and directories that were made for what is gone again."""
        described: set[bytes] = {b""}
        yield Add(b"", new.root)
        for change in diff(old, new, content="identity") if old.root.children else _everything(new):
            if isinstance(change, Add) and isinstance(change.node, Directory):
                described.add(change.path)
            if change.path:
                yield change
        for path in _paths(self._made):
            node = new.at(path)
            if path not in described and isinstance(node, Directory):
                yield Add(path, node)

    def _place(self, change: Change, upper: "_Skeleton") -> Leaf | None:
        """Make what a change says and the steps have not made; return the file that now has the name, if it is one."""
        parent, name = parent_and_name(change.path)
        match change:
            case Add(path, Directory() as node):
                if path:
                    self._make_directory(self._enter(parent), parent, name)
                    upper.add(path, node)
                return None
            case Add(path, node):
                assert not isinstance(node, Directory)
                upper.add(path, node)
                if self._written.get(path) is not node and not _is_whiteout(node):
                    self._enter(parent)
                    self._write(parent, name, node, None)
                return node
            case Link(path, target):
                node = upper.leaf(target)
                upper.add(path, node)
                if self._written.get(path) is not node and not _is_whiteout(node):
                    self._enter(parent)
                    self._mirror.link(target, parent, name, node)
                return node
            case Whiteout(path):
                self._hide(path)
                return None
            case Opaque():
                raise AssertionError("a diff without opaque markers has one")
            case _:
                assert_never(change)

    def _place_file(self, path: bytes, node: File) -> Known:
        """Write a file that no step wrote; return what is known of its bytes."""
        if self._written.get(path) is not node:
            parent, name = parent_and_name(path)
            self._enter(parent)
            self._write(parent, name, node, stored_pieces(node.content) if node.content.size else None)
            self._written[path] = node
        known = self._contents.get(node.inode, EMPTY)
        if isinstance(known, Inline):
            return known
        return StoredContent(node.content.size, known.hexdigest(), node.content.extents)

    def _is_missing(self, node: Leaf) -> bool:
        """Return whether a file is not in the directory although its layer has it."""
        return _is_whiteout(node) or self._mirror.is_absent(node)

    def _hide(self, path: bytes) -> None:
        """Make a whiteout.

        Raises:
            UnsupportedError: The system refuses it.
        """
        parent, name = parent_and_name(path)
        self._enter(parent)
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


class _Skeleton:
    """What the directory has of the merged tree, as a tree, for the attributes of its directories."""

    def __init__(self, root: Directory) -> None:
        self.tree = FileTree()
        self.tree.root = _bare(root)
        self._directories: dict[bytes, Directory] = {b"": self.tree.root}

    def add(self, path: bytes, node: Node) -> None:
        """Add a name; the directory above was added before."""
        parent, name = parent_and_name(path)
        if isinstance(node, Directory):
            node = self._directories[path] = _bare(node)
        self._directories[parent].children[name] = node

    def leaf(self, path: bytes) -> Leaf:
        """Return the file at a path."""
        parent, name = parent_and_name(path)
        node = self._directories[parent].children[name]
        assert not isinstance(node, Directory)
        return node


def _bare(directory: Directory) -> Directory:
    """Return a directory with the attributes that one has on disk, and nothing in it."""
    shown = escaped(directory, NAMESPACE)
    return Directory(shown.mode, shown.uid, shown.gid, shown.mtime_ns, shown.xattrs, shown.layer)


def _everything(tree: FileTree) -> Iterator[Change]:
    """Yield what `diff` yields for a tree over an empty one, sooner: a base layer is the largest of most images."""
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        if isinstance(node, Directory) or (leader := first.setdefault(node.inode, path)) == path:
            yield Add(path, node)
        else:
            yield Link(path, leader)


def _is_whiteout(node: Node) -> bool:
    """Return whether an overlay mount takes a node of an image for a whiteout."""
    return isinstance(node, Device) and node.number == ("char", 0, 0)


def _renew_links(old: FileTree, new: FileTree) -> None:
    """Give each file that lost a name a node of its own, so that the names that it keeps are written as one file.

    Otherwise the file of a lower layer would be shown, with the number of names that it has there.
    """
    for inode in _linked_before(old, new) if old.has_links else ():
        renewed: Leaf | None = None
        for path in new.link_names(inode):
            node = new.at(path)
            assert not isinstance(node, Directory | None)
            renewed = renewed or attrs.evolve(node)
            here = new.writable_root()
            *parents, name = path.split(b"/")
            for each in parents:
                here = new.writable_child(here, each)
            here.children[name] = renewed


def _linked_before(old: FileTree, new: FileTree) -> set[int]:
    """Return the inodes of files of several names in the old tree of which one is gone."""
    found = set()
    stack: list[tuple[Directory, Node | None]] = [(old.root, new.root)]
    while stack:
        before, after = stack.pop()
        names = after.children if isinstance(after, Directory) else {}
        for name, node in before.children.items():
            other = names.get(name)
            if other is node:
                continue
            if isinstance(node, Directory):
                stack.append((node, other))
            elif (isinstance(other, Directory | None) or other.inode != node.inode) and old.link_names(node.inode):
                found.add(node.inode)
    return found


def _paths(made: _Made) -> Iterator[bytes]:
    """Yield the paths of directories, each before those in it."""
    stack = [(b"", made)]
    while stack:
        path, here = stack.pop()
        for name, below in here.items():
            yield join(path, name)
            stack.append((join(path, name), below))


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
