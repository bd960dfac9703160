"""A layer's blob to its uncompressed bytes, with every digest checked, on up to four threads.

Theory of operation. The bytes pass through a chain of readers: a `VerifiedReader` checks size and digest of the blob,
`decompressed` inflates within limits, a second `VerifiedReader` checks the diff_id over all uncompressed bytes, and a
`BackgroundReader` runs the chain in a thread ahead of the consumer. Each of the two hashes can move to a further
thread; for a blob below 1 MiB they do not, because the gain is smaller than the cost. A blob that is not compressed
and has its diff_id as digest is hashed once. A blob whose compression is not the declared one is read to its end
first, so that damage is reported as a wrong digest.
"""

import contextlib
from collections.abc import Callable

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
    """The uncompressed bytes of one layer, read once. Digests are compared at the end; the caller closes the reader."""

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
        copy: Callable[[bytes], None] | None = None,
    ) -> None:
        """Open the blob.

        Args:
            blobs: The source of the blob.
            descriptor: The descriptor of the blob.
            diff_id: The digest of the uncompressed bytes.
            compression: The compression that the media type declares; None to detect it from the bytes.
            limits: The limits on decompression.
            what: The name of the layer in errors.
            threads: 1 to do all work in the caller's thread; 2 to read ahead in another; 3 to hash the uncompressed
                bytes in one more; 4 to hash the blob in one more, too (3 if both digests are equal). If the system
                cannot start a thread, fewer are used.
            read_ahead: False if the consumer runs in a thread of its own already.
            copy: Called with each piece before the consumer gets it.

        Raises:
            OCIError: The blob is missing, or its first bytes show that it is damaged.
        """
        self._background: BackgroundReader | None = None
        self._copy = copy
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
            if not alike or plain.compression:  # Otherwise the blob's digest covers the same bytes.
                hasher = background_hasher if large and threads > 2 else None
                about = f"{what}: diff_id of the plain layer"
                self._plain = VerifiedReader(plain, diff_id, what=about, hasher=hasher)
            if read_ahead and threads > 1:
                with contextlib.suppress(RuntimeError):
                    self._plain = self._background = BackgroundReader(self._plain)
            self._opened = opened.pop_all()

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end, after comparing every digest."""
        data = self._plain.read(size)
        if data and self._copy is not None:
            self._copy(data)
        return data

    @property
    def blob_bytes(self) -> int:
        """The number of bytes of the blob read so far."""
        return self._raw.seen

    def check_blob(self) -> None:
        """Read the rest of the blob without decompressing it; raises IntegrityError if it is damaged."""
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
    """An `UncompressedReader` that calls `on_read` after each piece."""

    def __init__(self, plain: UncompressedReader, on_read: OnRead) -> None:
        self._plain = plain
        self._on_read = on_read

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, and report them; none at the end."""
        data = self._plain.read(size)
        self._on_read(len(data), self._plain.blob_bytes)
        return data
