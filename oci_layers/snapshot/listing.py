"""The containers of a room, with what they take and whether they are in use: `list_containers`."""

import attrs

from oci_layers import system
from oci_layers.snapshot.directory import CONTAINERS, FS, RoomDirectory
from oci_layers.snapshot.du import size_of
from oci_layers.snapshot.record import ContainerRecord
from oci_layers.snapshot.snapshots import Snapshots

__all__ = ["ListedContainer", "list_containers"]


@attrs.frozen(kw_only=True)
class ListedContainer:
    """A container that has a name."""

    record: ContainerRecord
    """What it is."""
    size: int
    """Bytes on the disk of what was written to it, whole blocks."""
    mount_point: str | None
    """Where it is mounted; None if it is mounted at no path."""
    in_use: bool
    """Whether a process has it open. A mount at a path stays when its process ends, and is no use of this kind."""


def list_containers(room: Snapshots) -> list[ListedContainer]:
    """Return the containers of a room that have a name, by name. Their own directories are walked.

    Raises:
        StoreError: A record is damaged.
        OSError: A directory cannot be read.
    """
    mounts = {mount.container: mount.path for mount in room.mounts()}
    found = []
    for record in room.containers():
        name = record.name.encode()
        try:
            size, in_use = size_of(room.room, CONTAINERS, name, FS), _is_open(room.room, name)
        except FileNotFoundError:  # It was removed meanwhile.
            continue
        found.append(ListedContainer(record=record, size=size, mount_point=mounts.get(record.name), in_use=in_use))
    return found


def _is_open(room: RoomDirectory, name: bytes) -> bool:
    """Return whether a process has a container open.

    A process that opens it meanwhile may be told that it is in use: the lock can only be tried.
    """
    with room.directory(CONTAINERS, name) as fd:
        return system.lock(fd, wait=False, shared=True) is False
