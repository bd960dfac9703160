"""Who a user is to a registry, and where that is looked up."""

import base64
import re
from collections.abc import Callable

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["HUB", "HUB_HOST", "Credential", "CredentialSource", "canonical", "is_token"]

HUB = "docker.io"
"""Docker Hub, as references have it."""
HUB_HOST = f"registry-1.{HUB}"
"""The host of its API."""
_HUB_NAMES = frozenset({HUB, f"index.{HUB}", HUB_HOST})
_TOKEN = re.compile(r"[!-~]++")


@attrs.frozen(kw_only=True)
class Credential:
    """A user and a password, or a token. Its repr shows the user alone."""

    username: str = ""
    password: str = attrs.field(default="", repr=False)
    identity_token: str | None = attrs.field(default=None, repr=False)
    """A refresh token of OAuth2, for which the token server gives tokens."""
    registry_token: str | None = attrs.field(default=None, repr=False)
    """A bearer token that the registry takes as it is."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to show to a server."""
        return bool(self.username or self.password or self.identity_token or self.registry_token)

    def basic(self) -> str | None:
        """Return the value of `Authorization` with user and password (RFC 7617); None if there are none.

        Raises:
            NameFormatError: The user has a colon or a control character.
        """
        if not (self.username or self.password):
            return None
        if ":" in self.username or not self.username.isprintable():
            raise NameFormatError("user", self.username, "has a colon or a control character")
        pair = f"{self.username}:{self.password}".encode("utf-8", "surrogateescape")
        return "Basic " + base64.b64encode(pair).decode()


CredentialSource = Callable[[str, str], Credential | None]
"""Called with a registry, as a reference has it (`docker.io`, `host:5000`), and the path of a repository, empty for the
registry as a whole; returns None if there is no credential for it."""


def is_token(text: object) -> bool:
    """Tell whether a value may stand behind `Bearer`: it has no line breaks, blanks or characters beyond ASCII."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None


def canonical(domain: str) -> str:
    """Return a registry in lower case; all names of Docker Hub are one."""
    lower = domain.lower()
    return HUB if lower in _HUB_NAMES else lower
