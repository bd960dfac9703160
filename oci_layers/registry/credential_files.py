"""Files with credentials, as containers-auth.json(5) and Docker have them: where they are, and what they say.

In one file an entry in `credHelpers` counts before `auths`, and that before `credsStore`. Keys of `auths` are tried
from the repository up to the registry, so `host/a` serves `host/a/b`. Older keys are URLs, of which the host counts.
Names in the JSON are matched in any case, as Go does. Errors name the file and the JSON pointer, and show no value.
"""

import base64
import binascii
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from oci_layers import system
from oci_layers.errors import DocumentError, LimitError, Problem, UnsupportedError, escape
from oci_layers.registry.credential_helpers import Helper
from oci_layers.registry.credentials import Credential, canonical
from oci_layers.registry.user_file import read_user_file
from oci_layers.spec.strict_json import kind_of, load_json, pointer

__all__ = ["LEGACY", "AuthDocument", "DefaultCredentials", "default_auth_file", "key_of", "read_auth_document"]

LEGACY = ".dockercfg"
"""The name of a file that has the entries at its top."""
_INLINE = "DOCKER_AUTH_CONFIG"
_FILE = "REGISTRY_AUTH_FILE"


def _path(authfile: str | os.PathLike[str] | None) -> str | None:
    return None if authfile is None else os.fspath(authfile)


