"""Progress of reading an image, and the limits that apply to all of its layers together.

`Image.unpack(progress=...)`, `tree`, `read`, `lint` and the checks call their callback with a `Progress`. A
`ProgressTracker` makes it from what the readers of single layers report, each to the `OnRead` callback of its layer:

    >>> from oci_layers.limits import Limits
    >>> from oci_layers.progress import OnRead, Progress, ProgressTracker
    >>> def show(progress: Progress) -> None:
    ...     print(f"layer {progress.layer + 1} of {progress.layers}: {progress.done} of {progress.total} bytes")
    >>> tracker = ProgressTracker(Limits(plain_bytes=1000), {0: 100, 1: 50}, show)
    >>> on_read: OnRead = tracker.on_read(1)
    >>> on_read(400, 25)
    layer 2 of 2: 125 of 150 bytes
    >>> on_read(601, 50)
    Traceback (most recent call last):
        ...
    oci_layers.errors.LimitError: limit plain_bytes is 1000, the input has 1001 or more
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import attrs

from oci_layers.errors import LimitError, shortened
from oci_layers.limits import Limits
from oci_layers.report import Report

__all__ = ["OnRead", "Progress", "ProgressTracker"]

OnRead = Callable[[int, int], None]
"""Callback that takes the number of uncompressed bytes just read, and of bytes of the blob read so far."""


@attrs.frozen(kw_only=True)
class Progress:
    """Progress of reading an image. `done` and `total` count bytes of the blobs as stored, that is compressed."""

    layer: int
    layers: int
    done: int
    total: int | None
    """None as long as it is not known: nothing knows the size of a new layer before it is written."""


class _Entry(Protocol):
    """The part of a tar entry that the tracker counts."""

    name: bytes
    size: int
    stored_size: int

    @property
    def extents(self) -> object: ...


E = TypeVar("E", bound=_Entry)


class ProgressTracker:
    """Counts entries and uncompressed bytes of layers as they are read, enforces limits, reports progress."""

    def __init__(
        self, limits: Limits, sizes: Mapping[int, int], on_progress: Callable[[Progress], None] | None = None
    ) -> None:
        """Create a tracker for some layers.

        Args:
            limits: `entries` and `plain_bytes`, enforced over all layers together.
            sizes: Layer number to bytes of its blob, in the order in which the layers are read.
            on_progress: Called after each piece; an exception that it raises ends the reading.
        """
        self.report = Report()
        self._limits = limits
        self._on_progress = on_progress
        self._plain = 0
        self._before: dict[int, int] = {}
        self._total = 0
        for index, size in sizes.items():
            self._before[index] = self._total
            self._total += size
        self._last = Progress(layer=0, layers=len(self._before), done=0, total=self._total)

    def on_read(self, layer: int) -> OnRead:
        """Return the callback for the reader of one layer, given by its number."""
        before = self._before[layer]

        def on_read(plain: int, blob: int) -> None:
            self._add(plain)
            if self._on_progress is not None:
                done = before + blob
                self._last = Progress(layer=layer, layers=len(self._before), done=done, total=self._total)
                self._on_progress(self._last)

        return on_read

    def checkpoint(self) -> None:
        """Report the last progress again, so that the callback can end work that reads nothing."""
        if self._on_progress is not None:
            self._on_progress(self._last)

    def _add(self, plain: int) -> None:
        self._plain += plain
        if self._plain > self._limits.plain_bytes:
            raise LimitError("plain_bytes", self._limits.plain_bytes, self._plain)

    def count(self, entries: Iterable[E]) -> Iterator[E]:
        """Yield the entries, and count them; holes of sparse files count as uncompressed bytes.

        Raises:
            LimitError: A limit is exceeded; a note names the entry.
        """
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


def _at(entry: _Entry, error: LimitError) -> LimitError:
    error.add_note(f"at the entry {shortened(entry.name)}")
    return error
