"""A file of Windows as one stream of bytes, as BackupRead gives it and BackupWrite takes it (WIN32_STREAM_ID).

A stream is a row of parts, each with a header: a kind, attributes, a size, and the size of a name, little-endian, with
the name in UTF-16. In this order: the security descriptor, the extended attributes, the reparse data of a link, the
data, and the alternate data streams, whose names are `:name:$DATA`. Attributes and times of the file are not in it.

A sparse file has no data but blocks, each with its offset before its bytes, and an empty one at the size of the file;
they are read, and written as data.
"""

import struct
from collections.abc import Iterator
from typing import Any

import attrs

from oci_layers.errors import LayerError
from oci_layers.tree.content import EMPTY, Content, Inline
from oci_layers.tree.node import File, Node, Symlink
from oci_layers.tree.windows import WindowsMetadata
from oci_layers.windows.attributes import decode_attributes, encode_attributes
from oci_layers.windows.content import Joined, Part, Spread
from oci_layers.windows.reparse import decode_link, encode_link

__all__ = ["BackedUp", "BackupPart", "decode_backup", "encode_backup", "iter_backup"]

_HEADER = struct.Struct("<IIQI")
DATA, ATTRIBUTES, SECURITY, STREAM, REPARSE, BLOCK = 1, 2, 3, 4, 8, 9
_OFFSET = 8
_WHOLE = frozenset({ATTRIBUTES, SECURITY, REPARSE})
_HEADS = {BLOCK: _OFFSET}
"""How many bytes of a part are held, where it is not the whole."""
_IGNORED = frozenset({5, 6, 7, 10})
"""Links, properties, object ids and transactions, which no layer has."""
_MOST_NAME = 1 << 16
_MOST_IN_MEMORY = 1 << 20
"""The most bytes of a descriptor, of extended attributes or of reparse data."""
_SUFFIX = ":$DATA"


@attrs.frozen
class BackupPart:
    """One part of a backup stream."""

    kind: int
    """1 data, 2 extended attributes, 3 the descriptor, 4 a stream, 8 reparse data, 9 a block of a sparse file."""
    name: str
    """Its name, such as `:name:$DATA`; empty if it has none."""
    offset: int
    """Where its bytes begin in the content."""
    size: int
    head: bytes = attrs.field(default=b"", repr=False)
    """Its bytes, of the kinds 2, 3 and 8; of a block, the offset."""


@attrs.frozen(eq=False)
class BackedUp:
    """What a backup stream says of a file."""

    windows: WindowsMetadata
    """Descriptor, extended attributes and streams; whether it is a junction."""
    target: bytes | None = None
    """The target, if it is a link."""
    content: Content | None = None
    """The data; None if there is no part of that kind."""


def encode_backup(node: Node) -> Content:
    """Return the backup stream of a node; its contents are read when the stream is.

    Raises:
        LayerError: A target or an extended attribute that does not fit, or a name that is not UTF-8.
    """
    windows = node.windows or WindowsMetadata()
    parts: list[Content] = []
    if windows.security_descriptor is not None:
        parts += _part(SECURITY, Inline(windows.security_descriptor))
    if windows.extended_attributes:
        parts += _part(ATTRIBUTES, Inline(encode_attributes(windows.extended_attributes)))
    if isinstance(node, Symlink):
        parts += _part(REPARSE, Inline(encode_link(node.target, is_junction=windows.is_junction)))
    if isinstance(node, File):
        parts += _part(DATA, node.content)
    for name in sorted(windows.streams):
        parts += _part(STREAM, windows.streams[name], f":{_text(name)}{_SUFFIX}")
    return Joined(tuple(parts))


def _part(kind: int, content: Content, name: str = "") -> list[Content]:
    encoded = name.encode("utf-16-le", "surrogatepass")
    return [Inline(_HEADER.pack(kind, 0, content.size, len(encoded)) + encoded), content]


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise LayerError(b"", "the name of a stream is not UTF-8") from None


