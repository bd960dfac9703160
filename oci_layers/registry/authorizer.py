"""The `Authorization` of requests to registries: what a challenge asks for, from what a user has.

Everything is kept by origin. A credential is looked up for a registry by name, and used only at the origin with that
name, so no other server gets it, whatever redirects or challenges say; others get anonymous tokens. Nothing is sent to
an origin that has not asked. Tokens are renewed when nine tenths of their time is over, by a clock that does not jump;
a registry that refuses one sooner is right. One token for given scopes is asked for at a time: other threads wait.
"""

import threading
import time
from collections.abc import Callable

import attrs

from oci_layers.errors import AccessDeniedError, NameFormatError
from oci_layers.registry.challenge import Challenge, parse_challenges
from oci_layers.registry.credentials import HUB, Credential, CredentialSource, canonical, is_token
from oci_layers.registry.scope import Scope, in_order, merged
from oci_layers.registry.token_server import Fetch, Token, TokenServer
from oci_layers.registry.transport import Request, Response
from oci_layers.registry.url import Origin, Url

__all__ = ["Authorizer"]


@attrs.frozen
class _Account:
    """Whose credential a request carries: that for a repository of a registry, or, if both are empty, none."""

    domain: str = ""
    path: str = ""


@attrs.frozen
class _Space:
    """Where a token is valid."""

    origin: Origin
    server: TokenServer
    account: _Account


