"""The operations of a POSIX file system on a tree: what each name is afterwards, which times change, what is refused.

The rules are those of Linux for a process of root whose root directory is the root of the tree. Errors are `PathError`
with the errno of the system call. Links are followed inside the root. There are no permissions to check, and no times
of access and of change.

What differs on purpose: a path that is too long is a `LimitError`, and a name that no layer can have, because it begins
with `.wh.`, is refused when it is made, rather than when all work is done; so is the device 0:0, which is a whiteout
where layers are mounted as an overlay.

Nodes of files never change: a change puts another node at all names of a file. `opened` has the files that are open:
they are followed through renames, and outlive their names. `attributes` sets what files have besides names, and
`contents` opens, reads and writes them.
"""

import errno
import stat
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from oci_layers.errors import (
    IsDirectoryError,
    LinkError,
    NotDirectoryError,
    NotPermittedError,
    PathError,
    PathExistsError,
    PathMissingError,
    StoreError,
    WhiteoutError,
)
from oci_layers.layer.whiteout import PREFIX, check_name
from oci_layers.tree.node import Device, Directory, File, Leaf, Node
from oci_layers.tree.path import check_limits, join, parent_and_name
from oci_layers.tree.resolve import Resolution, resolve
from oci_layers.tree.tree import FileTree

__all__ = ["Creator", "FileSystem", "OpenInode", "Place"]


@attrs.frozen(kw_only=True)
class Creator:
    """Whose new files are, and when they are made."""

    clock: Callable[[], int]
    """Returns the present time, in nanoseconds since 1970."""
    uid: int = 0
    gid: int = 0
    umask: int = 0o022


@attrs.define(eq=False)
class OpenInode:
    """A regular file that is open, whatever its names are; `path` is one of them, None if it has none any more."""

    node: File
    path: bytes | None
    users: int = 0


@attrs.frozen
class Place:
    """A name in a directory that exists; `above` are the names down to the directory, `node` what has the name."""

    above: list[bytes]
    name: bytes
    node: Node | None

    @property
    def path(self) -> bytes:
        """The resolved path."""
        return b"/".join([*self.above, self.name]) if self.name else b""


