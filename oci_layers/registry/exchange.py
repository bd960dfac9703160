"""Requests and their answers, with all that a registry may put between the two.

Theory of operation. `send` is two loops. The outer one repeats a request whose answer is a passing error, or breaks,
after a pause; a server that takes no more requests for a while is left alone by all threads. The inner one sends the
request with the credentials of its origin, renews them once if they are refused, and follows redirects: to another
origin without credentials. What comes back is an answer with a status that the caller expects; every other is an error.
"""

import re
import threading
from collections.abc import Callable, Collection

import attrs

from oci_layers.errors import LimitError, NameFormatError, RateLimitError, RegistryError, UnreachableError
from oci_layers.registry.authorizer import Authorizer
from oci_layers.registry.problem import problem
from oci_layers.registry.retry import PASSING, Clock, Retries
from oci_layers.registry.scope import Scope
from oci_layers.registry.transport import Headers, Request, Response, Transport, read_body
from oci_layers.registry.url import Origin, Url

__all__ = ["Access", "Exchange"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATS_METHOD = frozenset({307, 308})
_MOST_REDIRECTS = 10
_LASTING = frozenset(range(200, 600)) - PASSING - _REDIRECTS
_SAFE = frozenset({"GET", "HEAD"})
_WARNING = re.compile(r'299 - "((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+)"')
_WARNING_BYTES = 4096

_WINDOW = 60.0
_RATE = 1024.0


@attrs.frozen
class Access:
    """What a request asks of a registry: who it is, and what is to be allowed."""

    domain: str
    """The registry, as references name it; credentials are kept by it."""
    scopes: frozenset[Scope] = frozenset()


class Exchange:
    """Sends requests. Several threads may use it at once."""

    def __init__(
        self,
        transport: Transport,
        authorizer: Authorizer | None = None,
        *,
        retries: Retries | None = None,
        clock: Clock | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        """Take a transport, which is closed with this object.

        Args:
            transport: Sends each request.
            authorizer: Knows the credentials; without one, none are sent.
            retries: How often requests are repeated.
            clock: The time.
            on_warning: Called with each text that a registry wants a user to see (distribution-spec, "Warnings").
        """
        self._transport = transport
        self._authorizer = authorizer
        self._retries = retries or Retries()
        self._clock = clock or Clock()
        self._on_warning = on_warning
        self._warned: set[str] = set()
        self._until: dict[Origin, float] = {}
        self._interrupted = threading.Event()

    def send(
        self,
        request: Request,
        access: Access | None = None,
        *,
        expect: Collection[int] = (200,),
        repeat: bool | None = None,
    ) -> Response:
        """Send a request and return the answer, which the caller closes.

        Args:
            request: The request, without credentials.
            access: Whose credentials it carries; None for none.
            expect: The statuses of answers that are returned; a redirect among them is not followed.
            repeat: Whether it may be sent again after an answer that is lost; by default if it changes nothing.

        Raises:
            RegistryError: The answer has another status, or is not one that HTTP allows; `AccessDeniedError` and
                `RateLimitError` where it says so.
            UnreachableError: There is no answer.
        """
        repeat = request.method in _SAFE if repeat is None else repeat
        # Digests are of the bytes as they are stored.
        request = attrs.evolve(request, headers={"Accept-Encoding": "identity", **request.headers})
        attempt, moment = 0, self._interrupted
        while True:
            attempt += 1
            self._wait_for(request.url, moment)
            answer = self._attempt(request, access, expect)
            if isinstance(answer, Response):
                return answer
            asked = answer.retry_after if isinstance(answer, RateLimitError) else None
            pause = self._retries.pause(attempt, asked) if repeat else None
            if pause is None or moment.is_set():
                raise answer
            if isinstance(answer, RateLimitError):
                self._until[request.url.origin] = self._clock.now() + pause
            elif self._clock.wait(moment, pause):
                raise answer

    def _attempt(self, request: Request, access: Access | None, expect: Collection[int]) -> Response | RegistryError:
        """Send a request once; return the answer that is expected, or an error that may be none the next time."""
        try:
            response = self._follow(request, access, expect)
        except UnreachableError as error:
            if not error.was_sent:
                raise
            return error
        self._warn(response.headers)
        if response.status in expect:
            response.body = _RatedBody(response, self._clock)
            return response
        failed = problem(response, self._clock.wall())
        if failed.status not in PASSING:
            raise failed
        return failed

    def _ask(self, request: Request) -> Response:
        """Send a request of the authorizer; return the answer, whatever its status, unless it is a passing error."""
        return self.send(request, expect=_LASTING, repeat=True)

    def fetch(
        self, request: Request, access: Access | None = None, *, limit: int, expect: Collection[int] = (200,)
    ) -> tuple[Response, bytes]:
        """Send a request that changes nothing; return the answer, closed, and its whole body.

        Raises:
            LimitError: The body has more than `limit` bytes (`document_bytes`).
            RegistryError: As `send`.
        """
        attempt, moment = 0, self.moment()
        while True:
            attempt += 1
            response = self.send(request, access, expect=expect)
            try:
                return response, _whole(response, limit)
            except UnreachableError:
                if not self.rest(attempt, moment):
                    raise

    def moment(self) -> threading.Event:
        """Return what tells requests that begin now from those that begin after an interrupt, for `rest`."""
        return self._interrupted

    def rest(self, attempt: int, moment: threading.Event) -> bool:
        """Wait after a failed attempt, the first being 1; return False if it should not be repeated."""
        pause = self._retries.pause(attempt, None)
        return pause is not None and not self._clock.wait(moment, pause)

    def interrupt(self) -> None:
        """End all requests under way: each raises an error at once. Later ones are not concerned."""
        interrupted, self._interrupted = self._interrupted, threading.Event()
        interrupted.set()
        self._transport.interrupt()

    def close(self) -> None:
        """Close the transport; idempotent."""
        self._transport.close()

    def _wait_for(self, url: Url, interrupted: threading.Event) -> None:
        """Wait while the server takes no requests."""
        pause = self._until.get(url.origin, 0) - self._clock.now()
        if pause > 0 and self._clock.wait(interrupted, pause):
            raise UnreachableError(str(url), "interrupted", was_sent=False)

    def _follow(self, request: Request, access: Access | None, expect: Collection[int]) -> Response:
        home = request.url.origin
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._authorized(request, access if request.url.origin == home else None)
            if response.status not in _REDIRECTS or response.status in expect:
                return response
            response.close()
            request = _redirected(request, response)
        raise RegistryError(str(request.url), f"more than {_MOST_REDIRECTS} redirects")

    def _authorized(self, request: Request, access: Access | None) -> Response:
        if access is None or self._authorizer is None:
            return self._transport.send(request)
        origin = request.url.origin
        sent = self._authorizer.header(origin, access.domain, access.scopes, self._ask)
        response = self._transport.send(_with(request, sent))
        if response.status != 401:
            return response
        try:
            header = self._authorizer.answer(response, origin, access.domain, access.scopes, sent, self._ask)
        except BaseException:
            response.close()
            raise
        if header is None:
            return response
        response.close()
        return self._transport.send(_with(request, header))

    def _warn(self, headers: Headers) -> None:
        for value in headers.all("Warning"):
            found = _WARNING.fullmatch(value.strip())
            text = "" if found is None else re.sub(r"\\(.)", r"\1", found[1])
            if self._on_warning is None or not text or text in self._warned:
                continue
            if sum(map(len, self._warned)) + len(text) <= _WARNING_BYTES:
                self._warned.add(text)
                self._on_warning(text)


def _with(request: Request, header: str | None) -> Request:
    return request if header is None else request.with_headers(Authorization=header)


def _redirected(request: Request, response: Response) -> Request:
    """Return the request for the target of a redirect; to another origin, nothing secret goes."""
    there = _target(request, response)
    if there.origin == request.url.origin:
        return attrs.evolve(request, url=there)
    if request.body is not None and _is_secret(request):
        raise RegistryError(str(request.url), f"a redirect ({response.status}) of credentials to {there.origin}")
    headers = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
    return attrs.evolve(request, url=there, headers=headers)


def _is_secret(request: Request) -> bool:
    """Tell whether a request is itself a credential: it has one in its headers, or is a form, as for token servers."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return "authorization" in headers or headers.get("content-type") == "application/x-www-form-urlencoded"


def _target(request: Request, response: Response) -> Url:
    """Return where a redirect leads."""
    here, status = request.url, response.status
    location = response.headers.get("Location")
    if not location:
        raise RegistryError(str(here), f"a redirect ({status}) that leads nowhere", status)
    if request.method not in _SAFE and status not in _REPEATS_METHOD:
        raise RegistryError(str(here), f"a redirect ({status}) of a {request.method}", status)
    try:
        there = here.join(location)
    except NameFormatError as error:
        raise RegistryError(str(here), f"a redirect ({status}) to no URL: {error}", status) from None
    require_reachable(there, here.origin)
    return there


def require_reachable(there: Url, here: Origin) -> None:
    """Refuse a URL that a server gives and that a client should not follow (REG-59, 61, 68).

    Raises:
        RegistryError: It leads from an encrypted connection to a plain one, or from the Internet to a local address.
    """
    if here.is_secure and not there.origin.is_secure:
        raise RegistryError(str(there), f"{here} leads to a connection that is not encrypted")
    if there.origin.is_local and not here.is_local:
        raise RegistryError(str(there), f"{here} leads to a local address")


def _whole(response: Response, limit: int) -> bytes:
    raw = read_body(response, limit + 1)
    if len(raw) > limit:
        error = LimitError("document_bytes", limit, len(raw))
        error.add_note(str(response.url))
        raise error
    return raw


class _RatedBody:
    """The body of an answer, which must come at a minimum rate: 1 KiB a second over a minute of waiting for it."""

    def __init__(self, response: Response, clock: Clock) -> None:
        self._body = response.body
        self._url = response.url
        self._now = clock.now
        self._waited = 0.0
        self._seen = 0

    def read(self, size: int, /) -> bytes:
        start = self._now()
        data = self._body.read(size)
        self._waited += self._now() - start
        self._seen += len(data)
        if self._waited >= _WINDOW:
            if data and self._seen < _RATE * self._waited:
                raise UnreachableError(str(self._url), f"slower than {_RATE:.0f} bytes a second")
            self._waited, self._seen = 0.0, 0
        return data

    def close(self) -> None:
        self._body.close()
