"""The images of a room: a record for each name, which leads to the topmost of its unpacked layers."""

import os

import attrs

from oci_layers.errors import PlaceMissingError
from oci_layers.report import Report
from oci_layers.snapshot.directory import IMAGES, RoomDirectory, file_name
from oci_layers.snapshot.record import ImageRecord, dumps, loads
from oci_layers.spec.digest import Digest

__all__ = ["Images", "Snapshot"]


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
    saved: int = 0
    """How many bytes of these layers share their space with files that the room had."""
    report: Report = attrs.field(factory=Report, repr=False, eq=False)
    """What was unpacked, and what the system refused."""


class Images:
    """The records of images in a room."""

    def __init__(self, room: RoomDirectory) -> None:
        self._room = room

    def all(self) -> list[Snapshot]:
        """Return the images, by name.

        Raises:
            StoreError: The record of one is damaged.
        """
        found = (
            loads(ImageRecord, raw, f"{os.fsdecode(file)} of {self._room.place}")
            for file, raw in self._room.records(IMAGES)
        )
        return sorted(map(_snapshot, found), key=lambda each: each.name)

    def get(self, name: str) -> Snapshot:
        """Return an image.

        Raises:
            PlaceMissingError: There is no image of this name.
            StoreError: Its record is damaged.
        """
        raw = self._room.read(IMAGES, file_name(name))
        if raw is None:
            raise PlaceMissingError(self._room.place, f"it has no image {name!r}; unpack it first")
        return _snapshot(loads(ImageRecord, raw, f"image {name} of {self._room.place}"))

    def put(self, image: Snapshot) -> None:
        """Keep an image, in the place of another one of its name."""
        record = ImageRecord(name=image.name, manifest=image.manifest, chain_id=image.chain_id)
        self._room.replace(IMAGES, file_name(image.name), dumps(record))

    def remove(self, name: str) -> None:
        """Remove an image; its layers stay.

        Raises:
            PlaceMissingError: There is no image of this name.
        """
        with self._room.exclusive():
            gone = self._room.discard(IMAGES, file_name(name))
        if gone is None:
            raise PlaceMissingError(self._room.place, f"it has no image {name!r}")
        self._room.empty_trash(gone)


def _snapshot(record: ImageRecord) -> Snapshot:
    return Snapshot(name=record.name, manifest=record.manifest, chain_id=record.chain_id)
