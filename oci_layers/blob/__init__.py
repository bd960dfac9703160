"""Blobs: untrusted bytes to verified bytes.

`stream` checks sizes and digests, `compression` decompresses within limits, `store` has the protocols of blob stores
and a store in memory, `directory` the store in an image layout, `uncompressed` reads layers with several threads.
"""

from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.store import BlobSource, BlobStore, MemoryBlobs, open_verified, read_verified
from oci_layers.blob.stream import ByteStream, VerifiedReader

__all__ = [
    "BlobSource",
    "BlobStore",
    "ByteStream",
    "DirectoryBlobs",
    "MemoryBlobs",
    "VerifiedReader",
    "decompressed",
    "open_verified",
    "read_verified",
    "sniff",
]
