"""Work in other threads: reading ahead of the consumer, hashing behind it, many items at once.

Theory of operation. Reading, decompressing and hashing release the interpreter's lock, so each can run in its own
thread. Two queues connect two threads: one carries items to the consumer, the other carries the weight of the items
taken back to the producer, which waits on it while its buffer is full; so memory is bounded. `SimpleQueue` has no lock
in Python code that an exception in a signal handler could leave locked.
An exception in a thread is raised in the consumer, after the items before it. `stop` and `close` end a thread and wait
for it; a producer ends at its next `put`. If no thread can be started (`RuntimeError`), the caller does the work
itself. A callback may raise an exception to end the work from outside; all threads end before it propagates.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.spec.digest import Hasher

__all__ = ["BackgroundHasher", "BackgroundProducer", "BackgroundReader", "Put", "ShouldContinue", "map_in_threads"]

T = TypeVar("T")
R = TypeVar("R")

_PIECES = (8 << 20) // PIECE
"""The number of pieces that a buffer between two threads holds."""

Put = Callable[[T, int], None]
"""Function that takes an item for the consumer, and its weight; waits while the buffer is full."""

ShouldContinue = Callable[[int], bool]
"""Callback that takes the amount of work done since the last call, 0 or more; returns False once cancelled."""


class _StoppedError(Exception):
    """The consumer needs no more items; raised by `put` in the producer's thread."""


