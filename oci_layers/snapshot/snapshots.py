"""A room of unpacked layers, on which any number of images and containers stand.

`unpack` writes layers, `layers` finds them, `presenter` shows a stack of them as one directory, `container` makes it
writable, `collect`, `usage` and `check` keep the room.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import attrs

from oci_layers import system
from oci_layers.disk.owner import Owner
from oci_layers.errors import OCIError, PlaceMissingError, StoreError
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.progress import Progress, ProgressTracker
from oci_layers.report import Report
from oci_layers.snapshot.directory import IMAGES, LEASES, RoomDirectory
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.snapshot.record import ImageRecord, dumps, loads
from oci_layers.snapshot.unpack import Unpacking
from oci_layers.spec.digest import Digest
from oci_layers.tree.tree import FileTree

__all__ = ["Snapshot", "Snapshots"]


@attrs.frozen(kw_only=True)
class Snapshot:
    """An image whose layers are unpacked in a room."""

    name: str
    """The name under which it was unpacked."""
    manifest: Digest
    """The digest of its manifest."""
    chain_id: Digest | None
    """The chain_id of its topmost layer; None if it has no layer."""
    unpacked: tuple[Digest, ...] = ()
    """The chain_ids of the layers that `Snapshots.unpack` wrote; it found the others."""
    report: Report = attrs.field(factory=Report, repr=False, eq=False)
    """What was unpacked, and what the system refused."""


class Snapshots:
    """A room: a directory in which each layer is unpacked once. A context manager.

    Any number of threads and processes may use one room.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        read_only: Sequence[str | os.PathLike[str]] = (),
        owner: Owner | None = None,
        sync: bool = True,
        limits: Limits | None = None,
    ) -> None:
        """Open a room, or make one of a directory that is absent or empty.

        Args:
            directory: The room. All of it must be on one file system, which has locks.
            read_only: Further rooms, whose layers are used and which are never written.
            owner: The owners of files on disk: by default those in the image for root, and the calling user otherwise.
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
        work = Unpacking(self.room, self.layers, self._owner, tracker)
        with self.lease():
            work.run(image)
            top = image.layers[-1].chain_id if image.layers else None
            record = ImageRecord(name=image.name if name is None else name, manifest=image.descriptor.digest, chain_id=top)
            self.room.replace(IMAGES, _file_name(record.name), dumps(record))
        return Snapshot(
            name=record.name,
            manifest=record.manifest,
            chain_id=top,
            unpacked=tuple(work.unpacked),
            report=tracker.report,
        )

    def images(self) -> list[Snapshot]:
        """Return the images of the room, by name.

        Raises:
            StoreError: The record of one is damaged.
        """
        found = []
        for file in self.room.names(IMAGES):
            raw = None if file.startswith(b".") else self.room.read(IMAGES, file)
            if raw is not None:
                record = loads(ImageRecord, raw, f"{os.fsdecode(file)} of {self.place}")
                found.append(Snapshot(name=record.name, manifest=record.manifest, chain_id=record.chain_id))
        return sorted(found, key=lambda each: each.name)

    def image(self, name: str) -> Snapshot:
        """Return an image of the room.

        Raises:
            PlaceMissingError: The room has no image of this name.
            StoreError: Its record is damaged.
        """
        raw = self.room.read(IMAGES, _file_name(name))
        if raw is None:
            raise PlaceMissingError(self.place, f"it has no image {name!r}; unpack it first")
        record = loads(ImageRecord, raw, f"image {name} of {self.place}")
        return Snapshot(name=record.name, manifest=record.manifest, chain_id=record.chain_id)

    def stack(self, image: "str | Snapshot") -> list[RoomLayer]:
        """Return the unpacked layers of an image of the room, the topmost first.

        Raises:
            PlaceMissingError: The room has no such image.
            StoreError: A layer is missing or damaged.
        """
        return self.layers.stack(self._chain(image))

    def tree(self, image: "str | Snapshot") -> FileTree:
        """Return the merged tree of an image of the room; contents are read from the room, which must stay.

        The caller may change it. Raises as `stack`.
        """
        return self.layers.tree(self._chain(image))

    def _chain(self, image: "str | Snapshot") -> Digest | None:
        return (self.image(image) if isinstance(image, str) else image).chain_id

    def remove_image(self, name: str) -> None:
        """Remove an image from the room. Its layers stay until they are collected.

        Raises:
            PlaceMissingError: The room has no image of this name.
        """
        with self.room.exclusive():
            gone = self.room.discard(IMAGES, _file_name(name))
        if gone is None:
            raise PlaceMissingError(self.place, f"it has no image {name!r}")
        self.room.empty_trash(gone)

    @contextlib.contextmanager
    def lease(self) -> Iterator[None]:
        """Keep what is unpacked or used from now on from being collected, until the block ends."""
        with self.room.leased():
            yield

    def close(self) -> None:
        """Close the room, and the read-only ones."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Snapshots {self.place}>"


def _file_name(name: str) -> bytes:
    """Return the name of the file that has the record of an image."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest().encode() + b".json"
