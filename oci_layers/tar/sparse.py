"""The maps of sparse files: which parts of a file the archive stores.

GNU tar has written them in four forms (GNU tar manual, "Storing Sparse Files"): in the header block and extension
blocks (old GNU, type `S`), as repeated PAX records (0.0), as one record (0.1), and as text before the content (1.0).
All are read to the same result: the size with holes, and extents that are in order, inside that size, and together as
long as the stored bytes. Any other map is refused, because readers differ on it.

A size with holes and a map without pieces is a file of one hole, in all forms. For 0.0 and 0.1 without a version,
readers differ: GNU tar, bsdtar and Python use the size in the records, Go uses the stored size, 0. This module follows
GNU tar, which defines the formats.
"""

from collections.abc import Callable, Iterable, Mapping

from oci_layers.errors import LimitError
from oci_layers.limits import Limits
from oci_layers.tar.header import GNU_MAGIC, malformed, number
from oci_layers.tar.pax import decimal

__all__ = ["Extents", "checked", "old_gnu_map", "pax_version", "record_map", "text_map"]

Extents = tuple[tuple[int, int], ...]
Take = Callable[[int], bytes]

_ANNOUNCING = (b"GNU.sparse.map", b"GNU.sparse.numblocks", b"GNU.sparse.size")
_PIECE_BYTES = 24
_LONGEST_NUMBER = 20


def checked(pieces: Iterable[tuple[int, int]], size: int, stored: int) -> Extents:
    """Return the pieces that are not empty.

    Raises:
        TarFormatError: pieces overlap, go backwards or leave the file, or their sum is not the stored size.
    """
    end = total = 0
    for offset, length in pieces:
        if length < 0 or offset < end or offset + length > size:
            raise malformed("the sparse map leaves the file or is out of order")
        end = offset + length
        total += length
    if total != stored:
        raise malformed(f"the sparse map covers {total} bytes, {stored} are stored")
    return tuple(piece for piece in pieces if piece[1])


def old_gnu_map(block: bytes, take: Take, limits: Limits) -> tuple[int, list[tuple[int, int]]]:
    """Return the size with holes and the pieces of an old GNU header; take its extension blocks.

    Raises:
        TarFormatError: not a GNU header, a malformed number, the archive ends in an extension block.
        LimitError: more pieces than `sparse_pieces`.
    """
    if block[257:265] != GNU_MAGIC:
        raise malformed("a sparse file in an archive that is not GNU's")
    size = number(block[483:495])
    pieces: list[tuple[int, int]] = []
    table, more = block[386:482], block[482]
    while True:
        for start in range(0, len(table), _PIECE_BYTES):
            if not table[start]:
                break
            pieces.append((number(table[start : start + 12]), number(table[start + 12 : start + 24])))
        _check_count(len(pieces), limits)
        if not more:
            return size, pieces
        block = take(512)
        if len(block) < 512:
            raise malformed("the archive ends inside a sparse map")
        table, more = block[:504], block[504]


def pax_version(records: Mapping[bytes, bytes]) -> bytes:
    """Return the version of the sparse map in the records: `0` for 0.0 and 0.1, `1.0`, or empty for no map.

    Maps 0.0 and 0.1 may lack a version; the other records reveal them. An unknown version is no sparse map.
    """
    version = records.get(b"GNU.sparse.major", b""), records.get(b"GNU.sparse.minor", b"")
    if version == (b"", b""):
        return b"0" if any(map(records.get, _ANNOUNCING)) else b""
    if version == (b"1", b"0"):
        return b"1.0"
    return b"0" if version in {(b"0", b"0"), (b"0", b"1")} else b""


def record_map(records: Mapping[bytes, bytes], limits: Limits) -> list[tuple[int, int]]:
    """Return the pieces of a map in `GNU.sparse.map` (0.0 and 0.1); none if there is no map.

    Raises:
        TarFormatError: the number of pieces is not `GNU.sparse.numblocks`, or a number is malformed.
        LimitError: more pieces than `sparse_pieces`.
    """
    text = records.get(b"GNU.sparse.map", b"")
    count = decimal(records.get(b"GNU.sparse.numblocks") or (b"-" if text else b"0"))
    _check_count(count, limits)
    numbers = text.split(b",") if text else []
    if len(numbers) != 2 * count:
        raise malformed("the sparse map is not as long as it says")
    return _paired(numbers)


def text_map(take: Take, stored: int, limits: Limits) -> tuple[int, list[tuple[int, int]]]:
    """Return the length in bytes of a map before the content (1.0), and its pieces.

    Raises:
        TarFormatError: a map that is malformed or longer than the content.
        LimitError: more pieces than `sparse_pieces`, or a map longer than `header_bytes`.
    """
    numbers: list[bytes] = []
    wanted = 1
    taken = 0
    rest = b""
    while len(numbers) < wanted:
        block = take(512)
        taken += 512
        if len(block) < 512 or taken > stored:
            raise malformed("the archive ends inside a sparse map")
        if taken > limits.header_bytes:
            raise LimitError(limit="header_bytes", allowed=limits.header_bytes, seen=taken)
        *lines, rest = (rest + block).split(b"\n")
        numbers += lines
        if wanted == 1 and numbers:
            count = decimal(numbers[0])
            if count < 0:
                raise malformed("a sparse map with a negative length")
            _check_count(count, limits)
            wanted += 2 * count
        if len(numbers) < wanted and len(rest) > _LONGEST_NUMBER:
            raise malformed("the sparse map has a number without an end")
    return taken, _paired(numbers[1:wanted])


def _paired(numbers: list[bytes]) -> list[tuple[int, int]]:
    values = map(decimal, numbers)
    return list(zip(values, values, strict=True))


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.sparse_pieces:
        raise LimitError(limit="sparse_pieces", allowed=limits.sparse_pieces, seen=count)
