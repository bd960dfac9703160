"""Streams that do what a store must bear: few bytes at a time, an error midway."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from oci_layers.blob.stream import ByteStream

__all__ = ["Stream", "in_threads", "read_all"]

T = TypeVar("T")


class Stream:
    """Bytes in pieces, then an error if there is one; tells whether it was closed."""

    def __init__(self, data: bytes, *, most: int = 1 << 30, error: BaseException | None = None) -> None:
        """Make a stream.

        Args:
            data: The bytes.
            most: How many bytes one call returns at most.
            error: Raised in place of the end.
        """
        self._data = data
        self._most = most
        self._error = error
        self._at = 0
        self.closed = False
        """Whether `close` was called."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; none at the end."""
        assert not self.closed, "a stream is read after it was closed"
        assert size > 0, "a stream is read by the number of bytes wanted"
        if self._at == len(self._data) and self._error is not None:
            raise self._error
        piece = self._data[self._at : self._at + min(size, self._most)]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Note that the stream is closed."""
        self.closed = True


def read_all(stream: ByteStream, size: int = 1 << 16) -> bytes:
    """Return all bytes of a stream, and close it; no call may return more than `size`."""
    parts = []
    try:
        while part := stream.read(size):
            assert len(part) <= size, "a stream returned more bytes than were wanted"
            parts.append(part)
        assert stream.read(size) == b"", "a stream goes on after its end"
    finally:
        stream.close()
    return b"".join(parts)


def in_threads(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run every call in a thread of its own, all at once; return their results, or raise the first error."""
    together = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        together.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]
