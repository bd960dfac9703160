"""Blobs by their digest: the ports that the rest of the library reads and writes through, and one in memory.

A source gives untrusted bytes; `open_verified` and `read_verified` are how they are read, by descriptor: size, then
digest, and `data` embedded in the descriptor instead of the blob where there is any (DSC-16).
"""

import io
from collections.abc import Callable, Iterator
from typing import Protocol

from oci_layers.blob.stream import ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, LimitError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest, Hasher

__all__ = ["BlobSource", "BlobStore", "MemoryBlobs", "open_verified", "read_verified"]


class BlobSource(Protocol):
    """Something that has blobs."""

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return the stored bytes, not checked.

        Raises:
            BlobMissingError: There is no such blob.
        """
        ...


class BlobStore(BlobSource, Protocol):
    """Something that blobs can be put into."""

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream`, checked against `descriptor` before they can be seen; twice is as once.

        Raises:
            IntegrityError: The bytes are others; nothing was stored.
        """
        ...

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether there is such a blob."""
        ...

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs, sorted."""
        ...


class MemoryBlobs:
    """A `BlobStore` in memory."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return the bytes of a blob."""
        try:
            return io.BytesIO(self._blobs[digest])
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream`, checked against `descriptor`."""
        parts = []
        with VerifiedReader(stream, descriptor.digest, descriptor.size) as verified:
            while part := verified.read(1 << 20):
                parts.append(part)
        self._blobs[descriptor.digest] = b"".join(parts)

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether there is such a blob."""
        return digest in self._blobs

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs, sorted."""
        yield from sorted(self._blobs)


def open_verified(
    blobs: BlobSource, descriptor: Descriptor, *, hasher: Callable[[Digest], Hasher] | None = None
) -> VerifiedReader:
    """Open what a descriptor names, to be checked as it is read; `hasher` is as for `VerifiedReader`.

    Raises:
        BlobMissingError: There is no such blob, nor is it embedded.
        UnsupportedError: The digest is of an algorithm that cannot be computed here.
    """
    stream = io.BytesIO(descriptor.data) if descriptor.data is not None else blobs.open_blob(descriptor.digest)
    try:
        what = f"blob {descriptor.digest}"
        return VerifiedReader(stream, descriptor.digest, descriptor.size, what=what, hasher=hasher)
    except BaseException:
        stream.close()
        raise


def read_verified(blobs: BlobSource, descriptor: Descriptor, *, limit: str, allowed: int) -> bytes:
    """Return all bytes of a document, checked.

    Args:
        blobs: Where it is.
        descriptor: What it is.
        limit: The name of the limit on its size.
        allowed: That limit, in bytes.

    Raises:
        LimitError: The descriptor's size is past the limit; nothing was read.
        IntegrityError: The bytes are others.
    """
    if descriptor.size > allowed:
        error = LimitError(limit, allowed, descriptor.size)
        error.add_note(f"blob {descriptor.digest}")
        raise error
    parts = []
    with open_verified(blobs, descriptor) as stream:
        while part := stream.read(1 << 16):
            parts.append(part)
    return b"".join(parts)
