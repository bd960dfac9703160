"""Runs of a program, several at once, and how far they are."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from oci_layers.progress import Progress

__all__ = ["PHASES", "Pool", "Told"]

T = TypeVar("T")
R = TypeVar("R")

PHASES = ("cases", "generated stacks", "making failures smaller")
"""The parts of the work, as `Progress.layer` numbers them."""


class Told:
    """Calls a callback with progress, if there is one."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self._progress = progress

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Tell what is done of how much in a phase."""
        if self._progress is not None:
            self._progress(Progress(layer=PHASES.index(phase), layers=len(PHASES), done=done, total=total))


class Pool:
    """Threads that run programs; an exception in the block stops these."""

    def __init__(self, count: int, stop: threading.Event) -> None:
        self._executor = ThreadPoolExecutor(count)
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, where: object) -> None:
        if kind is not None:
            self._stop.set()
        self._executor.shutdown(cancel_futures=kind is not None)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield what a function returns for each item, in their order."""
        return self._executor.map(function, items)
