"""The pieces of an uncompressed tar into a blob store, in one pass: hashed, compressed, hashed again, stored.

Theory of operation. A background thread makes the pieces, joins them to blocks and hashes these: that is the diff_id.
The caller's thread has the blocks compressed, by threads of their own for gzip, and gives the result to the store,
which hashes it: that is the digest. Without compression both are one, and the store alone hashes. A store that cannot
take a blob before its digest is known (`BlobIngester`) gets it from a temporary file. Memory: some blocks of 1 MiB for
each thread.
"""

import contextlib
from collections.abc import Callable, Generator

import attrs

from oci_layers import system
from oci_layers.blob.compressor import compressed
from oci_layers.blob.pipeline import BackgroundReader
from oci_layers.blob.spool import Spool, spooled
from oci_layers.blob.store import BlobIngester, BlobStore
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.build.options import Codec
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["Counted", "Pieces", "Written", "write_blob"]

Pieces = Generator[bytes | memoryview, None, None]


@attrs.frozen
class Written:
    """A blob that was stored."""

    descriptor: Descriptor
    diff_id: Digest
    plain_size: int


class _Plain:
    """Pieces as a stream of blocks, counted and, on request, hashed."""

    def __init__(self, pieces: Pieces, *, hashed: bool) -> None:
        self.size = 0
        self._hasher = Digest.of(b"").hasher() if hashed else None
        self._pieces = pieces
        self._rest: bytes | memoryview = b""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes; fewer only at the end."""
        parts, found = [self._rest], len(self._rest)
        self._rest = b""
        while found < size and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            found += len(piece)
        if found > size:
            last = memoryview(parts.pop())
            parts.append(last[: size - found])
            self._rest = last[size - found :]
        data = b"".join(parts)
        if self._hasher is not None:
            self._hasher.update(data)
        self.size += len(data)
        return data

    def digest(self) -> Digest | None:
        """Return the digest of what was read; None if it was not hashed."""
        return None if self._hasher is None else Digest(f"sha256:{self._hasher.hexdigest()}")

    def close(self) -> None:
        self._pieces.close()


@attrs.frozen
class Counted:
    """A stream that reports what was read."""

    stream: ByteStream
    on_bytes: Callable[[int], None]

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, once they are reported."""
        data = self.stream.read(size)
        self.on_bytes(len(data))
        return data

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()


def write_blob(
    pieces: Pieces, blobs: BlobStore, codec: Codec, spool: Spool, on_bytes: Callable[[int], None] | None = None
) -> Written:
    """Write the pieces of a tar as a blob; they are closed. `on_bytes` takes each number of bytes stored.

    Raises:
        LimitError: `temporary_bytes` of the spool is exceeded.
        OSError: The blob, or the temporary file, cannot be written; nothing was stored.
    """
    plain = _Plain(pieces, hashed=codec.compression != "")
    threads = system.cpu_count() if codec.threads is None else codec.threads
    with contextlib.ExitStack() as opened:
        stream: ByteStream = plain
        opened.callback(plain.close)
        if threads > 1:
            with contextlib.suppress(RuntimeError):  # No thread can be started.
                stream = BackgroundReader(plain)
                opened.callback(stream.stop)
        out = compressed(stream, codec.compression, level=codec.level, threads=threads, encoder=codec.encoder)
        if out is not stream:
            opened.callback(out.close)
        if on_bytes is not None:
            out = Counted(out, on_bytes)
        descriptor = _stored(out, blobs, codec.media_type, spool)
    return Written(descriptor, plain.digest() or descriptor.digest, plain.size)


def _stored(stream: ByteStream, blobs: BlobStore, media_type: str, spool: Spool) -> Descriptor:
    if isinstance(blobs, BlobIngester):
        with blobs.ingest() as writer:
            while data := stream.read(PIECE):
                writer.write(data)
            return attrs.evolve(writer.commit(), media_type=media_type)
    with spooled(stream, spool, "layer") as blob:
        descriptor = Descriptor(media_type=media_type, digest=blob.digest, size=blob.size)
        if not blobs.reuse_blob(descriptor):
            blobs.put_blob(blob.open(), descriptor)
        return descriptor
