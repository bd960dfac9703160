"""A proxy before a server of the loopback, which makes a slow network of it and counts: a process of its own.

`python -m benchmarks.shaping_proxy PORT DELAY RATE` prints the port at which it listens, and passes each connection on
to PORT. A round trip takes DELAY seconds more, to connect is one, and each direction of each connection carries RATE
bytes a second. For each line of its input it prints how many bytes it has passed to clients; it ends with its input.
"""

import contextlib
import queue
import socket
import sys
import threading
import time

_PIECE = 64 << 10
_UNDER_WAY = 64
"""The number of pieces that one direction of a connection holds at most."""


class _Way:
    """One direction of a connection: what it reads arrives later, and no faster than the rate."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float, rate: float, begin: float) -> None:
        self.passed = 0
        self._source = source
        self._sink = sink
        self._delay = delay
        self._rate = rate
        self._begin = begin
        self._pieces: queue.Queue[tuple[float, bytes]] = queue.Queue(_UNDER_WAY)
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self) -> None:
        due, data = self._begin, b"first"
        while data:
            try:
                data = self._source.recv(_PIECE)
            except OSError:
                data = b""
            due = max(due, time.monotonic() + self._delay) + len(data) / self._rate
            self._pieces.put((due, data))

    def _write(self) -> None:
        is_broken = False
        while True:
            due, data = self._pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    break
                if not is_broken:
                    self.passed += len(data)  # Before the client can ask how many there were.
                    self._sink.sendall(data)
            except OSError:
                is_broken = True
                with contextlib.suppress(OSError):
                    self._source.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)


def main(arguments: list[str]) -> int:
    """Run the proxy until the input ends."""
    port, delay, rate = int(arguments[0]), float(arguments[1]), float(arguments[2])
    downwards: list[_Way] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            connected = time.monotonic() + delay
            server = socket.create_connection(("127.0.0.1", port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Way(client, server, delay / 2, rate, connected + delay / 2)
            downwards.append(_Way(server, client, delay / 2, rate, connected))

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for _ in sys.stdin:
        print(sum(way.passed for way in downwards), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
