"""Layers that come one after another, each begun with before its turn, so that nobody waits for its first bytes."""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from oci_layers.image.headers import Headers
from oci_layers.image.plain import PlainBytes

if TYPE_CHECKING:
    from oci_layers.image.layer import Layer  # which is begun with here

__all__ = ["Turns"]

_AT_ONCE = 2
"""How many layers are begun with at the same time: the one whose turn it is, and the next."""


class Turns:
    """Layers that are begun with in their order. Close it."""

    def __init__(self, layers: "Sequence[Layer]", *, contents: bool) -> None:
        """Take layers, and whether their contents will be read, or the headers alone."""
        self._layers = layers
        self._contents = contents
        self._begun = 0
        self._waiting: deque[_Opening] = deque()

    def next(self) -> PlainBytes | Headers:
        """Return the next layer, begun with, to be closed by whoever asks; raises as `Layer.open_entries`."""
        self._begin()
        opening = self._waiting[0]
        begun = opening.take()
        self._waiting.popleft()
        return begun

    def _begin(self) -> None:
        """Begin with the next layer, and, where there may be threads, with those that follow."""
        at_once = min(self._layers[self._begun - len(self._waiting)].threads, _AT_ONCE)
        while len(self._waiting) < at_once and self._begun < len(self._layers):
            layer = self._layers[self._begun]
            self._begun += 1
            self._waiting.append(_Opening(layer.start if self._contents else layer.start_headers))

    def close(self) -> None:
        """End what was begun with and not handed over."""
        # The loop is not within the block: Python 3.13.0 has no handler for what interrupts the end of a round.
        closing = contextlib.ExitStack()
        for opening in self._waiting:
            closing.callback(opening.close)
        closing.close()


class _Opening:
    """A layer that was begun with before its turn; what went wrong then is raised when it comes."""

    def __init__(self, start: Callable[[], PlainBytes | Headers]) -> None:
        self._begun: PlainBytes | Headers | None = None
        self._error: Exception | None = None
        try:
            self._begun = start()
        except Exception as error:  # noqa: BLE001  # whatever a source of blobs may raise comes when it is its turn
            self._error = error

    def take(self) -> PlainBytes | Headers:
        """Hand it over."""
        if self._error is not None:
            raise self._error
        begun, self._begun = self._begun, None
        assert begun is not None
        return begun

    def close(self) -> None:
        """End it, unless it was handed over."""
        if self._begun is not None:
            self._begun.close()
