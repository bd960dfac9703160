"""Edit a tree: lay nodes over it, link names and remove them. The mechanics of merging, without any notion of layers.

`put` lays a node over what exists at a name (LYR-15, LYR-16): a directory over a directory replaces its attributes and
keeps its children; any other pair removes the old node, with everything below it, and makes the new one. `open_parent`
makes missing directories (0755, root, the epoch). It follows links inside the root or, with `follow=False`, replaces
them by directories, as an overlay mount does; in a link target, `..` cancels a name that does not exist.

A `Mirror` repeats every step at resolved paths, in the order in which it happens, so it neither merges nor resolves
anything. It is called before the tree changes: a step that it refuses is in neither. Attributes of directories are not
steps: the mirror takes them from the finished tree.
"""

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import attrs

from oci_layers.errors import LimitError, LinkError, PathMissingError
from oci_layers.tree.node import Directory, File, Leaf, Node, Symlink, implicit_directory
from oci_layers.tree.path import check_limits, join, parent_and_name
from oci_layers.tree.resolve import Resolution, resolve
from oci_layers.tree.tree import FileTree

__all__ = ["Event", "Mirror", "Parent", "TreeEditor", "check_link", "copy_attributes"]

_IMPLIED_BYTES = 512
"""The bytes of metadata that a directory without an entry counts, besides its name."""
_EXTENT_BYTES = 128
"""The bytes of metadata that a piece of a sparse file counts."""


