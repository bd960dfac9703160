"""Untrusted bytes into bytes that are what their name says.

A `VerifiedReader` counts and hashes what passes, refuses what is shorter or longer than it should be (one byte past the
end is tried) and compares the digest before it reports the end, so that a mismatch can never look like the end of the
stream. Whoever ends a stream drains it: bytes that nobody wanted are part of the digest too. Decompression lives in
`compression`, where blobs come from in `cas` and `directory`.
"""

import queue
import threading
from types import TracebackType
from typing import Protocol, Self

from oci_layers.errors import DigestMismatchError, SizeMismatchError
from oci_layers.spec.digest import Digest

__all__ = ["ByteStream", "ReadAhead", "VerifiedReader", "drain"]

PIECE = 1 << 20


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

    def __init__(self, stream: ByteStream, digest: Digest, size: int | None = None, *, what: str = "") -> None:
        self._stream = stream
        self._digest = digest
        self._hasher = digest.hasher()
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


class ReadAhead:
    """A stream whose work (reading, inflating, hashing) is done by another thread, a few pieces ahead of the reader.

    Errors come out of `read` where they would have without it. The thread ends with the stream, or with `close`. The
    two threads share nothing but two queues without Python code inside: Ctrl-C may come at any time, and a lock that
    it interrupts the taking of would never be given back.
    """

    _PIECES = 8

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._pieces: queue.SimpleQueue[bytes | BaseException] = queue.SimpleQueue()
        for _ in range(self._PIECES):
            self._room.put(None)
        self._stop = False
        self._rest = b""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="oci-layers-read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._room.get()
                if self._stop:
                    return
                data = self._stream.read(PIECE)
                self._pieces.put(data)
                if not data:
                    return
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is, and raised by the reader
            self._pieces.put(error)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end.

        Raises:
            ValueError: The thread was stopped before the end.
        """
        if self._error is not None:
            raise self._error
        if self._stop:
            raise ValueError("this stream was stopped, and cannot be read any more")
        data = self._rest
        if not data:
            piece = self._pieces.get()
            if isinstance(piece, BaseException):
                self._error = piece
                raise piece
            data = piece
            if data:
                self._room.put(None)
            else:
                self._pieces.put(b"")
        self._rest = data[size:]
        return data[:size]

    def stop(self) -> None:
        """Stop the thread and wait for it; the stream below stays open, and may be read on from where it was left."""
        self._stop = True
        self._room.put(None)
        self._thread.join()

    def close(self) -> None:
        """Stop, and close the stream below."""
        self.stop()
        self._stream.close()
