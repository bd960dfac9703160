"""A layer's blob into its uncompressed bytes, every digest checked, on as many threads as there may be.

Size and digest of the blob, inflating within limits, the digest of the uncompressed bytes (the diff_id, over every one
of them): each can have a thread. Small blobs are not worth more than one. A blob that is not compressed and has the
diff_id for its digest is hashed once.
"""

import contextlib

from oci_layers.blob.compression import Compression, decompressed
from oci_layers.blob.pipeline import BackgroundHasher, BackgroundReader
from oci_layers.blob.store import BlobSource, open_verified
from oci_layers.blob.stream import ByteStream, VerifiedReader, drain
from oci_layers.errors import CompressionError
from oci_layers.limits import Limits
from oci_layers.progress import OnRead
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest, Hasher

__all__ = ["CountingReader", "UncompressedReader"]

_SMALL = 1 << 20


class UncompressedReader:
    """The uncompressed bytes of one layer, to be read once, to the end, where every digest is compared. Close it."""

    def __init__(
        self,
        blobs: BlobSource,
        descriptor: Descriptor,
        diff_id: Digest,
        *,
        compression: Compression | None,
        limits: Limits,
        what: str,
        threads: int,
        read_ahead: bool = True,
    ) -> None:
        """Open the blob.

        Args:
            blobs: Where the blob is.
            descriptor: The blob.
            diff_id: The digest of the uncompressed bytes.
            compression: What the media type promises; None to look at the bytes.
            limits: What is held while inflating.
            what: What errors call the layer.
            threads: 1 to do everything in the caller's thread; 2 to read ahead in another; with 3 the uncompressed
                bytes are hashed in one more, with 4 those of the blob too (with 3 where both have one digest). Fewer
                where the system starts no more.
            read_ahead: False where the consumer has a thread of its own already.

        Raises:
            OCIError: The blob is missing, or not what it should be, as far as its beginning shows.
        """
        self._background: BackgroundReader | None = None
        with contextlib.ExitStack() as opened:

            def background_hasher(digest: Digest) -> Hasher:
                hasher = digest.hasher()
                with contextlib.suppress(RuntimeError):  # No thread can be started.
                    return opened.enter_context(contextlib.closing(BackgroundHasher(hasher)))
                return hasher

            large = descriptor.size >= _SMALL
            alike = descriptor.digest == diff_id
            hasher = background_hasher if large and threads > (2 if alike else 3) else None
            self._raw = open_verified(blobs, descriptor, hasher=hasher)
            opened.enter_context(contextlib.closing(self._raw))
            try:
                plain = decompressed(self._raw, compression, limits, what=what)
            except CompressionError:
                self.check_blob()
                raise
            self._plain: ByteStream = plain
            if not alike or plain.compression:  # Or the blob's digest is that of the same bytes.
                hasher = background_hasher if large and threads > 2 else None
                about = f"{what}: diff_id of the plain layer"
                self._plain = VerifiedReader(plain, diff_id, what=about, hasher=hasher)
            if read_ahead and threads > 1:
                with contextlib.suppress(RuntimeError):
                    self._plain = self._background = BackgroundReader(self._plain)
            self._opened = opened.pop_all()

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end, once every digest has been compared."""
        return self._plain.read(size)

    @property
    def blob_bytes(self) -> int:
        """How many bytes of the blob were read."""
        return self._raw.seen

    def check_blob(self) -> None:
        """Read the rest of the blob without inflating it; raises IntegrityError where it is damaged."""
        self._stop()
        drain(self._raw)

    def _stop(self) -> None:
        if self._background is not None:
            self._background.stop()

    def close(self) -> None:
        """End the threads and close the blob."""
        try:
            self._stop()
        finally:
            self._opened.close()


class CountingReader:
    """An `UncompressedReader` that calls back after each piece."""

    def __init__(self, plain: UncompressedReader, on_read: OnRead) -> None:
        self._plain = plain
        self._on_read = on_read

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, counted; none at the end."""
        data = self._plain.read(size)
        self._on_read(len(data), self._plain.blob_bytes)
        return data
