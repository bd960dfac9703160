"""Untrusted bytes to bytes that match their digest.

A `VerifiedReader` counts and hashes the bytes that it returns, refuses a stream shorter or longer than its size (it
tries to read one byte past the end), and compares the digest before it reports the end, so that a mismatch never looks
like the end of the stream. The consumer reads to the end: trailing bytes are part of the digest. Decompression is in
`compression`; blobs come from `store` and `directory`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from oci_layers.errors import DigestMismatchError, SizeMismatchError
from oci_layers.spec.digest import Digest, Hasher

__all__ = ["ByteStream", "VerifiedReader", "drain"]

PIECE = 1 << 20
"""Bytes read at a time. Smaller pieces cause more thread switches, which cost more time than the threads save."""


class ByteStream(Protocol):
    """Bytes that are read once, in order."""

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end."""
        ...

    def close(self) -> None:
        """Release the underlying resources."""
        ...


def drain(stream: ByteStream) -> None:
    """Read a stream to its end."""
    while stream.read(PIECE):
        pass


class VerifiedReader:
    """A stream that raises an error if it does not match its digest, or its size if one is given.

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
        """Wrap a stream.

        Args:
            stream: The bytes; closed with this reader.
            digest: The expected digest.
            size: The expected number of bytes, if known.
            what: The name of the bytes in errors; the digest by default.
            hasher: Returns the hasher, which may use another thread; the caller closes it.

        Raises:
            UnsupportedError: This installation cannot compute the algorithm of the digest.
        """
        self._stream = stream
        self._digest = digest
        self._hasher = digest.hasher() if hasher is None else hasher(digest)
        self._size = size
        self.seen = 0
        """The number of bytes read from the stream so far."""
        self._done = False
        self._what = what or str(digest)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end, after checking size and digest.

        Raises:
            SizeMismatchError: The stream is shorter or longer than its size.
            DigestMismatchError: The stream has been read to its end, and its digest differs.
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
        """Close the underlying stream, without checking it."""
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
