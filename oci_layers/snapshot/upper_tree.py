"""What a container shows, as a tree: the tree of its image, changed as its upper directory says.

The upper directory has more than what changed: a file that is written is copied up whole, and so are the directories
above it, and one that was changed back is still there. So whatever is equal to what the image has is left out, and a
file that was copied up stays joined with its other names unless it changed.

A room may hold less than its image: an ordinary user's has no owners and no set-id bits, and some file systems hold no
fractions of seconds. An attribute of a copied-up file that is what the room has for it is, in the tree, what the image
has: a container only changes what was changed in it.
"""

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from oci_layers import system
from oci_layers.disk.confine import Handles
from oci_layers.disk.owner import Owner
from oci_layers.disk.scan import scan, special_xattrs
from oci_layers.errors import UnsafePathError, UnsupportedError, escape, locate
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Add, Change, Whiteout
from oci_layers.layer.compare import Comparison
from oci_layers.layer.diff import diff
from oci_layers.layer.overlay import from_upper, without_marks
from oci_layers.snapshot.fuse_form import in_kernel_form
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.mapped import in_image
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.tree.node import OVERLAY_XATTRS, Directory, File, Node
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["upper_tree"]

_FOREIGN = (b"trusted.overlay.redirect", b"trusted.overlay.metacopy")


def upper_tree(
    lower: FileTree, layers: Sequence[RoomLayer], upper: str, *, owner: Owner, same_owner: bool, presenter: str
) -> FileTree:
    """Return the tree that an upper directory shows over the layers of an image.

    Args:
        lower: The tree of the image.
        layers: Its unpacked layers, the topmost first.
        upper: The path of the upper directory, which may be that of a mount in use. Contents are read from it later.
        owner: The owners that it has for those of the image.
        same_owner: Whether files have the owners in the image; otherwise those of this process are root's.
        presenter: What wrote to it, and so in which form: the directory of a farm has all files.

    Raises:
        UnsupportedError: The directory has a redirect, a file without its content, or an attribute unknown here; or an
            owner that `owner` does not have.
        OSError: Something cannot be read.
    """
    tree = lower.fork()
    whole = presenter == "farm"
    with contextlib.closing(_Reading(lower, layers[::-1], owner, same_owner=same_owner, whole=whole)) as reading:
        try:
            found = scan(upper, limits=lower.limits)
        except OSError as error:
            locate(error, upper, "container")
            raise
        if presenter == "fuse":
            found = in_kernel_form(found)
        changes: Iterator[Change]
        if whole:  # It has no marks: one there is a file's own.
            changes = itertools.chain(reading.gone(found), reading.changes(diff(FileTree(), found)))
        else:
            changes = reading.changes(from_upper(found, namespace=NAMESPACE))
        apply(changes, tree, layer=len(layers))
    return tree


class _Reading:
    """One reading of an upper directory."""

    def __init__(
        self, lower: FileTree, layers: Sequence[RoomLayer], owner: Owner, *, same_owner: bool, whole: bool
    ) -> None:
        self._lower = lower
        self._owner = owner
        self._layers = layers
        self._own = None if same_owner else system.effective_ids()
        self._whole = whole
        self._same = Comparison("auto", ())
        self._open: dict[int, Handles] = {}
        self._closing = contextlib.ExitStack()

    def changes(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield those changes of an upper directory that count."""
        for change in changes:
            if not isinstance(change, Add):
                yield change
                continue
            node = self._meant(change.path, change.node)
            below = self._lower.at(change.path)
            _check_foreign(change.path, node, below)
            if isinstance(node, Directory) or isinstance(below, Directory | None) or not self._same.leaves(below, node):
                yield Add.of(change.path, node)

    def gone(self, whole: FileTree) -> Iterator[Change]:
        """Yield the removal of each name that the room has for the image, and a directory of all files has not."""
        stack: list[tuple[bytes, Directory, Directory]] = [(b"", self._lower.root, whole.root)]
        while stack:
            path, before, after = stack.pop()
            for name, node in before.children.items():
                here, other = join(path, name), after.children.get(name)
                if other is None and self._shown(here, node) is not None:
                    yield Whiteout(here)
                elif isinstance(node, Directory) and isinstance(other, Directory):
                    stack.append((here, node, other))

    def _meant(self, path: bytes, node: Node) -> Node:
        """Return a node with the attributes that the image has, where they are still what the room has."""
        if self._owner.has_maps:
            node = in_image(self._owner, path, node)
        found = self._lower.at(path)
        shown = None if found is None or type(found) is not type(node) else self._shown(path, found)
        uid, gid = node.uid, node.gid
        if self._own is not None:
            uid, gid = 0 if uid == self._own[0] else uid, 0 if gid == self._own[1] else gid
        if found is None or shown is None:
            return node if (uid, gid) == (node.uid, node.gid) else attrs.evolve(node, uid=uid, gid=gid)
        status, xattrs = shown
        if self._whole:
            xattrs = _without_overlay(xattrs)
        return attrs.evolve(
            node,
            mode=found.mode if node.mode == status.st_mode & 0o7777 else node.mode,
            uid=found.uid if node.uid == status.st_uid else uid,
            gid=found.gid if node.gid == status.st_gid else gid,
            mtime_ns=found.mtime_ns if node.mtime_ns == status.st_mtime_ns else node.mtime_ns,
            xattrs=found.xattrs
            if node.xattrs == (_without_overlay(xattrs) if self._whole else xattrs)
            else node.xattrs,
        )

    def _shown(self, path: bytes, found: Node) -> tuple[os.stat_result, Mapping[bytes, bytes]] | None:
        """Return the status and the attributes that a file of the image has in the room; None if it is not there."""
        parent, name = parent_and_name(path)
        handles = self._handles(found.layer)
        if handles is None:
            return None
        with self._layers[found.layer].room.root.located():
            try:
                at = handles.directory(path if isinstance(found, Directory) else parent)
                status = system.fstat(at) if isinstance(found, Directory) else system.lstat(name, at)
            except (FileNotFoundError, UnsafePathError):
                return None
            if isinstance(found, Directory):
                xattrs = system.get_xattrs(at)
            elif isinstance(found, File):
                fd = system.open_regular_file(name, at)
                try:
                    xattrs = system.get_xattrs(fd)
                finally:
                    system.close(fd)
            else:
                xattrs = special_xattrs(at, name)
        return status, without_marks(path, attrs.evolve(found, xattrs=xattrs), NAMESPACE).xattrs

    def _handles(self, number: int) -> Handles | None:
        """Return the open directories of a layer; None if the tree has more layers than the room."""
        if number >= len(self._layers):
            return None
        if number not in self._open:
            root = self._layers[number].open()
            self._closing.callback(system.close, root)
            handles = self._open[number] = Handles(root)
            self._closing.callback(handles.close)
        return self._open[number]

    def close(self) -> None:
        """Close the directories of layers."""
        self._closing.close()


def _check_foreign(path: bytes, node: Node, below: Node | None) -> None:
    """Refuse a mark that a mount without `userxattr` made: what it stands for is not in this directory.

    A file that the image gave the same attribute is as it was.
    """
    for mark in _FOREIGN:
        found = node.xattrs.get(mark)
        if found is not None and (below is None or below.xattrs.get(mark) != found):
            what, hint = f"overlay attribute {escape(mark)}", "another program mounted it; take the merged directory"
            raise UnsupportedError(what, escape(path), hint)


def _without_overlay(xattrs: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the attributes that a directory has which is not one of an overlay mount."""
    return {key: value for key, value in xattrs.items() if not key.startswith(OVERLAY_XATTRS)}
