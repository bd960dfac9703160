"""Verified bytes that stay where they are: a part of an open file, refused once the file has changed.

A blob that is read later in any order would have to be copied after it was verified, since another process may write to
it meanwhile. Where the file says when it was changed, a copy is not needed: the file's times and size are taken before
the bytes are verified, and compared after each read. Two changes within one tick of the clock have one time, so a file
that was changed within the last seconds is not taken (as git does with its index: Documentation/technical/racy-git).
"""

import time
from collections.abc import Iterable

from oci_layers.blob.directory import SectionReader
from oci_layers.blob.stream import PIECE
from oci_layers.errors import DigestMismatchError, StoreError
from oci_layers.spec.digest import Digest

__all__ = ["InPlaceReader"]

_TICK = 3 * 10**9
"""Nanoseconds after which a file's time of change is surely in the past: FAT has ticks of two seconds."""


class InPlaceReader:
    """A section of an open file whose bytes were verified. Thread-safe."""

    def __init__(self, section: SectionReader, what: str) -> None:
        """Take ownership of a section; `what` is its name in errors."""
        self.size = section.size
        self._section = section
        self._what = what
        self._state = section.file.state()

    def is_settled(self) -> bool:
        """Tell whether the last change of the file was long enough ago for the next one to be noticed."""
        return time.time_ns() - max(self._state.mtime_ns, self._state.ctime_ns) > _TICK

    def verify(self, digests: Iterable[Digest]) -> None:
        """Read all bytes, and compare them with digests.

        Raises:
            DigestMismatchError: One of them is another.
            StoreError: The file changes meanwhile.
        """
        wanted = list(digests)
        hashers = {each.algorithm: each.hasher() for each in wanted}
        at = 0
        while data := self.read_at(at, PIECE):
            at += len(data)
            for hasher in hashers.values():
                hasher.update(data)
        for each in wanted:
            actual = f"{each.algorithm}:{hashers[each.algorithm].hexdigest()}"
            if actual != str(each):
                raise DigestMismatchError(self._what, str(each), actual)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; none at the end.

        Raises:
            StoreError: The file has changed since it was verified, or is closed.
        """
        data = self._section.read_at(offset, size)
        if self._section.file.state() != self._state:
            raise StoreError(self._section.file.place, f"{self._what} has changed since it was verified")
        return data

    def close(self) -> None:
        """Close the section."""
        self._section.close()
