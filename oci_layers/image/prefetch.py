"""Open the next layer while the current one is merged."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from oci_layers.blob.store import BlobSource, Interruptible
from oci_layers.image.reader import LayerReader, OpenLayer

__all__ = ["LayerPrefetcher", "layers_at_once", "prefetcher_of"]

_AT_ONCE = 2
"""The number of layers that are open at once: the current one and the next."""

_REMOTE_AT_ONCE = 3


def layers_at_once(source: BlobSource) -> int:
    """Return how many layers of a source are open at once: more of one whose bytes may be long in coming."""
    return _REMOTE_AT_ONCE if isinstance(source, Interruptible) else _AT_ONCE


class _Closable(Protocol):
    def close(self) -> None: ...


R = TypeVar("R", bound=_Closable)


class LayerPrefetcher(Generic[R]):
    """Opens layers in their order, ahead of the calls of `open`. The caller closes it."""

    def __init__(self, openers: Iterable[Callable[[], R]], *, threads: int, at_once: int = _AT_ONCE) -> None:
        """Take a function per layer that opens it; with one thread, only the `open` that returns a layer opens it."""
        self._openers = deque(openers)
        self._ready: deque[R | Exception] = deque()
        self._at_once = at_once if threads > 1 else 1

    def open(self) -> R:
        """Return the next layer, opened; the caller closes it. Raises the error of opening that layer, if any."""
        while self._openers and len(self._ready) < self._at_once:
            try:
                self._ready.append(self._openers.popleft()())
            except Exception as error:  # noqa: BLE001  # any error; raised when its layer is next
                self._ready.append(error)
        ready = self._ready.popleft()
        if isinstance(ready, Exception):
            raise ready
        return ready

    def close(self) -> None:
        """Close the layers that were opened but not returned."""
        with contextlib.ExitStack() as closing:
            for ready in self._ready:
                if not isinstance(ready, Exception):
                    closing.callback(ready.close)


def prefetcher_of(
    layers: Sequence[LayerReader], openers: Iterable[Callable[[], OpenLayer]] | None = None
) -> LayerPrefetcher[OpenLayer]:
    """Return what opens layers of an image ahead, as far as their sources and threads allow; the caller closes it.

    Args:
        layers: The layers.
        openers: A function per layer that opens it; by default for its contents.
    """
    return LayerPrefetcher(
        [layer.open for layer in layers] if openers is None else openers,
        threads=min((layer.threads for layer in layers), default=1),
        at_once=max((layers_at_once(layer.blobs) for layer in layers), default=1),
    )
