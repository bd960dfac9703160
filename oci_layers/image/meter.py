"""How far the work on an image has come, and whether that is too far: limits over all layers, progress, the report."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from oci_layers.errors import LimitError
from oci_layers.limits import Limits
from oci_layers.report import Report
from oci_layers.tar.entry import Entry

if TYPE_CHECKING:
    from oci_layers.image.layer import Layer  # which is measured with this

__all__ = ["Meter", "Progress", "Watch"]

Watch = Callable[[int, int], None]
"""Called with how many plain bytes were just read, and how many bytes of the blob that has taken so far."""


@attrs.frozen(kw_only=True)
class Progress:
    """How far the reading of an image has come. Bytes are those of blobs, compressed as they are."""

    layer: int
    layers: int
    done: int
    total: int


class Meter:
    """Counts entries and plain bytes of all layers that are read, holds them to the limits, and tells of progress."""

    def __init__(
        self, limits: Limits, layers: "Sequence[Layer]", progress: Callable[[Progress], None] | None = None
    ) -> None:
        self.report = Report()
        self._limits = limits
        self._layers = layers
        self._progress = progress
        self._plain = 0
        self._total = sum(layer.descriptor.size for layer in layers)

    def watch(self, layer: "Layer") -> Watch:
        """Return what the layer shall call as it is read."""
        before = sum(each.descriptor.size for each in self._layers if each.index < layer.index)

        def watch(plain: int, blob: int) -> None:
            self._plain += plain
            if self._plain > self._limits.plain_bytes:
                raise LimitError("plain_bytes", self._limits.plain_bytes, self._plain)
            if self._progress is not None:
                count = len(self._layers)
                self._progress(Progress(layer=layer.index, layers=count, done=before + blob, total=self._total))

        return watch

    def count(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass entries on, counted."""
        report, allowed = self.report, self._limits.entries
        for entry in entries:
            report.entries += 1
            if report.entries > allowed:
                raise LimitError("entries", allowed, report.entries)
            yield entry
