"""How far the work on an image has come, and whether that is too far: limits over all layers, progress, the report."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from oci_layers.errors import LimitError, shortened
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
        self._before: dict[int, int] = {}
        self._total = 0
        for layer in layers:
            self._before[layer.index] = self._total
            self._total += layer.descriptor.size

    def watch(self, layer: "Layer") -> Watch:
        """Return what the layer shall call as it is read."""
        before = self._before[layer.index]

        def watch(plain: int, blob: int) -> None:
            self._add(plain)
            if self._progress is not None:
                count = len(self._layers)
                self._progress(Progress(layer=layer.index, layers=count, done=before + blob, total=self._total))

        return watch

    def _add(self, plain: int) -> None:
        self._plain += plain
        if self._plain > self._limits.plain_bytes:
            raise LimitError("plain_bytes", self._limits.plain_bytes, self._plain)

    def count(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass entries on, counted, and the holes of sparse files with the plain bytes."""
        report, allowed = self.report, self._limits.entries
        for entry in entries:
            report.entries += 1
            if report.entries > allowed:
                raise _at(entry, LimitError("entries", allowed, report.entries))
            if entry.extents is not None:
                try:
                    self._add(entry.size - entry.stored_size)
                except LimitError as error:
                    raise _at(entry, error) from None
            yield entry


def _at(entry: Entry, error: LimitError) -> LimitError:
    error.add_note(f"at the entry {shortened(entry.name)}")
    return error
