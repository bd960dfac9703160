"""The transport over urllib3: connections that are kept, used by one request at a time, and broken on demand.

A connection that the server has closed while it was idle is replaced without the caller seeing it, if the request may
be sent twice (RFC 9110, 9.2.2 and 9.2.1; RFC 9112, 9.3.1). Nothing else is repeated.
"""

import re
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping

from oci_layers import system
from oci_layers.errors import NameFormatError, UnreachableError, UnsupportedError
from oci_layers.registry.proxy import proxy_for
from oci_layers.registry.transport import Request, Response
from oci_layers.registry.url import Origin

try:
    from oci_layers.registry.connection import Connection
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "urllib3":
        raise
    raise UnsupportedError("registry", "HTTP", "needs urllib3: pip install 'oci-layers[registry]'") from None

__all__ = ["Urllib3Transport"]

_TWICE = {"GET", "HEAD", "PUT"}
"""Methods of which a second request has the answer of the first. `DELETE` may answer 404 then."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WITH_LENGTH = {"PATCH", "POST", "PUT"}


class Urllib3Transport:
    """A `Transport` over urllib3. Threads may share it, and processes that are forked get connections of their own."""

    def __init__(
        self,
        *,
        tls: Callable[[Origin], ssl.SSLContext | None] | ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        connections: int = 16,
        connect_timeout: float = 30,
        read_timeout: float = 60,
        user_agent: str = "oci-layers",
    ) -> None:
        """Set up a transport, which opens no connection yet.

        Args:
            tls: The TLS context of each server, or one for all; None is the default of this Python and OpenSSL, which
                reads `SSL_CERT_FILE` and `SSL_CERT_DIR`.
            environ: The environment, which may name proxies; None for no proxy.
            connections: How many idle connections are kept. There is no limit to those in use.
            connect_timeout: Seconds to connect, and again for the TLS handshake.
            read_timeout: Seconds until some more bytes of an answer come, or 64 KiB of a request are taken. The headers
                have to be whole in this time, or five times of it if the request has a body.
            user_agent: The value of `User-Agent`.
        """
        self._tls = tls
        self._environ = environ
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._user_agent = user_agent
        self._contexts: dict[Origin, ssl.SSLContext] = {}
        self._default: ssl.SSLContext | None = None
        self._pools: dict[int, _Pool] = {}

    def send(self, request: Request) -> Response:
        """Send one request and return the answer; see `Transport.send`.

        Raises:
            UnreachableError: There is no answer, or none that is HTTP.
            SizeMismatchError: The body of the request has not its size; the server has not got the whole of it.
            NameFormatError: A header field has characters that are not allowed, or the environment names no proxy.
            UnsupportedError: The proxy is not one of HTTP.
        """
        fields = self._fields(request)
        pool = self._pool
        began = pool.interrupts
        connection = pool.take(request.url.origin)
        if connection is not None:
            try:
                return self._ask(pool, connection, request, fields)
            except UnreachableError:
                if not (connection.is_stale and request.method in _TWICE):
                    raise
        connection = self._new_connection(request.url.origin)
        pool.use(connection, began)
        try:
            connection.connect()
        except BaseException:
            pool.drop(connection)
            raise
        return self._ask(pool, connection, request, fields)

    def _ask(self, pool: "_Pool", connection: Connection, request: Request, fields: list[tuple[str, str]]) -> Response:
        def finish(whole: bool) -> None:
            if whole and connection.is_reusable:
                pool.give(connection)
            else:
                pool.drop(connection)

        try:
            return connection.ask(request, fields, finish)
        except BaseException:
            pool.drop(connection)
            raise

    def _fields(self, request: Request) -> list[tuple[str, str]]:
        """Return the header fields of a request as they are sent."""
        origin = request.url.origin
        fields = {"host": ("Host", str(origin).partition("://")[2]), "user-agent": ("User-Agent", self._user_agent)}
        fields |= {name.lower(): (name, value) for name, value in request.headers.items()}
        if request.body is not None or request.method in _WITH_LENGTH:
            fields["content-length"] = ("Content-Length", str(request.body.size if request.body else 0))
        for name, value in fields.values():
            if not (_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
                raise NameFormatError("header field", name, "it has characters that are not allowed")
        return list(fields.values())

    def _new_connection(self, origin: Origin) -> Connection:
        return Connection(
            origin,
            None if self._environ is None else proxy_for(origin, self._environ),
            self._context,
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
        )

    def _context(self, origin: Origin) -> ssl.SSLContext:
        context = self._contexts.get(origin)
        if context is None:
            given = self._tls(origin) if callable(self._tls) else self._tls
            if given is None:
                given = self._default = self._default or ssl.create_default_context()
            context = self._contexts[origin] = given
        return context

    @property
    def _pool(self) -> "_Pool":
        """The connections of this process. Those of the process that it was forked from are not touched."""
        process = system.process_id()
        return self._pools.get(process) or self._pools.setdefault(process, _Pool(self._connections))

    def interrupt(self) -> None:
        """Break all connections that are in use: who reads from one or waits for an answer gets `UnreachableError`.

        Only a name that is being resolved cannot be interrupted.
        """
        self._pool.stop()

    def close(self) -> None:
        """Close all connections that are idle, and the others when their answers are closed; idempotent."""
        self._pool.close()


class _Pool:
    """The connections of one process: idle, the last used last, and in use."""

    def __init__(self, kept: int) -> None:
        self.interrupts = 0
        """How often the connections in use were broken."""
        self._kept = kept
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._used: weakref.WeakSet[Connection] = weakref.WeakSet()

    def take(self, origin: Origin) -> Connection | None:
        """Return an idle connection that the server has not closed, for use."""
        while True:
            with self._lock:
                found = next((one for one in reversed(self._idle) if one.origin == origin), None)
                if found is None:
                    return None
                self._idle.remove(found)
                self._used.add(found)
            if found.is_alive:
                return found
            self.drop(found)

    def use(self, connection: Connection, began: int) -> None:
        """Count a new connection among those in use, broken if there was an interrupt since its request began."""
        with self._lock:
            self._used.add(connection)
            if self.interrupts != began:
                connection.stop()

    def give(self, connection: Connection) -> None:
        """Take a connection back, and close the one that was idle for longest if there are too many."""
        with self._lock:
            self._used.discard(connection)
            self._idle.append(connection)
            surplus = self._idle[: -self._kept] if self._kept else self._idle[:]
            del self._idle[: len(surplus)]
        for one in surplus:
            one.close()

    def drop(self, connection: Connection) -> None:
        """Close a connection that was in use."""
        with self._lock:
            self._used.discard(connection)
        connection.close()

    def stop(self) -> None:
        """Break all connections that are in use."""
        with self._lock:
            self.interrupts += 1
            for one in self._used:
                one.stop()

    def close(self) -> None:
        """Close all idle connections, and keep no more."""
        with self._lock:
            self._kept = 0
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()
