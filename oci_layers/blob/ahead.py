"""Work on bytes in other threads: reading ahead of the reader, and hashing behind it.

Reading, inflating and hashing all let other threads run meanwhile, so each can have a thread of its own. Two threads
share nothing but a pair of queues: pieces go one way, leave to send more comes back, and so no more than a few MiB are
ever under way. The queues have no Python code inside, which matters: Ctrl-C may come at any time, and a lock that it
interrupts the taking of would never be given back.
"""

import queue

from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.spec.digest import Hasher
from oci_layers.threads import begin

__all__ = ["HashingThread", "ReadAhead"]

_PIECES = (16 << 20) // PIECE
"""How many pieces may be under way between two threads."""


def _room() -> "queue.SimpleQueue[None]":
    """Return the leave to send so many pieces."""
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(_PIECES):
        room.put(None)
    return room


class ReadAhead:
    """A stream whose work (reading, inflating, hashing) is done by another thread, some pieces ahead of the reader.

    Errors come out of `read` where they would have without it. The thread ends with the stream, or with `close`.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._room = _room()
        self._pieces: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        self._stop = False
        self._rest = b""
        self._error: BaseException | None = None
        try:
            self._thread = begin(self._run, "oci-layers-read-ahead")
        except BaseException:
            self._stop = True
            raise

    def _run(self) -> None:
        try:
            while True:
                self._room.get()
                if self._stop:
                    return
                data = self._stream.read(PIECE)
                self._pieces.put(data)
                if not data:
                    return
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is, and raised by the reader
            self._pieces.put(error)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        if self._error is not None:
            raise self._error
        if self._stop:
            raise ValueError("this stream was stopped, and cannot be read any more")
        data = self._rest
        if not data:
            piece = self._pieces.get()
            if isinstance(piece, BaseException):
                self._error = piece
                raise piece
            data = piece
            if data:
                self._room.put(None)
            else:
                self._pieces.put(b"")
        self._rest = data[size:]
        return data[:size]

    def stop(self) -> None:
        """Stop the thread and wait for it; the stream below stays open, and may be read on from where it was left."""
        self._stop = True
        self._room.put(None)
        self._thread.join()

    def close(self) -> None:
        """Stop, and close the stream below."""
        self.stop()
        self._stream.close()


class HashingThread:
    """A hasher that hashes in another thread, some pieces behind. It ends with `hexdigest`, or with `close`."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._room = _room()
        self._pieces: queue.SimpleQueue[bytes | bytearray | memoryview | None] = queue.SimpleQueue()
        self._stop = False
        try:
            self._thread = begin(self._run, "oci-layers-hashing")
        except BaseException:
            self._pieces.put(None)
            raise

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            if not self._stop:
                self._hasher.update(piece)
            self._room.put(None)

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take more bytes, which must not change any more."""
        self._room.get()
        self._pieces.put(data)

    def hexdigest(self) -> str:
        """Return the digest of all bytes taken, and end."""
        self._pieces.put(None)
        self._thread.join()
        return self._hasher.hexdigest()

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop = True
        self._pieces.put(None)
        self._thread.join()
