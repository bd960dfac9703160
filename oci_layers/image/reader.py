"""Read one layer of an image: untrusted bytes become tar entries, and every digest is verified.

`open_uncompressed` and `open_entries` do all of it: verify size and digest of the blob, inflate within limits, verify
the digest of the uncompressed bytes (the diff_id), parse tar.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from oci_layers.blob.compression import Compression, sniff
from oci_layers.blob.section import SectionReader
from oci_layers.blob.store import BlobSource, interruptible
from oci_layers.blob.stream import ByteStream, drain
from oci_layers.blob.uncompressed import CountingReader, UncompressedReader
from oci_layers.blob.verified_section import VerifiedSection
from oci_layers.errors import CompressionError, LayerError, LimitError, OCIError, UnsupportedError
from oci_layers.image.entries import EntryPrefetcher, EntryReader, OnEntry
from oci_layers.limits import Limits
from oci_layers.progress import OnRead
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import lookup
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar

__all__ = ["LayerReader", "OpenLayer"]

OpenLayer = UncompressedReader | EntryReader | EntryPrefetcher
"""A layer that is open: its uncompressed bytes, or its entries read ahead without contents."""

R = TypeVar("R", UncompressedReader, OpenLayer)


@attrs.frozen(kw_only=True, eq=False)
class LayerReader:
    """Opens one layer. Each opening reads the blob again and verifies all of it."""

    index: int
    """Its number in the image, 0 at the bottom."""
    descriptor: Descriptor
    """The descriptor of its blob."""
    diff_id: Digest
    """The digest of its uncompressed tar (config.md, Layer DiffID)."""
    blobs: BlobSource = attrs.field(repr=False)
    limits: Limits = attrs.field(repr=False)
    threads: int = attrs.field(default=1, repr=False)
    """How many threads work on it at once; with 1, the caller's thread does everything."""
    windows: bool = attrs.field(default=False, repr=False)
    """Whether its image is for Windows."""

    @property
    def name(self) -> str:
        """Its name in errors."""
        return f"layer {self.index} ({self.descriptor.digest})"

    def open(self, *, read_ahead: bool = True, copy: Callable[[bytes], None] | None = None) -> UncompressedReader:
        """Open the uncompressed bytes, for `open_entries`; raises as `open_entries`. The caller closes them.

        Args:
            read_ahead: Whether a thread reads ahead of the consumer, if `threads` allows it.
            copy: Called with each piece before the consumer gets it.
        """
        return UncompressedReader(
            self.blobs,
            self.descriptor,
            self.diff_id,
            compression=self._compression(),
            limits=self.limits,
            what=self.name,
            threads=self.threads,
            read_ahead=read_ahead,
            copy=copy,
        )

    def open_headers(self, on_entry: OnEntry | None = None, copy: Callable[[bytes], None] | None = None) -> OpenLayer:
        """Open the entries without contents, for `open_entries`, in background threads if `threads` allows them.

        `on_entry` is called with each entry while its content can be read, `copy` with each piece of the uncompressed
        bytes; perhaps in such a thread.
        """
        plain = self.open(read_ahead=False, copy=copy)
        if self.threads > 1:
            try:
                return EntryPrefetcher(plain, self.limits, on_entry)
            except RuntimeError:  # No thread can be started.
                pass
            except BaseException:
                plain.close()
                raise
        return plain if on_entry is None else EntryReader(plain, self.limits, on_entry)

    @property
    def is_compressed(self) -> bool:
        """Whether its media type says that it is compressed.

        Raises:
            UnsupportedError: The media type is not that of a layer.
        """
        return bool(self._compression())

    def open_in_place(self) -> VerifiedSection | None:
        """Open the verified bytes of an uncompressed layer where they are; return None if they must be copied.

        They must be if the layer is compressed, embedded in its descriptor, or not a part of a file.

        Raises:
            OCIError: The layer is missing or damaged.
        """
        if self._compression() or self.descriptor.data is not None:
            return None
        blob = self.blobs.open_blob(self.descriptor.digest)
        if isinstance(blob, SectionReader) and blob.size == self.descriptor.size:
            try:
                if not sniff(blob.read_at(0, 16)):
                    return VerifiedSection(blob, {self.descriptor.digest, self.diff_id}, self.name)
            except BaseException:
                blob.close()
                raise
        blob.close()
        return None

    @contextlib.contextmanager
    def _reading(self, opener: Callable[[], R]) -> Iterator[R]:
        try:
            with interruptible(self.blobs):
                opened = opener()
            with contextlib.closing(opened):
                try:
                    with interruptible(self.blobs):
                        yield opened
                except (LayerError, CompressionError, LimitError):
                    opened.check_blob()
                    raise
        except (OCIError, OSError) as error:
            if self.name not in getattr(error, "__notes__", ()):  # Errors of inflating already have the name.
                error.add_note(self.name)
            raise

    @contextlib.contextmanager
    def open_uncompressed(self) -> Iterator[ByteStream]:
        """Yield the uncompressed bytes of the layer, verified.

        When the block ends without an error, the rest is read and every digest is verified. When the block raises
        because the bytes are not a valid layer, or exceed a limit, the blob is verified first: the error for a damaged
        blob is an IntegrityError.

        Raises:
            BlobMissingError: The blob does not exist.
            IntegrityError: The blob or the uncompressed bytes do not match their size or digest.
            CompressionError: The blob is damaged, or its compression is not that of its media type.
            UnsupportedError: The media type is not that of a layer.
            LimitError: There are more uncompressed bytes than allowed.
        """
        with self._reading(self.open) as plain:
            yield plain
            drain(plain)

    @contextlib.contextmanager
    def open_entries(
        self,
        on_read: OnRead,
        *,
        opener: Callable[[], OpenLayer] | None = None,
    ) -> Iterator[Iterator[Entry]]:
        """Yield an iterator over the layer's tar entries, verified as by `open_uncompressed`.

        Args:
            on_read: Called after each piece; an exception that it raises ends the reading.
            opener: Returns the open layer, perhaps opened earlier or without contents; `self.open` by default.

        Raises:
            TarFormatError: The uncompressed bytes are not a tar archive.
            OCIError: As `open_uncompressed`.
        """
        with self._reading(opener or self.open) as opened:
            if isinstance(opened, EntryReader | EntryPrefetcher):
                entries = opened.entries(on_read)
            else:
                entries = read_tar(CountingReader(opened, on_read), limits=self.limits)
            yield entries
            for _ in entries:
                pass

    def _compression(self) -> Compression | None:
        row = lookup(self.descriptor.media_type)
        if row is None or row.role != "layer":
            raise UnsupportedError("layer media type", self.descriptor.media_type)
        return None if row.family == "docker" else row.compression