class _End:
    """The last item of a producer's queue: the end of the items, with an error if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class BackgroundProducer(Generic[T]):
    """Produces items in a background thread."""

    def __init__(self, produce: Callable[[Put[T]], None], capacity: int) -> None:
        """Start the thread.

        Args:
            produce: Called in the thread with `put`, which raises an exception in it once the producer is stopped.
            capacity: `put` waits while the weight of the items not yet taken is this or more.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._produce = produce
        self._capacity = capacity
        self._items: queue.SimpleQueue[tuple[T, int] | _End] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ahead = 0
        self._stopped = False
        self._end: _End | None = None
        self._thread = threading.Thread(target=self._run, name="oci-layers-producer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._produce(self._put)
        except _StoppedError:
            pass
        except BaseException as raised:  # noqa: BLE001  # raised by `get`
            error = raised
        self._items.put(_End(error))

    def _put(self, item: T, weight: int) -> None:
        while self._ahead >= self._capacity and not self._stopped:
            self._ahead -= self._taken.get()
        if self._stopped:
            raise _StoppedError
        self._ahead += weight
        self._items.put((item, weight))

    def get(self) -> T | None:
        """Return the next item; None at the end.

        An exception in the producer is raised here after the items before it.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        if self._stopped:
            raise ValueError("the producer was stopped")
        if self._end is None:
            taken = self._items.get()
            if not isinstance(taken, _End):
                item, weight = taken
                self._taken.put(weight)
                return item
            self._end = taken
        if self._end.error is not None:
            raise self._end.error
        return None

    def stop(self) -> None:
        """End the thread and wait for it; idempotent."""
        self._stopped = True
        self._taken.put(0)
        self._thread.join()


class BackgroundReader:
    """A stream that a background thread reads up to 16 MiB ahead of the consumer.

    `read` raises errors at the same position as without the thread. The thread ends at the end of the stream, or with
    `close`.
    """

    def __init__(self, stream: ByteStream) -> None:
        """Start the thread; raises RuntimeError if none can be started."""
        self._stream = stream
        self._rest = b""
        self._producer = BackgroundProducer(self._produce, _PIECES)

    def _produce(self, put: Put[bytes]) -> None:
        while data := self._stream.read(PIECE):
            put(data, 1)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        data = self._rest or self._producer.get() or b""
        self._rest = data[size:]
        return data[:size]

    def stop(self) -> None:
        """End the thread and wait for it; the underlying stream stays open."""
        self._producer.stop()
        self._rest = b""

    def close(self) -> None:
        """End the thread, and close the underlying stream."""
        self.stop()
        self._stream.close()


class BackgroundHasher:
    """A hasher that hashes in a background thread. `hexdigest` and `close` end the thread."""

    def __init__(self, hasher: Hasher) -> None:
        """Start the thread; raises RuntimeError if none can be started."""
        self._hasher = hasher
        self._pieces: queue.SimpleQueue[bytes | bytearray | memoryview | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ahead = 0
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="oci-layers-hasher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            if not self._stopped and self._error is None:
                try:
                    self._hasher.update(piece)
                except BaseException as error:  # noqa: BLE001  # raised by `hexdigest`, whatever it is
                    self._error = error
            self._taken.put(1)

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add bytes, which the caller must not change afterwards; waits while 16 pieces are not yet hashed."""
        while self._ahead >= _PIECES:
            self._ahead -= self._taken.get()
        self._ahead += 1
        self._pieces.put(data)

    def hexdigest(self) -> str:
        """Return the digest of all bytes added, and end the thread; an exception of the hasher is raised here."""
        self._end()
        if self._error is not None:
            raise self._error
        return self._hasher.hexdigest()

    def close(self) -> None:
        """End the thread without hashing the rest, and wait for it."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()


def map_in_threads(
    function: Callable[[T, ShouldContinue], R],
    items: Sequence[T],
    *,
    threads: int,
    on_progress: Callable[[int], None] | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> list[R]:
    """Call a function with each item in several threads, and return the results in the order of the items.

    An error of `function` or `on_progress`, or an interrupt, ends all calls and is raised when the threads have ended.
    A call ends when its callback returns False, so `function` should call it often, and then return.

    Args:
        function: Called with an item, and a callback that takes the amount of work done.
        items: The items, started in this order.
        threads: The number of items worked on at once; with 1, or where no thread can be started, the caller's thread
            does all the work.
        on_progress: Called in the caller's thread with each amount except 0.
        on_interrupt: Called after an interrupt, to end what the calls wait for.
    """
    if threads > 1 and len(items) > 1:
        pool = _Pool(function, items)
        if pool.start(min(threads, len(items))):
            return pool.results(on_progress, on_interrupt)
    return _map_here(function, items, on_progress)


def _map_here(
    function: Callable[[T, ShouldContinue], R], items: Sequence[T], on_progress: Callable[[int], None] | None
) -> list[R]:
    failed: list[BaseException] = []

    def should_continue(amount: int) -> bool:
        # Not raised here, because `function` could catch it.
        if amount and on_progress is not None and not failed:
            try:
                on_progress(amount)
            except BaseException as error:  # noqa: BLE001  # raised below
                failed.append(error)
        return not failed

    results = []
    for item in items:
        results.append(function(item, should_continue))
        if failed:
            raise failed[0]
    return results


class _Pool(Generic[T, R]):
    """Threads that take items from one queue and put results and progress into another."""

    def __init__(self, function: Callable[[T, ShouldContinue], R], items: Sequence[T]) -> None:
        self._function = function
        self._items = items
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[int | tuple[int, R] | BaseException] = queue.SimpleQueue()
        self._cancelled = False
        self._threads: list[threading.Thread] = []
        for index in range(len(items)):
            self._todo.put(index)

    def start(self, count: int) -> bool:
        """Start up to `count` threads; return whether at least one started."""
        with contextlib.suppress(RuntimeError):
            for _ in range(count):
                thread = threading.Thread(target=self._run, name="oci-layers-worker", daemon=True)
                thread.start()
                self._threads.append(thread)
        return bool(self._threads)

    def results(
        self, on_progress: Callable[[int], None] | None, on_interrupt: Callable[[], None] | None = None
    ) -> list[R]:
        """Wait for all items and return their results; call `on_progress` meanwhile."""
        results: dict[int, R] = {}
        try:
            while len(results) < len(self._items):
                done = self._done.get()
                if isinstance(done, BaseException):
                    raise done  # noqa: TRY301  # one way out for all
                if isinstance(done, tuple):
                    results[done[0]] = done[1]
                elif on_progress is not None:
                    on_progress(done)
        except BaseException as error:
            self._cancelled = True
            if on_interrupt is not None and not isinstance(error, Exception):
                on_interrupt()
            raise
        finally:
            self._cancelled = True
            for thread in self._threads:
                thread.join()
        return [results[index] for index in range(len(self._items))]

    def _run(self) -> None:
        try:
            while not self._cancelled:
                index = self._todo.get_nowait()
                self._done.put((index, self._function(self._items[index], self._should_continue)))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001  # raised by `results`
            self._done.put(error)

    def _should_continue(self, amount: int) -> bool:
        if amount and not self._cancelled:
            self._done.put(amount)
        return not self._cancelled
