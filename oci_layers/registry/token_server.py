"""Tokens from a token server (the token and OAuth2 specifications of distribution).

A challenge names the server, its realm. The realm is refused if credentials must not be sent there. User and password
go into a GET, an identity token into a POST; without either, the server gives anonymous tokens. What it answers is
limited in size, and a token with characters that no header has is refused. Nothing of a token is in an error.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import attrs

from oci_layers.errors import AccessDeniedError, DocumentError, LimitError, NameFormatError, RegistryError
from oci_layers.registry.challenge import Challenge
from oci_layers.registry.credentials import Credential, is_token
from oci_layers.registry.scope import Scope, in_order
from oci_layers.registry.transport import BytesBody, Request, Response, read_body
from oci_layers.registry.url import Origin, Url
from oci_layers.spec.strict_json import load_json

__all__ = ["Fetch", "Token", "TokenServer"]

Fetch = Callable[[Request], Response]
"""Sends a request without the credentials of the registry, as often as needed, and returns the answer."""

_LONGEST = 1 << 20
_SHORTEST_LIFE = 60.0
"""Seconds that a token lives if the server says less or nothing."""
_LONGEST_LIFE = 86_400
_RENEWED = 0.9
"""The part of its life after which a token is renewed."""
_NO_OAUTH2 = frozenset({404, 405})
_LATER = frozenset({408, 429})


@attrs.frozen
class Token:
    """A token, and what it was asked for; the server may have given less."""

    text: str = attrs.field(repr=False)
    scopes: frozenset[Scope]
    life: float
    """Seconds from the request until it is renewed."""

    def covers(self, scopes: Iterable[Scope]) -> bool:
        """Tell whether the token was asked for all of these scopes."""
        return all(any(own.covers(scope) for own in self.scopes) for scope in scopes)


@attrs.frozen
class TokenServer:
    """Where the tokens of a registry come from."""

    realm: Url
    service: str | None = None

    @classmethod
    def of(cls, challenge: Challenge, registry: Url) -> "TokenServer":
        """Return the server that a challenge of a registry names.

        Raises:
            AccessDeniedError: The challenge names none, or one that credentials must not be sent to: not encrypted
                though the registry is, or an address of a private network that is not the registry's own.
        """
        text = challenge.parameters.get("realm", "")
        try:
            realm = Url.parse(text)
        except NameFormatError as error:
            raise _denied(registry, f"its challenge names no token server: {error}") from None
        origin = registry.origin
        if origin.is_secure and not realm.origin.is_secure:
            raise _denied(registry, f"its token server {realm} is not encrypted")
        if realm.origin.is_local and not _same_machine(realm.origin, origin):
            raise _denied(registry, f"its token server {realm} is in a private network")
        return cls(realm, challenge.parameters.get("service"))

    def token(self, credential: Credential | None, scopes: frozenset[Scope], client_id: str, fetch: Fetch) -> Token:
        """Ask for a token.

        Raises:
            AccessDeniedError: The server refuses the credential, or any anonymous user.
            RegistryError: The server answers with anything but a token.
        """
        if credential and credential.identity_token:
            request = self._refresh(credential.identity_token, scopes, client_id)
        else:
            request = self._get(credential, scopes, client_id)
        response = fetch(request)
        try:
            self._check(response.status, credential)
            answer = self._answer(response)
        finally:
            response.close()
        for name in ("access_token", "token"):
            if text := answer.get(name):
                if not is_token(text):
                    raise self._wrong("answers with a token that no header can have")
                return Token(text, scopes, _RENEWED * _life(answer.get("expires_in")))
        raise self._wrong("answers without a token")

    def _get(self, credential: Credential | None, scopes: frozenset[Scope], client_id: str) -> Request:
        url = self.realm
        headers = {"Accept": "application/json"}
        if self.service is not None:
            url = url.with_parameter("service", self.service)
        for scope in in_order(scopes):
            url = url.with_parameter("scope", str(scope))
        url = url.with_parameter("client_id", client_id)
        if credential and (basic := credential.basic()):
            url = url.with_parameter("account", credential.username)
            headers["Authorization"] = basic
        return Request(method="GET", url=url, headers=headers)

    def _refresh(self, identity_token: str, scopes: frozenset[Scope], client_id: str) -> Request:
        form = {"grant_type": "refresh_token", "refresh_token": identity_token, "client_id": client_id}
        if self.service is not None:
            form["service"] = self.service
        if scopes:
            form["scope"] = " ".join(map(str, in_order(scopes)))
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return Request(method="POST", url=self.realm, headers=headers, body=BytesBody(urlencode(form).encode()))

    def _check(self, status: int, credential: Credential | None) -> None:
        if status == 200:
            return
        if not 400 <= status < 500 or status in _LATER:
            raise self._wrong(f"answers with status {status}", status)
        if credential and credential.identity_token and status in _NO_OAUTH2:
            raise self._refused("takes no identity token: it has no OAuth2", status)
        if credential and credential.identity_token:
            who = "the identity token"
        else:
            who = f"the user {credential.username!r}" if credential else "a user without credentials"
        raise self._refused(f"refuses {who}", status)

    def _answer(self, response: Response) -> dict[str, Any]:  # Any: the values of JSON
        raw = read_body(response, _LONGEST + 1)
        if len(raw) > _LONGEST:
            raise self._wrong(f"answers with more than {_LONGEST} bytes")
        try:
            return load_json(raw, media_type="token")
        except (DocumentError, LimitError):
            raise self._wrong("answers with something else than a JSON object") from None

    def _wrong(self, reason: str, status: int | None = None) -> RegistryError:
        return RegistryError(str(self.realm), f"the token server {reason}", status)

    def _refused(self, reason: str, status: int) -> AccessDeniedError:
        return AccessDeniedError(str(self.realm), f"the token server {reason} (status {status})", status)


def _denied(registry: Url, reason: str) -> AccessDeniedError:
    return AccessDeniedError(str(registry), reason, 401)


def _same_machine(one: Origin, other: Origin) -> bool:
    return one.host == other.host or (one.is_loopback and other.is_loopback)


def _life(expires_in: object) -> float:
    """Return the seconds that a token lives, by its own account, which may be nonsense."""
    if isinstance(expires_in, int | float) and expires_in > _SHORTEST_LIFE:
        return float(min(expires_in, _LONGEST_LIFE))
    return _SHORTEST_LIFE
