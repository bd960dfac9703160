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

__all__ = ["certificate_arguments", "close_session", "credential_of", "registry_arguments", "session_of"]


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
    certificate_arguments(group)


def certificate_arguments(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Add the options of the connection to a registry."""
    parser.add_argument("--cert-dir", metavar="DIR", help="certificates for the registry: *.crt, *.cert and *.key")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--plain-http", action="store_true", help="use plain HTTP where the registry speaks no TLS")


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


def session_of(options: argparse.Namespace, *names: str) -> "RegistrySession | None":
    """Return the session for places of which at least one is in a registry; None if none is.

    It is made once for a command line; `close_session` closes it.
    """
    if not any(ImageName.parse(name).transport == "docker" for name in names):
        return None
    if getattr(options, "session", None) is None:
        from oci_layers.registry.session import RegistrySession

        options.session = RegistrySession(
            credentials=None if options.creds is None else credential_of(options.creds),
            authfile=options.authfile,
            certificates=options.cert_dir,
            insecure=options.insecure,
            plain_http=options.plain_http,
            cache=options.cache,
            foreign_layers=options.foreign_layers,
            on_warning=lambda text: print(f"oci-layers: the registry warns: {escape(text)}", file=sys.stderr),
        )
    session: RegistrySession = options.session
    return session


def close_session(options: argparse.Namespace) -> None:
    """Close the session of a command line, if it has one."""
    if (session := getattr(options, "session", None)) is not None:
        session.close()
