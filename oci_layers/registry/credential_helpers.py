"""Programs that keep credentials: `docker-credential-NAME` (the protocol of docker-credential-helpers).

The program is run without a shell, for at most a minute. What it gives on success is never in an error; on failure its
first line is the reason.
"""

import json
import re
from collections.abc import Mapping

import attrs

from oci_layers import system
from oci_layers.errors import DocumentError, LimitError, NameFormatError, RegistryError, shortened
from oci_layers.registry.credentials import HUB, Credential, canonical
from oci_layers.spec.strict_json import load_json

__all__ = ["Helper"]

_NAME = re.compile(r"[A-Za-z0-9._-]++")
_HUB_KEY = "https://index.docker.io/v1/"
_NONE = "credentials not found in native keychain"
_IDENTITY = "<token>"


@attrs.frozen
class Helper:
    """One such program, and the variables with which it runs.

    Raises:
        NameFormatError: The name is no part of the name of a program.
    """

    name: str
    environ: Mapping[str, str] = attrs.field(repr=False)
    timeout: float = 60
    """The seconds that it has for an answer."""

    def __attrs_post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NameFormatError("credential helper", self.name, "expected letters, digits and ._- alone")

    def get(self, domain: str) -> Credential | None:
        """Return the credential for a registry; None if the program has none.

        Raises:
            RegistryError: The program is missing, fails, or takes too long.
        """
        raw = self._run("get", _key(domain).encode(), none=_NONE)
        if raw is None:
            return None
        try:
            answer = load_json(raw, media_type="credential")
        except (DocumentError, LimitError):
            answer = {}
        username, secret = answer.get("Username"), answer.get("Secret")
        if not isinstance(username, str) or not isinstance(secret, str):
            raise self._error("get", "its answer is not a JSON object with Username and Secret")
        if username == _IDENTITY:
            return Credential(identity_token=secret)
        return Credential(username=username, password=secret)

    def store(self, domain: str, credential: Credential) -> None:
        """Keep the credential for a registry, instead of the one before.

        Raises:
            RegistryError: The program is missing, fails, or takes too long.
        """
        username, secret = credential.username, credential.password
        if credential.identity_token is not None:
            username, secret = _IDENTITY, credential.identity_token
        entry = {"ServerURL": _key(domain), "Username": username, "Secret": secret}
        self._run("store", json.dumps(entry).encode(), is_secret=True)

    def erase(self, domain: str) -> None:
        """Forget the credential for a registry.

        Raises:
            RegistryError: The program is missing, fails, or takes too long.
        """
        self._run("erase", _key(domain).encode(), none=_NONE)

    def _run(self, verb: str, stdin: bytes, *, none: str | None = None, is_secret: bool = False) -> bytes | None:
        """Return what the program gives; None if it fails with the text `none`."""
        try:
            ended = system.run_program(
                [self.program, verb], timeout=self.timeout, environment=self.environ, stdin=stdin
            )
        except FileNotFoundError:
            raise self._error(verb, "there is no such program in PATH") from None
        except OSError as error:
            raise self._error(verb, error.strerror or "cannot be run") from None
        if ended.code == 0:
            return ended.stdout
        if ended.code is None:
            raise self._error(verb, f"no answer within {self.timeout:g} seconds")
        text = ended.stdout.decode(errors="replace").strip()
        if text == none:
            return None
        reason = f"ended with {ended.code}"
        if text and not is_secret:
            reason += f": {shortened(text.splitlines()[0])}"
        raise self._error(verb, reason)

    @property
    def program(self) -> str:
        """The name of the program."""
        return f"docker-credential-{self.name}"

    def _error(self, verb: str, reason: str) -> RegistryError:
        return RegistryError(f"{self.program} {verb}", reason)


def _key(domain: str) -> str:
    """Return the name by which helpers know a registry."""
    return _HUB_KEY if canonical(domain) == HUB else domain
