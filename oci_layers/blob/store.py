"""Blobs by digest: the protocols through which the library reads and writes blobs, and a store in memory.

A source returns untrusted bytes; `open_verified` and `read_verified` read them by descriptor and check size, then
digest. They read `data` embedded in the descriptor, if any, instead of the blob (DSC-16).
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from oci_layers.blob.stream import ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, LimitError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest, Hasher

__all__ = [
    "BlobDecliner",
    "BlobIngester",
    "BlobMounter",
    "BlobSource",
    "BlobStore",
    "BlobWriter",
    "Interruptible",
    "MemoryBlobs",
    "interruptible",
    "open_verified",
    "put_bytes",
    "read_verified",
]


class BlobSource(Protocol):
    """A source of blobs. Several threads may call it at once."""

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the stored bytes, not verified; the caller closes them.

        Raises:
            BlobMissingError: There is no such blob.
        """
        ...


class BlobStore(BlobSource, Protocol):
    """A source that also stores blobs. Several threads may call it at once."""

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream` atomically, after verifying them against `descriptor`; idempotent.

        A blob that exists is replaced, so that a damaged one is mended. The stream is closed.

        Raises:
            IntegrityError: The bytes do not match; nothing was stored.
        """
        ...

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the blob exists."""
        ...

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob of this digest and size exists, and keep it as if it had been stored just now.

        A caller that refers to blobs already stored calls this instead of `has_blob`: where unused blobs are deleted,
        it keeps them for as long as those stored now.
        """
        ...

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs, sorted."""
        ...


class BlobWriter(Protocol):
    """A blob that is written piece by piece. Leaving it as a context manager without `commit` discards the bytes."""

    def write(self, data: bytes, /) -> int:
        """Append bytes; return how many."""
        ...

    def commit(self) -> Descriptor:
        """Make the bytes a blob, and return a descriptor with their digest and size.

        Raises:
            OSError: They cannot be stored; they are discarded.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


@runtime_checkable
class BlobIngester(Protocol):
    """What a store may have besides: blobs are stored whose digest is known only when all of their bytes are."""

    def ingest(self) -> BlobWriter:
        """Return a writer of one blob."""
        ...


@runtime_checkable
class BlobDecliner(Protocol):
    """What a store may have besides: it holds images without some of their blobs."""

    def declines_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is not to be put here."""
        ...


@runtime_checkable
class BlobMounter(Protocol):
    """What a store may have besides: it takes over blobs of some other stores without reading them."""

    def mount_blob(self, descriptor: Descriptor, source: BlobSource) -> bool:
        """Take over a blob of `source`; return False if that cannot be done, and the blob has to be put."""
        ...


@runtime_checkable
class Interruptible(Protocol):
    """What a source may have besides: threads that wait for its bytes can be ended."""

    def interrupt(self) -> None:
        """End all reading and writing under way: each call raises an error at once."""
        ...


@contextlib.contextmanager
def interruptible(source: BlobSource) -> Iterator[None]:
    """Let an interrupt in the block also end what other threads read from a source, if that can be ended."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and isinstance(source, Interruptible):
            source.interrupt()
        raise


class MemoryBlobs:
    """A `BlobStore` in memory."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob."""
        try:
            return io.BytesIO(self._blobs[digest])
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream`, after verifying them against `descriptor`."""
        parts = []
        what = f"blob {descriptor.digest}"
        with contextlib.closing(stream):
            verified = VerifiedReader(stream, descriptor.digest, descriptor.size, what=what)
            while part := verified.read(1 << 20):
                parts.append(part)
        self._blobs[descriptor.digest] = b"".join(parts)

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the blob exists."""
        return digest in self._blobs

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob of this digest and size exists."""
        return len(self._blobs.get(descriptor.digest, b"")) == descriptor.size and self.has_blob(descriptor.digest)

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs, sorted."""
        yield from sorted(self._blobs)

    def delete_blob(self, digest: Digest) -> None:
        """Delete a blob; do nothing if there is none."""
        self._blobs.pop(digest, None)


def put_bytes(blobs: BlobStore, raw: bytes, descriptor: Descriptor) -> bool:
    """Store a blob whose bytes are in memory, unless it exists; return whether it was stored."""
    if blobs.reuse_blob(descriptor):
        return False
    blobs.put_blob(io.BytesIO(raw), descriptor)
    return True


def open_verified(
    blobs: BlobSource, descriptor: Descriptor, *, hasher: Callable[[Digest], Hasher] | None = None
) -> VerifiedReader:
    """Open the content of a descriptor, verified while it is read; `hasher` is as for `VerifiedReader`.

    Raises:
        BlobMissingError: The blob does not exist, and the descriptor does not embed it.
        UnsupportedError: This installation cannot compute the algorithm of the digest.
    """
    stream = io.BytesIO(descriptor.data) if descriptor.data is not None else blobs.open_blob(descriptor.digest)
    try:
        what = f"blob {descriptor.digest}"
        return VerifiedReader(stream, descriptor.digest, descriptor.size, what=what, hasher=hasher)
    except BaseException:
        stream.close()
        raise


def read_verified(blobs: BlobSource, descriptor: Descriptor, *, limit: str, allowed: int) -> bytes:
    """Return all bytes of a document, verified.

    Args:
        blobs: The source of the document.
        descriptor: The descriptor of the document.
        limit: The name of the limit on its size.
        allowed: The limit in bytes.

    Raises:
        LimitError: The descriptor's size exceeds the limit; nothing was read.
        IntegrityError: The bytes do not match the descriptor.
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
