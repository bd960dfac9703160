"""The options that select a room of unpacked layers, and an image of it or of any place.

An image of a place on this machine is kept under the absolute path of the place, so that its name means the same in
every working directory.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from oci_layers import system
from oci_layers.cli.options import choice_arguments, opened, progress_argument
from oci_layers.cli.progress import interruptible_progress
from oci_layers.errors import PlaceMissingError, StoreError, UnsupportedError, escape
from oci_layers.limits import Limits
from oci_layers.snapshot.container import Container
from oci_layers.snapshot.directory import is_room
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.snapshots import Snapshots
from oci_layers.store.name import ImageName
from oci_layers.store.open import parse_image_name

__all__ = [
    "container_of",
    "opened_room",
    "print_refused",
    "read_only_room_argument",
    "read_only_rooms",
    "room_argument",
    "room_image_arguments",
    "snapshot_json",
    "snapshot_of",
    "unpack_to",
]

_SYSTEM_ROOM = "/var/lib/oci-layers/room"


def room_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--room`."""
    parser.add_argument(
        "--room",
        metavar="DIR",
        help="the directory of unpacked layers (default: $OCI_LAYERS_ROOM; otherwise oci-layers/room in "
        f"$XDG_DATA_HOME or ~/.local/share, for root {_SYSTEM_ROOM})",
    )
    read_only_room_argument(parser)


def read_only_room_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--read-only-room`."""
    parser.add_argument(
        "--read-only-room",
        action="append",
        metavar="DIR",
        help="a further room, whose layers are used and which is never written; may be repeated (default: "
        f"$OCI_LAYERS_READ_ONLY_ROOMS, separated by {os.pathsep!r})",
    )


def room_image_arguments(parser: argparse.ArgumentParser, *, known: bool = True) -> None:
    """Add IMAGE, which is an image of any place or, with `known`, of the room; what selects it, and `--room`."""
    place = (
        "oci:DIR[:REF|@DIGEST], oci-archive:FILE[:REF|@DIGEST], docker-archive:FILE[:NAME:TAG], or the path of one of "
        "these; docker://HOST/REPOSITORY[:TAG|@DIGEST]"
    )
    of_room = "an image of the room by its name; or one of another place, which is unpacked to the room first: "
    parser.add_argument("image", metavar="IMAGE", help=of_room * known + place)
    room_argument(parser)
    choice_arguments(parser, "which of several images of a place (default: that for this machine)")
    progress_argument(parser)


def _default_room() -> str:
    """Return the room of the user."""
    if system.effective_ids()[0] == 0:
        return _SYSTEM_ROOM
    data = system.environment().get("XDG_DATA_HOME", "")
    above = data if os.path.isabs(data) else os.path.expanduser("~/.local/share")
    return os.path.join(above, "oci-layers", "room")


@contextlib.contextmanager
def opened_room(
    options: argparse.Namespace, *, make: bool = False, limits: Limits | None = None
) -> Iterator[Snapshots]:
    """Yield the room of the options; close it when the block ends.

    Args:
        options: The options of `room_argument`.
        make: Make the room if it does not exist.
        limits: The limits on layers and trees.

    Raises:
        PlaceMissingError: The room, or a read-only one, does not exist.
        StoreError: The directory is no room.
    """
    given = options.room or system.environment().get("OCI_LAYERS_ROOM", "")
    place = given or _default_room()
    if make:
        if not given:
            system.make_directories(os.path.dirname(place))
    elif not system.exists(place):
        raise PlaceMissingError(place, "no such room; `oci-layers snapshot` makes one, --room names another")
    elif not is_room(place):
        raise StoreError(place, "not a room: there is no file oci-layers-room")
    with Snapshots(place, read_only=read_only_rooms(options), limits=limits) as room:
        yield room


def read_only_rooms(options: argparse.Namespace) -> Sequence[str]:
    """Return the rooms of `read_only_room_argument`."""
    if options.read_only_room is not None:
        return list(options.read_only_room)
    given = system.environment().get("OCI_LAYERS_READ_ONLY_ROOMS", "")
    return [each for each in given.split(os.pathsep) if each]


def snapshot_of(room: Snapshots, options: argparse.Namespace) -> Snapshot:
    """Return the image of the options: one of the room, or one of another place, which is unpacked.

    With `--platform`, and for standard input, the place is read in any case.

    Raises:
        PlaceMissingError: There is no such image, here or there.
        OCIError: As `unpack_to`.
    """
    try:
        where = ImageName.parse(options.image)
    except UnsupportedError as error:  # No place has this name, but an image of the room may.
        if options.image in (known := {each.name: each for each in room.images()}):
            return known[options.image]
        raise PlaceMissingError(options.image, f"no image of {escape(room.place)}; {error}") from error
    is_read = options.platform is not None or where.place == "-"
    known = {} if is_read else {each.name: each for each in room.images()}
    if options.ref is None and options.image in known:
        return known[options.image]
    name = _kept_name(options)
    if name in known:
        return known[name]
    if not where.transport and where.place != "-" and not system.exists(where.place):
        raise PlaceMissingError(options.image, f"no such file or directory, and no image of {escape(room.place)}")
    return unpack_to(room, options)


def unpack_to(room: Snapshots, options: argparse.Namespace, *, name: str | None = None) -> Snapshot:
    """Unpack the image of the options to a room, with progress; by default under the name of its place.

    Raises:
        OCIError: The image cannot be opened, or a layer is missing, damaged or refused.
    """
    with opened(options) as (image, _), interruptible_progress(options.progress) as on_progress:
        return room.unpack(image, name=name or _kept_name(options), progress=on_progress)


def _kept_name(options: argparse.Namespace) -> str:
    """Return the name under which an image of a place is kept: with its reference, and the whole path of the place."""
    where, ref = parse_image_name(options.image, options.ref)
    if where.transport == "docker" or where.place == "-":
        return str(options.image)
    place = system.resolve(where.place)
    if where.transport:
        return str(attrs.evolve(where, place=place, ref=ref))
    return place if ref is None or not system.is_existing_directory(place) else str(ImageName("oci", place, ref))


def container_of(room: Snapshots, options: argparse.Namespace, *, at: str | None = None) -> Container:
    """Open the container of `--name` over the image of the options; it is made if the room has none.

    Without `--name`, make one that is gone when it is closed.

    Raises:
        NameFormatError: No container can have this name.
        StoreError: The container is over another image, or in use.
        OCIError: As `snapshot_of`, and as `Snapshots.container`.
    """
    if options.name == "":
        options.refuse("--name is empty")
    known = {each.name: each for each in room.containers()}.get(options.name or "")
    if known is None:
        return room.container(snapshot_of(room, options), name=options.name or "", at=at)
    if (options.image, options.ref, options.platform) != (known.image, None, None):
        image = snapshot_of(room, options)
        if image.manifest != known.manifest:
            raise StoreError(
                room.place, f"container {known.name} is over {known.image} ({known.manifest}), not {image.manifest}"
            )
    return room.open_container(known.name, at=at)


def snapshot_json(room: Snapshots, image: Snapshot) -> dict[str, Any]:  # Any: JSON
    """Return an image of a room as a JSON object."""
    return {
        "room": room.place,
        "image": image.name,
        "digest": str(image.manifest),
        "chain_id": None if image.chain_id is None else str(image.chain_id),
    }


def print_refused(refused: Sequence[tuple[str, str]]) -> None:
    """Print a line on stderr for each presenter that could not show an image."""
    for presenter, reason in refused:
        print(f"oci-layers: not shown by {presenter}: {reason}", file=sys.stderr)
