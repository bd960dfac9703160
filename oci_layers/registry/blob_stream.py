"""The bytes of one blob in a registry, in order: over one connection, or in parts over several at once.

A connection that breaks is taken up where it broke. A large blob is asked for in parts; while one is handed out, the
next ones arrive in threads that read ahead, so many servers send it faster (REG-96, REG-98). A server that sends no
parts answers the first request with all of it, and is taken at its word.
"""

import functools
import io
import re
import threading
from collections import deque

from oci_layers.blob.pipeline import BackgroundReader
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import RegistryError, UnreachableError
from oci_layers.registry.client import RegistryClient
from oci_layers.registry.transport import Response
from oci_layers.registry.url import Url
from oci_layers.spec.digest import Digest

__all__ = ["LARGE", "BlobStream", "PartedStream"]

PART = 4 << 20
"""Bytes of a part."""
LARGE = 8 * PART
"""Bytes of a blob that is asked for in parts."""
_AHEAD = 3
"""The parts that arrive while another one is handed out."""

_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:([0-9]{1,19})|\*)")
_PARTIAL, _BEYOND = 206, 416


class BlobStream:
    """The bytes of a blob, or of a part of it, over one connection after the other."""

    def __init__(
        self, client: RegistryClient, digest: Digest, start: int = 0, end: int | None = None, *, url: Url | None = None
    ) -> None:
        """Ask for the bytes from `start` to before `end`; all if that is None. `url` is as for `open_blob`.

        Raises:
            RegistryError: The registry does not have the blob, or cannot be asked.
        """
        self._client = client
        self._digest = digest
        self._at = start
        self._end = end
        self._attempt = 0
        self._moment = client.exchange.moment()
        self._url = url
        self._response = client.open_blob(digest, start, end, url=url)
        if start == 0 and self._response.status != _PARTIAL:
            self._end = None
        else:
            self._take_up()

    @property
    def is_whole(self) -> bool:
        """Whether this is the blob to its end: what was asked for, or what a server sends that sends no parts."""
        return self._end is None

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end.

        Raises:
            UnreachableError: The connection breaks again and again without any progress.
            RegistryError: The registry does not go on.
        """
        if self._end is not None:
            size = min(size, self._end - self._at)
        is_broken = False
        while size:
            try:
                if is_broken:
                    self._response = self._client.open_blob(self._digest, self._at, self._end, url=self._url)
                    self._take_up()
                data = self._response.body.read(size)
            except UnreachableError:
                is_broken = True
                self._response.close()
                self._attempt += 1
                if not self._client.exchange.rest(self._attempt, self._moment):
                    raise
            else:
                if data:
                    self._attempt = 0
                    self._at += len(data)
                return data
        return b""

    def _take_up(self) -> None:
        """Check that the answer goes on at the next byte; pass over those before it that it has as well."""
        response, at = self._response, self._at
        if response.status == _PARTIAL:
            _require_range(response, at, self._end)
        elif response.status == _BEYOND:
            # All was there; only the end was not seen.
            response.close()
            response.body = io.BytesIO()
        else:
            while at and (data := response.body.read(min(at, PIECE))):
                at -= len(data)

    def close(self) -> None:
        """Close the connection, or leave it to the next request if all was read."""
        self._response.close()


class PartedStream:
    """The bytes of a large blob, of which several parts arrive at once."""

    def __init__(self, client: RegistryClient, digest: Digest, size: int, lanes: threading.Semaphore) -> None:
        """Ask for the first part.

        Args:
            client: The repository.
            digest: The digest of the blob.
            size: Its size.
            lanes: Taken for each part that arrives beside another one: all streams together have so many.

        Raises:
            RegistryError: The registry does not have the blob, or cannot be asked.
        """
        self._client = client
        self._digest = digest
        self._size = size
        self._lanes = lanes
        first = BlobStream(client, digest, 0, min(PART, size))
        self._next = size if first.is_whole else PART
        self._parts: deque[ByteStream] = deque([first])

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end.

        Raises:
            RegistryError: As `BlobStream.read`.
        """
        while True:
            self._read_ahead()
            if not self._parts:
                if self._next >= self._size:
                    return b""
                self._parts.append(BlobStream(self._client, self._digest, *self._take()))
            if data := self._parts[0].read(size):
                return data
            self._close_first()

    def _read_ahead(self) -> None:
        """Begin further parts, for as many as there are lanes."""
        while self._next < self._size and len(self._parts) <= _AHEAD and self._lanes.acquire(blocking=False):
            part = _Part(self._client, self._digest, *self._take())
            try:
                self._parts.append(BackgroundReader(part))
            except RuntimeError:  # No thread can be started.
                self._lanes.release()
                self._parts.append(part)

    def _take(self) -> tuple[int, int]:
        """Return where the next part begins and ends."""
        start, self._next = self._next, min(self._next + PART, self._size)
        return start, self._next

    def _close_first(self) -> None:
        part = self._parts.popleft()
        if isinstance(part, BackgroundReader):
            self._lanes.release()
        part.close()

    def close(self) -> None:
        """Close all connections."""
        while self._parts:
            self._close_first()


class _Part:
    """A part that is asked for when it is first read, which may be in another thread."""

    def __init__(self, client: RegistryClient, digest: Digest, start: int, end: int) -> None:
        self._open = functools.partial(BlobStream, client, digest, start, end)
        self._stream: BlobStream | None = None

    def read(self, size: int, /) -> bytes:
        if self._stream is None:
            self._stream = self._open()
        return self._stream.read(size)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


def _require_range(response: Response, start: int, end: int | None) -> None:
    """Check that an answer of status 206 is the part that was asked for.

    Raises:
        RegistryError: It is another one.
    """
    ranges = response.headers.all("Content-Range")
    found = _RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
    if found is None or int(found[1]) != start or (end is not None and int(found[2]) != end - 1):
        response.close()
        stated = ranges[0] if ranges else "none"
        reason = f"asked for the bytes from {start}, the server sends another range: {stated}"
        raise RegistryError(str(response.url), reason, response.status)
