import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError
from oci_layers.tree import Inline
from oci_layers.windows.content import Joined, Part, Spread


class Chunked:
    """A content in given pieces."""

    extents = None

    def __init__(self, *pieces, size=None):
        self.pieces = pieces
        self.size = sum(map(len, pieces)) if size is None else size

    def chunks(self):
        return iter(self.pieces)


def raw(content):
    return b"".join(content.chunks())


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=5), st.data())
def test_a_part_is_a_range_however_the_whole_is_chunked(pieces, data):
    whole = b"".join(pieces)
    start = data.draw(st.integers(0, len(whole)))
    size = data.draw(st.integers(0, len(whole) - start))
    part = Part(Chunked(*pieces), start, size)
    assert (raw(part), part.size, part.extents) == (whole[start : start + size], size, None)


def test_a_part_of_what_became_shorter_is_an_error():
    with pytest.raises(LayerError):
        raw(Part(Chunked(b"ab", size=5), 1, 3))


def test_parts_are_joined_and_spread():
    joined = Joined((Inline(b"a"), Inline(b""), Inline(b"bc")))
    assert (raw(joined), joined.size, joined.extents) == (b"abc", 3, None)
    spread = Spread(6, ((1, Part(joined, 0, 2)), (4, Part(joined, 2, 1))))
    assert (raw(spread), spread.size, spread.extents) == (b"\0ab\0c\0", 6, ((1, 2), (4, 1)))