@attrs.frozen
class DefaultCredentials:
    """A source of credentials: the files and helpers that other programs use as well.

    The file `authfile`, else the one that the variable `REGISTRY_AUTH_FILE` names, is the only one. Else they are, in
    this order: the text in `DOCKER_AUTH_CONFIG`; `containers/auth.json` in `XDG_RUNTIME_DIR` (by default
    `/run/containers/UID/auth.json`) and in `XDG_CONFIG_HOME`; `config.json` in `DOCKER_CONFIG` (by default
    `~/.docker`); `~/.dockercfg`. The first credential counts. Files are read at each call; one that does not exist has
    no credentials.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)
    """The variables of the environment."""
    authfile: str | None = attrs.field(default=None, converter=_path)

    def __call__(self, domain: str, path: str = "") -> Credential | None:
        """Return the credential for a repository of a registry; None if there is none.

        Raises:
            DocumentError: A file is not what it should be.
            RegistryError: A helper fails.
            OSError: A file cannot be read.
        """
        for document in self._documents():
            if (found := document.find(domain, path, self.environ)) is not None:
                return found
        return None

    def _documents(self) -> Iterator["AuthDocument"]:
        only = self.authfile or self.environ.get(_FILE)
        if only is None and (text := self.environ.get(_INLINE)):
            yield AuthDocument.parse(text.encode("utf-8", "surrogateescape"), _INLINE)
        for place in [only] if only else _places(self.environ):
            if (document := read_auth_document(place)) is not None:
                yield document


@attrs.frozen
class AuthDocument:
    """One file with credentials."""

    source: str
    """Its path, for messages."""
    value: dict[str, Any] = attrs.field(repr=False)  # Any: the values of JSON

    @classmethod
    def parse(cls, raw: bytes, source: str) -> "AuthDocument":
        """Parse the bytes of a file; empty ones are an empty file. `.dockercfg` has no level for `auths`.

        Raises:
            DocumentError: They are not a JSON object.
        LimitError: They are too many, or nested too deeply.
        """
        try:
            value = load_json(raw, media_type=source) if raw.strip() else {}
        except LimitError as error:
            error.add_note(escape(source))
            raise
        return cls(source, {"auths": value} if source.endswith(LEGACY) else value)

    def find(self, domain: str, path: str, environ: Mapping[str, str]) -> Credential | None:
        """Return the credential for a repository, or for a registry if the path is empty.

        Raises:
            DocumentError: The part that is needed is not what it should be.
            RegistryError: A helper fails.
        """
        host = canonical(domain)
        helper = self.helper(domain, environ)
        if helper is not None and (found := helper.get(domain)):
            return found
        names = sorted(self.object("auths"), key=lambda name: "://" not in name)
        entries = {key_of(name): name for name in names}  # Of two for one registry, that which is no URL counts.
        for key in _keys(host, path):
            if key in entries and (entry := self._entry(entries[key])):
                return entry
        store = self.store(environ)
        return (store.get(domain) or None) if store is not None else None

    def helper(self, domain: str, environ: Mapping[str, str]) -> Helper | None:
        """Return the helper for one registry, if there is one."""
        helpers = self.object("credHelpers")
        for key in helpers:
            if key_of(key) == canonical(domain) and (name := self._text(helpers, key, "credHelpers")):
                return Helper(name, environ)
        return None

    def store(self, environ: Mapping[str, str]) -> Helper | None:
        """Return the helper for all registries that have none of their own, if there is one."""
        field = _field(self.value, "credsStore")
        name = "" if field is None else self._text(self.value, field)
        return Helper(name, environ) if name else None

    def object(self, name: str) -> dict[str, Any]:  # Any: the values of JSON
        """Return the object in a field; empty if there is none."""
        field = _field(self.value, name)
        return {} if field is None else self._object(self.value, field)

    def _entry(self, name: str) -> Credential | None:
        """Return the credential of an entry; None for an empty one, as Docker writes for what a helper has."""
        field = _field(self.value, "auths")
        assert field is not None
        entry = self._object(self.value[field], name, field)
        texts = {
            wanted: self._text(entry, found, field, name)
            for wanted in ("auth", "username", "password", "identitytoken", "registrytoken")
            if (found := _field(entry, wanted)) is not None
        }
        username, password = texts.get("username", ""), texts.get("password", "")
        if texts.get("auth"):
            username, password = self._decoded(texts["auth"], (field, name, "auth"))
        credential = Credential(
            username=username,
            password=password,
            identity_token=texts.get("identitytoken") or None,
            registry_token=texts.get("registrytoken") or None,
        )
        return credential or None

    def _decoded(self, text: str, where: tuple[str, ...]) -> tuple[str, str]:
        """Return the user and the password of `auth`."""
        try:
            pair = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise self._error(where, "is not base64") from None
        username, colon, password = pair.decode("utf-8", "surrogateescape").partition(":")
        if not colon:
            raise self._error(where, "is not the base64 of USER:PASSWORD")
        return username, password.strip("\0")

    def _object(self, parent: dict[str, Any], key: str, *above: str) -> dict[str, Any]:  # Any: the values of JSON
        value = parent[key]
        if not isinstance(value, dict) and value is not None:
            raise self._error((*above, key), f"must be an object, not {kind_of(value)}")
        return value or {}

    def _text(self, parent: dict[str, Any], key: str, *above: str) -> str:
        value = parent[key]
        if not isinstance(value, str) and value is not None:
            raise self._error((*above, key), f"must be a string, not {kind_of(value)}")
        return value or ""

    def _error(self, where: tuple[str, ...], message: str) -> DocumentError:
        return DocumentError(self.source, (Problem(pointer(where), message),))


def read_auth_document(path: str) -> AuthDocument | None:
    """Read a file with credentials; None if it does not exist.

    Raises:
        DocumentError: It is not a JSON object.
        LimitError: It is too large, or nested too deeply.
        OSError: It cannot be read.
    """
    raw = read_user_file(path, "credentials")
    return None if raw is None else AuthDocument.parse(raw, path)


def key_of(name: str) -> str:
    """Return the registry that a key of a file names: `HOST[:PORT][/PATH]`; of a URL, the host and the port."""
    bare = name.removeprefix("http://").removeprefix("https://")
    host, slash, path = bare.partition("/")
    return canonical(host) + (slash + path if bare == name else "")


def _keys(host: str, path: str) -> Iterator[str]:
    """Yield the keys that serve a repository, the closest first."""
    words = path.split("/") if path else []
    for count in range(len(words), -1, -1):
        yield "/".join([host, *words[:count]])


def _field(value: dict[str, Any], name: str) -> str | None:  # Any: the values of JSON
    """Return the name that a field has in an object, whatever its case."""
    if name in value:
        return name
    return next((key for key in value if key.lower() == name.lower()), None)


def default_auth_file(environ: Mapping[str, str], authfile: str | os.PathLike[str] | None = None) -> str:
    """Return the file that is read first, and that `login` writes.

    Raises:
        UnsupportedError: The environment names none.
    """
    only = authfile or environ.get(_FILE)
    if only:
        return os.fspath(only)
    places = _places(environ)
    if not places:
        raise UnsupportedError("default", "file with credentials", f"set HOME or {_FILE}")
    return places[0]


def _places(environ: Mapping[str, str]) -> list[str]:
    """Return the files, those that are read first before the others."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    config = environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    docker = environ.get("DOCKER_CONFIG") or (home and f"{home}/.docker")
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime:
        places = [f"{runtime}/containers/auth.json"]
    else:
        places = [f"/run/containers/{system.effective_ids()[0]}/auth.json"] if sys.platform == "linux" else []
    places += [f"{config}/containers/auth.json"] if config else []
    places += [f"{docker}/config.json"] if docker else []
    return places + ([f"{home}/{LEGACY}"] if home else [])
