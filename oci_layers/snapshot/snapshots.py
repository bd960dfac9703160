"""A room of unpacked layers, on which any number of images and containers stand.

`unpack` writes layers, `layers`, `images` and `containers` find what the room has, `show` presents a stack of layers as
one directory, `container` makes it writable, `gc`, `du` and `fsck` keep the room.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.disk.owner import Owner
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.progress import Progress, ProgressTracker
from oci_layers.snapshot.container import Container, ContainerFiles, View, note_presenter
from oci_layers.snapshot.containers import Containers
from oci_layers.snapshot.directory import CONTAINERS, TMP, RoomDirectory
from oci_layers.snapshot.images import Images, Snapshot
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.snapshot.mapped import check_maps
from oci_layers.snapshot.mounts import Mounts
from oci_layers.snapshot.presenter import Presented, PresenterName
from oci_layers.snapshot.record import ContainerRecord, MountRecord
from oci_layers.snapshot.share import Share, SharedFiles
from oci_layers.snapshot.show import Showing
from oci_layers.snapshot.unpack import Unpacking
from oci_layers.spec.digest import Digest
from oci_layers.tree.tree import FileTree

__all__ = ["Snapshot", "Snapshots"]


class Snapshots(Closing):
    """A room: a directory in which each layer is unpacked once. A context manager.

    Any number of threads and processes may use one room.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        read_only: Sequence[str | os.PathLike[str]] = (),
        owner: Owner | None = None,
        share: Share = "clone",
        sync: bool = True,
        limits: Limits | None = None,
    ) -> None:
        """Open a room, or make one of a directory that is absent or empty.

        Args:
            directory: The room. All of it must be on one file system, which has locks.
            read_only: Further rooms, whose layers are used and which are never written.
            owner: The owners of files on disk: by default those in the image for root, and the calling user otherwise.
            share: How equal files of different layers share their space: by clones, where the file system has them;
                by hard links, so that what is written to a file of one layer by other means than a container is in all
                of them; or not at all. So are those of an image that is made as a whole because nothing can be mounted.
            sync: Whether a layer, an image or a container that exists survives a power cut.
            limits: The limits on layers and trees.

        Raises:
            PlaceMissingError: The directory above it, or a read-only room, does not exist.
            StoreError: The directory holds something else, or a room of another version.
        """
        self._limits = limits or Limits()
        self._owner = owner or Owner(same=system.effective_ids()[0] == 0)
        with contextlib.ExitStack() as closing:
            self.room = RoomDirectory(os.fspath(directory), sync=sync)
            closing.callback(self.room.close)
            others = []
            for each in read_only:
                others.append(RoomDirectory(os.fspath(each), sync=False, read_only=True))
                closing.callback(others[-1].close)
            self.layers = RoomLayers([self.room, *others], self._limits)
            self._closing = closing.pop_all()
        self._share: Share = share
        self._images = Images(self.room)
        self._mounts = Mounts(self.room)
        self._containers = Containers(self.room, self.layers, self._mounts, same_owner=self._owner.same)
        self._showing = Showing(self.room, self.layers, self._owner, share)

    @property
    def place(self) -> str:
        """The directory, as it was given."""
        return self.room.place

    def unpack(
        self, image: Image, *, name: str | None = None, progress: Callable[[Progress], None] | None = None
    ) -> Snapshot:
        """Unpack the layers of an image that the room lacks, and keep them until the image is removed.

        Several processes may unpack the same layers at once: one writes each, the others wait for it. Every layer is
        verified before it has its name. An error leaves the layers that were finished, and nothing else.

        Args:
            image: The image; its policy is the default.
            name: Under which name the room keeps it, another one of this name is replaced; `image.name` by default.
            progress: Called while layers are read, as by `Image.unpack`.

        Raises:
            UnsupportedError: It is an image for Windows, or the file system cannot hold whiteouts.
            OCIError: A layer is missing, damaged, or refused.
            OSError: The system fails: the disk is full, for example.
        """
        tracker = ProgressTracker(self._limits, {each.index: each.descriptor.size for each in image.layers}, progress)
        work = Unpacking(self.room, self.layers, self._owner, SharedFiles(self.layers, self._share), tracker)
        with self.lease():
            work.run(image)
            found = Snapshot(
                name=image.name if name is None else name,
                manifest=image.descriptor.digest,
                chain_id=image.layers[-1].chain_id if image.layers else None,
                unpacked=tuple(work.unpacked),
                saved=work.saved,
                report=tracker.report,
            )
            self._images.put(found)
        return found

    def images(self) -> list[Snapshot]:
        """Return the images of the room, by name.

        Raises:
            StoreError: The record of one is damaged.
        """
        return self._images.all()

    def image(self, name: str) -> Snapshot:
        """Return an image of the room.

        Raises:
            PlaceMissingError: The room has no image of this name.
            StoreError: Its record is damaged.
        """
        return self._images.get(name)

    def stack(self, image: "str | Snapshot") -> list[RoomLayer]:
        """Return the unpacked layers of an image of the room, the topmost first.

        Raises:
            PlaceMissingError: The room has no such image.
            StoreError: A layer is missing or damaged.
        """
        return self.layers.stack(self._found(image).chain_id)

    def tree(self, image: "str | Snapshot") -> FileTree:
        """Return the merged tree of an image of the room; contents are read from the room, which must stay.

        The caller may change it. Raises as `stack`.
        """
        return self.layers.tree(self._found(image).chain_id)

    def _found(self, image: "str | Snapshot") -> Snapshot:
        return self.image(image) if isinstance(image, str) else image

    def view(
        self,
        image: "str | Snapshot",
        *,
        at: str | os.PathLike[str] | None = None,
        owner: Owner | None = None,
        presenters: Sequence[PresenterName] | None = None,
    ) -> View:
        """Show an image of the room as a directory that cannot be written.

        Args:
            image: The image.
            at: An existing directory to mount it at; by default it is mounted at no path, and is gone with the handle.
            owner: Maps of ids, `Owner(uids=, gids=)`, from the owners of the image to those that are shown. An owner
                that they do not have is shown with the overflow id, usually 65534. Mapping owners requires root, and a
                file system that supports it (Linux 5.12).
            presenters: What may show it, in this order; all of `PRESENTERS` by default.

        Raises:
            PresenterError: Nothing can show it here.
            StoreError: A layer is missing or damaged, or the room has a mount at this directory.
            UnsupportedError: `owner` is no map of ids.
        """
        maps = check_maps(owner)
        self._mounts.require_free(at)
        with contextlib.ExitStack() as closing:
            with self.room.shared():
                stack = self.stack(image)
                top = next((layer for layer in stack if not layer.room.is_read_only), None)
                if top is not None:
                    closing.callback(system.close, top.use())
            shown = self._showing.show(
                stack,
                lambda: closing.enter_context(self.room.staging()).fd,
                read_only=True,
                at=at,
                owner=maps,
                presenters=presenters,
            )
            return View(shown, self._mounts.note(shown, _top(stack), ""), closing.pop_all())

    def mounts(self) -> list[MountRecord]:
        """Return the mounts at paths of images and containers of the room, by path.

        Raises:
            StoreError: The record of one is damaged.
        """
        return self._mounts.all()

    def unmount(self, path: str | os.PathLike[str]) -> None:
        """Unmount an image or a container of the room.

        Raises:
            PlaceMissingError: Nothing of the room is mounted there.
            OSError: The system refuses.
        """
        self._mounts.unmount(path)

    def container(
        self,
        image: "str | Snapshot",
        *,
        name: str = "",
        at: str | os.PathLike[str] | None = None,
        owner: Owner | None = None,
        presenters: Sequence[PresenterName] | None = None,
    ) -> Container:
        """Make a container over an image of the room, and open it.

        Args:
            image: The image.
            name: The name under which the room keeps it. One without a name is gone when it is closed, or its process
                ends, and nothing of it is flushed to the disk.
            at: An existing directory to mount it at, as for `view`.
            owner: Maps of ids, as for `view`. What is written has the owners that are shown; a tree and a layer of the
                container have those of the image again.
            presenters: What may show it, as for `view`.

        Raises:
            NameFormatError: No container can have this name, or the maps do not have the owner of the image's root.
            UnsupportedError: `owner` is no map of ids.
            StoreError: The room has a container of this name, or a mount at this directory; or a layer is missing or
                damaged.
            PresenterError: Nothing can show it here; a container with a name stays, and can be committed or removed.
        """
        self._mounts.require_free(at)
        if name:
            self.create_container(image, name, owner=owner)
            return self.open_container(name, at=at, presenters=presenters)
        with contextlib.ExitStack() as closing:
            with self.room.shared():
                staging = closing.enter_context(self.room.staging())
                stack, record = self._containers.begin(self._found(image), "", owner, staging)
            shown = self._showing.show(
                stack,
                lambda: staging.fd,
                read_only=False,
                at=at,
                owner=record.owner,
                volatile=True,
                presenters=presenters,
            )
            return self._opened(shown, record, stack, closing.pop_all(), TMP, staging.name)

    def _opened(
        self,
        shown: Presented,
        record: ContainerRecord,
        stack: Sequence[RoomLayer],
        closing: contextlib.ExitStack,
        *names: bytes,
    ) -> Container:
        note = self._mounts.note(shown, _top(stack), record.name)
        record = attrs.evolve(record, presenter=shown.presenter)
        return Container(shown, note, closing, record, self._containers.files_in(record, *names))

    def create_container(self, image: "str | Snapshot", name: str, *, owner: Owner | None = None) -> ContainerRecord:
        """Make a container with a name over an image of the room, without opening it; raises as `container`."""
        return self._containers.create(self._found(image), name, owner)

    def open_container(
        self,
        name: str,
        *,
        at: str | os.PathLike[str] | None = None,
        presenters: Sequence[PresenterName] | None = None,
    ) -> Container:
        """Open a container that the room has.

        Raises:
            PlaceMissingError: The room has no container of this name.
            StoreError: It is in use, a layer is missing or damaged, or the room has a mount at this directory.
            PresenterError: Nothing can show it here.
        """
        self._mounts.require_free(at)
        with contextlib.ExitStack() as closing:
            record, directory = closing.enter_context(self._containers.locked(name))
            stack = self.layers.stack(record.chain_id)
            shown = self._showing.show_again(
                stack, directory, record.presenter, at=at, owner=record.owner, presenters=presenters
            )
            if not record.presenter:
                note_presenter(self.room, directory, record, shown.presenter)
            return self._opened(shown, record, stack, closing.pop_all(), CONTAINERS, name.encode())

    def container_files(self, name: str) -> ContainerFiles:
        """Return the files of a container that the room has, in use or not, as a tree and as changes.

        Raises:
            PlaceMissingError: The room has no container of this name.
            StoreError: Its record is damaged.
        """
        return self._containers.files(name)

    def containers(self) -> list[ContainerRecord]:
        """Return the containers that have a name, by name.

        Raises:
            StoreError: The record of one is damaged.
        """
        return self._containers.all()

    def reset_container(self, name: str) -> None:
        """Throw away what a container changed; raises as `open_container`."""
        self._containers.reset(name)

    def remove_container(self, name: str) -> None:
        """Remove a container and what it changed; raises as `open_container`."""
        self._containers.remove(name)

    def remove_image(self, name: str) -> None:
        """Remove an image from the room. Its layers stay until they are collected.

        Raises:
            PlaceMissingError: The room has no image of this name.
        """
        self._images.remove(name)

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Keep what is unpacked or used from now on from being collected, until the block ends."""
        with self.room.leased():
            yield

    def close(self) -> None:
        """Close the room, and the read-only ones."""
        self._closing.close()

    def __repr__(self) -> str:
        return f"<Snapshots {self.place}>"


def _top(stack: Sequence[RoomLayer]) -> Digest | None:
    return stack[0].chain_id if stack else None
