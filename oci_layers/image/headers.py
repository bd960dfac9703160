"""The entries of a layer without their contents, read by another thread ahead of whoever merges them.

So more layers than one can be inflated, checked and parsed at once, while the merging goes on in their order.
"""

from collections.abc import Iterator

import attrs

from oci_layers.blob.ahead import Ahead, Give
from oci_layers.image.meter import Watch
from oci_layers.image.plain import PlainBytes, Watched
from oci_layers.limits import Limits
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar

__all__ = ["Headers"]

_MOST = 32 << 20
"""How much may wait to be merged, in bytes of headers: 65,536 of the usual size, which as entries take about that."""
_BLOCK = 512
"""What a word of progress weighs."""
_PAIR = 128
"""What a record, an attribute or an extent of an entry weighs, however few bytes it has in the archive."""


@attrs.frozen
class _Progress:
    """What a `Watch` is told."""

    plain: int
    blob: int


class _Unread:
    """Where the content of an entry comes from that has passed."""

    def stored(self, entry: Entry) -> Iterator[memoryview]:
        return map(_refuse, (entry,))


def _refuse(entry: Entry) -> memoryview:
    raise ValueError(f"the content of {entry.name!r} was not kept")


_UNREAD = _Unread()


def _weight(entry: Entry) -> int:
    """Return about how many bytes of memory an entry takes: its headers, and what was decoded out of them."""
    pairs = len(entry.pax) + len(entry.xattrs) + (0 if entry.extents is None else len(entry.extents))
    return entry.data_offset - entry.offset + _PAIR * pairs + sum(map(len, entry.xattrs.values()))


class Headers:
    """The entries of one layer without their contents, to be iterated once. Close it."""

    def __init__(self, plain: PlainBytes, limits: Limits) -> None:
        """Begin to read `plain`, which is closed with this, within `limits`.

        Raises:
            RuntimeError: There can be no more threads.
        """
        self._plain = plain
        self._limits = limits
        self._ahead = Ahead(self._work, _MOST)

    def _work(self, give: "Give[list[Entry] | _Progress]") -> None:
        waiting: list[Entry] = []

        def give_waiting() -> None:
            nonlocal waiting
            given, waiting = waiting, []
            if given:
                give(given, sum(map(_weight, given)))

        def watch(plain: int, blob: int) -> None:
            give_waiting()
            give(_Progress(plain, blob), _BLOCK)

        try:
            for entry in read_tar(Watched(self._plain, watch), limits=self._limits):
                entry.content = _UNREAD
                waiting.append(entry)
        finally:  # Whatever a source of blobs may raise comes after the entries before it.
            give_waiting()

    def entries(self, watch: Watch) -> Iterator[Entry]:
        """Yield the entries in their order; the end comes only after every digest has been compared.

        Args:
            watch: Called in the thread that asks, with what was read before the next entry.

        Raises:
            OCIError: As `Layer.entries`, where it would have come without another thread.
        """
        while (given := self._ahead.take()) is not None:
            if isinstance(given, _Progress):
                watch(given.plain, given.blob)
            else:
                yield from given

    def check_blob(self) -> None:
        """Read the rest of the blob, nothing of it inflated; raises IntegrityError where it is damaged."""
        self._ahead.stop()
        self._plain.check_blob()

    def close(self) -> None:
        """End the threads and close the blob."""
        try:
            self._ahead.stop()
        finally:
            self._plain.close()
