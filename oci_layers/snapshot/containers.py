"""The containers of a room: made and, with a name, found, locked, reset and removed. `container` has what one is."""

import contextlib
import os
import re
from collections.abc import Iterator

from oci_layers import system
from oci_layers.disk.owner import Owner
from oci_layers.errors import NameFormatError, PlaceMissingError, StoreError
from oci_layers.snapshot.container import ContainerFiles, fill, read_record
from oci_layers.snapshot.directory import CONTAINERS, FS, RoomDirectory, Staging
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.layers import RoomLayer, RoomLayers
from oci_layers.snapshot.mapped import check_maps
from oci_layers.snapshot.mounts import Mounts
from oci_layers.snapshot.record import ContainerRecord

__all__ = ["Containers"]

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Containers:
    """The directories of containers in a room."""

    def __init__(self, room: RoomDirectory, layers: RoomLayers, mounts: Mounts, *, same_owner: bool) -> None:
        """Take the room, its layers and mounts, and whether files on disk have the owners in the image."""
        self._room = room
        self._layers = layers
        self._mounts = mounts
        self._same_owner = same_owner

    def begin(
        self, image: Snapshot, name: str, owner: Owner | None, staging: Staging
    ) -> tuple[list[RoomLayer], ContainerRecord]:
        """Make what a container has, in a staging directory; return its layers, the topmost first, and its record.

        The caller shares the room's lock. Raises as `Snapshots.container`.
        """
        maps = check_maps(owner)
        stack = self._layers.stack(image.chain_id)
        record = ContainerRecord(
            name=name,
            image=image.name,
            manifest=image.manifest,
            chain_id=image.chain_id,
            created_ns=system.clock_ns(),
            uids=maps.uids,
            gids=maps.gids,
        )
        fill(self._room, staging.fd, stack, record)
        return stack, record

    def create(self, image: Snapshot, name: str, owner: Owner | None) -> ContainerRecord:
        """Make a container with a name; raises as `Snapshots.container`."""
        with self._new(image, name, owner) as (staging, record):
            self._publish(staging, name)
        return record

    @contextlib.contextmanager
    def _new(self, image: Snapshot, name: str, owner: Owner | None) -> Iterator[tuple[Staging, ContainerRecord]]:
        """Yield a new container in `tmp/`, which keeps the layers of its image, and its record."""
        _file_name(name)
        with self._room.staging() as staging:
            with self._room.shared():
                _, record = self.begin(image, name, owner, staging)
            yield staging, record

    def _publish(self, staging: Staging, name: str) -> None:
        if not self._room.publish(staging, CONTAINERS, _file_name(name)):
            raise StoreError(self._room.place, f"it has a container {name} already")

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[tuple[ContainerRecord, int]]:
        """Hold the lock of a container; yield its record and its directory.

        Raises:
            PlaceMissingError: The room has no container of this name.
            StoreError: It is in use or mounted, or its record is damaged.
        """
        file = _file_name(name)
        with contextlib.ExitStack() as closing:
            try:
                fd = closing.enter_context(self._room.directory(CONTAINERS, file))
            except FileNotFoundError:
                raise PlaceMissingError(self._room.place, f"it has no container {name}") from None
            if system.lock(fd, wait=False) is False or not self._room.is_at(fd, CONTAINERS, file):
                raise StoreError(self._room.place, f"container {name} is in use")
            record = self.files(name).record
            for mount in self._mounts.all():
                if mount.container == name:
                    raise StoreError(self._room.place, f"container {name} is mounted at {mount.path}")
            yield record, fd

    def files(self, name: str) -> ContainerFiles:
        """Return the files of a container, in use or not; raises as `Snapshots.container_files`."""
        file = _file_name(name)
        record = read_record(self._room, CONTAINERS, file)
        if record is None:
            raise PlaceMissingError(self._room.place, f"it has no container {name}")
        return self.files_in(record, CONTAINERS, file)

    def files_in(self, record: ContainerRecord, *names: bytes) -> ContainerFiles:
        """Return the files of a container that is in a directory of the room."""
        path = os.path.join(self._room.path, *map(os.fsdecode, (*names, FS)))
        return ContainerFiles(record, path, self._layers, self._same_owner)

    def all(self) -> list[ContainerRecord]:
        """Return the containers, by name; raises as `Snapshots.containers`."""
        found = (read_record(self._room, CONTAINERS, name) for name in self._room.names(CONTAINERS))
        return [record for record in found if record is not None]

    def reset(self, name: str) -> None:
        """Make a container anew, over its image; raises as `locked`."""
        with self.locked(name) as (record, _):
            image = Snapshot(name=record.image, manifest=record.manifest, chain_id=record.chain_id)
            with self._new(image, name, record.owner) as (staging, _):
                self._discard(name)
                self._publish(staging, name)

    def remove(self, name: str) -> None:
        """Remove a container; raises as `locked`."""
        with self.locked(name):
            self._discard(name)

    def _discard(self, name: str) -> None:
        gone = self._room.discard(CONTAINERS, _file_name(name))
        if gone is not None:
            self._room.empty_trash(gone)


def _file_name(name: str) -> bytes:
    """Return the name of the directory of a container.

    Raises:
        NameFormatError: No container can have this name.
    """
    if not _NAME.fullmatch(name):
        raise NameFormatError("container name", name, "letters, digits, and after the first one . _ and -")
    return name.encode()
