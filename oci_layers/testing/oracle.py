"""The oracle: the rules of layers (image-spec, layer.md) as the shortest program that could be right.

It is read from top to bottom beside layer.md: what an entry means, what a path means, what a layer makes. It judges
engines: one is right if it makes the same tree. It shares no code with any, keeps everything in memory, and is slow
where that is simpler. The ids are those of the cases; where the spec is silent (EDGE, AUF, ATT), they name what the
default policy decides.

    >>> from oci_layers.tar import DIRECTORY, Entry
    >>> lower = [Entry(b"d/", DIRECTORY, mode=0o755), Entry(b"d/old"), Entry(b"d/kept")]
    >>> upper = [Entry(b"d/new"), Entry(b"d/.wh.old")]
    >>> sorted(merge([lower, upper]))
    [b'', b'd', b'd/kept', b'd/new']

A tree is a dictionary from paths to nodes: `b""` is the root, and every other path has its parent in the dictionary
too. Nodes never change. Two names of one file (hard links) lead to the same node, and no others do, except that all
directories that no entry describes are the node `IMPLIED`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

__all__ = ["IMPLIED", "Node", "RefusedError", "TarEntry", "merge"]


class RefusedError(ValueError):
    """An entry that no layer may have, or that cannot be applied: the whole stack makes no tree."""


class TarEntry(Protocol):
    """What is read of an entry; `oci_layers.tar.Entry` has it."""

    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    linkname: bytes
    devmajor: int
    devminor: int
    xattrs: Mapping[bytes, bytes]

    def read(self) -> bytes: ...


@dataclass(frozen=True, eq=False)
class Node:
    """A file of any type, with all that its entry says (LYR-06); two are equal if they are one file."""

    kind: Literal["file", "dir", "symlink", "char", "block", "fifo"]
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[bytes, bytes]
    data: bytes = b""
    """The content of a file, or the target of a symlink."""
    device: tuple[int, int] | None = None
    """The major and minor number of a device."""
    implied: bool = False
    """Whether no entry describes it; then the spec does not give its attributes."""


IMPLIED = Node("dir", 0o755, 0, 0, 0, {}, implied=True)
"""A directory that a path needs and no entry describes (EDGE-11), such as the root of an image without layers."""


@dataclass(frozen=True)
class Add:
    """A new file, or a changed one: both look the same (LYR-04)."""

    path: bytes
    node: Node


@dataclass(frozen=True)
class Link:
    """One more name of a file (LYR-08)."""

    path: bytes
    target: bytes


@dataclass(frozen=True)
class Whiteout:
    """The removal of what lower layers have at a name in a directory (WHT-01)."""

    directory: bytes
    name: bytes


@dataclass(frozen=True)
class Opaque:
    """The removal of all that lower layers have in a directory (WHT-09)."""

    directory: bytes


Change = Add | Link | Whiteout | Opaque
Tree = dict[bytes, Node]
Parents = Literal["follow", "replace"]

KINDS: Mapping[bytes, Literal["file", "dir", "symlink", "char", "block", "fifo"]] = {
    b"0": "file",
    b"7": "file",  # EDGE-32: contiguous
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
}
AUFS = {b".wh..wh.plnk", b".wh..wh.aufs", b".wh..wh.orph"}


def changes(layer: Iterable[TarEntry]) -> list[Change]:
    """Return the changes that the entries of a layer make, in their order."""
    found = [change(entry) for entry in layer]
    return [each for each in found if each is not None]


def change(entry: TarEntry) -> Change | None:
    """Return what one entry changes; None if nothing."""
    if entry.type == b"g":
        return None  # EDGE-33: a global header changes nothing.
    path = clean(entry.name)
    parent, name = split(path)
    if path.split(b"/")[0] in AUFS:
        return None  # AUF-05: what AUFS left at the root.
    if b"/.wh." in b"/" + parent:
        raise RefusedError(f"{path!r}: no directory has such a name")  # WHT-04, EDGE-25
    if name == b".wh..wh..opq":
        return Opaque(parent)
    if name.startswith(b".wh..wh."):
        return None  # EDGE-23: it removes a name that no image has (WHT-04).
    if name in {b".wh.", b".wh..", b".wh..."}:
        raise RefusedError(f"{path!r}: it does not name what it removes")  # WHT-03, EDGE-21, EDGE-22
    if name.startswith(b".wh."):
        return Whiteout(parent, name.removeprefix(b".wh."))  # EDGE-24: of whatever type the entry is.
    check_length(path)
    if path == b"" and entry.type != b"5":
        raise RefusedError("the root is a directory")  # EDGE-16b
    if entry.type in {b"1", b"2"} and (not entry.linkname or b"\0" in entry.linkname):
        raise RefusedError(f"{path!r}: a link to nothing")
    if entry.type == b"1":
        return Link(path, clean(entry.linkname, clamp=True))  # EDGE-14c, EDGE-14d; its metadata do not count (EDGE-13).
    return Add(path, described(path, entry))


def described(path: bytes, entry: TarEntry) -> Node:
    """Return the file that an entry describes."""
    kind = KINDS.get(entry.type)
    if kind is None:
        raise RefusedError(f"{path!r}: unknown type")  # EDGE-32
    if not (0 <= entry.uid < 2**32 - 1 and 0 <= entry.gid < 2**32 - 1):
        raise RefusedError(f"{path!r}: nobody is this owner")  # EDGE-37
    if kind in {"char", "block"} and not (0 <= entry.devmajor < 2**32 and 0 <= entry.devminor < 2**32):
        raise RefusedError(f"{path!r}: no device has this number")  # ATT-11
    if len(entry.linkname) >= 4096:
        raise RefusedError(f"{path!r}: no system holds this link")
    mode = 0o777 if kind == "symlink" else entry.mode & 0o7777  # ATT-09: the mode of a link means nothing.
    data = entry.read() if kind == "file" else entry.linkname if kind == "symlink" else b""
    device = (entry.devmajor, entry.devminor) if kind in {"char", "block"} else None
    return Node(kind, mode, entry.uid, entry.gid, entry.mtime_ns, dict(entry.xattrs), data, device)


def clean(name: bytes, *, clamp: bool = False) -> bytes:
    """Return the path from the root that a name means, by its letters alone (LYR-11, EDGE-17)."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b".." and not parts and not clamp:
            raise RefusedError(f"{name!r}: it is above the root")  # EDGE-18
        if part == b"..":
            parts = parts[:-1]
        elif part not in {b"", b"."}:
            parts.append(part)
    path = b"/".join(parts)
    if b"\0" in path:
        raise RefusedError(f"{name!r}: no name has a NUL")
    return path


