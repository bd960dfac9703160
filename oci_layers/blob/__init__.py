"""Blobs: untrusted bytes into bytes that can be trusted.

`stream` checks sizes and digests, `compression` inflates within limits, `cas` has the ports of blob stores and one in
memory, `directory` the one in an image layout.
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
