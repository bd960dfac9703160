"""`oci-layers shell`: run a program in the files of an image."""

import argparse
import sys

from oci_layers import system
from oci_layers.cli.options import limits_of
from oci_layers.cli.process import keyboard_left_to_child
from oci_layers.cli.rooms import container_of, opened_room, print_refused, room_image_arguments
from oci_layers.errors import PlaceMissingError

__all__ = ["add"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "shell",
        help="run a program in the files of an image, to look around",
        description="Run CMD with the files of IMAGE as its root directory, which it may write; what it writes is gone "
        "afterwards, or kept in a container with --name. The exit code is that of CMD, or 128 and the number of the "
        "signal that ended it. This is for looking, and no container runtime: nothing is isolated but the files, CMD "
        "has the network and the processes of this machine, for root it runs as root of this machine, and for an "
        "ordinary user in a user namespace in which it is root. Run no program that you do not trust. There is no "
        "/proc, /sys or /dev but what the image has, and of the variables only PATH, HOME and TERM are set; the "
        "settings of the image do not count.",
    )
    room_image_arguments(parser)
    parser.add_argument("argv", metavar="CMD", nargs="*", help="after --: the program and its arguments (default: sh)")
    parser.add_argument(
        "--name", metavar="NAME", help="write to the container of this name, which is made if there is none"
    )
    parser.set_defaults(run=_shell, refuse=parser.error, after_dashes="argv")


def _shell(options: argparse.Namespace) -> int:
    argv = options.argv or ["sh"]
    if not argv[0]:
        options.refuse("the name of CMD is empty")
    variables = {"PATH": _PATH, "HOME": "/", "TERM": system.environment().get("TERM", "dumb")}
    with opened_room(options, make=True, limits=limits_of(options)) as room, container_of(room, options) as box:
        if box.presenter == "farm":  # Copied as a whole, so the reason matters.
            print_refused(box.refused)
        sys.stdout.flush()
        try:
            with keyboard_left_to_child():
                code = system.run_in_root(box.fd, argv, variables)
        except FileNotFoundError as error:
            if error.filename != argv[0]:
                raise
            raise PlaceMissingError(argv[0], f"no such program in {box.record.image}") from None
    return code if code >= 0 else 128 - code
