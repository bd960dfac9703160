"""Containers: a writable directory of its own over the layers of an image, shown as one.

Theory of operation. A container is an upper and a work directory beside a record, made under `tmp/` and given its name
by one rename; one without a name stays there, and goes when it is closed. Whoever opens it holds its lock, since the
kernel lets two mounts write to one upper directory and says nothing. The upper directory begins with the attributes of
the image's root, which a mount shows as those of its own. Nothing else is copied, and layers are only read.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.build.layer import NewLayer
from oci_layers.build.options import LayerOptions
from oci_layers.disk.owner import Owner
from oci_layers.errors import StoreError
from oci_layers.layer.change import Change
from oci_layers.layer.diff import diff
from oci_layers.snapshot.directory import CONTAINERS, FS, WORK, RoomDirectory
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.snapshot.presenter import Presented, PresenterName
from oci_layers.snapshot.record import ContainerRecord, dumps, loads
from oci_layers.snapshot.upper_tree import upper_tree
from oci_layers.tree.tree import FileTree

__all__ = ["Container", "ContainerFiles", "View", "fill", "note_presenter", "read_record"]

CONTAINER = b"container.json"
_ROOT_MODE = 0o755


class View(Closing):
    """The files of an image as a directory. A context manager, which closes it."""

    def __init__(self, shown: Presented, note: contextlib.ExitStack, closing: contextlib.ExitStack) -> None:
        """Take what shows it, and what is to be done when it is unmounted, and when it is closed."""
        self._shown = shown
        self._note = note
        self._closing = closing

    @property
    def fd(self) -> int:
        """A handle on the root directory, for `os.open(..., dir_fd=)`, `os.fchdir` and children that inherit it."""
        return self._shown.fd

    @property
    def path(self) -> str:
        """The root directory: where it is mounted, or a path that leads there in this process while it is open."""
        return self._shown.path or system.proc_path(self._shown.fd)

    @property
    def mount_point(self) -> str | None:
        """Where it is mounted; None if it is mounted at no path."""
        return self._shown.path

    @property
    def presenter(self) -> PresenterName:
        """What shows it."""
        return self._shown.presenter

    @property
    def refused(self) -> Sequence[tuple[str, str]]:
        """What was tried before, and why it stepped down."""
        return self._shown.refused

    def close(self) -> None:
        """Close the handle, unmount it, and let others use or remove what it shows. Idempotent."""
        with self._closing, self._note:
            self._shown.close()

    def leave(self) -> str:
        """Close the handle, and leave it mounted; return where.

        Raises:
            ValueError: It is mounted at no path.
        """
        with self._closing:
            path = self._shown.leave()
            self._note.pop_all()
        return path


class Container(View):
    """The files of an image as a directory that can be written; the image and its layers stay as they are.

    `Snapshots.container` and `Snapshots.open_container` return one. Any number may be over one image, and none sees
    another. One without a name is gone when it is closed.
    """

    def __init__(
        self,
        shown: Presented,
        note: contextlib.ExitStack,
        closing: contextlib.ExitStack,
        record: ContainerRecord,
        files: "ContainerFiles",
    ) -> None:
        """Take also what it is, and its files."""
        super().__init__(shown, note, closing)
        self._files = files
        self.record = record
        """What it is."""

    def leave(self) -> str:
        """Close the handle, and leave it mounted; return where.

        Raises:
            ValueError: It has no name, or is mounted at no path.
        """
        if not self.name:
            raise ValueError("a container without a name is gone when it is closed")
        return super().leave()

    @property
    def name(self) -> str:
        """Its name; empty if it is gone when it is closed."""
        return self.record.name

    def tree(self) -> FileTree:
        """Return the files as they are now; see `ContainerFiles.tree`."""
        return self._files.tree()

    def changes(self) -> Iterator[Change]:
        """Yield what is different from the image now; see `ContainerFiles.changes`."""
        return self._files.changes()

    def commit(self, *, options: LayerOptions | None = None) -> NewLayer:
        """Return the changes up to now as a layer; see `ContainerFiles.commit`."""
        return self._files.commit(options=options)


@attrs.frozen
class ContainerFiles:
    """The directories of a container, as a tree and as changes, shown or not."""

    record: ContainerRecord
    """What it is."""
    path: str
    """The path of its upper directory."""
    layers: RoomLayers = attrs.field(repr=False)
    """The layers of the room."""
    same_owner: bool = attrs.field(repr=False)
    """Whether files on disk have the owners in the image."""

    def lower(self) -> FileTree:
        """Return the tree of its image."""
        return self.layers.tree(self.record.chain_id)

    def tree(self) -> FileTree:
        """Return the files as they are now, of the image and changed. Contents are read from the room, when asked for.

        Raises:
            UnsupportedError: Another program wrote a redirect, or a file without content, to the upper directory; or
                something there has an owner that the maps of the container do not have.
            OSError: Something cannot be read.
        """
        return self._over(self.lower())

    def _over(self, lower: FileTree) -> FileTree:
        stack = self.layers.stack(self.record.chain_id)
        return upper_tree(
            lower,
            stack,
            self.path,
            owner=self.record.owner,
            same_owner=self.same_owner,
            presenter=self.record.presenter,
        )

    def changes(self) -> Iterator[Change]:
        """Yield what is different from the image now, as `diff` does. Raises as `tree`."""
        lower = self.lower()
        return diff(lower, self._over(lower))

    def commit(self, *, options: LayerOptions | None = None) -> NewLayer:
        """Return the changes as a layer, to be written while the container exists; they are read when it is written.

        Args:
            options: How files become entries. By default times have whole seconds; the other attributes of the layer,
                applied to the image, are those that the files have here.

        Raises:
            UnsupportedError: As `tree`.
        """
        return NewLayer.from_changes(self.changes, options=options)


def note_presenter(room: RoomDirectory, directory: int, record: ContainerRecord, presenter: str) -> None:
    """Note what shows a container first, and so in which form it writes."""
    room.replace_in(directory, CONTAINER, dumps(attrs.evolve(record, presenter=presenter)))


def fill(room: RoomDirectory, directory: int, stack: Sequence[RoomLayer], record: ContainerRecord) -> None:
    """Make what a container has, in an open empty directory: an upper directory with the root's attributes, and work.

    Raises:
        NameFormatError: The maps of the container do not have the owner of the root.

    Args:
        room: The room.
        directory: The directory.
        stack: The layers of the image, the topmost first.
        record: What it is.
    """
    with room.root.located():
        system.make_directory(FS, directory)
        system.make_directory(WORK, directory)
        upper = system.open_directory(FS, directory)
        try:
            if stack:
                _copy_attributes(stack[0].open(), upper, record.owner)
            else:
                system.fchmod(upper, _ROOT_MODE)
                if record.owner.has_maps:
                    system.fchown(upper, *(record.owner.on_disk(0, 0) or system.effective_ids()))
            room.sync_directory(upper)
        finally:
            system.close(upper)
    room.write_in(directory, CONTAINER, dumps(record))


def _copy_attributes(source: int, fd: int, owner: Owner) -> None:
    """Give an open directory the attributes of another, with the owner mapped, and close the other."""
    try:
        found = system.fstat(source)
        own = system.fstat(fd)
        uid, gid = owner.on_disk(found.st_uid, found.st_gid) or (own.st_uid, own.st_gid)
        if (uid, gid) != (own.st_uid, own.st_gid):
            system.fchown(fd, uid, gid)
        for key, value in system.get_xattrs(source).items():
            system.fsetxattr(fd, key, value)
        system.fchmod(fd, found.st_mode & 0o7777)
        system.utime(fd, found.st_mtime_ns)
    finally:
        system.close(source)


def read_record(room: RoomDirectory, *names: bytes) -> ContainerRecord | None:
    """Return the record of the container in a directory of the room; None if there is none.

    Raises:
        StoreError: It is damaged, or that of a container of another name.
    """
    raw = room.read(*names, CONTAINER)
    if raw is None:
        return None
    name = os.fsdecode(names[-1])
    record = loads(ContainerRecord, raw, f"container {name} of {room.place}")
    if names[0] == CONTAINERS and record.name != name:
        raise StoreError(f"container {name} of {room.place}", "its record has another name")
    return record
