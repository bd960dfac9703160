"""Logging in and out: the file with credentials that skopeo, buildah and podman share, and helpers that it names.

The file is replaced in one step, under a lock, and only its owner may read it. All else that it says stays as it is.
"""

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from oci_layers import system
from oci_layers.errors import UnsupportedError, locate
from oci_layers.registry.credential_files import (
    LEGACY,
    AuthDocument,
    DefaultCredentials,
    default_auth_file,
    key_of,
    read_auth_document,
)
from oci_layers.registry.credentials import Credential, canonical
from oci_layers.spec.reference import Reference

__all__ = ["erase_credential", "logins", "split_registry", "store_credential"]

_ROLE = "credentials"


def store_credential(
    registry: str, credential: Credential, *, environ: Mapping[str, str], authfile: str | os.PathLike[str] | None = None
) -> str:
    """Keep a credential for a registry, or for the repositories below a path of it, instead of the one before.

    It goes to the helper that the file names for the registry, else into the file.

    Args:
        registry: `HOST[:PORT][/PATH]`.
        credential: What to keep.
        environ: The variables of the environment.
        authfile: The file; by default that which `DefaultCredentials` reads first.

    Returns:
        The file, or the program.

    Raises:
        NameFormatError: The registry does not follow its grammar, or no file can hold the user.
        UnsupportedError: There is a path, but a helper for the registry, whose credential would count instead.
        DocumentError: The file is not what it should be.
        RegistryError: The helper fails.
        OSError: The file cannot be read or written.
    """
    domain, path = split_registry(registry)
    credential.basic()
    with _changed(environ, authfile) as document:
        helper = document.helper(domain, environ)
        if helper is not None and path:
            raise UnsupportedError("path", registry, f"{helper.program}, which serves {domain}, knows registries alone")
        helper = None if path else helper or document.store(environ)
        _drop(document, domain, path)
        if helper is not None:
            helper.store(domain, credential)
            return helper.program
        _auths(document)[f"{domain}/{path}" if path else domain] = _entry(credential)
    return document.source


def erase_credential(
    registry: str, *, environ: Mapping[str, str], authfile: str | os.PathLike[str] | None = None
) -> bool:
    """Forget the credential for a registry, or for a path of it; otherwise as `store_credential`.

    Returns:
        Whether there was one.
    """
    domain, path = split_registry(registry)
    with _changed(environ, authfile) as document:
        found = _drop(document, domain, path)
        for helper in () if path else (document.helper(domain, environ), document.store(environ)):
            if helper is not None and helper.get(domain):
                helper.erase(domain)
                found = True
    return found


def logins(*, environ: Mapping[str, str], authfile: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Return the registries and paths for which `store_credential` keeps a credential, and the users.

    Helpers are asked only for registries that the file names.

    Raises:
        DocumentError: The file is not what it should be.
        RegistryError: A helper fails.
        OSError: The file cannot be read.
    """
    place = default_auth_file(environ, authfile)
    document = read_auth_document(place)
    if document is None:
        return {}
    source = DefaultCredentials(environ, place)
    names = dict.fromkeys(key_of(name) for field in ("credHelpers", "auths") for name in document.object(field))
    found = {name: source(*_halves(name)) for name in names}
    return {name: credential.username for name, credential in found.items() if credential is not None}


def split_registry(registry: str) -> tuple[str, str]:
    """Return the registry and the path in `HOST[:PORT][/PATH]`; unlike in a reference, a host alone is a registry.

    Raises:
        NameFormatError: A part does not follow its grammar.
    """
    domain, path = _halves(registry)
    Reference(domain=domain, path=path if "/" in registry else "any")
    return canonical(domain), path


def _halves(name: str) -> tuple[str, str]:
    domain, _, path = name.partition("/")
    return domain, path


def _entry(credential: Credential) -> dict[str, str]:
    entry = {}
    if basic := credential.basic():
        entry["auth"] = basic.removeprefix("Basic ")
    elif credential.identity_token:
        entry["auth"] = base64.b64encode(b"<token>:").decode()
    if credential.identity_token:
        entry["identitytoken"] = credential.identity_token
    if credential.registry_token:
        entry["registrytoken"] = credential.registry_token
    return entry


def _auths(document: AuthDocument) -> dict[str, Any]:  # Any: the values of JSON
    """Return the entries of a document, to change them."""
    auths = document.object("auths")
    field = next((key for key in document.value if key.lower() == "auths"), "auths")
    document.value[field] = auths
    return auths


def _drop(document: AuthDocument, domain: str, path: str) -> bool:
    """Remove the entries for a registry or for a path of it, and return whether there were any."""
    auths = document.object("auths")
    names = [name for name in auths if key_of(name) == (f"{domain}/{path}" if path else domain)]
    for name in names:
        del auths[name]
    return bool(names)


@contextlib.contextmanager
def _changed(environ: Mapping[str, str], authfile: str | os.PathLike[str] | None) -> Iterator[AuthDocument]:
    """Yield the document of a file, and write it when the block ends, if it was changed."""
    place = default_auth_file(environ, authfile)
    if place.endswith(LEGACY):
        raise UnsupportedError("file with credentials", place, "its format is too old to be written")
    target = system.resolve(place)  # A link stays, and what it leads to is replaced.
    try:
        with _directory(os.path.dirname(target)) as directory:
            document = read_auth_document(target) or AuthDocument(place, {})
            before = json.dumps(document.value)
            yield document
            if json.dumps(document.value) != before:
                _replace(os.fsencode(os.path.basename(target)), directory, document.value)
    except OSError as error:
        locate(error, place, _ROLE)
        raise


@contextlib.contextmanager
def _directory(path: str) -> Iterator[int]:
    """Yield a directory, which is made if it does not exist, under a lock."""
    system.make_directories(path)
    fd = system.open_root(path)
    try:
        system.lock(fd, wait=True)
        yield fd
    finally:
        system.close(fd)


def _replace(name: bytes, directory: int, value: dict[str, Any]) -> None:  # Any: the values of JSON
    raw = json.dumps(value, indent="\t", ensure_ascii=False).encode("utf-8", "surrogatepass")
    temporary = b"." + name + b"." + secrets.token_hex(8).encode()
    fd = system.open_new_file(temporary, directory)
    try:
        system.write_all(fd, memoryview(raw))
        system.fsync(fd)
        system.rename(temporary, directory, name, directory)
    except BaseException:
        with contextlib.suppress(OSError):
            system.unlink(temporary, directory)
        raise
    finally:
        system.close(fd)