class FileSystem:
    """A tree that changes as a file system does. Paths are clean. One thread uses it."""

    def __init__(self, tree: FileTree, creator: Creator, layer: int) -> None:
        """Take over a tree; new nodes have the number `layer`."""
        self.tree = tree
        self.creator = creator
        self.layer = layer
        self.opened: dict[int, OpenInode] = {}
        self._closed = False

    def close(self) -> None:
        """Refuse all operations from now on."""
        self._closed = True

    def check_open(self) -> None:
        """Raise StoreError if the file system is closed."""
        if self._closed:
            raise StoreError("writable layer", "it is closed, and cannot be used any more")

    def _resolve(self, path: bytes, *, follow: bool, follow_slash: bool = True) -> Resolution:
        self.check_open()
        root, limit = self.tree.root, self.tree.limits.links
        try:
            return resolve(
                root,
                path,
                follow=True,
                follow_last=follow,
                limit=limit,
                follow_slash=follow_slash,
                drives=self.tree.drives,
            )
        except LinkError as error:
            raise PathError(b"/" + path, error.reason, errno.ELOOP) from error

    def require(self, path: bytes, *, follow: bool = True) -> tuple[bytes, Node]:
        """Return the resolved path and the node at a path; raises as `Resolution.require`."""
        found = self._resolve(path, follow=follow)
        return found.path, found.require(b"/" + path)

    def place(self, path: bytes, *, follow: bool = False) -> Place:
        """Return the place of a name, which may be missing; the root has the empty name.

        Raises:
            PathMissingError, NotDirectoryError: Its directory does not exist.
            IsDirectoryError: A link leads to `name/`, which no file can be made at, whatever is there.
        """
        found = self._resolve(path, follow=follow, follow_slash=False)
        names, rest = found.names, found.rest
        if not rest:
            return Place(names[:-1], names[-1] if names else b"", found.directories[-1])
        if len(rest) > 1:
            if not any(rest[:-1]):
                raise IsDirectoryError(b"/" + path)
            raise PathMissingError(b"/" + path) if found.node is None else NotDirectoryError(b"/" + path)
        return Place(names, rest[0], found.node)

    def _writable(self, above: list[bytes]) -> Directory:
        directory = self.tree.writable_root()
        for name in above:
            directory = self.tree.writable_child(directory, name)
        return directory

    def _changed(self, above: list[bytes]) -> Directory:
        """Return a directory of which a name is to change; its time does."""
        directory = self._writable(above)
        directory.mtime_ns = self.creator.clock()
        directory.implicit = False
        return directory

    def check_new(self, path: bytes, name: bytes) -> None:
        """Check a resolved path that is to be made, and its last name."""
        if name.startswith(PREFIX):
            check_name(path)
        limits = self.tree.limits
        size = len(path)
        if size > limits.component_bytes or size > limits.path_bytes or path.count(b"/") >= limits.path_depth:
            check_limits(path, limits)

    def _vacant(self, path: bytes) -> Place:
        """Return a place that is free.

        Raises:
            PathExistsError: It is not.
            WhiteoutError, LimitError: No layer can have the name.
        """
        place = self.place(path)
        if place.node is not None:
            raise PathExistsError(b"/" + path)
        self.check_new(place.path, place.name)
        return place

    def make_directory(self, path: bytes, mode: int) -> None:
        """Make a directory, as `mkdir`."""
        place = self._vacant(path)
        parent = self._changed(place.above)
        inherited = parent.mode & stat.S_ISGID
        gid = parent.gid if inherited else self.creator.gid
        mode = mode & 0o1777 & ~self.creator.umask | inherited
        node = Directory(mode, self.creator.uid, gid, parent.mtime_ns, layer=self.layer, token=self.tree.token)
        node.children = self.tree.new_names()
        parent.children[place.name] = node

    def make_node(self, path: bytes, node: Leaf, *, masked: bool = True) -> None:
        """Make a file, link, pipe or device; owner and times are set here, and the umask is taken off the mode."""
        if isinstance(node, Device) and node.kind == "char" and not node.major and not node.minor:
            raise WhiteoutError(path, "the character device 0:0 is a whiteout where layers are mounted as an overlay")
        self.add(self._vacant(path), node, masked=masked)

    def add(self, place: Place, node: Leaf, *, masked: bool = True) -> Leaf:
        """Put a new node at a place that is free, and return it; as `make_node`."""
        parent = self._changed(place.above)
        node.uid, node.gid = self.creator.uid, parent.gid if parent.mode & stat.S_ISGID else self.creator.gid
        node.mtime_ns, node.layer, node.inode = parent.mtime_ns, self.layer, self.tree.new_inode()
        if masked:
            node.mode &= 0o7777 & ~self.creator.umask
        parent.children[place.name] = node
        return node

    def link(self, target: bytes, path: bytes) -> None:
        """Make another name of the file `target`, as `link`; of a link itself, not of what it leads to."""
        target_path, node = self.require(target, follow=False)
        place = self._vacant(path)
        if isinstance(node, Directory):
            raise NotPermittedError(b"/" + target, "hard link to a directory")
        self._changed(place.above).children[place.name] = node
        self.tree.note_link(node.inode, target_path, place.path)

    def rename(self, source: bytes, target: bytes) -> None:
        """Move a name, as `rename`: over a file or an empty directory, too."""
        old, new = self.place(source), self.place(target)
        if not old.name or not new.name:
            raise PathError(b"/" + (target if old.name else source), "the root cannot be moved", errno.EBUSY)
        if old.node is None:
            raise PathMissingError(b"/" + source)
        if new.path.startswith(old.path + b"/") and isinstance(old.node, Directory):
            raise PathError(b"/" + target, "a directory cannot be moved into itself")
        if self._is_one_file(old.node, new.node) or old.path == new.path:
            return
        if new.node is None or not old.path.startswith(new.path + b"/"):
            self._check_replaced(old.node, new.node, target)
        else:
            raise PathError(b"/" + target, "directory not empty", errno.ENOTEMPTY)
        self.check_new(new.path, new.name)
        linked = self._moved_links(old, new)
        parent = self._changed(old.above)
        node = parent.children.pop(old.name)
        self._changed(new.above).children[new.name] = node
        for inode, names in linked:
            self.tree.replace_link_names(inode, names)
        self._forget(new.path)
        for each in self.opened.values():
            if each.path is not None and (each.path == old.path or each.path.startswith(old.path + b"/")):
                each.path = new.path + each.path[len(old.path) :]

    @staticmethod
    def _is_one_file(one: Node, other: Node | None) -> bool:
        return not isinstance(one, Directory) and not isinstance(other, Directory | None) and one.inode == other.inode

    def _check_replaced(self, node: Node, other: Node | None, path: bytes) -> None:
        if other is None:
            return
        if isinstance(node, Directory):
            if not isinstance(other, Directory):
                raise NotDirectoryError(b"/" + path)
            if other.children:
                raise PathError(b"/" + path, "directory not empty", errno.ENOTEMPTY)
        elif isinstance(other, Directory):
            raise IsDirectoryError(b"/" + path)

    def _moved_links(self, old: Place, new: Place) -> list[tuple[int, list[bytes]]]:
        """Return the names that hard-linked files have after a move; check paths that become longer."""
        is_longer = len(new.path) > len(old.path) or len(new.above) > len(old.above)
        if not isinstance(old.node, Directory):
            below: Iterator[tuple[bytes, Node]] = iter([(old.path, old.node)] if old.node is not None else [])
        elif is_longer or self.tree.has_links:
            below = _walk(old.path, old.node)
        else:
            return []
        moved: dict[int, list[bytes]] = {}
        for path, node in below:
            becomes = new.path + path[len(old.path) :]
            if is_longer:
                self.check_new(becomes, b"")
            if not isinstance(node, Directory):
                names = moved.get(node.inode) or self.tree.link_names(node.inode)
                if names:
                    moved[node.inode] = [becomes if name == path else name for name in names]
        return list(moved.items())

    def _forget(self, path: bytes) -> None:
        """Take a path that is gone, and all below it, from the files that are open."""
        for each in self.opened.values():
            if each.path is not None and (each.path == path or each.path.startswith(path + b"/")):
                names = self.tree.link_names(each.node.inode)
                each.path = names[0] if names else None

    def unlink(self, path: bytes) -> None:
        """Remove a name of a file, as `unlink`."""
        place = self.place(path)
        if isinstance(place.node, Directory):
            raise IsDirectoryError(b"/" + path)
        self._remove(place, path)

    def remove_directory(self, path: bytes) -> None:
        """Remove an empty directory, as `rmdir`."""
        place = self.place(path)
        if not place.name:
            raise PathError(b"/", "the root cannot be removed", errno.EBUSY)
        if not isinstance(place.node, Directory | None):
            raise NotDirectoryError(b"/" + path)
        if place.node is not None and place.node.children:
            raise PathError(b"/" + path, "directory not empty", errno.ENOTEMPTY)
        self._remove(place, path)

    def remove_tree(self, path: bytes) -> None:
        """Remove a directory with all that is in it; the root cannot be removed."""
        place = self.place(path)
        if not place.name:
            raise PathError(b"/", "the root cannot be removed", errno.EBUSY)
        if not isinstance(place.node, Directory | None):
            raise NotDirectoryError(b"/" + path)
        self._remove(place, path)

    def _remove(self, place: Place, path: bytes) -> None:
        if place.node is None:
            raise PathMissingError(b"/" + path)
        del self._changed(place.above).children[place.name]
        self._forget(place.path)

    def replace(self, path: bytes | None, node: Node, **changes: Any) -> None:  # Any: attributes of nodes
        """Change attributes of a node, under all its names and where it is open."""
        if isinstance(node, Directory):
            directory = self._writable(path.split(b"/") if path else [])
            for attribute, value in changes.items():
                setattr(directory, attribute, value)
            directory.implicit = False
            return
        other = attrs.evolve(node, **changes)
        for each in self.tree.link_names(node.inode) or (() if path is None else (path,)):
            parent, name = parent_and_name(each)
            self._writable(parent.split(b"/") if parent else []).children[name] = other
        opened = self.opened.get(node.inode)
        if opened is not None:
            assert isinstance(other, File)
            opened.node = other


def _walk(path: bytes, directory: Directory) -> Iterator[tuple[bytes, Node]]:
    """Yield a directory and all below it, in no order."""
    stack: list[tuple[bytes, Node]] = [(path, directory)]
    while stack:
        here, node = stack.pop()
        yield here, node
        if isinstance(node, Directory):
            stack.extend((join(here, name), child) for name, child in node.children.items())
