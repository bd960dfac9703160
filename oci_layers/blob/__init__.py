"""Blobs: untrusted bytes to verified bytes.

`stream` checks sizes and digests, `compression` decompresses within limits, `compressor` compresses, `store` has the
protocols of blob stores and a store in memory, `directory` the store in an image layout, whose bytes `ingest` writes
under the `lock` of its `root`, `union` several stores as one, `uncompressed` reads layers with several threads,
`recompress` gives a layer another compression.

A store takes bytes together with a descriptor, and refuses bytes that do not match it:

    >>> import gzip, io, os
    >>> from oci_layers import blob
    >>> from oci_layers.limits import Limits
    >>> from oci_layers.spec import Descriptor, Digest
    >>> packed = gzip.compress(b"The lamp is lit.")
    >>> descriptor = Descriptor.of(packed, media_type="application/vnd.oci.image.layer.v1.tar+gzip")
    >>> memory = blob.MemoryBlobs()
    >>> memory.put_blob(io.BytesIO(packed), descriptor)
    >>> memory.put_blob(io.BytesIO(b"something else"), descriptor)
    Traceback (most recent call last):
        ...
    oci_layers.errors.SizeMismatchError: blob sha256:...: 14 bytes, expected ...
    >>> def copy(source: blob.BlobSource, target: blob.BlobStore, descriptor: Descriptor) -> None:
    ...     with blob.open_verified(source, descriptor) as stream:
    ...         target.put_blob(stream, descriptor)
    >>> other = blob.MemoryBlobs()
    >>> copy(memory, other, descriptor)
    >>> list(other.iter_blobs()) == [descriptor.digest]
    True

Leaving `open_verified` reads to the end and checks. `decompressed` needs the compression, which the media type gives;
`sniff` tells it by the first bytes:

    >>> def read_plain(stream: blob.ByteStream, compression: str) -> bytes:
    ...     plain = blob.decompressed(stream, compression, Limits(plain_bytes=1000))
    ...     return b"".join(iter(lambda: plain.read(1000), b""))
    >>> with blob.open_verified(memory, descriptor) as stream:
    ...     read_plain(stream, blob.sniff(packed[:4]))
    b'The lamp is lit.'

`compressed` is the way back. The same bytes are compressed to the same bytes, by however many threads:

    >>> with blob.open_verified(memory, descriptor) as stream:
    ...     again = blob.compressed(blob.decompressed(stream, "gzip", Limits()), "zstd")
    ...     read_plain(again, "zstd")
    b'The lamp is lit.'

Any stream can be checked, with or without its size; a document is read whole, up to a limit:

    >>> with blob.VerifiedReader(io.BytesIO(b"dark"), Digest.of(b"lit"), what="the lamp") as stream:
    ...     stream.read(100)
    Traceback (most recent call last):
        ...
    oci_layers.errors.DigestMismatchError: the lamp: digest is sha256:..., expected sha256:...
    >>> root = blob.OpenDirectory("tests/data/image")
    >>> layout = blob.DirectoryBlobs(root)
    >>> config = Descriptor(
    ...     media_type="application/vnd.oci.image.config.v1+json",
    ...     digest=Digest("sha256:d7050549b955cc19791eac49eafcece0e817a0d1579e1b34bd68ee561d592f42"),
    ...     size=1043,
    ... )
    >>> blob.read_verified(layout, config, limit="config_bytes", allowed=8 << 20)[:26]
    b'{"created":"2023-11-14T22:'

Parts of a blob that is a file are read in any order; each read is compared with what was verified at the beginning:

    >>> from contextlib import closing
    >>> reader: blob.RangeReader
    >>> with closing(blob.open_range(layout, config)) as reader:
    ...     reader.read_at(12, 10)
    b'2023-11-14'
    >>> root.close()

A blob whose digest is not known yet is written piece by piece, and exists once it is committed. Other stores can be
read where the first one has no such blob; what is put goes to the first:

    >>> import tempfile
    >>> durable: blob.Fsync = "never"
    >>> with tempfile.TemporaryDirectory() as work:
    ...     root = blob.OpenDirectory(work)
    ...     mine = blob.DirectoryBlobs(root, fsync=durable)
    ...     writer: blob.BlobWriter | blob.Ingest = mine.ingest()
    ...     with writer:
    ...         writer.write(b"The lamp "), writer.write(b"is lit.")
    ...         written = writer.commit()
    ...     isinstance(mine, blob.BlobIngester), isinstance(memory, blob.BlobIngester)
    ...     both = blob.UnionBlobs(mine, memory)
    ...     written.digest == Digest.of(b"The lamp is lit."), both.has_blob(descriptor.digest)
    ...     root.close()
    (9, 7)
    (True, False)
    (True, True)
"""

from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.compressor import compressed
from oci_layers.blob.directory import DirectoryBlobs, Fsync
from oci_layers.blob.ingest import Ingest
from oci_layers.blob.root import OpenDirectory
from oci_layers.blob.store import (
    BlobIngester,
    BlobSource,
    BlobStore,
    BlobWriter,
    MemoryBlobs,
    open_verified,
    read_verified,
)
from oci_layers.blob.stream import ByteStream, VerifiedReader
from oci_layers.blob.union import UnionBlobs
from oci_layers.blob.verified_section import RangeReader, open_range

__all__ = [
    "BlobIngester",
    "BlobSource",
    "BlobStore",
    "BlobWriter",
    "ByteStream",
    "DirectoryBlobs",
    "Fsync",
    "Ingest",
    "MemoryBlobs",
    "OpenDirectory",
    "RangeReader",
    "UnionBlobs",
    "VerifiedReader",
    "compressed",
    "decompressed",
    "open_range",
    "open_verified",
    "read_verified",
    "sniff",
]
