"""Several stores of blobs as one (LAY-07): the first is written to, each blob is read from the first that has it."""

from collections.abc import Iterator

from oci_layers.blob.store import BlobSource, BlobStore
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import BlobMissingError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["UnionBlobs"]


class UnionBlobs:
    """A `BlobStore` in front of other sources."""

    def __init__(self, first: BlobStore, *others: BlobSource) -> None:
        """Join stores; `first` gets what is put, `others` are only read, in this order."""
        self._first = first
        self._all = (first, *others)

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob, not verified, in the first store that has it.

        Raises:
            BlobMissingError: None of them has it.
        """
        for each in self._all:
            try:
                return each.open_blob(digest)
            except BlobMissingError:
                continue
        raise BlobMissingError(str(digest))

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether one of the stores has the blob."""
        try:
            self.open_blob(digest).close()
        except BlobMissingError:
            return False
        return True

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store a blob in the first store; see `BlobStore.put_blob`."""
        self._first.put_blob(stream, descriptor)

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether the first store has a blob of this digest and size, and keep it."""
        return self._first.reuse_blob(descriptor)

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs of the first store, sorted."""
        return self._first.iter_blobs()
