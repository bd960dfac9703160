"""A server of raw sockets that says exactly what a test tells it to, well-formed or not, plain or with TLS.

A script is a list of connections, each a list of answers, each a list of steps: bytes are sent, a number is a pause in
seconds, RESET breaks the connection by a reset. An answer waits for a request first, unless it begins with NOW. After
the last answer of a connection the server closes it, unless it ends with STAY. The last connection of the script is
repeated for all that come later.
"""

import contextlib
import socket
import struct
import threading

import attrs

RESET = "reset"
NOW = "now"
STAY = "stay"
DEAF = "deaf"
"""Read the head of the request alone, and not its body."""


@attrs.frozen
class Received:
    """A request as it came."""

    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool
    """Whether the body has its length."""

    def header(self, name):
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1
        return found[0] if found else None


def answer(status=200, body=b"", *fields, length=True):
    """Return the bytes of an answer; a field is a line."""
    lines = [f"HTTP/1.1 {status} Status", *fields]
    if length:
        lines.append(f"Content-Length: {len(body) if length is True else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """A server on a free port of the loopback, for the time of a block. `received` has the requests in order."""

    def __init__(self, script=None, *, tls=None, host="127.0.0.1"):
        """Begin to listen; a script may be given later, before the first connection."""
        self.script = [[[answer()]] * 1000] if script is None else script
        self.received = []
        self.connections = 0
        self._tls = tls
        self._over = threading.Event()
        self._handles = set()
        self._threads = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(
            (host, 0), backlog=64, family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
        self.port = self._listener.getsockname()[1]
        self.host = host

    @property
    def open(self):
        """How many connections are open on this side."""
        return len(self._handles)

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            handles = list(self._handles)
        for one in handles:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, call, *args):
        thread = threading.Thread(target=call, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            self._start(self._serve, sock, number)

    def _serve(self, sock, number):
        handle = sock.dup()  # It can shut down the connection under TLS as well.
        with self._lock:
            self._handles.add(handle)
        try:
            self._talk(sock, number)
        except OSError:
            pass
        except _ResetError:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with contextlib.suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)
        finally:
            with self._lock:
                self._handles.discard(handle)
            sock.close()
            handle.close()

    def _talk(self, sock, number):
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(self._tls.wrap_socket(sock, server_side=True) if self._tls else sock)
            reader = stack.enter_context(stream.makefile("rb"))
            for steps in self.script[min(number, len(self.script) - 1)]:
                if isinstance(steps, bytes) or NOW not in steps:
                    request = read_request(reader, number, deaf=not isinstance(steps, bytes) and DEAF in steps)
                    if request is None:
                        return
                    self.received.append(request)
                for step in [steps] if isinstance(steps, bytes) else steps:
                    self._play(stream, step)

    def _play(self, stream, step):
        if isinstance(step, bytes):
            stream.sendall(step)
        elif isinstance(step, float | int):
            self._over.wait(step)
        elif step == STAY:
            self._over.wait()
        elif step == RESET:
            raise _ResetError
        elif callable(step):
            step(stream)


class _ResetError(Exception):
    pass


def read_request(reader, number=0, *, deaf=False):
    """Read a request from a stream; None at its end."""
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = []
    while (field := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = field.partition(":")
        headers.append((name, value.strip()))
    size = 0 if deaf else int({name.lower(): value for name, value in headers}.get("content-length", 0))
    body = reader.read(size)
    return Received(number, line[0], line[1], tuple(headers), body, len(body) == size)
