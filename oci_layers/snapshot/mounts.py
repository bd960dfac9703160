"""The mounts at paths of a room: a note for each, since a mount stays when the process that made it ends."""

import contextlib
import os

from oci_layers import system
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.snapshot.directory import MOUNTS, RoomDirectory, file_name
from oci_layers.snapshot.presenter import Presented, unmount
from oci_layers.snapshot.record import MountRecord, dumps, loads
from oci_layers.spec.digest import Digest

__all__ = ["Mounts"]


class Mounts:
    """The notes of mounts in a room."""

    def __init__(self, room: RoomDirectory) -> None:
        self._room = room

    def require_free(self, at: str | os.PathLike[str] | None) -> None:
        """Refuse a path at which the room has a mount: that could not be reached below another one.

        Raises:
            StoreError: There is one.
        """
        if at is not None:
            place = system.resolve(os.fspath(at))
            if place in {each.path for each in self.all()}:
                raise StoreError(place, f"{self._room.place} has something mounted there already")

    def note(self, shown: Presented, chain_id: Digest | None, container: str) -> contextlib.ExitStack:
        """Note what is mounted at a path, if it is; return what removes the note."""
        removal = contextlib.ExitStack()
        if shown.path is None:
            return removal
        device = system.fstat(shown.fd).st_dev
        record = MountRecord(path=shown.path, device=device, chain_id=chain_id, container=container)
        try:
            self._room.replace(MOUNTS, file_name(shown.path), dumps(record))
        except BaseException:
            shown.close()
            raise
        removal.callback(self._room.remove_file, MOUNTS, file_name(shown.path))
        return removal

    def all(self) -> list[MountRecord]:
        """Return the mounts that are still there, by path.

        Raises:
            StoreError: The record of one is damaged.
        """
        found = []
        for name, raw in self._room.records(MOUNTS):
            record = loads(MountRecord, raw, f"mount {os.fsdecode(name)} of {self._room.place}")
            if _is_there(record):
                found.append(record)
        return sorted(found, key=lambda each: each.path)

    def unmount(self, path: str | os.PathLike[str]) -> None:
        """Unmount what the room has mounted at a path.

        Raises:
            PlaceMissingError: Nothing of the room is mounted there.
            OSError: The system refuses.
        """
        place = system.resolve(os.fspath(path))
        if place not in {each.path for each in self.all()}:
            raise PlaceMissingError(os.fspath(path), f"nothing of {self._room.place} is mounted there")
        unmount(place)
        self._room.remove_file(MOUNTS, file_name(place))


def _is_there(mount: MountRecord) -> bool:
    """Return whether a mount is still where it was made."""
    try:
        fd = system.open_parent(mount.path)
    except (OSError, ValueError):  # No path has a zero byte.
        return False
    try:
        return system.fstat(fd).st_dev == mount.device
    finally:
        system.close(fd)
