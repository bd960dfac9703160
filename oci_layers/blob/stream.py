"""Untrusted bytes into bytes that are what their name says.

A `VerifiedReader` counts and hashes what passes, refuses what is shorter or longer than it should be (one byte past the
end is tried) and compares the digest before it reports the end, so that a mismatch can never look like the end of the
stream. The consumer reads to the end: trailing bytes are part of the digest. Decompression lives in
`compression`, where blobs come from in `cas` and `directory`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from oci_layers.errors import DigestMismatchError, SizeMismatchError
from oci_layers.spec.digest import Digest, Hasher

__all__ = ["ByteStream", "VerifiedReader", "drain"]

PIECE = 1 << 20
"""How many bytes are moved at a time. Less would mean more changes between threads, which cost more than they hide."""


class ByteStream(Protocol):
    """Bytes to be read once, from their beginning."""

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end."""
        ...

    def close(self) -> None:
        """Let go of what is open below."""
        ...


def drain(stream: ByteStream) -> None:
    """Read a stream to its end."""
    while stream.read(PIECE):
        pass


class VerifiedReader:
    """A stream that raises where it does not match its digest, or its size when one is known.

    Leaving it as a context manager reads to the end and checks; leaving by an exception only closes.
    """

    def __init__(
        self,
        stream: ByteStream,
        digest: Digest,
        size: int | None = None,
        *,
        what: str = "",
        hasher: Callable[[Digest], Hasher] | None = None,
    ) -> None:
        """Take a stream and what its bytes should be.

        Args:
            stream: The bytes; closed with this.
            digest: Their digest.
            size: How many there should be, if that is known.
            what: What errors call them; the digest if left out.
            hasher: Makes what hashes, perhaps somewhere else; the caller ends that.

        Raises:
            UnsupportedError: The digest is of an algorithm that cannot be computed here.
        """
        self._stream = stream
        self._digest = digest
        self._hasher = digest.hasher() if hasher is None else hasher(digest)
        self._size = size
        self.seen = 0
        """How many bytes have passed."""
        self._done = False
        self._what = what or str(digest)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end, once size and digest have been found right.

        Raises:
            SizeMismatchError: The stream ends before its size, or goes on after it.
            DigestMismatchError: All was read, and it is something else.
        """
        left = size if self._size is None else min(size, self._size - self.seen + 1)
        data = self._stream.read(left) if not self._done else b""
        if data:
            self.seen += len(data)
            if self._size is not None and self.seen > self._size:
                raise SizeMismatchError(self._what, self._size, self.seen)
            self._hasher.update(data)
        elif not self._done:
            self._check()
            self._done = True
        return data

    def _check(self) -> None:
        if self._size is not None and self.seen != self._size:
            raise SizeMismatchError(self._what, self._size, self.seen)
        actual = self._hasher.hexdigest()
        if actual != self._digest.encoded:
            raise DigestMismatchError(self._what, str(self._digest), f"{self._digest.algorithm}:{actual}")

    def close(self) -> None:
        """Close the stream below, checked or not."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                drain(self)
        finally:
            self.close()
