import io

import pytest

from oci_layers.errors import LimitError
from oci_layers.tar import DIRECTORY, EMPTY, REGULAR, Entry, Pieces, read_tar
from oci_layers.tar.entry import stored_bytes
from tests.support.blocks import END, extended, member


@pytest.mark.parametrize("flag", list(map(bytes, zip(range(256), strict=True))))
def test_only_links_devices_directories_and_fifos_have_no_content(flag):
    assert stored_bytes(flag, 5) == (0 if flag in {b"1", b"2", b"3", b"4", b"5", b"6"} else 5)


def test_an_entry_made_by_hand_needs_only_a_name():
    entry = Entry(b"file")
    assert (entry.type, entry.size, entry.xattrs, entry.pax) == (REGULAR, 0, EMPTY, EMPTY)
    assert entry.read() == b""


def test_entries_are_equal_when_they_say_the_same():
    one = Entry(b"a", DIRECTORY, offset=0, pax={b"comment": b"x"})
    assert one == Entry(b"a", DIRECTORY, offset=512, content=Pieces([b"abc"]))
    assert one != Entry(b"a", DIRECTORY, mtime_ns=1)
    assert one != Entry(b"a", DIRECTORY, xattrs={b"user.a": b""})


def test_content_made_by_hand_can_be_read_again():
    entry = Entry(b"file", size=5, content=Pieces([b"ab", memoryview(b"cde")]))
    assert [bytes(piece) for piece in entry.pieces()] == [b"ab", b"cde"]
    assert entry.read() == entry.read() == b"abcde"


@pytest.mark.parametrize("limit", [5, 6])
def test_content_within_the_limit_is_read(limit):
    assert Entry(b"file", size=5, content=Pieces([b"abcde"])).read(limit) == b"abcde"


def test_content_above_the_limit_is_refused_before_reading():
    entry = next(read_tar(io.BytesIO(member(data=b"abcde"))))
    with pytest.raises(LimitError) as caught:
        entry.read(4)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("content_bytes", 4, 5)
    assert caught.value.__notes__ == ["at the entry file"]
    assert entry.read(5) == b"abcde"


def test_content_above_a_gibibyte_is_read_only_when_asked_for():
    """Holes take no room in an archive, and as much memory as anything else."""
    size = 256 << 30
    records = extended((b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.numblocks", b"0"))
    entry = next(read_tar(io.BytesIO(records + member(b"holes"))))
    assert (entry.size, entry.extents) == (size, ())
    with pytest.raises(LimitError) as caught:
        entry.read()
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("content_bytes", 1 << 30, size)


MANY = 3 * (256 << 10) + 7


@pytest.mark.parametrize(
    ("size", "extents", "pieces", "expected"),
    [
        (5, (), [], bytes(5)),
        (0, (), [], b""),
        (5, ((0, 5),), [b"abcde"], b"abcde"),
        (5, ((1, 2),), [b"a", b"b"], b"\0ab\0\0"),
        (9, ((1, 2), (4, 1), (8, 1)), [b"abc", b"d"], b"\0ab\0c\0\0\0d"),
        (4, ((0, 1), (1, 1), (3, 1)), [b"abc"], b"ab\0c"),
        (MANY, ((MANY - 1, 1),), [b"z"], bytes(MANY - 1) + b"z"),
    ],
)
def test_holes_are_read_as_zeros_in_bounded_pieces(size, extents, pieces, expected):
    stored = sum(map(len, pieces))
    entry = Entry(b"file", size=size, extents=extents, stored_size=stored, content=Pieces(pieces))
    assert entry.read() == expected
    assert all(0 < len(chunk) <= 256 << 10 for chunk in entry.chunks())
    assert b"".join(entry.pieces()) == b"".join(pieces)


def test_the_content_of_an_archive_is_read_once_and_in_time():
    reading = read_tar(io.BytesIO(member(b"a", b"1") + member(b"empty") + member(b"b", b"2") + END))
    first = next(reading)
    pieces, unread = first.pieces(), first.pieces()
    assert b"".join(pieces) == b"1"
    with pytest.raises(ValueError, match="read already"):
        first.read()
    empty = next(reading)
    assert empty.read() == empty.read() == b""
    next(reading)
    for late in (first, empty):
        with pytest.raises(ValueError, match="before the next entry"):
            late.read()
    with pytest.raises(ValueError, match="before the next entry"):
        next(unread)
    assert list(reading) == []


def test_a_piece_stays_valid_when_the_reader_moves_on():
    reading = read_tar(io.BytesIO(member(b"a", b"1") + member(b"b", b"2") + END))
    kept = list(next(reading).pieces())
    list(reading)
    assert b"".join(kept) == b"1"
