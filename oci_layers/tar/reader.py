"""A byte stream to entries: the loop over headers, and the merging of extension headers.

Theory of operation. `read_tar` takes one 512-byte block after another. A header block becomes an `Entry`, followed by
its content. The extension headers before it (PAX `x`, GNU `L` and `K`) are collected and merged into that entry, so
that the consumer sees final values only. A PAX global header is emitted as an entry of its own. The content is not
copied: the entry reads it from the stream while it is the current one, and the loop skips the unread rest.

The rules kept here: which extension header counts (a later PAX header replaces the earlier, GNU's `L` and `K` win over
PAX), how many content bytes follow a header, where an archive may end. They are those of Go's archive/tar, the reader
of the container engines, but stricter where it silently loses data: an extension header without an entry is an error.
A corrupt header is always an error, never the end. `header` parses fields, `pax` records, `sparse` maps.
The consumer of the entries checks names and owners.
"""

from collections.abc import Iterator, Mapping

from oci_layers.errors import LimitError, TarFormatError, shortened
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.tar import sparse
from oci_layers.tar.buffer import BLOCK_BYTES, BlockReader, Stream
from oci_layers.tar.entry import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    EMPTY,
    FIFO,
    GLOBAL,
    GNU_SPARSE,
    HARDLINK,
    REGULAR,
    SYMLINK,
    Entry,
    stored_bytes,
)
from oci_layers.tar.header import is_header, malformed, parse_header, string
from oci_layers.tar.pax import decimal, merge, parse_records

__all__ = ["read_tar"]

_ZERO_BLOCK = bytes(BLOCK_BYTES)
_LOCAL, _LONG_NAME, _LONG_LINK = b"x", b"L", b"K"
_LONG = _LONG_NAME + _LONG_LINK
_EXTENSIONS = _LOCAL + _LONG + GLOBAL
_WITHOUT_CONTENT = {
    HARDLINK: "hard link",
    SYMLINK: "symbolic link",
    CHARACTER: "character device",
    BLOCK: "block device",
    DIRECTORY: "directory",
    FIFO: "fifo",
}


def read_tar(stream: Stream, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Entry]:
    """Yield the entries of an archive, in order; unread content is skipped.

    After the end marker the stream is read to its end, so that a digest computed from it covers all bytes. The stream
    is not closed. Memory held: one piece of 1 MiB, the extension headers and the sparse map of one entry.

    Accepted at the end, as by all engines: no end marker, half of one, an empty archive, any bytes after the marker,
    and missing padding after the last content.

    Raises:
        TarFormatError: the archive is malformed, or cut inside a header or content.
        LimitError: `header_bytes`, `meta_headers`, `sparse_pieces`, `xattr_bytes`, `file_bytes` or `entries` is
            exceeded; or `plain_bytes`, by the holes of all sparse files together.
    """
    source = BlockReader(stream)
    count = holes = 0
    while (entry := _next_entry(source, limits)) is not None:
        count += 1
        if entry.extents is not None:
            holes += entry.size - entry.stored_size
        if count > limits.entries or holes > limits.plain_bytes:
            raise _past_total(entry, count, holes, limits)
        source.current = entry
        yield entry
        source.finish(entry)
    source.drain()


def _past_total(entry: Entry, count: int, holes: int, limits: Limits) -> LimitError:
    if count > limits.entries:
        error = LimitError(limit="entries", allowed=limits.entries, seen=count)
    else:
        error = LimitError(limit="plain_bytes", allowed=limits.plain_bytes, seen=holes)
    _locate(error, entry.name, entry.offset)
    return error


def _next_entry(source: BlockReader, limits: Limits) -> Entry | None:
    header = _next_header(source)
    if header is None:
        return None
    entry, block = header
    if entry.type in _EXTENSIONS:
        return _extended(entry, source, limits)
    return _placed(entry, block, source, limits)


