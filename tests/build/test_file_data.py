"""Bytes of files in blocks: as a bytearray would be, wherever the blocks are."""

import gc
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.blob.spool import Spool
from oci_layers.build.file_data import BLOCK, BlockStore, FileData
from oci_layers.errors import LimitError, StoreError
from oci_layers.tree.content import Inline, RangeContent

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("write"), st.integers(0, 3 * BLOCK), st.sampled_from([0, 1, 100, BLOCK - 1, BLOCK, 2 * BLOCK])
        ),
        st.tuples(st.just("truncate"), st.integers(0, 3 * BLOCK), st.just(0)),
        st.tuples(st.just("copy"), st.just(0), st.just(0)),
    ),
    max_size=8,
)


def store(memory=0, temporary=1 << 30):
    return BlockStore(memory, Spool(None, temporary))


@given(steps, st.sampled_from([0, 1000, BLOCK, 10 * BLOCK]), st.sampled_from([0, 10, BLOCK + 7]))
def test_data_are_as_a_bytearray_would_be_and_copies_stay(steps, memory, base):
    blocks = store(memory)
    plain = bytearray(b"base!" * base)[:base]
    data, kept = FileData(blocks, None, Inline(bytes(plain))), []
    for number, (what, offset, size) in enumerate(steps):
        if what == "copy":
            kept.append((data, bytes(plain)))
            data = data.copy(None)
        elif what == "write":
            piece = bytes([65 + number]) * size
            data.write(offset, piece)
            if piece:
                plain.extend(bytes(max(0, offset - len(plain))))
                plain[offset : offset + size] = piece
        else:
            data.truncate(offset)
            plain = plain[:offset] + bytes(max(0, offset - len(plain)))
    for each, expected in [(data, bytes(plain)), *kept]:
        assert each.size == len(expected)
        assert b"".join(each.chunks()) == expected
        assert each.read_at(5, 3 * BLOCK) == expected[5 : 5 + 3 * BLOCK]
        holes = bytearray(expected)
        for start, length in each.extents or ((0, each.size),):
            holes[start : start + length] = bytes(length)
        assert holes == bytes(len(expected))
    blocks.close()


def test_a_hole_is_not_among_the_extents_and_full_data_have_none():
    data = FileData(store(), None)
    assert data.extents is None
    data.write(2 * BLOCK, b"x")
    assert data.extents == ((2 * BLOCK, 1),)
    data.write(0, b"x")
    data.truncate(4 * BLOCK)
    assert data.extents == ((0, BLOCK), (2 * BLOCK, BLOCK))
    data.write(0, bytes(4 * BLOCK))
    assert data.extents is None


class Sparse:
    def read_at(self, offset, size):
        return b"s" * size


def test_the_holes_of_the_content_below_stay_holes():
    data = FileData(store(), None, RangeContent(Sparse(), 0, 9 * BLOCK, ((BLOCK, 5), (8 * BLOCK, BLOCK))))
    data.write(5 * BLOCK, b"x")
    assert data.extents == ((BLOCK, 5), (5 * BLOCK, BLOCK), (8 * BLOCK, BLOCK))
    assert data.read_at(BLOCK - 1, 8) == b"\0sssss\0\0"


class Counted(Sparse):
    read = 0

    def read_at(self, offset, size):
        self.read += size
        return super().read_at(offset, size)


def test_a_write_to_a_large_file_reads_one_block_of_what_is_below():
    source = Counted()
    data = FileData(store(), None, RangeContent(source, 0, 1 << 40))
    data.write(1 << 39, b"x")
    data.truncate(1 << 39 | 1)
    assert (data.size, source.read) == (1 << 39 | 1, BLOCK)


def test_a_place_that_is_free_is_used_again():
    blocks = store(temporary=10 * BLOCK)
    for _ in range(4):
        data = FileData(blocks, None)
        data.write(0, bytes(4 * BLOCK))
        del data
        gc.collect()  # Where nothing is freed at once.


def test_the_places_of_a_file_that_grows_are_used_again():
    blocks = store(temporary=192 << 10)
    files = [FileData(blocks, None), FileData(blocks, None)]
    for each in files:
        for shift in range(12, 17):  # Places of 4 to 64 KiB, 124 KiB together.
            each.write(0, bytes([shift]) * (1 << shift))
    assert [each.read_at(BLOCK - 1, 2) for each in files] == [b"\x10", b"\x10"]


def test_memory_that_is_free_is_used_again():
    blocks = store(memory=4 * BLOCK, temporary=0)
    for _ in range(4):
        data = FileData(blocks, None)
        data.write(0, bytes(4 * BLOCK))
        data.truncate(10)
        del data
        gc.collect()  # Where nothing is freed at once.


def test_small_files_take_little_of_the_temporary_file():
    blocks = store(temporary=16 * 4096)
    files = [FileData(blocks, None) for _ in range(16)]
    for each in files:
        each.write(0, b"small")
    with pytest.raises(LimitError) as caught:
        FileData(blocks, None).write(0, b"small")
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("temporary_bytes", 16 * 4096, 17 * 4096)
    assert b"".join(files[3].chunks()) == b"small"


@pytest.mark.parametrize("is_copy", [False, True])
@pytest.mark.parametrize(("offset", "size"), [(0, 2 * BLOCK), (BLOCK, BLOCK), (BLOCK + 5, 10)])
def test_a_write_that_fails_takes_no_bytes_away(is_copy, offset, size):
    blocks = store(0, temporary=4 * BLOCK)
    data = FileData(blocks, None, Inline(b"a" * 4 * BLOCK))
    if is_copy:
        data.write(0, b"a" * 4 * BLOCK)
        kept, data = data, data.copy(None)
    else:
        kept = FileData(blocks, None)
        kept.write(0, b"a" * 4 * BLOCK)
    with pytest.raises(LimitError):
        data.write(offset, b"b" * size)
    for each in (data, kept):
        assert b"".join(each.chunks()) == b"a" * 4 * BLOCK


def test_what_does_not_fit_takes_nothing_from_what_does():
    data = FileData(store(0, temporary=BLOCK + 4096), None)
    data.write(0, b"a" * BLOCK)
    for _ in range(3):
        with pytest.raises(LimitError):
            data.write(BLOCK, b"b" * BLOCK)
    data.write(BLOCK, b"c" * 4096)
    assert b"".join(data.chunks()) == b"a" * BLOCK + b"c" * 4096


def test_what_was_left_cannot_be_read_or_written():
    blocks = store(memory=10)
    small, large = FileData(blocks, None), FileData(blocks, None)
    small.write(0, b"small")
    large.write(0, b"large" * 100)
    blocks.close()
    blocks.close()
    for data in (small, large):
        with pytest.raises(StoreError, match="closed without a commit"):
            next(data.chunks())
    with pytest.raises(StoreError, match="cannot be written"):
        large.write(0, b"again" * 100)


class Short:
    def read_at(self, offset, size):
        return b""


def test_a_content_below_that_has_become_shorter_is_an_error():
    with pytest.raises(StoreError, match="has become shorter"):
        FileData(store(), None, RangeContent(Short(), 0, 10)).read_at(0, 10)


def test_data_cannot_be_pickled():
    with pytest.raises(TypeError, match="write the layer first"):
        pickle.dumps(FileData(store(), None))
