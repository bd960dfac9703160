"""Open the next layer while the current one is merged."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

__all__ = ["LayerPrefetcher"]

_AT_ONCE = 2
"""How many layers are open at once: the current one and the next."""


class _Closable(Protocol):
    def close(self) -> None: ...


R = TypeVar("R", bound=_Closable)


class LayerPrefetcher(Generic[R]):
    """Opens layers in their order, each before it is asked for. Close it."""

    def __init__(self, openers: Iterable[Callable[[], R]], *, threads: int) -> None:
        """Take what opens each layer; with one thread, nothing is opened before it is asked for."""
        self._openers = deque(openers)
        self._ready: deque[R | Exception] = deque()
        self._at_once = min(threads, _AT_ONCE)

    def open(self) -> R:
        """Return the next layer, opened; the caller closes it. An error of opening it is raised here, in its turn."""
        while self._openers and len(self._ready) < self._at_once:
            try:
                self._ready.append(self._openers.popleft()())
            except Exception as error:  # noqa: BLE001  # of any kind; raised when its turn comes
                self._ready.append(error)
        ready = self._ready.popleft()
        if isinstance(ready, Exception):
            raise ready
        return ready

    def close(self) -> None:
        """Close what was opened and not returned."""
        with contextlib.ExitStack() as closing:
            for ready in self._ready:
                if not isinstance(ready, Exception):
                    closing.callback(ready.close)
