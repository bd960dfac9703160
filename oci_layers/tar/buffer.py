"""The bytes of an archive: large reads from a stream, returned in small pieces, with the offset of each.

A read requests 1 MiB and may return less; no result depends on the lengths that the stream returns. Memory held: that
one buffer. The content of the current entry is read from here, too. `header` and `reader` interpret the bytes.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from oci_layers.errors import TarFormatError
from oci_layers.tar.entry import UNREAD, Content, Entry

__all__ = ["BLOCK_BYTES", "BlockReader", "Stream"]

BLOCK_BYTES = 512
_PIECE_BYTES = 1 << 20


class Stream(Protocol):
    """The source of an archive: any binary file, or any object with this one method.

    An optional method `skip(size)` skips `size` bytes, fewer at the end, and returns how many it skipped. If a stream
    has it, unread content is skipped with it instead of read.
    """

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end."""


@attrs.define(eq=False)
class BlockReader:
    """A stream with a buffer. The next byte is `buffer[position]`; its offset in the archive is `base + position`."""

    _stream: Stream
    buffer: bytes = b""
    position: int = 0
    base: int = 0
    current: Entry | None = None
    """The entry whose content may be read."""

    def __reduce__(self) -> tuple[Callable[[], Content], tuple[()]]:
        """Pickle no bytes: contents read through a copy are content that was not kept."""
        return _unread, ()

    @property
    def offset(self) -> int:
        """The number of bytes of the archive taken so far."""
        return self.base + self.position

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; fewer only at the end of the stream."""
        start = self.position
        self.position = end = start + count
        if end <= len(self.buffer):
            return self.buffer[start:end]
        return self._gather(start, count)

    def _gather(self, start: int, count: int) -> bytes:
        """Return `count` bytes, from `start` in the buffer and from further reads."""
        parts = [self.buffer[start:]]
        missing = count - len(parts[0])
        while missing and self._refill():
            parts.append(self.buffer[:missing])
            missing -= len(parts[-1])
            self.position = len(parts[-1])
        return b"".join(parts)

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes without taking them; fewer only at the end of the stream."""
        while len(self.buffer) - self.position < count and (piece := self._stream.read(_PIECE_BYTES)):
            self.base += self.position
            self.buffer = self.buffer[self.position :] + piece
            self.position = 0
        return self.buffer[self.position : self.position + count]

    def _refill(self) -> bool:
        """Replace the buffer by the next read; return False at the end of the stream."""
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
        """Advance to the block after the content of `entry`, skipping unread content.

        The padding may be cut short at the end of the stream, as all readers of archives accept: no content is lost.

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
        """Advance to `offset`, or to the end of the stream; return the offset reached."""
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


def _unread() -> Content:
    return UNREAD