def iter_backup(content: Content, start: int = 0) -> Iterator[BackupPart]:
    """Yield the parts of the backup stream that begins at an offset of a content, which is read once.

    Raises:
        LayerError: The stream ends inside a part, or a part is malformed.
    """
    cursor = _Cursor(content)
    cursor.skip(start)
    while cursor.at < content.size:
        kind, _, size, name_size = _HEADER.unpack(cursor.take(_HEADER.size))
        if name_size % 2 or name_size > _MOST_NAME:
            raise LayerError(b"", f"the name of a part of a backup stream has {name_size} bytes")
        name = cursor.take(name_size).decode("utf-16-le", "surrogatepass")
        offset = cursor.at
        if offset + size > content.size:
            raise LayerError(b"", "the backup stream ends inside a part")
        head = cursor.take(size if kind in _WHOLE else min(size, _HEADS.get(kind, 0)))
        cursor.skip(offset + size - cursor.at)
        yield BackupPart(kind, name, offset, size, head)


class _Cursor:
    """Reads a content from its beginning, once."""

    def __init__(self, content: Content) -> None:
        self._size = content.size
        self._chunks = content.chunks()
        self._chunk = memoryview(b"")
        self.at = 0

    def skip(self, count: int) -> None:
        """Pass over bytes; raise LayerError if there are fewer."""
        for _ in self._pieces(count):
            pass

    def take(self, count: int) -> bytes:
        """Return the next bytes; raise LayerError if there are fewer, or more than are held in memory."""
        if count > _MOST_IN_MEMORY:
            raise LayerError(
                b"", f"a part of a backup stream has {count} bytes, at most {_MOST_IN_MEMORY} are possible"
            )
        return b"".join(self._pieces(count))

    def _pieces(self, count: int) -> Iterator[memoryview]:
        if self.at + count > self._size:
            raise LayerError(b"", "the backup stream ends inside a part")
        self.at += count
        while count:
            if not self._chunk:
                self._chunk = memoryview(next(self._chunks, b""))
                if not self._chunk:
                    raise LayerError(b"", "the backup stream has become shorter")
            piece = self._chunk[:count]
            self._chunk = self._chunk[len(piece) :]
            count -= len(piece)
            yield piece


def decode_backup(content: Content, start: int = 0) -> BackedUp:
    """Return what the backup stream says that begins at an offset of a content; data are ranges of the content.

    Raises:
        LayerError: The stream is malformed, or has a part of an unknown kind.
        UnsupportedError: A reparse point that is no link.
    """
    fields: dict[str, Any] = {}  # Any: fields of the metadata
    target: bytes | None = None
    data: Content | None = None
    streams: dict[bytes, Content] = {}
    blocks: list[BackupPart] = []
    for part in iter_backup(content, start):
        if part.kind == SECURITY:
            fields["security_descriptor"] = part.head
        elif part.kind == ATTRIBUTES:
            fields["extended_attributes"] = decode_attributes(part.head)
        elif part.kind == REPARSE:
            target, fields["is_junction"] = decode_link(part.head)
        elif part.kind == DATA:
            data = _range(content, part.offset, part.size)
        elif part.kind == STREAM:
            streams[_stream_name(part.name)] = _range(content, part.offset, part.size)
        elif part.kind == BLOCK:
            blocks.append(part)
        elif part.kind not in _IGNORED:
            raise LayerError(b"", f"a part of a backup stream is of the unknown kind {part.kind}")
    if blocks:
        data = _sparse(content, blocks)
    if streams:
        fields["streams"] = streams
    return BackedUp(WindowsMetadata(**fields), target, data)


def _range(content: Content, offset: int, size: int) -> Content:
    return Part(content, offset, size) if size else EMPTY


def _stream_name(name: str) -> bytes:
    stream = name.removeprefix(":").removesuffix(_SUFFIX)
    if not stream or ":" in stream or not name.startswith(":"):
        raise LayerError(b"", f"the name of a stream is malformed: {name!r}")
    return stream.encode("utf-8", "surrogatepass")


def _sparse(content: Content, blocks: list[BackupPart]) -> Content:
    """Return the data of a sparse file: blocks that begin with their offset, the last empty one at the end."""
    pieces: list[tuple[int, Part]] = []
    end = 0
    for block in blocks:
        if block.size < _OFFSET:
            raise LayerError(b"", "a block of a sparse file has no offset")
        offset = int.from_bytes(block.head, "little")
        if offset < end:
            raise LayerError(b"", "the blocks of a sparse file are out of order")
        if block.size > _OFFSET:
            pieces.append((offset, Part(content, block.offset + _OFFSET, block.size - _OFFSET)))
        end = offset + block.size - _OFFSET
    return Spread(end, tuple(pieces))