class Mirror(Protocol):
    """Receives the steps of an editor. `make` and `link` are called only for names that do not exist."""

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """Make `node` at `name` in the directory `parent`; `data` are a file's stored bytes, without its holes."""
        ...

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """Make `name` in the directory `parent` another name of the file at `target`."""
        ...

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove `name` from the directory `parent`, with everything below it."""
        ...


@attrs.frozen
class Parent:
    """A writable directory of the tree, and its resolved path."""

    path: bytes
    directory: Directory


@attrs.frozen
class Event:
    """Something that happened while a path was resolved.

    `followed`: the link at `path` was followed; `passed`: after the link, `..` cancelled names that are missing or not
    directories; `climbed`: the link led above the root and was held there; `implied`: the directory at `path` was
    missing and was made; `replaced`: the node at `path` was not a directory and was replaced by one.
    """

    what: Literal["followed", "passed", "climbed", "implied", "replaced"]
    path: bytes


class TreeEditor:
    """Changes one tree, in one thread.

    `events` collects what happened while paths were resolved; the caller empties it.
    """

    def __init__(
        self,
        tree: FileTree,
        *,
        mirror: Mirror | None = None,
        layer: int = 0,
        follow: bool = True,
    ) -> None:
        self.tree = tree
        self.events: list[Event] = []
        self._mirror = mirror
        self._layer = layer
        self._follow = follow
        self._limits = tree.limits
        self._places: dict[bytes, Parent] = {}
        self._token = tree.token

    def open_parent(self, path: bytes) -> Parent:
        """Return the directory at the clean `path`, following links in it.

        Make missing directories, and replace any other node in the path by a directory.

        Raises:
            LinkError: A loop of links.
            LimitError: The resolved path is too long or too deep, or too many directories are implied.
        """
        known = self._known(path)
        if known is not None:
            return known
        parent, name = parent_and_name(path)
        above = self._known(parent)
        if above is not None and above.path == parent and isinstance(above.directory.children.get(name), Directory):
            here = self._places[path] = Parent(path, self.tree.writable_child(above.directory, name))
            return here
        found = self._resolve(path, follow_last=self._follow)
        if found.rest:
            check_limits(found.path, self._limits)
        self._note(found)
        here = self._own(found)
        for name in reversed(found.rest):
            here = self._imply(here, name)
        if not found.consumed_dotdot:
            self._places[path] = here
        return here

    def _known(self, path: bytes) -> Parent | None:
        """Return the place at `path` if it was resolved before and no change since can lead the path elsewhere.

        A node that is made where nothing or a file was can redirect only a path on which `..` cancelled that name;
        such paths are not kept.
        """
        if self._token is not self.tree.token:
            self._places.clear()
            self._token = self.tree.token
        return self._places.get(path)

    def forget(self) -> None:
        """Resolve every path again from now on, and record its events again."""
        self._places.clear()

    def blocking_path(self, path: bytes) -> bytes | None:
        """Return the resolved path of the node that `open_parent` would replace by a directory, or None.

        Raises:
            LinkError: A loop of links.
        """
        if self._known(path) is not None:
            return None
        found = self._resolve(path, follow_last=self._follow)
        return None if found.node is None or not found.rest else b"/".join([*found.names, found.rest[-1]])

    def _note(self, found: Resolution) -> None:
        self.events.extend(Event("followed", link) for link in found.followed)
        if found.consumed_dotdot:
            self.events.append(Event("passed", found.followed[-1]))
        if found.escaped_root is not None:
            self.events.append(Event("climbed", found.escaped_root))

    def _resolve(self, path: bytes, *, follow_last: bool) -> Resolution:
        root, limit = self.tree.root, self._limits.links
        return resolve(root, path, follow=self._follow, follow_last=follow_last, limit=limit, lexical_dotdot=True)

    def resolve(self, path: bytes, root: Directory) -> Resolution:
        """Resolve a clean path as `open_parent` does, but from `root`, which may be that of another tree.

        Raises:
            LinkError: A loop of links.
        """
        limit = self._limits.links
        return resolve(root, path, follow=self._follow, follow_last=self._follow, limit=limit, lexical_dotdot=True)

    def known_directory(self, path: bytes) -> Parent | None:
        """Return the directory at a resolved path, or None; follow no link."""
        directory = self.tree.root
        names = path.split(b"/") if path else []
        for name in names:
            child = directory.children.get(name)
            if not isinstance(child, Directory):
                return None
            directory = child
        directory = self.tree.writable_root()
        for name in names:
            directory = self.tree.writable_child(directory, name)
        return Parent(path, directory)

    def _own(self, found: Resolution) -> Parent:
        directory = self.tree.writable_root()
        for name in found.names:
            directory = self.tree.writable_child(directory, name)
        return Parent(b"/".join(found.names), directory)

    def _imply(self, here: Parent, name: bytes) -> Parent:
        path = join(here.path, name)
        self.count(_IMPLIED_BYTES + len(name))
        self.tree.implied += 1
        if self.tree.implied > self._limits.entries:
            raise LimitError("entries", self._limits.entries, self.tree.implied)
        if name in here.directory.children:
            self.events.append(Event("replaced", path))
            self.drop(here, name)
        self.events.append(Event("implied", path))
        node = implicit_directory(self._layer, self.tree.token)
        if self.tree.windows:
            node.children = self.tree.new_names()
        if self._mirror is not None:
            self._mirror.make(here.path, name, node, None)
        here.directory.children[name] = node
        return Parent(path, node)

    def put(self, here: Parent, name: bytes, node: Node, data: Iterator[memoryview] | None = None) -> None:
        """Lay `node`, which is new and has no children, over what exists at `name` in `here`.

        Raises:
            LimitError: There is more metadata than `metadata_bytes`.
        """
        size = len(name)
        if node.xattrs:
            size += _xattr_bytes(node)
        if node.windows is not None:
            size += node.windows.byte_count()
        if isinstance(node, File):
            if node.content.extents:
                size += _EXTENT_BYTES * len(node.content.extents)
        elif isinstance(node, Symlink):
            size += len(node.target)
        self.count(size)
        old = here.directory.children.get(name)
        if isinstance(node, Directory):
            if isinstance(old, Directory):
                copy_attributes(self.tree.writable_child(here.directory, name), node)
                return
            node.token = self.tree.token
            if self.tree.windows:
                node.children = self.tree.new_names()
        else:
            node.inode = self.tree.new_inode()
        if old is not None:
            self.drop(here, name)
        if self._mirror is not None:
            self._mirror.make(here.path, name, node, data)
        here.directory.children[name] = node

    def count(self, size: int) -> None:
        """Count bytes of metadata that are laid over the tree.

        Raises:
            LimitError: There are more than `metadata_bytes`.
        """
        self.tree.metadata += size
        if self.tree.metadata > self._limits.metadata_bytes:
            raise LimitError("metadata_bytes", self._limits.metadata_bytes, self.tree.metadata)

    def describe_root(self, node: Directory) -> None:
        """Give the root of the tree the attributes of `node`."""
        self.count(_xattr_bytes(node))
        copy_attributes(self.tree.writable_root(), node)

    def find(self, target: bytes) -> tuple[bytes, Leaf] | None:
        """Return the resolved path of the file at the clean `target`, and its node; None if nothing exists there.

        Follow links in its parents, but not the last component: a hard link to a link shares the link itself.

        Raises:
            LinkError: `target` is a directory, or a loop of links.
        """
        parent, name = parent_and_name(target)
        known = self._known(parent)
        if name and known is not None and known.path == parent:
            found, path, node = None, target, known.directory.children.get(name)
        else:
            found = self._resolve(target, follow_last=False)
            path, node = found.path, found.node if len(found.rest) <= 1 else None
        if node is None:
            return None
        if isinstance(node, Directory):
            raise LinkError(target, "a hard link to a directory")
        if found is not None:
            self._note(found)
        return path, node

    def link(self, target: tuple[bytes, Leaf], here: Parent, name: bytes) -> None:
        """Make `name` in `here` another name of the file that `find` returned.

        Raises:
            LinkError: The name is the target's own, or a directory that holds the target.
            LimitError: There is more metadata than `metadata_bytes`.
        """
        self.count(len(name))
        target_path, node = target
        path = join(here.path, name)
        check_link(target_path, path)
        if name in here.directory.children:
            self.drop(here, name)
        if self._mirror is not None:
            self._mirror.link(target_path, here.path, name, node)
        here.directory.children[name] = node
        self.tree.note_link(node.inode, target_path, path)

    def drop(self, here: Parent, name: bytes) -> None:
        """Remove the node at `name` in `here`, with everything below it."""
        node = here.directory.children[name]
        if self._mirror is not None:
            self._mirror.remove(here.path, name, node)
        del here.directory.children[name]
        if not isinstance(node, File):
            self._places.clear()

    def change(self, path: bytes, **attributes: Any) -> None:  # Any: fields of the node
        """Change attributes of the node at the clean `path` (not followed), under all names of a hard-linked file.

        Raises:
            PathMissingError: Nothing exists there.
        """
        found = self._resolve(path, follow_last=False)
        if found.node is None or len(found.rest) > 1:
            raise PathMissingError(path)
        if isinstance(found.node, Directory):
            directory = self._own(found).directory
            for attribute, value in attributes.items():
                setattr(directory, attribute, value)
            return
        node = attrs.evolve(found.node, **attributes)
        for each in self.tree.link_names(node.inode) or (found.path,):
            parent, name = parent_and_name(each)
            here = self.known_directory(parent)
            assert here is not None
            here.directory.children[name] = node


def check_link(target: bytes, path: bytes) -> None:
    """Raise LinkError if making the hard link `path` removes its target; both paths are resolved."""
    if target == path:
        raise LinkError(path, "a hard link to itself")
    if target.startswith(path + b"/"):
        raise LinkError(path, "a hard link to a file of the directory that it replaces")


def copy_attributes(directory: Directory, node: Directory) -> None:
    """Replace every attribute of `directory` by that of `node`; old extended attributes are removed (LYR-15)."""
    directory.mode = node.mode
    directory.uid = node.uid
    directory.gid = node.gid
    directory.mtime_ns = node.mtime_ns
    directory.xattrs = node.xattrs
    directory.layer = node.layer
    directory.implicit = node.implicit
    directory.windows = node.windows


def _xattr_bytes(node: Node) -> int:
    return sum(map(len, node.xattrs)) + sum(map(len, node.xattrs.values()))
