"""How much space the images and containers of a room take, and how much they share: `du`."""

import os
from collections import Counter
from collections.abc import Iterator

import attrs

from oci_layers import system
from oci_layers.disk.confine import Handles, list_now
from oci_layers.errors import UnsafePathError
from oci_layers.snapshot.directory import CONTAINERS, RoomDirectory
from oci_layers.snapshot.snapshots import Snapshots
from oci_layers.tree.path import join

__all__ = ["ContainerSize", "ImageSize", "Usage", "du", "size_of"]

_BLOCK = 512


@attrs.frozen(kw_only=True)
class ImageSize:
    """What one image of a room takes."""

    name: str
    """Its name."""
    size: int
    """Bytes of its layers."""
    exclusive: int
    """Bytes of those that no other image of the room has."""

    @property
    def shared(self) -> int:
        """Bytes of the layers that other images have, too."""
        return self.size - self.exclusive


@attrs.frozen(kw_only=True)
class ContainerSize:
    """What one container of a room takes beside its image."""

    name: str
    """Its name."""
    image: str
    """The name of its image."""
    size: int
    """Bytes of its own directories."""


@attrs.frozen(kw_only=True)
class Usage:
    """What a room takes, in bytes of the disk, as `du` counts: whole blocks, each file once however many names."""

    images: tuple[ImageSize, ...]
    """The images, by name."""
    containers: tuple[ContainerSize, ...]
    """The containers with a name, by name."""
    layers: int
    """How many layers there are in the room itself."""
    total: int
    """Bytes of the whole room, records and leftovers included."""


def du(room: Snapshots) -> Usage:
    """Return what each image and container of a room takes, and what the room takes.

    Layers of read-only rooms count for their images, and not for the room. All directories are walked.

    Raises:
        StoreError: A record is damaged, or a layer is missing.
        OSError: A directory cannot be read.
    """
    with room.room.shared():
        stacks = {image.name: room.stack(image) for image in room.images()}
        layers = sum(1 for _ in room.layers.all())
    chains = {name: [layer.chain_id for layer in stack] for name, stack in stacks.items()}
    used = Counter(chain_id for chain in chains.values() for chain_id in chain)
    found = {layer.chain_id: layer for stack in stacks.values() for layer in stack}
    sizes = {chain_id: _size_if_there(layer.room, *layer.names) for chain_id, layer in found.items()}
    images = tuple(
        ImageSize(
            name=name,
            size=sum(sizes[each] for each in chain),
            exclusive=sum(sizes[each] for each in chain if used[each] == 1),
        )
        for name, chain in chains.items()
    )
    containers = tuple(
        ContainerSize(name=each.name, image=each.image, size=_size_if_there(room.room, CONTAINERS, each.name.encode()))
        for each in room.containers()
    )
    return Usage(images=images, containers=containers, layers=layers, total=size_of(room.room))


def size_of(room: RoomDirectory, *names: bytes) -> int:
    """Return the bytes of the blocks of a directory and everything below it, each file once.

    What is removed meanwhile counts or not.

    Raises:
        FileNotFoundError: There is no such directory.
        OSError: A directory cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    with room.directory(*names) as fd:
        for found in _walk(fd):
            key = found.st_dev, found.st_ino
            if found.st_nlink < 2 or system.is_directory(found.st_mode) or key not in seen:
                seen.add(key)
                total += found.st_blocks * _BLOCK
    return total


def _size_if_there(room: RoomDirectory, *names: bytes) -> int:
    """Return what `size_of` does; 0 if the directory was removed meanwhile."""
    try:
        return size_of(room, *names)
    except FileNotFoundError:
        return 0


def _walk(root: int) -> Iterator[os.stat_result]:
    """Yield the status of an open directory and of everything below it on its file system."""
    here = system.fstat(root)
    yield here
    handles = Handles(root)
    stack = [b""]
    try:
        while stack:
            path = stack.pop()
            try:
                fd = handles.directory(path)
                names = system.list_names(fd) if path else list_now(fd)
            except PermissionError:  # What a mount works in has no mode, and nothing of its own.
                continue
            except (FileNotFoundError, UnsafePathError):  # It was removed meanwhile.
                continue
            for name in names:
                try:
                    found = system.lstat(name, fd)
                except FileNotFoundError:
                    continue
                if found.st_dev == here.st_dev:
                    yield found
                    if system.is_directory(found.st_mode):
                        stack.append(join(path, name))
    finally:
        handles.close()