def _next_header(source: BlockReader) -> tuple[Entry, bytes] | None:
    """Return the entry of the next block, and the block; None at the end of the archive."""
    offset = source.base + source.position
    block = source.take(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES or block == _ZERO_BLOCK:
        _check_end(source, block)
        return None
    try:
        return parse_header(block, offset, source), block
    except TarFormatError as error:
        _locate(error, string(block[:100]) if is_header(block) else b"", offset)
        raise


def _check_end(source: BlockReader, block: bytes) -> None:
    """Accept the end of the stream, one zero block or two; refuse a cut block, and a header after one zero block."""
    if len(block) == BLOCK_BYTES:
        block = source.take(BLOCK_BYTES)
    if len(block) % BLOCK_BYTES:
        raise TarFormatError(path=b"", reason="the archive ends inside a header", offset=source.offset)
    if block and block != _ZERO_BLOCK:
        offset = source.offset - BLOCK_BYTES
        raise TarFormatError(path=b"", reason="a header follows a lone zero block", offset=offset)


def _extended(first: Entry, source: BlockReader, limits: Limits) -> Entry:
    """Return the entry to which the extension headers from `first` on belong; a global header is its own entry."""
    extension, offset = first, first.offset
    records: Mapping[bytes, bytes] = EMPTY
    names: dict[bytes, bytes] = {}
    for _ in range(limits.meta_headers):
        payload = _payload(extension, source, limits)
        if extension.type in _LONG:
            names[extension.type] = string(payload)
        else:
            records = _records(extension, payload, source)
        if extension.type == GLOBAL and extension is first:
            return _global(first, records, source, limits)
        header = _next_header(source)
        if header is None or header[0].type == GLOBAL:
            path = names.get(_LONG_NAME) or records.get(b"path", b"")
            raise TarFormatError(path=path, reason="an extension header without an entry", offset=offset)
        extension, block = header
        if extension.type not in _EXTENSIONS:
            return _placed(_merged(extension, offset, records, names, limits), block, source, limits)
    error = LimitError(limit="meta_headers", allowed=limits.meta_headers, seen=limits.meta_headers + 1)
    _locate(error, names.get(_LONG_NAME) or records.get(b"path") or first.name, offset)
    raise error


def _payload(extension: Entry, source: BlockReader, limits: Limits) -> bytes:
    """Take the content of an extension header, after checking its size."""
    if extension.size > limits.header_bytes:
        error = LimitError(limit="header_bytes", allowed=limits.header_bytes, seen=extension.size)
        _locate(error, extension.name, extension.offset)
        raise error
    payload = source.take(extension.size + -extension.size % BLOCK_BYTES)[: extension.size]
    if len(payload) < extension.size:
        reason = "the archive ends inside an extension header"
        raise TarFormatError(path=extension.name, reason=reason, offset=source.offset)
    return payload


def _records(extension: Entry, payload: bytes, source: BlockReader) -> Mapping[bytes, bytes]:
    try:
        return parse_records(payload)
    except TarFormatError as error:
        following = source.peek(BLOCK_BYTES)
        described = extension.type != GLOBAL and len(following) == BLOCK_BYTES and is_header(following)
        if described and following[156:157] not in _EXTENSIONS:
            _locate(error, string(following[:100]), extension.data_offset)
        else:
            _locate(error, extension.name, extension.data_offset)
        raise


def _merged(
    entry: Entry, offset: int, records: Mapping[bytes, bytes], names: Mapping[bytes, bytes], limits: Limits
) -> Entry:
    """Merge extension headers into a new entry; GNU's long names win over PAX."""
    try:
        if records:
            merge(entry, records, limits.xattr_bytes)
    except (TarFormatError, LimitError) as error:
        _locate(error, entry.name, offset)
        raise
    entry.name = names.get(_LONG_NAME) or entry.name
    entry.linkname = names.get(_LONG_LINK) or entry.linkname
    entry.offset = offset
    return entry


def _global(header: Entry, records: Mapping[bytes, bytes], source: BlockReader, limits: Limits) -> Entry:
    """Return a global header as an entry with its records, which are checked like others but change no entry."""
    named = _merged(header, header.offset, records, EMPTY, limits)
    end = source.offset
    return Entry(named.name, GLOBAL, mode=0, pax=records, offset=header.offset, data_offset=end, content=source)


def _placed(entry: Entry, block: bytes, source: BlockReader, limits: Limits) -> Entry:
    """Set the final type, size and content position of a new entry."""
    try:
        if entry.type == b"\0":
            entry.type = DIRECTORY if entry.name.endswith(b"/") else REGULAR
        stored = stored_bytes(entry.type, entry.size)
        if stored != entry.size:
            _check_nothing_follows(entry, source)
        entry.size = entry.stored_size = stored
        if entry.type == GNU_SPARSE:
            _place_old_gnu(entry, block, source, limits)
        elif entry.pax and (version := sparse.pax_version(entry.pax)):
            _place_pax_sparse(entry, version, source, limits)
        if entry.size > limits.file_bytes:
            raise LimitError(limit="file_bytes", allowed=limits.file_bytes, seen=entry.size)  # noqa: TRY301 - located below
    except (TarFormatError, LimitError) as error:
        _locate(error, entry.name, entry.offset)
        raise
    return entry


def _check_nothing_follows(entry: Entry, source: BlockReader) -> None:
    """Refuse an entry of a type without content that has a size and is followed by a block that is no header.

    A size alone is common, and all readers ignore it. But PAX allows content for a hard link: bsdtar writes and reads
    it, while Go and GNU tar read its first block as the next header.
    """
    block = source.peek(BLOCK_BYTES)
    if len(block) == BLOCK_BYTES and block != _ZERO_BLOCK and not is_header(block):
        raise malformed(
            f"a {_WITHOUT_CONTENT[entry.type]} that carries content ({entry.size} bytes), which engines read in "
            "different ways (bsdtar reads it behind a hard link); repack the archive with GNU tar"
        )


def _place_old_gnu(entry: Entry, block: bytes, source: BlockReader, limits: Limits) -> None:
    entry.type = REGULAR
    entry.size, pieces = sparse.old_gnu_map(block, source.take, limits)
    entry.data_offset = source.offset
    entry.extents = sparse.checked(pieces, entry.size, entry.stored_size)


def _place_pax_sparse(entry: Entry, version: bytes, source: BlockReader, limits: Limits) -> None:
    if not stored_bytes(entry.type, 1):
        raise malformed("an entry without content cannot be sparse")
    entry.name = entry.pax.get(b"GNU.sparse.name") or entry.name
    if version == b"1.0":
        taken, pieces = sparse.text_map(source.take, entry.stored_size, limits)
        entry.data_offset += taken
        entry.stored_size -= taken
    else:
        pieces = sparse.record_map(entry.pax, limits)
    size = entry.pax.get(b"GNU.sparse.size") or entry.pax.get(b"GNU.sparse.realsize")
    entry.size = decimal(size) if size else entry.size
    if pieces or version == b"1.0" or entry.size != entry.stored_size:
        entry.extents = sparse.checked(pieces, entry.size, entry.stored_size)


def _locate(error: TarFormatError | LimitError, path: bytes, offset: int) -> None:
    """Add to an error the path of the entry and its offset in the archive."""
    if isinstance(error, TarFormatError):
        error.path = path
        error.offset += offset
    else:
        error.add_note(f"at the entry {shortened(path)}, byte {offset} of the archive")