def check_length(path: bytes) -> None:
    """Refuse what no file system holds."""
    parts = path.split(b"/")
    if len(path) > 4096 or len(parts) > 256 or max(map(len, parts)) > 255:
        raise RefusedError(f"{path!r}: too long")


def split(path: bytes) -> tuple[bytes, bytes]:
    """Return the parent and the last component of a path."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def join(parent: bytes, name: bytes) -> bytes:
    """Return the path of a name in a directory."""
    return parent + b"/" + name if parent else name


def is_below(path: bytes, directory: bytes) -> bool:
    """Return whether a path is below another."""
    return path.startswith(directory + b"/") if directory else path != b""


def follow(tree: Tree, path: bytes) -> tuple[bytes, list[bytes]]:
    """Return where a path leads if links are followed, and the links on the way.

    A link leads where it leads a process that has the root of the image as its own: never above it (EDGE-12, EDGE-12c).
    What is missing may be made, so `..` in a link cancels the name before it, there or not (EDGE-12d).
    """
    here = b""
    links: list[bytes] = []
    rest = path.split(b"/")
    while rest:
        part = rest.pop(0)
        if part == b"..":
            here, _ = split(here)
        elif part not in {b"", b"."}:
            here = join(here, part)
            if here in tree and tree[here].kind == "symlink":
                links.append(here)
                target = tree[here].data
                rest = target.split(b"/") + rest
                here = b"" if target.startswith(b"/") else split(here)[0]
        if len(links) > 40:
            raise RefusedError(f"{path!r}: a loop of links")  # EDGE-12e
    return here, links


def merge(
    layers: Iterable[Iterable[TarEntry]], *, lower: Mapping[bytes, Node] | None = None, parents: Parents = "follow"
) -> dict[bytes, Node]:
    """Return the tree that layers make, the lowest first (MAN-14).

    Args:
        layers: The entries of each layer.
        lower: The tree that they are laid on; an empty directory if it is None (LYR-18).
        parents: Whether links in the path to a name are followed, or replaced by directories as in an overlay mount.

    Raises:
        RefusedError: A layer cannot be applied.
    """
    tree = {b"": IMPLIED} if lower is None else dict(lower)
    for layer in layers:
        tree = merge_layer(tree, changes(layer), parents)
    return tree


def merge_layer(lower: Tree, layer: list[Change], parents: Parents) -> Tree:
    """Return the tree that one layer makes of the tree below it.

    First all removals, of what lower layers have; then all additions (WHT-06, WHT-07, WHT-11).

    If the path of a marker leads through a link, the layer may put something else in the place of that link, in which
    nothing lower is. Such markers come last (EDGE-12f).

    A layer may also remove what its additions need: the target of a hard link, or a link in a path. The spec does not
    say what that makes. Such a layer makes another tree if it adds first; it is read in tar order (EDGE-13b, EDGE-13c).
    """
    markers = [each for each in layer if isinstance(each, Whiteout | Opaque)]
    additions: list[Change] = [each for each in layer if isinstance(each, Add | Link)]
    far: list[Change] = [each for each in markers if parents == "follow" and follow(lower, each.directory)[1]]
    near: list[Change] = [each for each in markers if each not in far]

    tree = attempt(lower, near + additions + far, parents)
    if tree is not None and tree == attempt(lower, additions + near + far, parents):
        return tree
    return Merging(lower, parents).result([each for each in layer if each not in far] + far)


def attempt(lower: Tree, layer: list[Change], parents: Parents) -> Tree | None:
    """Return the tree that changes make one after another; None if one is refused."""
    try:
        return Merging(lower, parents).result(layer)
    except RefusedError:
        return None


@dataclass
class Merging:
    """A layer while it is merged, change by change, in whatever order they are given."""

    lower: Tree
    parents: Parents
    tree: Tree = field(default_factory=dict)
    own: set[bytes] = field(default_factory=set)
    """The names that this layer has written so far: none if its removals come first."""

    def result(self, layer: list[Change]) -> Tree:
        """Return the tree that changes make one after another."""
        self.tree = dict(self.lower)
        for each in layer:
            match each:
                case Add(path, node):
                    self.add(path, node)
                case Link(path, target):
                    self.link(path, target)
                case Whiteout(directory, name):
                    self.hide(directory, name)
                case Opaque(directory):
                    self.hide(directory, None)
        return self.tree

    def add(self, path: bytes, node: Node) -> None:
        """Put a file at a name."""
        place = self.resolve(path)
        self.make_parents(place)
        if not (node.kind == "dir" and self.is_directory(place)):  # LYR-15: its children stay, its attributes do not.
            self.remove(place)  # LYR-16: anything else is removed before it is made anew.
        self.tree[place] = node
        self.own.add(place)

    def link(self, path: bytes, target: bytes) -> None:
        """Give a file one more name: the file itself, with all that it has (EDGE-13), also a symlink (EDGE-14)."""
        old = self.resolve(target)  # EDGE-14f
        file = self.tree.get(old)
        if file is None or file.kind == "dir":
            raise RefusedError(f"{path!r}: there is no file {target!r}")  # EDGE-14b, EDGE-14e
        place = self.resolve(path)
        self.make_parents(place)
        self.remove(place)  # LYR-16
        if self.tree.get(old) is not file:
            raise RefusedError(f"{path!r}: it replaces its target")  # EDGE-14e
        self.tree[place] = file
        self.own.add(place)

    def hide(self, directory: bytes, name: bytes | None) -> None:
        """Remove what lower layers have: a name in a directory, or all that is in it."""
        here, links = follow(self.lower, directory) if self.parents == "follow" else (directory, [])
        if any(link == path or is_below(path, link) for link in links for path in self.own):
            return  # The link has been replaced.
        hidden = [path for path in self.tree if is_below(path, here)]  # WHT-09: not the directory itself
        if name is not None:
            place = join(here, name)
            hidden = [path for path in hidden if path == place or is_below(path, place)]  # WHT-12
        for path in sorted(hidden, reverse=True):  # what is in a directory before the directory
            if path in self.own:
                continue  # WHT-06, WHT-07
            if any(is_below(other, path) for other in self.tree):
                self.tree[path] = IMPLIED  # What the layer adds below needs a directory, but not the lower one.
            else:
                del self.tree[path]

    def resolve(self, path: bytes) -> bytes:
        """Return the place of a name; a link of this name itself is not followed (EDGE-12b)."""
        parent, name = split(path)
        place = join(follow(self.tree, parent)[0] if self.parents == "follow" else parent, name)
        check_length(place)
        return place

    def make_parents(self, place: bytes) -> None:
        """Make the directories above a place; those that exist stay as they are (EDGE-11)."""
        parent, _ = split(place)
        if parent:
            self.make_parents(parent)
            if not self.is_directory(parent):
                self.tree[parent] = IMPLIED  # EDGE-10: in place of a file, too.

    def is_directory(self, path: bytes) -> bool:
        """Return whether there is a directory at a place."""
        return path in self.tree and self.tree[path].kind == "dir"

    def remove(self, path: bytes) -> None:
        """Remove what is at a place, with all that is below it."""
        for each in [other for other in self.tree if other == path or is_below(other, path)]:
            del self.tree[each]
