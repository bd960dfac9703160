"""Verified bytes that stay where they are: a part of an open file, verified again as it is read.

A blob that is read later, in any order, would have to be copied after it was verified, since another process may write
to it meanwhile. Instead, the bytes are verified once as a whole, and the SHA-256 of each block of 64 KiB is kept: 32
bytes for each. A read hashes the blocks that it touches, so every byte that is returned was part of the verified whole.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol

from oci_layers.blob.section import SectionReader
from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import DigestMismatchError, SizeMismatchError, StoreError, UnsupportedError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["RangeReader", "VerifiedSection", "open_range"]

_BLOCK = 1 << 16


class RangeReader(Protocol):
    """Bytes that can be read at any offset."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer at the end."""
        ...

    def close(self) -> None:
        """Release the underlying resources."""
        ...


def open_range(blobs: BlobSource, descriptor: Descriptor, *, trusted: bool = False) -> RangeReader:
    """Open a blob that is stored in a file, to read parts of it in any order; the caller closes it. Thread-safe.

    The whole blob is read and verified once, and each block that is read later is compared with what was verified, at
    32 bytes of memory for each 64 KiB.

    Args:
        blobs: The store: a layout's, or that of an archive.
        descriptor: The blob.
        trusted: Verify nothing but the size: the caller has verified the blob, or does so with what it reads.

    Raises:
        BlobMissingError: The blob does not exist.
        IntegrityError: It does not match the descriptor.
        UnsupportedError: The store does not keep it as the bytes of a file.
    """
    section = blobs.open_blob(descriptor.digest)
    try:
        found = _checked_section(section, descriptor)
        return found if trusted else VerifiedSection(found, [descriptor.digest], f"blob {descriptor.digest}")
    except BaseException:
        section.close()
        raise


def _checked_section(stream: ByteStream, descriptor: Descriptor) -> SectionReader:
    if not isinstance(stream, SectionReader):
        raise UnsupportedError("reading at any offset from", type(stream).__name__)
    if stream.size != descriptor.size:
        raise SizeMismatchError(f"blob {descriptor.digest}", descriptor.size, stream.size)
    return stream


class VerifiedSection:
    """A section of an open file whose bytes were verified. Thread-safe."""

    def __init__(self, section: SectionReader, digests: Iterable[Digest], what: str) -> None:
        """Take ownership of a section, and compare its bytes with digests; `what` is its name in errors.

        Raises:
            DigestMismatchError: One of them is another.
        """
        self._section = section
        self._what = what
        self._blocks: list[bytes] = []
        wanted = list(digests)
        hashers = {each.algorithm: each.hasher() for each in wanted}
        while block := self._block(len(self._blocks)):
            self._blocks.append(hashlib.sha256(block).digest())
            for hasher in hashers.values():
                hasher.update(block)
        for each in wanted:
            actual = f"{each.algorithm}:{hashers[each.algorithm].hexdigest()}"
            if actual != str(each):
                raise DigestMismatchError(what, str(each), actual)

    def _block(self, number: int) -> bytes:
        at, parts = number * _BLOCK, []
        end = at + _BLOCK
        while at < end and (data := self._section.read_at(at, end - at)):
            parts.append(data)
            at += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`, fewer at the end.

        Raises:
            StoreError: The bytes have changed since they were verified, or the file is closed.
        """
        first, end = offset // _BLOCK, min(len(self._blocks), -(-(offset + size) // _BLOCK))
        parts = []
        for number in range(first, end):
            block = self._block(number)
            if hashlib.sha256(block).digest() != self._blocks[number]:
                raise StoreError(self._section.file.place, f"{self._what} has changed since it was verified")
            parts.append(block)
        start = offset - first * _BLOCK
        return b"".join(parts)[start : start + size]

    def close(self) -> None:
        """Close the section."""
        self._section.close()
