"""`oci-layers umount`: unmount what `mount` mounted."""

import argparse
import os
import sys

from oci_layers import system
from oci_layers.cli.output import path_json, print_json
from oci_layers.cli.rooms import opened_room, room_argument
from oci_layers.errors import escape

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "umount",
        help="unmount what mount mounted",
        description="Unmount an image or a container of the room. A container stays, with what was written to it. "
        "If a file there is open, the directory is free at once, and the mount ends when the file is closed.",
    )
    parser.add_argument("directory", metavar="DIR", help="where it is mounted")
    room_argument(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_umount)


def _umount(options: argparse.Namespace) -> int:
    place = system.resolve(options.directory)
    with opened_room(options) as room:
        known = {each.path: each for each in room.mounts()}
        room.unmount(options.directory)
    if options.format == "json":
        mount = known[place]
        print_json(
            {
                "room": room.place,
                **path_json(os.fsencode(place)),
                "chain_id": None if mount.chain_id is None else str(mount.chain_id),
                "container": mount.container or None,
            }
        )
    else:
        sys.stdout.write(f"{escape(place)}  unmounted\n")
    return 0
