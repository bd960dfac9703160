"""Work on bytes in other threads: reading ahead of the reader, and hashing behind it.

Reading, inflating and hashing all let other threads run meanwhile, so each can have a thread of its own. Two threads
share nothing but a pair of queues: pieces go one way, word that they were taken comes back, and so no more than a few
MiB are ever under way. The queues have no Python code inside, which matters: Ctrl-C may come at any time, and a lock
that it interrupts the taking of would never be given back.
"""

import queue
from collections.abc import Callable
from typing import Generic, TypeVar

from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.spec.digest import Hasher
from oci_layers.threads import begin

__all__ = ["Ahead", "Give", "HashingThread", "ReadAhead"]

T = TypeVar("T")

_PIECES = (16 << 20) // PIECE
"""How many pieces may be under way between two threads."""

Give = Callable[[T, int], None]
"""Called with what is for the other thread, and how much that weighs; waits while too much is under way."""


class _Stopped(BaseException):
    """Nobody waits for what is given any more; raised where it is given, to end that work."""


class Ahead(Generic[T]):
    """Work that is done by another thread, ahead of whoever takes what it gives.

    What goes wrong with it is raised after all that was given before. The thread ends with the work, or with `stop`.
    """

    def __init__(self, work: Callable[[Give[T]], None], most: int) -> None:
        """Begin.

        Args:
            work: What to do. It may be stopped wherever it gives something.
            most: Nothing more is given while so much weight, or more, has not been taken.

        Raises:
            RuntimeError: There can be no more threads.
        """
        self._work = work
        self._most = most
        self._given: queue.SimpleQueue[tuple[T, int] | BaseException | None] = queue.SimpleQueue()
        self._took: queue.SimpleQueue[None] = queue.SimpleQueue()
        # Each number is changed by one thread alone.
        self._weight_given = 0
        self._weight_taken = 0
        self._stop = False
        try:
            self._thread = begin(self._run, "oci-layers-ahead")
        except BaseException:
            self._stop = True
            self._took.put(None)
            raise

    def _run(self) -> None:
        end = None
        try:
            if not self._stop:
                self._work(self._give)
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is, and raised by whoever takes
            end = error
        self._given.put(end)

    def _give(self, item: T, weight: int) -> None:
        while self._weight_given - self._weight_taken >= self._most and not self._stop:
            self._took.get()
        if self._stop:
            raise _Stopped
        self._weight_given += weight
        self._given.put((item, weight))

    def take(self) -> T | None:
        """Return what was given next; None at the end.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        if self._stop:
            raise ValueError("this work was stopped, and gives nothing any more")
        given = self._given.get()
        if isinstance(given, tuple):
            item, weight = given
            self._weight_taken += weight
            self._took.put(None)
            return item
        self._given.put(given)
        if given is not None:
            raise given
        return None

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stop = True
        self._took.put(None)
        self._thread.join()


class ReadAhead:
    """A stream whose work (reading, inflating, hashing) is done by another thread, some pieces ahead of the reader.

    Errors come out of `read` where they would have without it. The thread ends with the stream, or with `close`.
    """

    def __init__(self, stream: ByteStream) -> None:
        """Begin to read; raises RuntimeError where there can be no more threads."""
        self._stream = stream
        self._rest = b""
        self._ahead = Ahead(self._work, _PIECES)

    def _work(self, give: Give[bytes]) -> None:
        while data := self._stream.read(PIECE):
            give(data, 1)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        data = self._rest or self._ahead.take() or b""
        self._rest = data[size:]
        return data[:size]

    def stop(self) -> None:
        """Stop the thread and wait for it; the stream below stays open."""
        self._ahead.stop()
        self._rest = b""

    def close(self) -> None:
        """Stop, and close the stream below."""
        self.stop()
        self._stream.close()


class HashingThread:
    """A hasher that hashes in another thread, some pieces behind. It ends with `hexdigest`, or with `close`."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(_PIECES):
            self._room.put(None)
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
