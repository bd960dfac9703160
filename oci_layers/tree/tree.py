"""A file system in memory that can be forked.

A `FileTree` is persistent: `fork()` takes constant time, and a later write copies only the directories on its path.
Each tree has a token: it changes a directory with the same token in place, and copies any other first. A fork gives
both trees new tokens, so that all directories are shared until one of the trees writes to them. Other nodes never
change. Names that share a file (hard links) share its node; `links` records these names, only of files with several.
`editor` lays one node over another, `dump` is the text form.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.tree.content import Content, same_content
from oci_layers.tree.fold import FoldedNames, spelling
from oci_layers.tree.links import LinkNames
from oci_layers.tree.node import Device, Directory, File, Leaf, Node, Symlink, implicit_directory
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.resolve import Resolution, resolve
from oci_layers.tree.windows import DRIVES, same_windows

__all__ = ["FileTree"]


class FileTree:
    """A file system in memory; the module docstring explains how forks share directories.

    Several threads may read it; one thread writes it, through `editor.TreeEditor`.
    """

    __slots__ = (
        "_inodes",
        "_links",
        "_links_token",
        "_token",
        "drives",
        "implied",
        "limits",
        "metadata",
        "root",
        "windows",
    )

    root: Directory
    limits: Limits
    """The limits on paths, links and everything laid over the tree; forks have the same."""
    implied: int
    """The number of directories ever made because a path below them implied them."""
    metadata: int
    """The bytes of metadata ever laid over the tree; `Limits.metadata_bytes` defines what counts."""
    windows: bool
    """Whether it is of an image for Windows: names are looked up without case, and links have paths of Windows."""
    drives: tuple[bytes, ...]
    """Where C: is for the links in it: the root of a `subtree`, else `windows.DRIVES`; without `windows`, none."""

    __hash__ = None  # type: ignore[assignment]  # a tree changes, so it is not a key

    def __init__(
        self, *, limits: Limits | None = None, windows: bool = False, drives: tuple[bytes, ...] | None = None
    ) -> None:
        self.limits = limits or DEFAULT_LIMITS
        self.drives = (DRIVES if windows else ()) if drives is None else drives
        self.windows = bool(self.drives)
        self._token = object()
        self._links_token = self._token
        self._links = LinkNames()
        self._inodes = 0
        self.implied = self.metadata = 0
        self.root = implicit_directory(0, self._token)
        if windows:
            self.root.children = FoldedNames()

    def fork(self) -> "FileTree":
        """Return an equal tree that changes independently, in constant time."""
        other = FileTree(limits=self.limits, drives=self.drives)
        other.root, other._links, other._inodes = self.root, self._links, self._inodes
        other.implied, other.metadata = self.implied, self.metadata
        self._token = object()
        other._links_token = self._links_token
        return other

    __copy__ = fork

    def __deepcopy__(self, _: object) -> "FileTree":
        return self.fork()

    def __reduce__(self) -> tuple[Callable[..., "FileTree"], tuple[object, ...]]:
        """Pickle the names and nodes; contents as they are, so those of an image open it again where they are read."""
        nodes = [
            (path, attrs.evolve(node, children={}, token=None) if isinstance(node, Directory) else node)
            for path, node in self.walk()
        ]
        names = {node.inode: self.link_names(node.inode) for _, node in nodes if not isinstance(node, Directory)}
        links = [(inode, each) for inode, each in names.items() if len(each) > 1]
        return _rebuilt, (self.limits, self.drives, nodes, links, self._inodes, self.implied, self.metadata)

    @property
    def token(self) -> object:
        """The token of the directories that may be changed in place; new after each fork."""
        return self._token

    def writable_root(self) -> Directory:
        """Return the root, copied first if it is shared with a fork."""
        if self.root.token is not self._token:
            self.root = self._copied(self.root)
        return self.root

    def writable_child(self, directory: Directory, name: bytes) -> Directory:
        """Return the directory `name` in `directory`, which must be writable, copied first if it is shared."""
        child = directory.children[name]
        assert isinstance(child, Directory)
        if child.token is not self._token:
            child = directory.children[name] = self._copied(child)
        return child

    def subtree(self, path: bytes) -> "FileTree":
        """Return the tree of a directory at a resolved path, whose root it is, as a fork of this tree.

        Hard links join the names that are in it. Time grows with its names if the tree has hard links.
        """
        root = self.at(path)
        assert isinstance(root, Directory)
        other = FileTree(limits=self.limits, drives=(b"",) if path and self.windows else self.drives)
        self._token = object()  # As in a fork, both trees now share the directories.
        other.root, other._inodes = root, self._inodes
        other.implied, other.metadata = self.implied, self.metadata
        if self.has_links:
            inside = path + b"/" if path else b""
            seen: set[int] = set()
            for _, node in other.walk():
                if not isinstance(node, Directory) and node.inode not in seen:
                    seen.add(node.inode)
                    names = [name for name in self.link_names(node.inode) if name.startswith(inside)]
                    if len(names) > 1:
                        other.replace_link_names(node.inode, [name[len(inside) :] for name in names])
        return other

    def new_names(self) -> dict[bytes, Node]:
        """Return the names of a new directory: none yet."""
        return FoldedNames() if self.windows else {}

    def spelled(self, path: bytes) -> bytes:
        """Return a clean path with its components as they are spelled in this tree, as far as directories lead."""
        names = path.split(b"/")
        here: Node | None = self.root
        for at, name in enumerate(names):
            if not isinstance(here, Directory):
                break
            names[at] = spelling(here.children, name)
            here = here.children.get(names[at])
        return b"/".join(names)

    def _copied(self, directory: Directory) -> Directory:
        return attrs.evolve(directory, children=directory.children.copy(), token=self._token)

    def new_inode(self) -> int:
        """Return an inode id that no node of this tree has."""
        self._inodes += 1
        return self._inodes

    def note_link(self, inode: int, target: bytes, path: bytes) -> None:
        """Record that the node with this id, which has the resolved name `target`, also has the name `path`."""
        self._writable_links().add(inode, target, path)

    def replace_link_names(self, inode: int, names: Iterable[bytes]) -> None:
        """Record that the node with this id has exactly these resolved names, after some of them were moved."""
        self._writable_links().replace(inode, names)

    def _writable_links(self) -> LinkNames:
        if self._links_token is not self._token:
            self._links = self._links.fork()
            self._links_token = self._token
        return self._links

    @property
    def has_links(self) -> bool:
        """Whether any file has, or ever had, several names."""
        return bool(self._links)

    def linked_inodes(self) -> set[int]:
        """Return the ids of all files that have, or ever had, several names."""
        return self._links.inodes()

    def link_names(self, inode: int) -> tuple[bytes, ...]:
        """Return the resolved names that share the node with this id; empty if it never had several."""
        return tuple(path for path in self._links.names(inode) if self._has_inode(path, inode))

    def link_count(self, node: Node) -> int:
        """Return the number of names of a file; for a directory, 2 plus the number of directories in it."""
        if isinstance(node, Directory):
            return 2 + sum(isinstance(child, Directory) for child in node.children.values())
        return len(self.link_names(node.inode)) or 1

    def _has_inode(self, path: bytes, inode: int) -> bool:
        node = self.at(path)
        return not isinstance(node, Directory | None) and node.inode == inode

    def get(self, path: AnyPath, *, follow: bool = False) -> Node | None:
        """Return the node at `path`, or None.

        Follow links in the parents, inside the root; follow a link at `path` itself only with `follow`.

        Raises:
            UnsafePathError: `path` climbs above the root.
            LinkError: Too many links.
            LimitError: `path` is too long or too deep.
        """
        found = self.resolve(path, follow=follow)
        return found.node if len(found.rest) <= 1 else None

    def at(self, path: bytes) -> Node | None:
        """Return the node at a resolved path, or None; follow no link."""
        node: Node = self.root
        for name in path.split(b"/") if path else ():
            below = node.children.get(name) if isinstance(node, Directory) else None
            if below is None:
                return None
            node = below
        return node

    def resolve(self, path: AnyPath, *, follow: bool = False) -> Resolution:
        """Resolve `path` as `get` does, and return how far it led."""
        path = clean(to_bytes(path), limits=self.limits)
        limit, drives = self.limits.links, self.drives
        return resolve(self.root, path, follow=True, follow_last=follow, limit=limit, drives=drives)

    def require(self, path: AnyPath, *, follow: bool = False) -> Node:
        """Return the node at `path`; raises as `Resolution.require` where `get` returns None."""
        return self.resolve(path, follow=follow).require(to_bytes(path))

    def walk(self, path: AnyPath = b"") -> Iterator[tuple[bytes, Node]]:
        """Yield the node at `path` and all below it, with resolved paths.

        A directory comes before its children; the names in one directory are in the order of their bytes.

        Raises:
            PathError: Nothing exists at `path`; as `Resolution.require`.
        """
        found = self.resolve(path)
        stack: list[tuple[bytes, Node]] = [(found.path, found.require(to_bytes(path)))]
        while stack:
            here, node = stack.pop()
            yield here, node
            if isinstance(node, Directory):
                stack.extend((join(here, name), node.children[name]) for name in sorted(node.children, reverse=True))

    def __len__(self) -> int:
        """The number of names, including the root."""
        return sum(1 for _ in self.walk())

    def __contains__(self, path: AnyPath) -> bool:
        return self.get(path) is not None

    def __eq__(self, other: object) -> bool:
        """Compare everything that a file system shows, but not provenance, nor how contents are stored.

        Nodes that two forks share are equal without a comparison.
        """
        return self.is_like(other, same_content) if isinstance(other, FileTree) else NotImplemented

    def is_like(self, other: "FileTree", same: Callable[[Content, Content], bool]) -> bool:
        """Return whether two trees are equal, with `same` to compare contents."""
        compared: set[tuple[int, int]] = set()
        stack: list[tuple[Node, Node]] = [(self.root, other.root)]
        while stack:
            one, two = stack.pop()
            if one is two:
                continue
            if not _alike(one, two) or not same_windows(one.windows, two.windows, same):
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
        """Return whether a node here and one in `other` have the same names; `is_like` has compared a single one."""
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
            return one.number == two.number
        case _:  # fifos, which have nothing else
            return True


def _rebuilt(
    limits: Limits,
    drives: tuple[bytes, ...],
    nodes: Iterable[tuple[bytes, Node]],
    links: Iterable[tuple[int, tuple[bytes, ...]]],
    inodes: int,
    implied: int,
    metadata: int,
) -> FileTree:
    """Return a tree from what `FileTree.__reduce__` gives."""
    tree = FileTree(limits=limits, drives=drives)
    directories: dict[bytes, Directory] = {}
    for path, node in nodes:
        if isinstance(node, Directory):
            node.token = tree.token
            node.children = tree.new_names()
            directories[path] = node
        if path:
            parent, name = parent_and_name(path)
            directories[parent].children[name] = node
        else:
            assert isinstance(node, Directory)
            tree.root = node
    for inode, names in links:
        for other in names[1:]:
            tree.note_link(inode, names[0], other)
    tree._inodes, tree.implied, tree.metadata = inodes, implied, metadata  # noqa: SLF001  # one of its own
    return tree
