"""The options of connections to registries, and the session that they describe; the same for every verb."""

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from oci_layers.errors import NameFormatError, escape
from oci_layers.store.name import ImageName

if TYPE_CHECKING:
    from oci_layers.registry import Credential
    from oci_layers.registry.session import RegistrySession

__all__ = [
    "certificate_arguments",
    "close_sessions",
    "credential_of",
    "registry_arguments",
    "session_of",
    "side_arguments",
]

_SIDED = ("creds", "cert_dir", "insecure", "plain_http")
"""What the two sides of a copy may have options of their own for."""


def registry_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a verb that takes images in registries."""
    group = parser.add_argument_group("registries")
    group.add_argument(
        "--creds",
        metavar="USER[:PASSWORD]",
        help="what is shown to a registry that asks (default: what `login` has kept); a password that is left out is "
        "asked for",
    )
    group.add_argument(
        "--authfile", metavar="FILE", help="where credentials are kept (default: as skopeo and docker find them)"
    )
    group.add_argument("--cache", metavar="DIR", help="a layout in which blobs are kept as they are read")
    group.add_argument(
        "--foreign-layers",
        action="store_true",
        help="fetch layers that a registry does not have from the URLs in their descriptors, and send layers that are "
        "not distributed to registries",
    )
    group.add_argument(
        "--registries-conf",
        metavar="FILE",
        help="where images are read: mirrors, and registries that are blocked (default: as podman and skopeo find it)",
    )
    certificate_arguments(group)


def certificate_arguments(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the options of the connection to a registry."""
    parser.add_argument("--cert-dir", metavar="DIR", help="certificates for the registry: *.crt, *.cert and *.key")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--plain-http", action="store_true", help="use plain HTTP where the registry speaks no TLS")


def side_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `--creds` and of connections again, once for each side of a copy, by skopeo's names."""
    group = parser.add_argument_group("registries of SRC and DST", "Before those for both.")
    for side, place in (("src", "SRC"), ("dest", "DST")):
        group.add_argument(f"--{side}-creds", metavar="USER[:PASSWORD]", help=f"as --creds, for {place} alone")
        group.add_argument(f"--{side}-cert-dir", metavar="DIR", help=f"as --cert-dir, for {place} alone")
        for name in ("insecure", "plain-http"):
            group.add_argument(
                f"--{side}-{name}", action="store_true", default=None, help=f"the same for {place} alone"
            )


def credential_of(text: str) -> "Credential":
    """Return the credential of `--creds`; ask for a password that is left out.

    Raises:
        NameFormatError: There is no user.
    """
    from oci_layers.registry import Credential

    username, colon, password = text.partition(":")
    if not username:
        raise NameFormatError("credentials", username, "expected USER:PASSWORD")
    return Credential(username=username, password=password if colon else getpass.getpass(f"Password of {username}: "))


def session_of(options: argparse.Namespace, *names: str, side: str = "") -> "RegistrySession | None":
    """Return the session for places of which at least one is in a registry; None if none is.

    It is made once for a command line, or for a side, `src` or `dest`, that has options of its own; `close_sessions`
    closes it.
    """
    if not any(ImageName.parse(name).transport == "docker" for name in names):
        return None
    own = {name: getattr(options, f"{side}_{name}", None) for name in _SIDED}
    own = {name: value for name, value in own.items() if value is not None}
    sessions: dict[str, RegistrySession] = options.__dict__.setdefault("sessions", {})
    key = side if own else ""
    if key not in sessions:
        sessions[key] = _session(argparse.Namespace(**{**vars(options), **own}))
    return sessions[key]


def _session(options: argparse.Namespace) -> "RegistrySession":
    from oci_layers.registry.session import RegistrySession

    return RegistrySession(
        credentials=None if options.creds is None else credential_of(options.creds),
        authfile=options.authfile,
        certificates=options.cert_dir,
        insecure=options.insecure,
        plain_http=options.plain_http,
        cache=options.cache,
        foreign_layers=options.foreign_layers,
        registries_conf=options.registries_conf,
        on_warning=lambda text: print(f"oci-layers: the registry warns: {escape(text)}", file=sys.stderr),
    )


def close_sessions(options: argparse.Namespace) -> None:
    """Close the sessions of a command line."""
    for session in getattr(options, "sessions", {}).values():
        session.close()
