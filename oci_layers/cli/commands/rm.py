"""`oci-layers rm`: remove containers or images from a room, or what containers changed."""

import argparse
import sys
from collections.abc import Callable

from oci_layers.cli.output import columns, print_json
from oci_layers.cli.rooms import opened_room, room_argument
from oci_layers.errors import escape
from oci_layers.snapshot.snapshots import Snapshots

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "rm",
        help="remove containers or images from a room",
        description="Remove containers and what was written to them; or images, with --image, whose layers gc then "
        "removes. If one of several does not exist, nothing is removed. A container that is mounted or open is "
        "refused.",
    )
    parser.add_argument("name", metavar="NAME", nargs="+", help="the name of a container")
    parser.add_argument("--image", action="store_true", help="NAME is that of an image of the room; containers stay")
    parser.add_argument("--reset", action="store_true", help="keep the containers, and remove what was written to them")
    room_argument(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_rm, refuse=parser.error)


def _rm(options: argparse.Namespace) -> int:
    if options.image and options.reset:
        options.refuse("--reset is for containers")
    names = list(dict.fromkeys(options.name))
    with opened_room(options) as room:
        check, remove, done = _what(room, options)
        for name in names:
            check(name)
        for name in names:
            remove(name)
    if options.format == "json":
        kind = "image" if options.image else "container"
        print_json({"room": room.place, done: [{"kind": kind, "name": name} for name in names]})
    else:
        sys.stdout.writelines(columns([(escape(name), done) for name in names]))
    return 0


def _what(room: Snapshots, options: argparse.Namespace) -> tuple[Callable[[str], object], Callable[[str], None], str]:
    """Return what looks for a name, what removes it, and the word for that."""
    if options.image:
        return room.image, room.remove_image, "removed"
    if options.reset:
        return room.container_files, room.reset_container, "reset"
    return room.container_files, room.remove_container, "removed"
