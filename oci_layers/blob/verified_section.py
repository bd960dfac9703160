"""Verified bytes that stay where they are: a part of an open file, verified again as it is read.

A blob that is read later, in any order, would have to be copied after it was verified, since another process may write
to it meanwhile. Instead, the bytes are verified once as a whole, and the SHA-256 of each block of 64 KiB is kept: 32
bytes for each. A read hashes the blocks that it touches, so every byte that is returned was part of the verified whole.
"""

import hashlib
from collections.abc import Iterable

from oci_layers.blob.section import SectionReader
from oci_layers.errors import DigestMismatchError, StoreError
from oci_layers.spec.digest import Digest

__all__ = ["VerifiedSection"]

_BLOCK = 1 << 16


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
