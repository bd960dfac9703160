"""The bytes of an archive: large reads from a stream, small pieces out of it, and the offset of each.

The stream is asked for 1 MiB at a time and may give less; no result depends on how it cuts its answers. Besides that
buffer nothing is held. This is also where the content of an entry comes from while the entry is the current one.
What the bytes mean lives in `header` and `reader`.
"""

from collections.abc import Iterator
from typing import Protocol

import attrs

from oci_layers.errors import TarFormatError
from oci_layers.tar.entry import Entry

__all__ = ["BLOCK_BYTES", "BlockReader", "Stream"]

BLOCK_BYTES = 512
_PIECE_BYTES = 1 << 20


class Stream(Protocol):
    """What an archive is read from: any binary file, and anything else with this one method.

    One that has a method `skip`, too, is not asked for skipped bytes: it takes a number of bytes, goes on by so
    many, or to its end, and returns how many these were.
    """

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end."""


@attrs.define(eq=False)
class BlockReader:
    """A stream with a buffer. The next byte is `buffer[position]`, and stands at `base + position` in the archive."""

    _stream: Stream
    buffer: bytes = b""
    position: int = 0
    base: int = 0
    current: Entry | None = None
    """The entry whose content may be read."""

    @property
    def offset(self) -> int:
        """How many bytes of the archive were taken."""
        return self.base + self.position

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; fewer only where the stream ends."""
        start = self.position
        self.position = end = start + count
        if end <= len(self.buffer):
            return self.buffer[start:end]
        return self._gather(start, count)

    def _gather(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start` in the buffer and from those that follow it."""
        parts = [self.buffer[start:]]
        missing = count - len(parts[0])
        while missing and self._refill():
            parts.append(self.buffer[:missing])
            missing -= len(parts[-1])
            self.position = len(parts[-1])
        return b"".join(parts)

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, which stay to be taken; fewer only where the stream ends."""
        while len(self.buffer) - self.position < count and (piece := self._stream.read(_PIECE_BYTES)):
            self.base += self.position
            self.buffer = self.buffer[self.position :] + piece
            self.position = 0
        return self.buffer[self.position : self.position + count]

    def _refill(self) -> bool:
        """Drop the buffer, read another; return whether there was anything."""
        self.base += len(self.buffer)
        self.position = 0
        self.buffer = self._stream.read(_PIECE_BYTES)
        return bool(self.buffer)

    def stored(self, entry: Entry) -> Iterator[memoryview]:
        """Return the stored bytes of the current entry; see `Entry.pieces`."""
        self._check_current(entry)
        if entry.stored_size and self.offset != entry.data_offset:
            raise ValueError("the content of this entry was read already")
        return self._stored(entry)

    def _check_current(self, entry: Entry) -> None:
        if self.current is not entry:
            raise ValueError("the content of an entry can be read only before the next entry is asked for")

    def _stored(self, entry: Entry) -> Iterator[memoryview]:
        remaining = entry.stored_size
        while remaining:
            self._check_current(entry)
            if self.position == len(self.buffer) and not self._refill():
                raise _cut(entry, self.offset)
            view = memoryview(self.buffer)[self.position : self.position + remaining]
            self.position += len(view)
            remaining -= len(view)
            yield view

    def finish(self, entry: Entry) -> None:
        """Go to the block after the content of `entry`, reading what was not read.

        The padding may be cut short at the end of the stream, as every reader of archives accepts: no content is lost.

        Raises:
            TarFormatError: the stream ends inside the content.
        """
        self.current = None
        end = entry.data_offset + entry.stored_size
        following = end + -end % BLOCK_BYTES
        if following - self.base > len(self.buffer):
            following = self._skip_to(following)
            if following < end:
                raise _cut(entry, following)
        self.position = following - self.base

    def _skip_to(self, offset: int) -> int:
        """Go on to `offset`, or to the end of the stream; return which of the two was reached."""
        skip = getattr(self._stream, "skip", None)
        if skip is not None:
            self.base += len(self.buffer)
            self.buffer = b""
            self.base += skip(offset - self.base)
            return self.base
        while self.base + len(self.buffer) < offset and self._refill():
            pass
        return min(offset, self.base + len(self.buffer))

    def drain(self) -> None:
        """Read the stream to its end, so that a digest taken from it covers every byte."""
        while self._refill():
            pass


def _cut(entry: Entry, offset: int) -> TarFormatError:
    return TarFormatError(path=entry.name, reason="the archive ends inside the content", offset=offset)
