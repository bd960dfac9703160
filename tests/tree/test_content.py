"""The bytes of a file without those of its holes, however they come."""

import attrs
import pytest

from oci_layers.tree import NOWHERE, Inline, RangeContent
from oci_layers.tree.content import same_content, stored_pieces


@attrs.frozen
class InPieces:
    """Contents that come in pieces of one size."""

    data: bytes
    extents: tuple | None
    step: int

    @property
    def size(self):
        return len(self.data)

    def chunks(self):
        return (self.data[at : at + self.step] for at in range(0, len(self.data), self.step))


@attrs.frozen
class Kept:
    data: bytes

    def read_at(self, offset, size):
        return self.data[offset : offset + size]


ROWS = {
    "no holes": (None, b"0123456789"),
    "only a hole": ((), b""),
    "all of it": (((0, 10),), b"0123456789"),
    "a hole in the middle": (((0, 3), (7, 3)), b"012789"),
    "holes around": (((2, 1), (4, 3)), b"2456"),
    "pieces that meet": (((2, 2), (4, 2)), b"2345"),
    "an empty piece": (((3, 0), (5, 2), (10, 0)), b"56"),
}


@pytest.mark.parametrize("step", range(1, 12))
@pytest.mark.parametrize(("extents", "expected"), ROWS.values(), ids=ROWS)
def test_what_is_in_no_hole_is_stored(extents, expected, step):
    assert b"".join(stored_pieces(InPieces(b"0123456789", extents, step))) == expected


@pytest.mark.parametrize(("extents", "expected"), ROWS.values(), ids=ROWS)
def test_what_an_archive_stores_is_read_without_the_holes(extents, expected):
    assert b"".join(stored_pieces(RangeContent(Kept(b"--" + expected), 2, 10, extents))) == expected


def test_a_file_without_data_reads_nothing():
    assert list(stored_pieces(RangeContent(NOWHERE, 0, 1 << 50, ()))) == []
    assert list(stored_pieces(Inline(b""))) == []


def test_a_range_of_one_source_is_equal_to_itself_without_being_read():
    source = object()  # Nothing can be read from it.
    assert same_content(RangeContent(source, 5, 10), RangeContent(source, 5, 10))
    assert not same_content(RangeContent(source, 5, 10), RangeContent(source, 5, 11))
    with pytest.raises(AttributeError):
        same_content(RangeContent(source, 5, 10), RangeContent(source, 6, 10))
