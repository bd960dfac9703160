"""The entries of a layer without their contents, read ahead by a background thread.

So two layers are inflated, verified and parsed at the same time, and merged in their order.
"""

from collections.abc import Callable, Iterator

import attrs

from oci_layers.blob.pipeline import BackgroundProducer, Put
from oci_layers.blob.uncompressed import CountingReader, UncompressedReader
from oci_layers.limits import Limits
from oci_layers.progress import OnRead
from oci_layers.tar.entry import UNREAD, Entry
from oci_layers.tar.reader import read_tar

__all__ = ["EntryPrefetcher", "EntryReader", "OnEntry"]

_CAPACITY = 32 << 20
"""How much is read ahead, in weight: 65,536 entries with one header block each, which take about this much memory."""
_BLOCK = 512
"""The weight of a progress item."""
_PAIR = 128
"""The weight of a pax record, an xattr or an extent of an entry, even if it has fewer bytes in the archive."""


@attrs.frozen
class _Read:
    """The arguments of `OnRead`."""

    plain: int
    blob: int


def _weight(entry: Entry) -> int:
    """Return about how many bytes of memory an entry takes: its headers, and the values decoded from them."""
    headers = entry.data_offset - entry.offset
    pairs = len(entry.pax) + len(entry.xattrs) + (0 if entry.extents is None else len(entry.extents))
    return headers + _PAIR * pairs + sum(map(len, entry.xattrs.values())) if pairs else headers


OnEntry = Callable[[Entry], None]
"""Callback that takes each entry while its content can be read, in the thread that reads the layer."""


class EntryReader:
    """The entries of one layer without their contents, read by the caller's thread, with a callback. Close it."""

    def __init__(self, plain: UncompressedReader, limits: Limits, on_entry: OnEntry) -> None:
        self._plain = plain
        self._limits = limits
        self._on_entry = on_entry

    def entries(self, on_read: OnRead) -> Iterator[Entry]:
        """Yield the entries; for arguments and errors see `EntryPrefetcher.entries`."""
        for entry in read_tar(CountingReader(self._plain, on_read), limits=self._limits):
            self._on_entry(entry)
            entry.content = UNREAD
            yield entry

    def check_blob(self) -> None:
        """Read the rest of the blob without inflating it; raise IntegrityError if it is damaged."""
        self._plain.check_blob()

    def close(self) -> None:
        """Close the blob."""
        self._plain.close()


class EntryPrefetcher:
    """The entries of one layer without their contents, iterated once. The caller closes it."""

    def __init__(self, plain: UncompressedReader, limits: Limits, on_entry: OnEntry | None = None) -> None:
        """Start to read `plain` within `limits`; `close` closes `plain` too.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._plain = plain
        self._limits = limits
        self._on_entry = on_entry
        self._producer = BackgroundProducer(self._produce, _CAPACITY)

    def _produce(self, put: "Put[list[Entry] | _Read]") -> None:
        batch: list[Entry] = []

        def put_batch() -> None:
            nonlocal batch
            entries, batch = batch, []
            if entries:
                put(entries, sum(map(_weight, entries)))

        def on_read(plain: int, blob: int) -> None:
            put_batch()
            put(_Read(plain, blob), _BLOCK)

        try:
            for entry in read_tar(CountingReader(self._plain, on_read), limits=self._limits):
                if self._on_entry is not None:
                    self._on_entry(entry)
                entry.content = UNREAD
                batch.append(entry)
        finally:  # The consumer gets an error after the entries before it.
            put_batch()

    def entries(self, on_read: OnRead) -> Iterator[Entry]:
        """Yield the entries in their order; the iterator ends only after every digest was verified.

        Args:
            on_read: Called in the caller's thread with the bytes that were read before the next entry.

        Raises:
            OCIError: As `Layer.entries`.
        """
        while (item := self._producer.get()) is not None:
            if isinstance(item, _Read):
                on_read(item.plain, item.blob)
            else:
                yield from item

    def check_blob(self) -> None:
        """Read the rest of the blob without inflating it; raises IntegrityError where it is damaged."""
        self._producer.stop()
        self._plain.check_blob()

    def close(self) -> None:
        """Stop the threads and close the blob."""
        try:
            self._producer.stop()
        finally:
            self._plain.close()
