"""A layer's blob into its plain bytes, every digest checked, on as many threads as there may be.

Size and digest of the blob, inflating within limits, the digest of the plain bytes (the diff_id, over every one of
them): three works for three threads, and a fourth for whoever reads. What is small is not worth two more of them. A
blob that is not compressed and has the diff_id for its digest is hashed once.
"""

import contextlib

from oci_layers.blob.ahead import HashingThread, ReadAhead
from oci_layers.blob.cas import BlobSource, open_verified
from oci_layers.blob.compression import Compression, decompressed
from oci_layers.blob.stream import ByteStream, VerifiedReader, drain
from oci_layers.errors import CompressionError
from oci_layers.image.meter import Watch
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest, Hasher

__all__ = ["PlainBytes", "Watched"]

_SMALL = 1 << 20


class PlainBytes:
    """The plain bytes of one layer, to be read once. Close it; that they ended well is for the reader to see."""

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
        ahead: bool = True,
    ) -> None:
        """Open the blob and begin.

        Args:
            blobs: Where the blob is.
            descriptor: The blob.
            diff_id: The digest of the plain bytes.
            compression: What the media type promises; None to look at the bytes.
            limits: What is held while inflating.
            what: What errors call the layer.
            threads: 1 to do all in the reader's thread; 2 to read ahead in another; with 3 the plain bytes are hashed
                in one of their own, with 4 those of the blob, too (with 3 where both have one digest). Fewer where the
                system has no more.
            ahead: Whether to read ahead; False where the reader has a thread of its own already.

        Raises:
            OCIError: The blob is missing, or not what it should be, as far as its beginning shows.
        """
        self._ahead: ReadAhead | None = None
        with contextlib.ExitStack() as opened:

            def aside(digest: Digest) -> Hasher:
                hasher = digest.hasher()
                with contextlib.suppress(RuntimeError):  # There can be no more threads.
                    return opened.enter_context(contextlib.closing(HashingThread(hasher)))
                return hasher

            large = descriptor.size >= _SMALL
            alike = descriptor.digest == diff_id
            self._raw = open_verified(
                blobs, descriptor, hasher=aside if large and threads > (2 if alike else 3) else None
            )
            opened.enter_context(contextlib.closing(self._raw))
            try:
                plain = decompressed(self._raw, compression, limits, what=what)
            except CompressionError:
                self.check_blob()
                raise
            self._plain: ByteStream = plain
            if not alike or plain.compression:  # Or the blob's digest is that of the same bytes.
                self._plain = VerifiedReader(
                    plain,
                    diff_id,
                    what=f"{what}: diff_id of the plain layer",
                    hasher=aside if large and threads > 2 else None,
                )
            if ahead and threads > 1:
                with contextlib.suppress(RuntimeError):
                    self._plain = self._ahead = ReadAhead(self._plain)
            self._opened = opened.pop_all()

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` plain bytes; none at the end, once every digest has been found right."""
        return self._plain.read(size)

    @property
    def blob_bytes(self) -> int:
        """How many bytes of the blob were read."""
        return self._raw.seen

    def check_blob(self) -> None:
        """Read the rest of the blob, nothing of it inflated; raises IntegrityError where it is damaged."""
        self._stop()
        drain(self._raw)

    def _stop(self) -> None:
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """End the threads and close the blob."""
        try:
            self._stop()
        finally:
            self._opened.close()


class Watched:
    """Plain bytes that tell how far they have come."""

    def __init__(self, plain: PlainBytes, watch: Watch) -> None:
        self._plain = plain
        self._watch = watch

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` plain bytes, having told of them; none at the end."""
        data = self._plain.read(size)
        self._watch(len(data), self._plain.blob_bytes)
        return data
