"""A file system in memory that can be forked.

A `FileTree` is persistent: `fork()` costs the same whatever the size, and a later write copies only the directories on
its path. Each tree has a token: a directory with the same token is changed in place, any other is copied first, and a
fork gives both sides a new token. Names that share a file (hard links) share its node; `links` has the names of those,
and of those only. How one node is laid over another is in `editor`, the text form in `dump`.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.tree.content import Content, same_content
from oci_layers.tree.links import LinkNames
from oci_layers.tree.node import Device, Directory, File, Leaf, Node, Symlink, implicit_directory
from oci_layers.tree.path import AnyPath, clean, join, to_bytes
from oci_layers.tree.resolve import Resolution, resolve

__all__ = ["FileTree"]


class FileTree:
    """A file system in memory. See the module for how forks share what they have in common.

    May be read from several threads; is written by one, through `merge.TreeEditor`.
    """

    __slots__ = ("_inodes", "_links", "_links_token", "_token", "implied", "limits", "metadata", "root")

    root: Directory
    limits: Limits
    """What paths, links and everything that is laid over the tree are held to; forks have the same."""
    implied: int
    """How many directories were ever made because a path below them implied them."""
    metadata: int
    """How many bytes of metadata were ever laid over the tree; `Limits.metadata_bytes` says what counts."""

    __hash__ = None  # type: ignore[assignment]  # a tree changes, so it is no key

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.limits = limits or DEFAULT_LIMITS
        self._token = object()
        self._links_token = self._token
        self._links = LinkNames()
        self._inodes = 0
        self.implied = self.metadata = 0
        self.root = implicit_directory(0, self._token)

    def fork(self) -> "FileTree":
        """Return a tree that is equal now and changes on its own, in constant time."""
        other = FileTree(limits=self.limits)
        other.root, other._links, other._inodes = self.root, self._links, self._inodes
        other.implied, other.metadata = self.implied, self.metadata
        self._token = object()
        other._links_token = self._links_token
        return other

    @property
    def token(self) -> object:
        """What a directory must bear to be changed in place; new after each fork."""
        return self._token

    def writable_root(self) -> Directory:
        """Return the root, copied first if it is shared with a fork."""
        if self.root.token is not self._token:
            self.root = self._copied(self.root)
        return self.root

    def writable_child(self, directory: Directory, name: bytes) -> Directory:
        """Return the directory `name` in `directory`, which must be owned, copied first if it is shared."""
        child = directory.children[name]
        assert isinstance(child, Directory)
        if child.token is not self._token:
            child = directory.children[name] = self._copied(child)
        return child

    def _copied(self, directory: Directory) -> Directory:
        return attrs.evolve(directory, children=directory.children.copy(), token=self._token)

    def new_inode(self) -> int:
        """Return an inode id that no node of this tree has."""
        self._inodes += 1
        return self._inodes

    def note_link(self, inode: int, target: bytes, path: bytes) -> None:
        """Remember that the node with this id, which has the resolved name `target`, has the name `path` too."""
        if self._links_token is not self._token:
            self._links = self._links.fork()
            self._links_token = self._token
        self._links.add(inode, target, path)

    def link_names(self, inode: int) -> tuple[bytes, ...]:
        """Return the resolved names that share the node with this id, or nothing for one that never had several."""
        return tuple(path for path in self._links.names(inode) if self._has_inode(path, inode))

    def _has_inode(self, path: bytes, inode: int) -> bool:
        node = self.at(path)
        return not isinstance(node, Directory | None) and node.inode == inode

    def get(self, path: AnyPath, *, follow: bool = False) -> Node | None:
        """Return the node at `path`, or None.

        Links in the parents are followed, inside the root; one that `path` itself names only with `follow`.

        Raises:
            UnsafePathError: `path` climbs above the root.
            LinkError: Too many links.
            LimitError: `path` is too long or too deep.
        """
        found = self.resolve(path, follow=follow)
        return found.node if len(found.rest) <= 1 else None

    def at(self, path: bytes) -> Node | None:
        """Return the node at a resolved path, no link followed, or None."""
        node: Node = self.root
        for name in path.split(b"/") if path else ():
            below = node.children.get(name) if isinstance(node, Directory) else None
            if below is None:
                return None
            node = below
        return node

    def resolve(self, path: AnyPath, *, follow: bool = False) -> Resolution:
        """Follow `path` as `get` does and say how far it led."""
        path = clean(to_bytes(path), limits=self.limits)
        return resolve(self.root, path, follow=True, follow_last=follow, limit=self.limits.links)

    def require(self, path: AnyPath, *, follow: bool = False) -> Node:
        """Return the node at `path`; raises as `Resolution.require` where `get` gives None."""
        return self.resolve(path, follow=follow).require(to_bytes(path))

    def walk(self, path: AnyPath = b"") -> Iterator[tuple[bytes, Node]]:
        """Yield the node at `path` and all below it, with resolved paths.

        A directory comes before what it holds, and names in one directory come in the order of their bytes.

        Raises:
            PathError: Nothing stands at `path`; as `Resolution.require`.
        """
        found = self.resolve(path)
        stack: list[tuple[bytes, Node]] = [(found.path, found.require(to_bytes(path)))]
        while stack:
            here, node = stack.pop()
            yield here, node
            if isinstance(node, Directory):
                stack.extend((join(here, name), node.children[name]) for name in sorted(node.children, reverse=True))

    def __len__(self) -> int:
        """The number of names, the root among them."""
        return sum(1 for _ in self.walk())

    def __contains__(self, path: AnyPath) -> bool:
        return self.get(path) is not None

    def __eq__(self, other: object) -> bool:
        """Compare everything that a file system shows; not provenance, and not how contents are kept.

        What two forks still share is not compared.
        """
        return self.is_like(other, same_content) if isinstance(other, FileTree) else NotImplemented

    def is_like(self, other: "FileTree", same: Callable[[Content, Content], bool]) -> bool:
        """Tell whether two trees are equal where `same` tells whether contents are."""
        compared: set[tuple[int, int]] = set()
        stack: list[tuple[Node, Node]] = [(self.root, other.root)]
        while stack:
            one, two = stack.pop()
            if one is two:
                continue
            if not _alike(one, two):
                return False
            if isinstance(one, Directory):
                assert isinstance(two, Directory)
                if one.children.keys() != two.children.keys():
                    return False
                stack.extend((node, two.children[name]) for name, node in one.children.items())
            else:
                assert not isinstance(two, Directory)
                pair = one.inode, two.inode
                if pair not in compared and not (_same_leaf(one, two, same) and self._same_names(other, *pair)):
                    return False
                compared.add(pair)
        return True

    def _same_names(self, other: "FileTree", one: int, two: int) -> bool:
        """Tell whether a node here and one there have the same names; a single one is that which was met."""
        names, others = self.link_names(one), other.link_names(two)
        return (len(names) < 2 and len(others) < 2) or set(names) == set(others)

    def __repr__(self) -> str:
        return f"<FileTree of {len(self)} names>"


def _attributes(node: Node) -> tuple[int, int, int, int, Mapping[bytes, bytes]]:
    return node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs


def _alike(one: Node, two: Node) -> bool:
    return type(one) is type(two) and _attributes(one) == _attributes(two)


def _same_leaf(one: Leaf, two: Leaf, same: Callable[[Content, Content], bool]) -> bool:
    match one, two:
        case File(), File():
            return same(one.content, two.content)
        case Symlink(), Symlink():
            return one.target == two.target
        case Device(), Device():
            return (one.kind, one.major, one.minor) == (two.kind, two.major, two.minor)
        case _:  # fifos, which have nothing else
            return True
