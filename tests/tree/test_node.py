import hashlib

import attrs
import pytest

from oci_layers.errors import UnsupportedError
from oci_layers.tree import DigestContent, Inline, RangeContent
from oci_layers.tree.content import EMPTY, NOWHERE, same_content, sha256
from oci_layers.tree.node import implicit_directory

PIECE = 1 << 18


@attrs.frozen
class Bytes:
    """A source that is bytes, and what was asked of it."""

    data: bytes
    asked: list = attrs.field(factory=list)

    def read_at(self, offset, size):
        self.asked.append((offset, size))
        return self.data[offset : offset + size]


def stored(data, extents=None, size=None, offset=0):
    return RangeContent(Bytes(data), offset, len(data) if size is None else size, extents)


def whole(content):
    return b"".join(content.chunks())


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_contents_in_memory_come_in_one_piece():
    content = Inline(b"abc")
    assert (content.size, content.extents, list(content.chunks())) == (3, None, [b"abc"])
    assert (EMPTY.size, EMPTY.extents, list(EMPTY.chunks())) == (0, None, [])


def test_contents_known_by_their_digest_cannot_be_read():
    content = DigestContent(5, "ab" * 32)
    assert (content.size, content.extents, sha256(content)) == (5, None, "ab" * 32)
    with pytest.raises(UnsupportedError) as caught:
        content.chunks()
    assert caught.value.value == "ab" * 32
    assert caught.value.what == "reading of contents known by their digest only"


def test_stored_contents_are_read_in_bounded_pieces():
    content = stored(bytes(10) + b"x" * (2 * PIECE + 5), size=2 * PIECE + 5, offset=10)
    assert whole(content) == b"x" * (2 * PIECE + 5)
    assert content.source.asked == [(10, PIECE), (10 + PIECE, PIECE), (10 + 2 * PIECE, 5)]


def test_stored_contents_of_nothing_ask_for_nothing():
    assert list(stored(b"").chunks()) == []


@pytest.mark.parametrize(
    ("extents", "size", "expected"),
    [
        ((), 0, b""),
        ((), 5, bytes(5)),
        (((0, 6),), 6, b"abcdef"),
        (((2, 4),), 6, b"\0\0abcd"),
        (((2, 4), (10, 2)), 15, b"\0\0abcd\0\0\0\0ef\0\0\0"),
        (((0, 1), (1, 0), (3, 1)), 4, b"a\0\0b"),
    ],
)
def test_holes_are_zeros(extents, size, expected):
    assert whole(stored(b"abcdef", extents, size)) == expected


def test_large_holes_come_in_bounded_pieces():
    chunks = list(stored(b"x", ((2 * PIECE + 3, 1),), 3 * PIECE + 7).chunks())
    assert [len(chunk) for chunk in chunks] == [PIECE, PIECE, 3, 1, PIECE, 3]
    assert b"".join(chunks) == bytes(2 * PIECE + 3) + b"x" + bytes(PIECE + 3)


@pytest.mark.parametrize(
    "content", [Inline(b"ab\0\0c"), stored(b"abc", ((0, 2), (4, 1)), 5), DigestContent(5, digest(b"ab\0\0c"))]
)
def test_the_digest_is_that_of_the_expanded_bytes(content):
    assert sha256(content) == digest(b"ab\0\0c")


ZEROS = bytes(PIECE + 3)
SAME = [
    Inline(b"ab\0\0c"),
    Inline(b"ab\0\0c"),
    stored(b"ab\0\0c"),
    stored(b"abc", ((0, 2), (4, 1)), 5),
    stored(b"ab\0c", ((0, 1), (1, 2), (4, 1)), 5),
    DigestContent(5, digest(b"ab\0\0c")),
]
OTHER = [
    Inline(b"ab\0\0d"),
    Inline(b"ab\0\0"),
    stored(b"xb\0\0c"),
    stored(b"abc", ((0, 2), (3, 1)), 5),
    DigestContent(5, digest(b"ab\0\0d")),
    DigestContent(6, digest(b"ab\0\0c")),
]


@pytest.mark.parametrize("one", SAME, ids=repr)
def test_contents_are_compared_by_their_bytes(one):
    assert all(same_content(one, other) and same_content(other, one) for other in SAME)
    assert not any(same_content(one, other) or same_content(other, one) for other in OTHER)


def test_contents_in_pieces_of_other_sizes_are_the_same():
    assert same_content(Inline(ZEROS), stored(b"", (), PIECE + 3))
    assert same_content(stored(b"", (), PIECE + 3), stored(ZEROS))
    assert not same_content(stored(b"", (), PIECE + 3), stored(ZEROS[:-1] + b"x"))
    short = RangeContent(Bytes(b"ab"), 0, 5)
    assert not same_content(short, RangeContent(Bytes(b"abcde"), 0, 5))


HUGE = 256 << 30


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (stored(b"", (), HUGE), stored(b"", (), HUGE), True),
        (stored(b"a", ((7, 1),), HUGE), stored(b"a", ((7, 1),), HUGE), True),
        (stored(b"a", ((7, 1),), HUGE), stored(b"a", ((8, 1),), HUGE), False),
        (stored(b"a", ((7, 1),), HUGE), stored(b"b", ((7, 1),), HUGE), False),
        (stored(b"a", ((HUGE - 1, 1),), HUGE), stored(b"", (), HUGE), False),
        (stored(b"a\0\0", ((7, 3),), HUGE), stored(b"a\0", ((7, 1), (HUGE - 1, 1)), HUGE), True),
        (stored(ZEROS, ((1000, len(ZEROS)),), HUGE), stored(b"", (), HUGE), True),
    ],
    ids=["holes", "a piece", "another place", "another byte", "the last byte", "stored zeros", "many zeros"],
)
def test_holes_are_compared_without_reading_them(one, other, same):
    assert same_content(one, other) is same_content(other, one) is same


def test_data_and_holes_come_in_runs():
    assert list(stored(b"abc", ((2, 1), (5, 2)), 9).runs()) == [2, b"a", 2, b"bc", 2]
    assert list(stored(b"abc").runs()) == [b"abc"]
    assert list(stored(b"", (), 0).runs()) == []


def test_nobody_described_an_implicit_directory():
    node = implicit_directory(3)
    attributes = (node.mode, node.uid, node.gid, node.mtime_ns, dict(node.xattrs), node.layer, node.implicit)
    assert attributes == (0o755, 0, 0, 0, {}, 3, True)
    assert (node.children, node.token) == ({}, None)


def test_contents_that_were_not_kept_cannot_be_read():
    with pytest.raises(UnsupportedError, match="reading of contents that were not kept: 3 bytes from 7"):
        NOWHERE.read_at(7, 3)
