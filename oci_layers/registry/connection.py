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

from urllib3.connection import HTTPConnection, HTTPSConnection

from oci_layers.blob.stream import ByteStream
from oci_layers.errors import SizeMismatchError, UnreachableError
from oci_layers.registry.answer import AnswerBody, Wire, fields_of, length_of
from oci_layers.registry.failure import reason_of, speaks_no_tls
from oci_layers.registry.transport import Body, Request, Response
from oci_layers.registry.url import Origin

__all__ = ["Connection"]

_PIECE = 1 << 20
_SENT_AT_ONCE = 64 << 10
"""Bytes of one `sendall`, all of which have to go within one timeout."""
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
        self, origin: Origin, context: ssl.SSLContext | None, *, connect_timeout: float, read_timeout: float
    ) -> None:
        self.origin = origin
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._handle: socket.socket | None = None
        self._is_stopped = False
        self._is_clean = True
        self._wire: Wire | None = None
        host = origin.host.strip("[]")
        if context is None:
            self._inner: _Plain | _Secure = _Plain(host, origin.port, timeout=connect_timeout)
        else:
            self._inner = _Secure(
                host,
                origin.port,
                timeout=connect_timeout,
                ssl_context=context,
                assert_hostname=None if context.check_hostname else False,
            )
        self._inner.dial = self._dial
        self._inner.response_class = self._new_answer  # type: ignore[assignment]  # a factory is as good as a class

    def connect(self) -> None:
        """Connect, with TLS for https."""
        try:
            self._inner.connect()
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._failed(error, self._connect_timeout, was_sent=False) from None

    def ask(self, request: Request, fields: Sequence[tuple[str, str]], finish: Callable[[bool], None]) -> Response:
        """Send a request and return its answer once the headers are there.

        An error of the body that is sent passes through; the server has not got the whole of it then.
        """
        failure = self._send(request, fields)
        seconds = self._read_timeout * (_AFTER_BODY if request.body else 1)
        try:
            if self._inner.sock is None:
                raise failure or ConnectionResetError
            self._inner.sock.settimeout(seconds)
            answer = http.client.HTTPConnection.getresponse(self._inner)
            headers = fields_of(answer)
            length = length_of(answer, headers, request.method)
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(failure or error, self._read_timeout if failure else seconds) from None
        self._is_clean = failure is None
        assert self._wire is not None
        body = AnswerBody(
            answer,
            self._wire,
            length,
            timeout=self._read_timeout,
            failed=lambda error: self._failed(error, self._read_timeout),
            finish=finish,
        )
        return Response(url=request.url, status=answer.status, headers=headers, body=body)

    def _send(self, request: Request, fields: Sequence[tuple[str, str]]) -> OSError | None:
        """Send a request; return why not all of it could be sent: there may be an answer all the same."""
        inner = self._inner
        assert inner.sock is not None
        self._wire = None
        inner.sock.settimeout(self._read_timeout)
        inner.putrequest(request.method, request.url.target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields:
            inner.putheader(name, value)
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

    @property
    def is_silent(self) -> bool:
        """Whether no byte of an answer has come."""
        return (self._wire is None or not self._wire.seen) and not self._is_stopped

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
