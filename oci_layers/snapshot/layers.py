"""The unpacked layers of a room, and of the read-only rooms under it: found, written, and read as trees.

A layer that one of the rooms has is used from there; a new one is written to the first. Its record and its changes are
read once, as they never change.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import attrs

from oci_layers import system
from oci_layers.blob.root import is_odd, odd_file
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import Owner
from oci_layers.disk.scan import OnDisk
from oci_layers.errors import NameFormatError, StoreError
from oci_layers.limits import Limits
from oci_layers.report import Report
from oci_layers.snapshot.changes_file import ContentOpener, StoredContent, apply_lines
from oci_layers.snapshot.content_digests import ContentDigests
from oci_layers.snapshot.directory import CHANGES, FS, LAYERS, RoomDirectory, Staging, layer_names
from oci_layers.snapshot.record import LayerRecord, dumps, loads
from oci_layers.snapshot.upper_mirror import UpperMirror
from oci_layers.spec.digest import Digest
from oci_layers.tree.content import Content, DigestContent
from oci_layers.tree.node import File
from oci_layers.tree.tree import FileTree

__all__ = ["RECORD", "LayerWriter", "RoomLayer", "RoomLayers"]

RECORD = b"layer.json"
_LINES = 4096
"""How many lines are written at once."""


def directory_of(room: RoomDirectory, chain_id: Digest) -> str:
    """Return the path of the directory that has the changes of a layer in overlay form."""
    return os.path.join(room.path, *map(os.fsdecode, layer_names(chain_id)), os.fsdecode(FS))


def content_opener(directory: str) -> ContentOpener:
    """Return a function that returns the contents of files below a directory."""

    def content(path: bytes, stored: StoredContent) -> Content:
        return OnDisk(directory, path, stored.size, stored.extents)

    return content


def _known_content(_: bytes, stored: StoredContent) -> Content:
    """Return the content of a file that is known by its digest."""
    return DigestContent(stored.size, stored.sha256)


@attrs.frozen
class RoomLayer:
    """A layer that is unpacked in a room."""

    chain_id: Digest
    """The digest of it and all below it (config.md, Layer ChainID)."""
    record: LayerRecord
    """What it is."""
    room: RoomDirectory = attrs.field(repr=False)
    """Where it is."""

    @property
    def names(self) -> tuple[bytes, bytes, bytes]:
        """The names that lead to its directory."""
        return layer_names(self.chain_id)

    @property
    def path(self) -> str:
        """The directory that has its changes in overlay form."""
        return directory_of(self.room, self.chain_id)

    @property
    def place(self) -> str:
        """Its name in errors."""
        return f"layer {self.chain_id} of {self.room.place}"

    def open(self) -> int:
        """Open the directory that has its changes in overlay form; the caller closes the handle."""
        with self.room.directory(*self.names) as fd, self.room.root.located():
            return self.room.root.open_own(FS, fd)

    def use(self) -> int:
        """Keep it from being collected until the returned handle is closed; the caller shares the room's lock."""
        with self.room.directory(*self.names) as fd:
            used = system.duplicate(fd)
        system.lock(used, wait=True, shared=True)
        return used

    def changes(self) -> bytes:
        """Return the lines of its changes.

        Raises:
            StoreError: They are not there, or no regular file.
        """
        try:
            with self.room.directory(*self.names) as fd, self.room.root.located():
                changes = self._open_changes(fd)
                try:
                    return b"".join(iter(lambda: system.read(changes, 1 << 20), b""))
                finally:
                    system.close(changes)
        except FileNotFoundError:
            raise StoreError(self.place, "its changes are not there; unpack the image again") from None

    def _open_changes(self, fd: int) -> int:
        try:
            return system.open_regular_file(CHANGES, fd)
        except OSError as error:
            if is_odd(error):
                raise StoreError(self.place, odd_file(os.fsdecode(CHANGES), error, links=False)) from error
            raise

    def apply(self, tree: FileTree, number: int) -> None:
        """Apply it to the tree of the layers below, in place, as the layer `number`; contents are in its directory.

        Raises:
            StoreError: Its changes are damaged.
        """
        lines = self.changes().splitlines()
        apply_lines(lines, tree, layer=number, opener=content_opener(self.path), place=self.place)

    def upper(self) -> FileTree:
        """Return what its directory should hold, in overlay form; contents are known by their digests.

        Raises:
            StoreError: Its changes are damaged.
        """
        tree = FileTree()
        lines = self.changes().splitlines()
        apply_lines(lines, tree, layer=0, opener=_known_content, place=self.place, upper=True)
        return tree