class _Tokens:
    """The tokens of one space."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[frozenset[Scope], threading.Lock] = {}
        self._tokens: list[tuple[float, Token]] = []

    def asking(self, scopes: frozenset[Scope]) -> threading.Lock:
        """Return the lock of who asks for a token with these scopes."""
        with self._lock:
            return self._asking.setdefault(scopes, threading.Lock())

    def find(self, scopes: frozenset[Scope], now: float) -> str | None:
        """Return the text of a token that is to be used for these scopes."""
        with self._lock:
            return next((token.text for end, token in self._tokens if now < end and token.covers(scopes)), None)

    def add(self, token: Token, asked: float) -> None:
        """Keep a token that was asked for at a time, and forget those that it replaces and those that are old."""
        with self._lock:
            kept = [each for each in self._tokens if asked < each[0] and not token.covers(each[1].scopes)]
            self._tokens = [*kept, (asked + token.life, token)]

    def forget(self, text: str) -> None:
        """Forget a token that was refused."""
        with self._lock:
            self._tokens = [each for each in self._tokens if each[1].text != text]


class Authorizer:
    """What requests to registries carry as `Authorization`. Several threads may use it at once."""

    def __init__(
        self,
        credentials: CredentialSource | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        client_id: str = "oci-layers",
    ) -> None:
        """Begin without knowing any registry.

        Args:
            credentials: Where credentials are looked up; without, all access is anonymous.
            clock: Returns seconds that only grow.
            client_id: The name of the client, for token servers.
        """
        self._credentials = credentials
        self._clock = clock
        self._client_id = client_id
        self._lock = threading.Lock()
        self._looking_up = threading.Lock()
        self._pinging = threading.Lock()
        self._challenges: dict[Origin, Challenge] = {}
        self._pinged: set[Origin] = set()
        self._known: dict[_Account, Credential | None] = {}
        self._tokens: dict[_Space, _Tokens] = {}

    def header(self, origin: Origin, domain: str, scopes: frozenset[Scope], fetch: Fetch) -> str | None:
        """Return what a request should carry, as far as is known: None before the first challenge of its origin.

        A token server that refuses is no error here, as the registry may not ask for a token: its challenge decides.

        Args:
            origin: The server that the request goes to.
            domain: The registry, as a reference has it; its credential is used only if the origin is the registry's.
                Empty for anonymous access.
            scopes: What the request needs.
            fetch: Sends requests to token servers.

        Raises:
            OCIError: The credential cannot be looked up, or the token server gives no answer.
        """
        challenge = self._challenges.get(origin)
        if challenge is None:
            return None
        try:
            return self._header(challenge, Url(origin, "/v2/"), domain, merged(scopes), None, fetch)
        except AccessDeniedError:
            return None

    def answer(
        self,
        response: Response,
        origin: Origin,
        domain: str,
        scopes: frozenset[Scope],
        sent: str | None,
        fetch: Fetch,
    ) -> str | None:
        """Return with what a request is worth sending once more; None if the answer, a 401, is final.

        Args:
            response: The answer; the caller closes it.
            origin: As for `header`.
            domain: As for `header`.
            scopes: As for `header`; what the challenge asks for is added.
            sent: What the request carried.
            fetch: Sends requests to token servers.

        Raises:
            AccessDeniedError: The registry asks in no way that is known, its token server must not be asked, or
                refuses.
            OCIError: The credential cannot be looked up, or the token server gives no answer.
        """
        if response.url.origin != origin:
            return None
        challenge = self._challenge(response, fetch)
        if challenge is None:
            return None
        self._challenges[origin] = challenge
        try:
            asked = [Scope.parse(text) for text in challenge.parameters.get("scope", "").split()]
        except NameFormatError as error:
            raise AccessDeniedError(str(response.url), f"its challenge is wrong: {error}", response.status) from None
        return self._header(challenge, response.url, domain, merged(scopes, asked), sent, fetch)

    def _challenge(self, response: Response, fetch: Fetch) -> Challenge | None:
        """Return the challenge of an answer, else the one that the registry gave before or gives when asked for it."""
        origin = response.url.origin
        offered = _offered(response)
        if (chosen := _chosen(offered)) is not None:
            return chosen
        with self._pinging:
            known = self._challenges.get(origin)
            if known is None and origin not in self._pinged:
                self._pinged.add(origin)
                known = _ping(origin, fetch)
        if known is None and offered:
            schemes = ", ".join(dict.fromkeys(each.scheme for each in offered))
            reason = f"asks for credentials in no way that is known: {schemes}"
            raise AccessDeniedError(str(response.url), reason, response.status)
        return known

    def _header(
        self,
        challenge: Challenge,
        registry: Url,
        domain: str,
        scopes: frozenset[Scope],
        sent: str | None,
        fetch: Fetch,
    ) -> str | None:
        """Return what a challenge asks for, if it is not what was sent."""
        origin = registry.origin
        account = _account(origin, domain, scopes)
        if challenge.scheme == "basic":
            header = self._basic(account)
            if header is not None and header == sent:
                self._forget(account)  # The source may know a new password, as helpers do.
                header = self._basic(account)
            return None if header == sent else header
        credential = self._look_up(account)
        if credential and credential.registry_token:
            header = _bearer(credential.registry_token, registry)
            return None if header == sent else header
        space = _Space(origin, TokenServer.of(challenge, registry), account)
        return _bearer(self._token(space, credential, scopes, sent, fetch), registry)

    def _token(
        self, space: _Space, credential: Credential | None, scopes: frozenset[Scope], sent: str | None, fetch: Fetch
    ) -> str:
        with self._lock:
            tokens = self._tokens.setdefault(space, _Tokens())
        if sent is not None:
            tokens.forget(sent.removeprefix("Bearer "))
        with tokens.asking(scopes):
            now = self._clock()
            found = tokens.find(scopes, now)
            if found is None:
                token = space.server.token(credential, scopes, self._client_id, fetch)
                tokens.add(token, now)
                found = token.text
            return found

    def _basic(self, account: _Account) -> str | None:
        credential = self._look_up(account)
        return None if credential is None else credential.basic()

    def _look_up(self, account: _Account) -> Credential | None:
        if self._credentials is None or not account.domain:
            return None
        with self._looking_up:
            if account not in self._known:
                self._known[account] = self._credentials(account.domain, account.path) or None
            return self._known[account]

    def _forget(self, account: _Account) -> None:
        with self._looking_up:
            self._known.pop(account, None)


def _offered(response: Response) -> tuple[Challenge, ...]:
    return parse_challenges(response.headers.all("WWW-Authenticate"))


def _ping(origin: Origin, fetch: Fetch) -> Challenge | None:
    """Return the challenge that a registry gives to who asks for nothing."""
    answer = fetch(Request(method="GET", url=Url(origin, "/v2/")))
    answer.close()
    return _chosen(_offered(answer)) if answer.status == 401 and answer.url.origin == origin else None


def _chosen(challenges: tuple[Challenge, ...]) -> Challenge | None:
    """Return the challenge to answer: the first for a token, else the first for a password."""
    by_scheme = {each.scheme: each for each in reversed(challenges)}
    return by_scheme.get("bearer") or by_scheme.get("basic")


def _account(origin: Origin, domain: str, scopes: frozenset[Scope]) -> _Account:
    """Return the account whose credential a request carries; the empty one at another origin than the registry's."""
    if not _belongs(origin, domain):
        return _Account()
    paths = (each.name for each in in_order(scopes) if each.type == "repository")
    return _Account(domain, next(paths, ""))


def _belongs(origin: Origin, domain: str) -> bool:
    """Tell whether an origin is that of a registry."""
    try:
        own = Url.parse(f"{origin.scheme}://{domain}/").origin
    except ValueError:
        return False
    hub = origin.is_secure and origin.port == own.port and canonical(own.host) == HUB
    return own == origin or (hub and canonical(origin.host) == HUB)


def _bearer(token: str, registry: Url) -> str:
    if not is_token(token):
        raise AccessDeniedError(str(registry), "the token for it has characters that no header has")
    return f"Bearer {token}"
