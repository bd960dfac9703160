"""Many items, each worked on by one of several threads, and what comes of it to the one who waits.

Whoever waits may be interrupted at any moment, and a lock of Python's own that Ctrl-C interrupts the taking of is never
given back: that of a queue with a bound, of an event, of a thread that is begun. So the one who waits takes none. It
begins one thread in the one way that needs no such lock; that thread, which no signal interrupts, begins the others;
and all that is said goes through queues without Python code inside. Where no thread can be begun at all (a limit on
processes, WebAssembly), the one who waits does the work.

What the items are, and what is done with them, is the caller's.
"""

import _thread
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Say", "work_through"]

T = TypeVar("T")
R = TypeVar("R")

Say = Callable[[int], bool]
"""Called with how much more was done of an item, perhaps 0; returns False when the work shall stop, whatever then."""


def work_through(
    items: Sequence[T], work: Callable[[T, Say], R], *, threads: int, hear: Callable[[int], None] | None = None
) -> list[R]:
    """Return what `work` returns for each of the items, in their order; they are begun in that order too.

    An error of `work` or of `hear`, or Ctrl-C, stops everything and is raised when the threads have ended. They end as
    soon as they ask `say`, so work should ask often. With one thread, and where no thread can be begun, the work is
    done by the caller's own; where only some can be, by those.

    Args:
        items: What to work on.
        work: Called with an item, and what it may call to tell how far it is.
        threads: How many items are worked on at the same time.
        hear: Called in the caller's own thread with each number but 0 that was said; the work waits for it.
    """
    if threads < 2 or len(items) < 2:
        return _alone(items, work, hear)
    with contextlib.suppress(_NoThreadError):
        return _Crew(items, work, threads, told=hear is not None).wait(hear or _unheard)
    return _alone(items, work, hear)


def _unheard(_: int) -> None:
    """Never called."""


def _alone(items: Sequence[T], work: Callable[[T, Say], R], hear: Callable[[int], None] | None) -> list[R]:
    failed: list[BaseException] = []

    def say(count: int) -> bool:
        # What goes wrong with `hear` is not for `work` to catch.
        if count and hear is not None and not failed:
            try:
                hear(count)
            except BaseException as error:  # noqa: BLE001  # raised below, whatever it is
                failed.append(error)
        return not failed

    results = []
    for item in items:
        results.append(work(item, say))
        if failed:
            raise failed[0]
    return results


class _NoThreadError(Exception):
    """No thread could be begun, and nothing was worked on. Never leaves this module."""


class _Crew(Generic[T, R]):
    """Threads at work, and the one who waits for them."""

    def __init__(self, items: Sequence[T], work: Callable[[T, Say], R], threads: int, *, told: bool) -> None:
        self._items = items
        self._work = work
        self._count = min(threads, len(items))
        self._told = told
        self._todo: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        for index in (*range(len(items)), *[None] * self._count):
            self._todo.put(index)
        self._said: queue.SimpleQueue[int | tuple[int, R] | BaseException | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._beginning = False
        self._begun = False
        self._stopped = False

    def wait(self, hear: Callable[[int], None]) -> list[R]:
        """Begin, hear everything, and return when all threads have ended."""
        try:
            # The loop is in a frame of its own: Python 3.13.0 has no handler for what interrupts the end of a round.
            results = self._hear(hear)
        finally:
            self._stopped = True
            for _ in range(self._count):
                self._heard.put(None)
            # What has not begun to begin by now sees that it is too late.
            while self._beginning and not self._begun:
                self._said.get()
            for thread in self._threads:
                thread.join()
        return [results[index] for index in range(len(self._items))]

    def _hear(self, hear: Callable[[int], None]) -> dict[int, R]:
        results: dict[int, R] = {}
        try:
            _thread.start_new_thread(self._begin, ())
        except RuntimeError:
            raise _NoThreadError from None
        while len(results) < len(self._items):
            said = self._said.get()
            if isinstance(said, BaseException):
                raise said
            if isinstance(said, int):
                hear(said)
                self._heard.put(None)
            elif said is not None:
                results[said[0]] = said[1]
        return results

    def _begin(self) -> None:
        self._beginning = True
        try:
            while not self._stopped and len(self._threads) < self._count:
                thread = threading.Thread(target=self._run, name="oci-layers-crew", daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError:
            # There can be no more threads; those that there are do all the work.
            if not self._threads:
                self._said.put(_NoThreadError())
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is, and raised by the one who waits
            self._said.put(error)
        self._begun = True
        self._said.put(None)

    def _run(self) -> None:
        try:
            while (index := self._todo.get()) is not None and not self._stopped:
                self._said.put((index, self._work(self._items[index], self._say)))
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is, and raised by the one who waits
            self._said.put(error)

    def _say(self, count: int) -> bool:
        if count and self._told and not self._stopped:
            self._said.put(count)
            self._heard.get()
        return not self._stopped
