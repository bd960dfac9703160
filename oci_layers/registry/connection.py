"""One connection to a server: it is made, carries one request at a time, and can be broken from another thread.

The connections are those of urllib3, whose `connect` does TLS and the tunnels of proxies. Requests and answers go
through the part of them that is `http.client`: what urllib3 has above it encodes targets again, which breaks signed
URLs, and logs them with their query.
"""

import contextlib
import http.client
import io
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import parse_url

from oci_layers.blob.stream import ByteStream
from oci_layers.errors import SizeMismatchError, UnreachableError
from oci_layers.registry.answer import AnswerBody, Wire, fields_of, length_of
from oci_layers.registry.failure import reason_of, speaks_no_tls, was_closed
from oci_layers.registry.proxy import Proxy
from oci_layers.registry.transport import Body, Headers, Request, Response
from oci_layers.registry.url import Origin

__all__ = ["Connection"]

_PIECE = 1 << 20
_SENT_AT_ONCE = 64 << 10
"""Bytes of one `sendall`, all of which have to go within one timeout."""
_EARLY = 1.0
"""Seconds in which an answer is found that came before the request was taken."""
_SENT = "the body of the request"
_AFTER_BODY = 5
"""How much longer an answer may take if the request has a body, which the server has to store."""


class _Plain(HTTPConnection):
    dial: Callable[[str, int], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class _Secure(HTTPSConnection):
    dial: Callable[[str, int], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial(self._dns_host, self.port)


class Connection:
    """A connection. All but `stop` is called by one thread at a time; failures are `UnreachableError`."""

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        context: Callable[[Origin], ssl.SSLContext],
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self.origin = origin
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._handle: socket.socket | None = None
        self._is_stopped = False
        self._is_clean = True
        self.is_stale = False
        """Whether the connection was closed before any byte of an answer came."""
        self._wire: Wire | None = None
        self._inner = self._new_inner(context)
        self._inner.dial = self._dial
        self._inner.response_class = self._new_answer  # type: ignore[assignment]  # a factory is as good as a class

    def _new_inner(self, context: Callable[[Origin], ssl.SSLContext]) -> "_Plain | _Secure":
        """Return urllib3's connection, to the server or to the proxy."""
        options: dict[str, Any] = {"timeout": self._connect_timeout}  # Any: of several types
        reached = self.origin if self._proxy is None else self._proxy.origin
        if self._proxy is not None:
            proxied = context(reached) if reached.is_secure else None
            options |= {"proxy": parse_url(str(reached)), "proxy_config": ProxyConfig(proxied, False, None, None)}
        host = reached.host.strip("[]")
        if not (self.origin.is_secure or reached.is_secure):
            return _Plain(host, reached.port, **options)
        tls = context(self.origin if self.origin.is_secure else reached)
        if not tls.check_hostname:
            options["assert_hostname"] = False
        return _Secure(host, reached.port, ssl_context=tls, **options)

    def connect(self) -> None:
        """Connect, with TLS for https and a tunnel through a proxy; plain HTTP needs no tunnel."""
        if self._proxy is not None and self.origin.is_secure:
            shown = {"Proxy-Authorization": self._proxy.authorization} if self._proxy.authorization else {}
            scheme = self._proxy.origin.scheme
            self._inner.set_tunnel(self.origin.host, self.origin.port, shown, scheme=scheme)
        try:
            self._inner.connect()
        except (OSError, ValueError, http.client.HTTPException) as error:
            failed = self._failed(error, self._connect_timeout, was_sent=False)
            if self._proxy is not None:
                failed.reason = f"through the proxy {self._proxy.origin}: {failed.reason}"
                failed.speaks_tls |= not self._inner.has_connected_to_proxy
            raise failed from None

    def ask(self, request: Request, fields: Sequence[tuple[str, str]], finish: Callable[[bool], None]) -> Response:
        """Send a request and return its answer once the headers are there.

        An error of the body that is sent passes through; the server has not got the whole of it then.
        """
        failure = self._send(request, fields)
        if failure is None:
            seconds = self._read_timeout * (1 if request.body is None else _AFTER_BODY)
        else:
            seconds = min(self._read_timeout, _EARLY)
        try:
            answer, headers, length = self._head(request, seconds)
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(error, failure, seconds) from None
        self._is_clean = failure is None
        assert self._wire is not None
        body = AnswerBody(
            answer,
            self._wire,
            length,
            timeout=self._read_timeout,
            check=self._check,
            failed=lambda error: self._failed(error, self._read_timeout),
            finish=finish,
        )
        return Response(url=request.url, status=answer.status, headers=headers, body=body)

    def _head(self, request: Request, seconds: float) -> tuple[http.client.HTTPResponse, Headers, int | None]:
        """Read an answer up to its body, of which the length is returned if it is known."""
        assert self._inner.sock is not None
        self._inner.sock.settimeout(seconds)
        answer = http.client.HTTPConnection.getresponse(self._inner)
        try:
            if self._wire is not None and self._wire.is_ended:
                raise ConnectionResetError  # The headers are not whole.
            headers = fields_of(answer)
            return answer, headers, length_of(answer, headers, request.method)
        except (http.client.HTTPException, OSError):
            answer.close()
            raise

    def _unanswered(self, error: Exception, failure: OSError | None, seconds: float) -> UnreachableError:
        """Return the error for a request without an answer, of which not all could be sent if there is a failure."""
        has_begun = self._wire is not None and self._wire.seen > 0
        if failure is not None and not isinstance(error, ssl.SSLError):
            error, seconds = failure, self._read_timeout
        self.is_stale = was_closed(error) and not (has_begun or self._is_stopped)
        return self._failed(error, seconds)

    def _send(self, request: Request, fields: Sequence[tuple[str, str]]) -> OSError | None:
        """Send a request; return why not all of it could be sent: there may be an answer all the same."""
        inner = self._inner
        assert inner.sock is not None
        self._wire = None
        inner.sock.settimeout(self._read_timeout)
        proxy = None if self.origin.is_secure else self._proxy
        target = request.url.target if proxy is None else request.url.full
        inner.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields:
            inner.putheader(name, value)
        if proxy is not None and proxy.authorization:
            inner.putheader("Proxy-Authorization", proxy.authorization)
        try:
            inner.endheaders()
        except OSError as error:
            return error
        for piece in () if request.body is None else _pieces(request.body):
            try:
                inner.send(piece)
            except OSError as error:
                return error
        return None

    def _dial(self, host: str, port: int) -> socket.socket:
        """Open a socket of which a second handle can break it while it connects."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            sock = socket.socket(family, kind, protocol)
            try:
                self._close_handle()
                self._handle = sock.dup()
                self._check()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self._connect_timeout)
                sock.connect(address)
            except BaseException as error:
                sock.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
            else:
                return sock
        raise failure or OSError("the name has no address")

    def _new_answer(self, sock: Any, *args: Any, **options: Any) -> http.client.HTTPResponse:  # Any: passed on
        answer = http.client.HTTPResponse(sock, *args, **options)
        self._wire = Wire(answer.fp.detach(), sock)
        answer.fp = io.BufferedReader(self._wire)
        return answer

    def _check(self) -> None:
        if self._is_stopped:
            raise ConnectionAbortedError

    def _failed(self, error: Exception | str, seconds: float, *, was_sent: bool = True) -> UnreachableError:
        reason = error if isinstance(error, str) else reason_of(error, seconds)
        return UnreachableError(
            str(self.origin),
            "interrupted" if self._is_stopped else reason,
            speaks_tls=was_sent or not speaks_no_tls(error),
            was_sent=was_sent,
        )

    @property
    def is_alive(self) -> bool:
        """Whether an idle connection may be used again."""
        return self._inner.is_connected and not self._is_stopped

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request after this answer was read to its end."""
        return self._is_clean and not self._inner.is_closed and not self._is_stopped

    def stop(self) -> None:
        """Break the connection, from any thread."""
        self._is_stopped = True
        handle = self._handle
        if handle is not None:
            with contextlib.suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._inner.close()
        self._close_handle()

    def _close_handle(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _pieces(body: Body) -> Iterator[memoryview]:
    """Yield the bytes of a body; the last of them only if it ends with them."""
    stream = body.open()
    try:
        left = body.size
        while left:
            data = stream.read(min(_PIECE, left))
            left -= len(data)
            if not data:
                raise SizeMismatchError(_SENT, body.size, body.size - left)
            if not left:
                _check_end(stream, body.size)
            view = memoryview(data)
            yield from (view[at : at + _SENT_AT_ONCE] for at in range(0, len(data), _SENT_AT_ONCE))
        if not body.size:
            _check_end(stream, 0)
    finally:
        stream.close()


def _check_end(stream: ByteStream, size: int) -> None:
    if stream.read(1):
        raise SizeMismatchError(_SENT, size, size + 1)
