"""`oci-layers logout`: forget the user and the password for a registry."""

import argparse

from oci_layers import system
from oci_layers.cli.output import print_json
from oci_layers.errors import MissingError, escape

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "logout",
        help="forget the user and the password for a registry",
        description="Forget what `login` keeps for a registry, in the file and in the helper that it names.",
    )
    parser.add_argument(
        "registry", metavar="REGISTRY", nargs="?", help="HOST[:PORT][/PATH], as it was given to `login`"
    )
    parser.add_argument("-a", "--all", action="store_true", help="forget all that the file names")
    parser.add_argument(
        "--authfile", metavar="FILE", help="the file (default: REGISTRY_AUTH_FILE, else containers/auth.json)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_logout, refuse=parser.error)


def _logout(options: argparse.Namespace) -> int:
    from oci_layers.registry import erase_credential, logins

    if options.all == (options.registry is not None):
        options.refuse("expected REGISTRY, or --all")
    where = {"environ": system.environment(), "authfile": options.authfile}
    names = list(logins(**where)) if options.all else [options.registry]
    for name in names:
        if not erase_credential(name, **where):
            raise MissingError(f"{escape(name)}: not logged in")
    if options.format == "json":
        print_json([{"registry": name} for name in names])
    else:
        for name in names:
            print(f"{escape(name)}: logged out")
    return 0
