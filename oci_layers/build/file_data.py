"""The bytes of files that can be written, in blocks: in memory, in a temporary file, or still where they came from.

A `FileData` is a `tree.Content` that can change. What was not written since it was made is read from the content that
it was made of, so a write to a large file costs a block, not a copy. A copy shares all blocks, and either copies a
block before it writes to it.

The blocks of all files of one writable layer are in one `BlockStore`: the first ones in memory, within a limit, and the
others in one temporary file without a name. There they have places of 4 KiB to `BLOCK` bytes; the place of a block that
no file has any more is used again. The collector frees blocks in any thread, so it only leaves a note for the next
write, which does the rest.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, NoReturn

from oci_layers import system
from oci_layers.blob.spool import Spool
from oci_layers.errors import LimitError, StoreError
from oci_layers.image.content_reader import range_reader
from oci_layers.tree.content import EMPTY, Content, Extents

__all__ = ["BLOCK", "BlockStore", "FileData"]

BLOCK = 1 << 16
"""The most bytes of a block."""
_PIECE = 1 << 18
_LEAST_PLACE = 1 << 12


class _Block:
    """The bytes of a block from the first on; zeros follow them. Only its owner, the token of a file, changes it."""

    __slots__ = ("_freed", "memory", "offset", "owner", "place", "size")

    def __init__(self, owner: object, freed: "deque[tuple[int, int]]") -> None:
        self.owner = owner
        self.memory: bytearray | None = bytearray()
        self.size = 0
        self.offset = 0
        self.place = 0
        """The bytes of its place in the temporary file."""
        self._freed = freed

    def __del__(self) -> None:
        self._freed.append((0, self.size) if self.memory is not None else (self.place, self.offset))


class BlockStore:
    """Holds blocks. One thread writes; what nothing writes to can be read by several threads."""

    def __init__(self, memory_bytes: int, spool: Spool) -> None:
        """Hold up to `memory_bytes` in memory, and the rest in a file of `spool`, which is opened at need."""
        self._left = memory_bytes
        self._spool = spool
        self._file: IO[bytes] | None = None
        self._end = 0
        self._places: dict[int, list[int]] = {}
        self._freed: deque[tuple[int, int]] = deque()
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a writable layer and its paths cannot be pickled: commit, and write the layer first")

    def new(self, owner: object) -> _Block:
        """Return an empty block."""
        self._reuse()
        return _Block(owner, self._freed)

    def _reuse(self) -> None:
        while self._freed:
            place, number = self._freed.popleft()
            if place:
                self._places.setdefault(place, []).append(number)
            else:
                self._left += number

    def read(self, block: _Block, start: int, size: int) -> bytes:
        """Return exactly `size` bytes of a block.

        Raises:
            StoreError: The store is closed.
        """
        if self._closed:
            raise StoreError("writable layer", "it was closed without a commit, and its contents are gone")
        if block.memory is not None:
            data = bytes(memoryview(block.memory)[start : start + size])
        else:
            data = self._stored(block, start, min(size, block.size - start))
        return data if len(data) == size else data + bytes(size - len(data))

    def _stored(self, block: _Block, start: int, size: int) -> bytes:
        assert self._file is not None
        data = b""
        while len(data) < size:
            piece = system.pread(self._file.fileno(), size - len(data), block.offset + start + len(data))
            if not piece:
                raise StoreError("writable layer", "its temporary file has become shorter")
            data += piece
        return data

    def write(self, block: _Block, start: int, data: bytes | memoryview) -> None:
        """Write into a block.

        Raises:
            LimitError: The temporary file would exceed `temporary_bytes`.
            OSError: The temporary file cannot be written.
        """
        end = start + len(data)
        if block.memory is not None:
            more = end - block.size
            if more <= self._left:
                if start > block.size:
                    block.memory.extend(bytes(start - block.size))
                block.memory[start:end] = data
                if more > 0:
                    self._left -= more
                    block.size = end
                return
        if block.memory is not None or end > block.place:
            self._move(block, end)
        if start > block.size:
            self._put(bytes(start - block.size), block.offset + block.size)
        self._put(data, block.offset + start)
        block.size = max(block.size, end)

    def cut(self, block: _Block, size: int) -> None:
        """Make a block shorter."""
        if size < block.size:
            if block.memory is not None:
                del block.memory[size:]
                self._left += block.size - size
            block.size = size

    def _move(self, block: _Block, size: int) -> None:
        """Move a block to a place for `size` bytes in the temporary file."""
        place = max(_LEAST_PLACE, 1 << (max(size, block.size) - 1).bit_length())
        offset = self._find_place(place)
        try:
            self._put(self.read(block, 0, block.size), offset)
        except BaseException:
            self._freed.append((place, offset))
            raise
        if block.memory is not None:
            block.memory = None
            self._left += block.size
        else:
            self._freed.append((block.place, block.offset))
        block.place, block.offset = place, offset

    def _find_place(self, place: int) -> int:
        self._reuse()
        free = self._places.get(place)
        if free:
            return free.pop()
        try:
            self._spool.take(place)
        except LimitError:
            self._spool.give_back(place)  # A smaller place may still be had.
            raise
        offset = self._end
        self._end += place
        return offset

    def _put(self, data: bytes | memoryview, offset: int) -> None:
        if self._closed:
            raise StoreError("writable layer", "it is closed, and cannot be written any more")
        if self._file is None:
            self._file = self._spool.open()
        self._spool.write_at(self._file, data, offset)

    def close(self) -> None:
        """Close the temporary file; blocks in it cannot be read any more. Idempotent."""
        self._closed = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self.close()


class FileData:
    """The bytes of one file. The tree whose `token` it has may change it; see `contents`."""

    __slots__ = ("_base", "_base_extents", "_base_size", "_blocks", "_owner", "_store", "size", "token")

    def __init__(self, store: BlockStore, token: object, base: Content = EMPTY) -> None:
        """Take the bytes of `base`, which are read when they are needed."""
        self.token = token
        self.size = self._base_size = base.size
        self._store = store
        self._owner = object()
        self._blocks: dict[int, _Block] = {}
        self._base: Callable[[int, int], bytes] = range_reader(base)
        self._base_extents = base.extents

    def is_in(self, store: BlockStore) -> bool:
        """Tell whether the blocks are in this store, which are otherwise those of another layer."""
        return self._store is store

    def freeze(self) -> None:
        """Make these data those of no tree, so that they do not change any more."""
        self.token = None

    def copy(self, token: object) -> "FileData":
        """Return equal data that change independently; these data must not be changed any more."""
        other = FileData(self._store, token)
        other.size, other._blocks = self.size, self._blocks.copy()
        other._base, other._base_size, other._base_extents = self._base, self._base_size, self._base_extents
        return other

    def __reduce__(self) -> NoReturn:
        raise TypeError("contents of a writable layer cannot be pickled: write the layer first")

    @property
    def extents(self) -> Extents | None:
        """Where something was written, or may be; None if that is everywhere."""
        base = ((0, self._base_size),) if self._base_extents is None else self._base_extents
        pieces = [(start, min(start + length, self._base_size)) for start, length in base if start < self._base_size]
        pieces += [(index * BLOCK, min((index + 1) * BLOCK, self.size)) for index in self._blocks]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(pieces):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            elif end > start:
                merged.append((start, end))
        if merged == [(0, self.size)] or not self.size:
            return None
        return tuple((start, end - start) for start, end in merged)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, holes as zeros."""
        for offset in range(0, self.size, _PIECE):
            yield self.read_at(offset, _PIECE)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes, fewer at the end."""
        parts = [self._read(*part) for part in _parts(offset, min(size, self.size - offset))]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, index: int, start: int, size: int) -> bytes:
        block = self._blocks.get(index)
        if block is not None:
            return self._store.read(block, start, size)
        data, offset = b"", index * BLOCK + start
        wanted = min(size, self._base_size - offset)
        while len(data) < wanted:
            piece = self._base(offset + len(data), wanted - len(data))
            if not piece:
                raise StoreError("writable layer", "a file of the image has become shorter")
            data += piece
        return data if len(data) == size else data + bytes(size - len(data))

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write at any offset; what is between the end and the offset becomes a hole.

        Raises:
            LimitError: The temporary file would exceed `temporary_bytes`; the bytes before were written.
            OSError: The temporary file cannot be written; likewise.
        """
        at = 0
        for index, start, size in _parts(offset, len(data)):
            piece = data if size == len(data) else memoryview(data)[at : at + size]
            before = self._blocks.get(index)
            block = self._own(index, 0 if start == 0 and size == BLOCK else BLOCK)
            try:
                self._store.write(block, start, piece)
            except BaseException:
                self._put_back(index, before)
                raise
            at += size
            self.size = max(self.size, offset + at)

    def _own(self, index: int, keep: int) -> _Block:
        """Return a block that may be changed, with the first `keep` bytes that it has."""
        block = self._blocks.get(index)
        if block is not None and block.owner is self._owner:
            return block
        fresh = self._store.new(self._owner)
        have = self._base_size - index * BLOCK if block is None else block.size
        if min(have, keep) > 0:
            self._store.write(fresh, 0, self._read(index, 0, min(have, keep)))
        self._blocks[index] = fresh
        return fresh

    def _put_back(self, index: int, block: _Block | None) -> None:
        if block is None:
            del self._blocks[index]
        else:
            self._blocks[index] = block

    def truncate(self, size: int) -> None:
        """Set the size; what is added is a hole. Raises as `write`."""
        if size < self.size:
            index, rest = divmod(size, BLOCK)
            if rest and index in self._blocks:
                self._store.cut(self._own(index, rest), rest)
            for each in [each for each in self._blocks if each > index or (each == index and not rest)]:
                del self._blocks[each]
            self._base_size = min(self._base_size, size)
        self.size = size


def _parts(offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield the parts of a range: the index of a block, where in it, and how much."""
    while size > 0:
        index, start = divmod(offset, BLOCK)
        part = min(size, BLOCK - start)
        yield index, start, part
        offset, size = offset + part, size - part
