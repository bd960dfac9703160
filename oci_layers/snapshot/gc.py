"""Remove the layers of a room that nothing needs, and what killed processes left: `gc`.

Theory of operation. Images, containers, mounts that are there, and views that are open need layers; each layer needs
the one below. A layer that was unpacked or used within the grace period, or since the oldest lease that is held began,
is kept, too. Users touch a layer under the shared lock of the room. Under the exclusive one, all of this is looked at
again for every layer, and what nothing needs is renamed to `trash/`, the upper before the lower, so that what has its
name is whole at any time. The files are removed afterwards, without the lock.

A record that cannot be read ends the work before anything is removed: what it needs is not known.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers.disk.confine import list_now
from oci_layers.snapshot.container import read_record
from oci_layers.snapshot.directory import CONTAINERS, IMAGES, LEASES, MERGED, MOUNTS, TMP, TRASH, is_unfinished
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.record import ContainerRecord, MountRecord
from oci_layers.snapshot.snapshots import Snapshots
from oci_layers.spec.digest import Digest

__all__ = ["Collected", "gc"]

_YOUNG_NS = 60 * 10**9
"""How long in ns a directory in `tmp/` is kept, lock or no lock: its writer may not have locked it yet."""
_LONGEST = 1e10
"""Seconds before which no file was written; a longer grace period is as good."""


@attrs.frozen(kw_only=True)
class Collected:
    """What `gc` removed, or would remove."""

    layers: tuple[Digest, ...] = ()
    """The chain_ids of the layers, each before the one below it."""
    leftovers: tuple[str, ...] = ()
    """What killed processes left, as paths in the room."""
    kept: int = 0
    """The number of layers kept."""
    bytes: int = 0
    """The bytes of the files of the layers removed, as their records say."""


def gc(room: Snapshots, *, grace: float = 3600.0, dry_run: bool = False) -> Collected:
    """Remove the layers that no image, container, mount, view or lease needs, and what killed processes left.

    Other processes may use the room meanwhile.

    Args:
        room: The room; read-only rooms under it are left alone.
        grace: Seconds for which a layer is kept although nothing needs it.
        dry_run: Remove nothing.

    Raises:
        StoreError: A record is damaged, or the file system has no locks; nothing was removed.
    """
    work = _Collection(room, int(min(grace, _LONGEST) * 1e9))
    with room.room.exclusive():
        unused = work.unused()
        leftovers = list(work.leftovers())
        kept = work.present - len(unused)
        if not dry_run:
            for layer in unused:
                room.room.discard(*layer.names)
                room.layers.forget(layer.chain_id)
            for names in leftovers:
                room.room.discard(*names)
    if not dry_run:
        room.room.empty_trash()
    return Collected(
        layers=tuple(layer.chain_id for layer in unused),
        leftovers=tuple("/".join(map(os.fsdecode, names)) for names in leftovers),
        kept=kept,
        bytes=sum(layer.record.bytes for layer in unused),
    )


class _Collection:
    """One look at a room."""

    def __init__(self, room: Snapshots, grace_ns: int) -> None:
        self._room = room
        self._now = system.clock_ns()
        self._grace_ns = grace_ns
        self._needed: set[str] = set()
        self.present = 0
        """The number of layers."""

    def unused(self) -> list[RoomLayer]:
        """Return the layers that nothing needs, each before the one below it."""
        layers = {layer.chain_id: layer for layer in self._room.layers.all()}
        self.present = len(layers)
        keep_from = min([self._now - self._grace_ns, *self._leases()])
        needed: set[Digest] = set()
        for root in (*self._roots(), *(each for each, layer in layers.items() if self._is_used(layer, keep_from))):
            chain_id: Digest | None = root
            while chain_id is not None and chain_id not in needed:
                needed.add(chain_id)
                layer = layers.get(chain_id) or self._room.layers.find(chain_id)
                chain_id = None if layer is None else layer.record.parent
        self._needed = {str(chain_id) for chain_id in needed}
        below = {chain_id: layer.record.parent for chain_id, layer in layers.items() if chain_id not in needed}
        return [layers[each] for each in _uppermost_first(below)]

    def _roots(self) -> Iterator[Digest]:
        """Yield the topmost layers of images, containers and mounts."""
        yield from _chain_ids(self._room.images())
        yield from _chain_ids(self._room.containers())
        yield from _chain_ids(self._room.mounts())
        for name in self._room.room.names(TMP):
            if self._is_locked(TMP, name):
                record = read_record(self._room.room, TMP, name)
                yield from _chain_ids([] if record is None else [record])

    def _is_used(self, layer: RoomLayer, keep_from: int) -> bool:
        """Return whether a layer was used since a time in ns, or is in use."""
        with self._room.room.directory(*layer.names) as fd, self._room.room.root.located():
            return system.fstat(fd).st_mtime_ns >= keep_from or system.lock(fd, wait=False) is False

    def _leases(self) -> list[int]:
        """Return when each lease that is held began, in ns."""
        began = []
        with self._room.room.directory(LEASES, make=True) as leases, self._room.room.root.located():
            for name in system.list_names(leases):
                try:
                    fd = system.open_regular_file(name, leases)
                except FileNotFoundError:
                    continue
                try:
                    if system.lock(fd, wait=False) is False:
                        began.append(system.fstat(fd).st_mtime_ns)
                finally:
                    system.close(fd)
        return began

    def _is_locked(self, *names: bytes) -> bool:
        """Return whether another process, or another handle, has the lock of a directory; False if there is none."""
        try:
            with self._room.room.directory(*names) as fd:
                return system.lock(fd, wait=False) is False
        except FileNotFoundError:
            return False

    def leftovers(self) -> Iterator[tuple[bytes, ...]]:
        """Yield what is not locked and old, so that its writer has ended, and what is not needed any more."""
        before = self._now - max(_YOUNG_NS, self._grace_ns)
        for directory in (TMP, LEASES):
            with self._room.room.directory(directory, make=True) as fd, self._room.room.root.located():
                for name in system.list_names(fd):
                    with contextlib.suppress(FileNotFoundError):  # Its writer has removed it.
                        if system.lstat(name, fd).st_mtime_ns < before and not self._is_held(name, fd):
                            yield directory, name
        for directories in ((IMAGES,), (MOUNTS,), *((CONTAINERS, each) for each in self._room.room.names(CONTAINERS))):
            yield from self._unfinished(before, *directories)
        for name in self._room.room.names(TRASH):
            yield TRASH, name
        for algorithm in self._room.room.names(MERGED):
            for encoded in self._room.room.names(MERGED, algorithm):
                if f"{os.fsdecode(algorithm)}:{os.fsdecode(encoded)}" not in self._needed:
                    yield MERGED, algorithm, encoded

    def _unfinished(self, before: int, *names: bytes) -> Iterator[tuple[bytes, ...]]:
        """Yield records that were not written to their end, older than a time in ns."""
        room = self._room.room
        with contextlib.suppress(FileNotFoundError), room.directory(*names) as fd, room.root.located():
            for name in list_now(fd):
                if is_unfinished(name) and system.lstat(name, fd).st_mtime_ns < before:
                    yield *names, name

    def _is_held(self, name: bytes, parent: int) -> bool:
        is_directory = system.is_directory(system.lstat(name, parent).st_mode)
        fd = system.open_directory(name, parent) if is_directory else system.open_regular_file(name, parent)
        try:
            return system.lock(fd, wait=False) is False
        finally:
            system.close(fd)


def _chain_ids(records: Sequence[Snapshot | ContainerRecord | MountRecord]) -> Iterator[Digest]:
    yield from (record.chain_id for record in records if record.chain_id is not None)


def _uppermost_first(below: dict[Digest, Digest | None]) -> list[Digest]:
    """Return layers so that each comes before the one below it."""
    order: list[Digest] = []
    placed: set[Digest] = set()
    for chain_id in below:
        path: list[Digest] = []
        each: Digest | None = chain_id
        while each is not None and each in below and each not in placed:
            path.append(each)
            placed.add(each)
            each = below[each]
        order = path + order  # The layers below it were placed before, and come later.
    return order