class RoomLayers:
    """The layers of several rooms, by chain_id. Several threads may use it."""

    def __init__(self, rooms: Sequence[RoomDirectory], limits: Limits) -> None:
        """Take the rooms; the first is written to."""
        self._rooms = rooms
        self._limits = limits
        self._known: dict[Digest, RoomLayer] = {}

    def find(self, chain_id: Digest) -> RoomLayer | None:
        """Return a layer; None if no room has it.

        Raises:
            StoreError: Its record is damaged.
        """
        known = self._known.get(chain_id)
        if known is not None and system.exists(known.path):  # Another process may have removed it.
            return known
        for room in self._rooms:
            found = self.read(room, chain_id)
            if found is not None:
                self._known[chain_id] = found
                return found
        return None

    def read(self, room: RoomDirectory, chain_id: Digest) -> RoomLayer | None:
        """Return a layer of one room; None if that has it not. Raises as `find`."""
        raw = room.read(*layer_names(chain_id), RECORD)
        if raw is None:
            return None
        return RoomLayer(chain_id, loads(LayerRecord, raw, f"layer {chain_id} of {room.place}"), room)

    def all(self) -> Iterator[RoomLayer]:
        """Yield the layers of the first room, in the order of their chain_ids.

        Raises:
            StoreError: A layer has no record, or a damaged one.
        """
        room = self._rooms[0]
        for algorithm in room.names(LAYERS):
            for encoded in room.names(LAYERS, algorithm):
                try:
                    chain_id = Digest.parse(f"{os.fsdecode(algorithm)}:{os.fsdecode(encoded)}")
                except NameFormatError:
                    continue
                layer = self.read(room, chain_id)
                if layer is not None:
                    yield layer
                elif encoded in room.names(LAYERS, algorithm):  # Otherwise it was removed meanwhile.
                    raise StoreError(room.place, f"layer {chain_id} has no record")

    def forget(self, chain_id: Digest) -> None:
        """Forget a layer that was removed."""
        self._known.pop(chain_id, None)

    def stack(self, chain_id: Digest | None) -> list[RoomLayer]:
        """Return a layer and all below it, the topmost first.

        Raises:
            StoreError: One of them is missing or damaged.
        """
        found: list[RoomLayer] = []
        while chain_id is not None:
            layer = self.find(chain_id)
            if layer is None:
                raise StoreError(self._rooms[0].place, f"layer {chain_id} is missing; unpack the image again")
            if len(found) >= self._limits.layers:
                raise StoreError(layer.place, "there are too many layers below it")
            found.append(layer)
            chain_id = layer.record.parent
        return found

    def tree(self, chain_id: Digest | None) -> FileTree:
        """Return the merged tree of a layer and all below it; contents are read from the room.

        Raises:
            StoreError: A layer is missing or damaged.
        """
        tree = FileTree(limits=self._limits)
        for number, layer in enumerate(reversed(self.stack(chain_id))):
            layer.apply(tree, number)
        return tree


class _Lines:
    """Writes lines of ASCII to an open file of a room, many at once."""

    def __init__(self, room: RoomDirectory, fd: int) -> None:
        self._room = room
        self._fd = fd
        self._held: list[str] = []

    def write(self, line: str) -> None:
        self._held.append(line)
        if len(self._held) >= _LINES:
            self.flush()

    def flush(self) -> None:
        with self._room.root.located():
            system.write_all(self._fd, memoryview("".join(self._held).encode()))
        self._held.clear()


class LayerWriter:
    """Writes one layer to a staging directory of a room, then gives it its name."""

    def __init__(
        self,
        room: RoomDirectory,
        staging: Staging,
        owner: Owner,
        report: Report,
        digests: ContentDigests,
        checkpoint: Callable[[], None],
    ) -> None:
        """Make the directory for its changes.

        Args:
            room: The room.
            staging: The staging directory.
            owner: The owners of the files.
            report: Receives what the system refuses.
            digests: Hashes the contents.
            checkpoint: As for `UpperMirror`.
        """
        self._room = room
        self._staging = staging
        self._report = report
        self._same_owner = owner == Owner()
        self._files, self._bytes = report.files, report.bytes
        self._skipped = dict(report.skipped.totals)
        with room.root.located():
            system.make_directory(FS, staging.fd)
            self._fs = system.open_directory(FS, staging.fd)
        try:
            place = os.path.join(room.place, "tmp", os.fsdecode(staging.name), os.fsdecode(FS))
            with room.root.located():
                self._directory = DirectoryMirror(self._fs, owner=owner, report=report, dest=place, overlay=True)
            self.mirror = UpperMirror(self._directory, report, digests, checkpoint)
            """Receives the steps of the merge."""
        except BaseException:
            self.close()
            raise

    def finish(
        self,
        old: FileTree,
        new: FileTree,
        chain_id: Digest,
        share: Callable[[int, list[tuple[bytes, File, StoredContent]]], None],
    ) -> None:
        """Complete the directory, and write the changes from `old` to `new` beside it.

        The contents of what is new are then read from where `publish` puts it.

        Args:
            old: The tree below.
            new: The tree with this layer.
            chain_id: The chain_id of this layer.
            share: Called with the directory and its larger files, which it may share with others.
        """
        opener = content_opener(directory_of(self._room, chain_id))
        with self._room.root.located():
            fd = system.open_new_file(CHANGES, self._staging.fd, 0o644)
        try:
            lines = _Lines(self._room, fd)
            files = self.mirror.complete(old, new, opener, lines.write)
            lines.flush()
        finally:
            system.close(fd)
        share(self._fs, files)
        self.mirror.finish()

    def publish(self, chain_id: Digest, diff_id: Digest, parent: Digest | None) -> None:
        """Sync everything, write the record, and give the layer its name."""
        record = LayerRecord(
            diff_id=diff_id,
            parent=parent,
            files=self._report.files - self._files,
            bytes=self._report.bytes - self._bytes,
            same_owner=self._same_owner,
            skipped={
                kind: count - self._skipped.get(kind, 0)
                for kind, count in self._report.skipped.totals.items()
                if count > self._skipped.get(kind, 0)
            },
        )
        with self._room.root.located():
            self._room.sync_all(self._staging.fd)
        self._room.write_in(self._staging.fd, RECORD, dumps(record))
        self._room.publish(self._staging, *layer_names(chain_id))

    def close(self) -> None:
        """Close the directory."""
        directory = getattr(self, "_directory", None)
        if directory is not None:
            directory.close()
        system.close(self._fs)
