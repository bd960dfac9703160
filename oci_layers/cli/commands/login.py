"""`oci-layers login`: keep a user and a password for a registry, after trying them."""

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from oci_layers import system
from oci_layers.cli.output import print_json
from oci_layers.cli.registries import certificate_arguments
from oci_layers.errors import MissingError, escape

if TYPE_CHECKING:
    from oci_layers.registry import Credential

__all__ = ["add"]

_LONGEST = 64 << 10


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "login",
        help="keep a user and a password for a registry",
        description="Try a user and a password at a registry, and keep them in the file that skopeo, podman and "
        "buildah read too, or in the helper that this file names for the registry. What is not given is asked for on "
        "a terminal.",
    )
    parser.add_argument(
        "registry", metavar="REGISTRY", help="HOST[:PORT], or HOST[:PORT]/PATH for the repositories below a path"
    )
    parser.add_argument("-u", "--username", metavar="USER", help="the user")
    parser.add_argument("-p", "--password", help="the password, which other users of the machine may see")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--get-login", action="store_true", help="print the user that is kept, and do nothing else")
    parser.add_argument(
        "--authfile", metavar="FILE", help="the file (default: REGISTRY_AUTH_FILE, else containers/auth.json)"
    )
    certificate_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_login, refuse=parser.error)


def _login(options: argparse.Namespace) -> int:
    from oci_layers.registry import Credential, store_credential
    from oci_layers.registry.auth_file import split_registry

    domain, _ = split_registry(options.registry)
    if options.get_login:
        return _get_login(options)
    if options.password_stdin and options.password is not None:
        options.refuse("--password-stdin and --password exclude each other")
    if options.password_stdin and options.username is None:
        options.refuse("--password-stdin needs --username")
    username = _asked(options, options.username, "Username: ", "--username")
    password = _stdin() if options.password_stdin else _asked(options, options.password, "Password: ", "--password")
    credential = Credential(username=username, password=password)
    _check(options, domain, credential)
    kept = store_credential(options.registry, credential, environ=system.environment(), authfile=options.authfile)
    if options.format == "json":
        print_json({"registry": options.registry, "username": username, "kept_in": kept})
    else:
        print(f"{escape(options.registry)}: logged in as {escape(username)}; kept in {escape(kept)}")
    return 0


def _check(options: argparse.Namespace, domain: str, credential: "Credential") -> None:
    """Check that the registry takes the credential."""
    from oci_layers.registry.session import RegistrySession

    with RegistrySession(
        credentials=credential,
        certificates=options.cert_dir,
        insecure=options.insecure,
        plain_http=options.plain_http,
    ) as session:
        session.check(domain)


def _get_login(options: argparse.Namespace) -> int:
    from oci_layers.registry import DefaultCredentials
    from oci_layers.registry.auth_file import split_registry

    credential = DefaultCredentials(system.environment(), options.authfile)(*split_registry(options.registry))
    if credential is None:
        raise MissingError(f"{escape(options.registry)}: not logged in")
    if options.format == "json":
        print_json({"registry": options.registry, "username": credential.username})
    else:
        print(escape(credential.username))
    return 0


def _asked(options: argparse.Namespace, given: str | None, prompt: str, option: str) -> str:
    """Return an argument, or what the user types on the terminal."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        options.refuse(f"{option} is needed where there is no terminal to ask")
    if option == "--password":
        return getpass.getpass(prompt)
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\r\n")


def _stdin() -> str:
    """Return the password on standard input, without the line break at its end."""
    return sys.stdin.buffer.read(_LONGEST).decode("utf-8", "surrogateescape").rstrip("\r\n")
