"""A file with holes is read as the bytes that it stands for, wherever the reading begins and ends."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.store.sparse import SparseRange

STORED = b"0123456789"
EXTENTS = ((3, 2), (5, 1), (8, 4), (20, 3))
SIZE = 25
PLAIN = bytes(3) + b"012" + bytes(2) + b"3456" + bytes(8) + b"789" + bytes(2)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    file = tmp_path_factory.mktemp("sparse") / "stored"
    file.write_bytes(b"before" + STORED + b"behind")
    with contextlib.closing(OpenFile(os.open(file, os.O_RDONLY), "stored")) as opened:
        yield SectionReader(opened, 6, len(STORED), own=False)


def test_it_is_read_in_order(stored):
    part = SparseRange(stored, SIZE, EXTENTS)
    assert [part.read(4), part.read(100), part.read(1)] == [PLAIN[:4], PLAIN[4:], b""]
    part.close()
    assert part.read_at(0, 4) == PLAIN[:4]


def test_what_is_skipped_is_not_read(stored):
    part = SparseRange(stored, SIZE, EXTENTS)
    assert (part.skip(9), part.read(2), part.skip(100), part.read(1)) == (9, PLAIN[9:11], SIZE - 11, b"")


@given(offset=st.integers(0, SIZE + 3), size=st.integers(0, SIZE + 3))
def test_any_part_is_that_part_of_the_whole(stored, offset, size):
    assert SparseRange(stored, SIZE, EXTENTS).read_at(offset, size) == PLAIN[offset : offset + size]


def test_a_file_of_nothing_but_holes_is_zeros(stored):
    assert SparseRange(stored, 1 << 40, ()).read_at((1 << 40) - 3, 9) == bytes(3)
