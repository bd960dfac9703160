"""`oci-layers mount`: show an image of a room at a directory, to be read or, as a container, to be written."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator

from oci_layers.cli.options import limits_of
from oci_layers.cli.output import path_json, print_json
from oci_layers.cli.rooms import (
    container_of,
    opened_room,
    print_refused,
    room_image_arguments,
    snapshot_json,
    snapshot_of,
)
from oci_layers.errors import escape
from oci_layers.snapshot.container import Container, View
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.snapshots import Snapshots

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "mount",
        help="mount an image at a directory",
        description="Mount IMAGE at DIR, where it stays until umount. It can only be read; with --name it can be "
        "written, and what is written is kept in a container. An image that the room has is taken as it is there; "
        "snapshot takes what its place has now. Root mounts with the kernel, an ordinary user with fuse-overlayfs.",
    )
    room_image_arguments(parser)
    parser.add_argument("directory", metavar="DIR", help="an existing directory")
    parser.add_argument(
        "--name", metavar="NAME", help="write to the container of this name, which is made if there is none"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_mount, refuse=parser.error)


def _mount(options: argparse.Namespace) -> int:
    with opened_room(options, make=True, limits=limits_of(options)) as room, _shown(room, options) as (image, view):
        path = view.leave()
    container = view.name if isinstance(view, Container) else None
    print_refused(view.refused)
    if options.format == "json":
        print_json(
            {
                **snapshot_json(room, image),
                "container": container,
                **path_json(os.fsencode(path)),
                "presenter": view.presenter,
                "refused": [{"presenter": presenter, "reason": reason} for presenter, reason in view.refused],
            }
        )
    else:
        what = "read-only" if container is None else f"container {container}"
        sys.stdout.write(f"{escape(path)}  {escape(image.name)}  {what}  {view.presenter}\n")
    return 0


@contextlib.contextmanager
def _shown(room: Snapshots, options: argparse.Namespace) -> Iterator[tuple[Snapshot, View]]:
    """Yield the image, and what is mounted; it is unmounted when the block ends, unless it was left."""
    if options.name is None:
        image = snapshot_of(room, options)
        with room.view(image, at=options.directory) as view:
            yield image, view
    else:
        with container_of(room, options, at=options.directory) as box:
            record = box.record
            yield Snapshot(name=record.image, manifest=record.manifest, chain_id=record.chain_id), box
