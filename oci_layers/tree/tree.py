"""A file system in memory that can be forked.

A `FileTree` is persistent: `fork()` costs the same whatever the size, and a later write copies only the directories on
its path. Each tree has a mark; a directory that bears it may be changed in place, any other is copied first, and a fork
gives both sides a new mark. Names that share a file (hard links) share its node; `links` has the names of those, and
of those only. How one thing is laid over another is in `merge`, the text form in `dump`.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from oci_layers.errors import LinkError, NotDirectoryError, PathMissingError, escape
from oci_layers.limits import Limits
from oci_layers.tree.links import LinkNames
from oci_layers.tree.node import Content, Device, Directory, File, Leaf, Node, Symlink, implicit_directory, same_content
from oci_layers.tree.path import AnyPath, clean, join, to_bytes

__all__ = ["FileTree", "Resolution", "resolve"]

_LIMITS = Limits()


@attrs.define
class Resolution:
    """How far a path could be followed from the root.

    `names` and `directories` are the directories passed (`directories` begins with the root). `rest` holds, last
    component first, what was not passed: it is empty for a directory; else it ends with the name of `node`, which is
    None where nothing stands. `followed` are the resolved paths of the links taken, `escaped_root` is the first after
    which the way led above the root and was held there. `consumed_dotdot` tells that `..` took back names that are
    missing or no directories: a link that comes there leads elsewhere.
    """

    names: list[bytes]
    directories: list[Directory]
    rest: list[bytes]
    node: Node | None
    followed: list[bytes]
    escaped_root: bytes | None
    consumed_dotdot: bool

    @property
    def path(self) -> bytes:
        """The resolved path of the node, or of the directory that was reached."""
        return b"/".join([*self.names, *self.rest[::-1]])

    def require(self, path: bytes) -> Node:
        """Return the node that `path` led to.

        Raises:
            NotDirectoryError: It led through something that is no directory.
            PathMissingError: It led to nothing; names the first link on the way, if there was one.
        """
        if self.node is None and self.followed:
            link, place = escape(b"/" + self.followed[0]), escape(b"/" + self.path)
            raise PathMissingError(path, f"no such file or directory; through the link {link} it is {place}")
        if self.node is None:
            raise PathMissingError(path)
        if len(self.rest) > 1:
            raise NotDirectoryError(path)
        return self.node


def resolve(
    root: Directory, path: bytes, *, follow: bool, follow_last: bool, limit: int, lexical_dotdot: bool = False
) -> Resolution:
    """Follow `path` from `root`, never above it, as a process whose root directory it is would.

    Args:
        root: Where to start, and what an absolute link target starts from.
        path: A clean path.
        follow: Follow links that are not the last component.
        follow_last: Follow the last component too.
        limit: How many links may be followed.
        lexical_dotdot: Let `..` in a link take back a name that is missing or no directory, instead of stopping there;
            `rest` has no `..` then.

    Raises:
        LinkError: More links than `limit`.
    """
    names: list[bytes] = []
    directories = [root]
    followed: list[bytes] = []
    escaped_root: bytes | None = None
    consumed_dotdot = False
    rest = path.split(b"/")[::-1]
    while rest:
        part = rest[-1]
        if part in {b"", b"."}:
            rest.pop()
            continue
        if part == b"..":
            rest.pop()
            if not names and escaped_root is None:
                escaped_root = followed[-1]
            del names[-1:]
            del directories[len(names) + 1 :]
            continue
        child = directories[-1].children.get(part)
        if isinstance(child, Directory):
            rest.pop()
            names.append(part)
            directories.append(child)
            continue
        if not isinstance(child, Symlink) or not (follow if len(rest) > 1 else follow_last):
            if lexical_dotdot:
                consumed_dotdot = consumed_dotdot or b".." in rest
                if _take_back(rest):
                    continue
            return Resolution(names, directories, rest, child, followed, escaped_root, consumed_dotdot)
        rest.pop()
        followed.append(b"/".join([*names, part]))
        if len(followed) > limit:
            raise LinkError(path, f"more than {limit} links to follow, perhaps a loop")
        if child.target.startswith(b"/"):
            names, directories = [], [root]
        rest.extend(child.target.split(b"/")[::-1])
    return Resolution(names, directories, rest, directories[-1], followed, escaped_root, consumed_dotdot)


def _take_back(rest: list[bytes]) -> bool:
    """Drop the first name of `rest` with the `..` that takes it back; else only what is taken back below it."""
    pending: list[bytes] = []
    while rest:
        part = rest.pop()
        if part not in {b"", b".", b".."}:
            pending.append(part)
        elif part == b"..":
            pending.pop()
            if not pending:
                return True
    rest.extend(pending[::-1])
    return False


class FileTree:
    """A file system in memory. See the module for how forks share what they have in common.

    May be read from several threads; is written by one, through `merge.TreeEditor`.
    """

    __slots__ = ("_inodes", "_links", "_links_mark", "_mark", "implied", "limits", "metadata", "root")

    root: Directory
    limits: Limits
    """What paths, links and everything that is laid over the tree are held to; forks have the same."""
    implied: int
    """How many directories were ever made because a path below them implied them."""
    metadata: int
    """How many bytes of metadata were ever laid over the tree; `Limits.metadata_bytes` says what counts."""

    __hash__ = None  # type: ignore[assignment]  # a tree changes, so it is no key

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.limits = limits or _LIMITS
        self._mark = object()
        self._links_mark = self._mark
        self._links = LinkNames()
        self._inodes = 0
        self.implied = self.metadata = 0
        self.root = implicit_directory(0, self._mark)

    def fork(self) -> "FileTree":
        """Return a tree that is equal now and changes on its own, in constant time."""
        other = FileTree(limits=self.limits)
        other.root, other._links, other._inodes = self.root, self._links, self._inodes
        other.implied, other.metadata = self.implied, self.metadata
        self._mark = object()
        other._links_mark = self._links_mark
        return other

    @property
    def mark(self) -> object:
        """What a directory must bear to be changed in place; new after each fork."""
        return self._mark

    def writable_root(self) -> Directory:
        """Return the root, copied first if it is shared with a fork."""
        if self.root.mark is not self._mark:
            self.root = self._copied(self.root)
        return self.root

    def writable_child(self, directory: Directory, name: bytes) -> Directory:
        """Return the directory `name` in `directory`, which must be owned, copied first if it is shared."""
        child = directory.children[name]
        assert isinstance(child, Directory)
        if child.mark is not self._mark:
            child = directory.children[name] = self._copied(child)
        return child

    def _copied(self, directory: Directory) -> Directory:
        return attrs.evolve(directory, children=directory.children.copy(), mark=self._mark)

    def new_inode(self) -> int:
        """Return an inode id that no node of this tree has."""
        self._inodes += 1
        return self._inodes

    def note_link(self, inode: int, target: bytes, path: bytes) -> None:
        """Remember that the node with this id, which has the resolved name `target`, has the name `path` too."""
        if self._links_mark is not self._mark:
            self._links = self._links.fork()
            self._links_mark = self._mark
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
