import io

import pytest

from oci_layers.errors import TarFormatError
from oci_layers.tar import Entry, read_tar
from oci_layers.tar.buffer import BlockReader
from tests.support.blocks import END, Drip, member

MIB = 1 << 20


@pytest.mark.parametrize("step", [1, 3, 512, None])
def test_bytes_come_in_order_however_the_stream_is_cut(step):
    data = bytes(range(256)) * 8
    source = BlockReader(Drip(data, step))
    parts = [source.take(count) for count in (0, 1, 511, 700, 700)]
    assert parts == [b"", data[:1], data[1:512], data[512:1212], data[1212:1912]]
    assert source.offset == 1912
    assert source.take(1000) == data[1912:]
    assert source.take(1) == b""
    assert source.offset == len(data)


def test_the_stream_is_asked_for_large_pieces_and_never_for_more():
    stream = Drip(member(b"big", bytes(3 * MIB)) + END)
    assert [len(piece) for entry in read_tar(stream) for piece in entry.pieces()] == [MIB - 512, MIB, MIB, 512]
    assert stream.largest == MIB


def test_what_is_left_of_the_content_is_skipped():
    data = member(b"a", b"x" * (2 * MIB + 5)) + member(b"b", b"y") + END
    reading = read_tar(io.BytesIO(data))
    next(next(reading).pieces())
    second = next(reading)
    assert (second.name, second.read()) == (b"b", b"y")


@pytest.mark.parametrize("size", [10, 2 * MIB])
@pytest.mark.parametrize("read", [True, False])
def test_content_that_is_cut_is_an_error_whether_it_is_read_or_skipped(size, read):
    data = member(b"a", b"x" * size)
    reading = read_tar(io.BytesIO(data[: 512 + size - 1]))
    entry = next(reading)
    with pytest.raises(TarFormatError) as caught:
        entry.read() if read else next(reading)
    assert caught.value.path == b"a"
    assert caught.value.reason == "the archive ends inside the content"
    assert caught.value.offset == 512 + size - 1


def test_an_error_while_reading_is_not_lost_by_going_on():
    reading = read_tar(io.BytesIO(member(b"a", b"x" * 10)[:515]))
    with pytest.raises(TarFormatError):
        next(reading).read()
    with pytest.raises(TarFormatError):
        next(reading)


@pytest.mark.parametrize("cut", [512 + 10, 512 + 11, 1023, 1024])
def test_missing_padding_behind_the_last_content_loses_nothing(cut):
    data = member(b"a", b"x" * 10)
    assert [entry.read() for entry in read_tar(io.BytesIO(data[:cut]))] == [b"x" * 10]


def test_an_entry_of_another_archive_has_no_content_here():
    source = BlockReader(io.BytesIO(b""))
    with pytest.raises(ValueError, match="before the next entry"):
        source.stored(Entry(b"a"))


def test_everything_behind_the_end_is_read_however_long():
    stream = Drip(member(b"a", b"x") + END + bytes(5 * MIB))
    assert [entry.name for entry in read_tar(stream)] == [b"a"]
    assert stream.stream.read() == b""


class Skipping(io.BytesIO):
    """A stream that can go on without reading, and counts what was read all the same."""

    read_bytes = 0

    def read(self, size=-1):
        data = super().read(size)
        self.read_bytes += len(data)
        return data

    def skip(self, size):
        before = self.tell()
        return min(self.seek(size, 1), len(self.getvalue())) - before


def test_what_nobody_reads_is_not_asked_for_where_the_stream_can_skip():
    data = member(b"a", bytes(30 * MIB)) + member(b"b", b"y" * 700) + member(b"c", bytes(9 * MIB)) + END
    stream, everything = Skipping(data), list(read_tar(io.BytesIO(data)))
    found = [(entry.name, entry.data_offset, entry.read() if entry.name == b"b" else b"") for entry in read_tar(stream)]
    assert found == [(entry.name, entry.data_offset, b"y" * entry.size * (entry.name == b"b")) for entry in everything]
    assert stream.read_bytes <= 4 * MIB


@pytest.mark.parametrize("size", [0, 1, 511, 512, MIB - 512, MIB, 2 * MIB + 1])
@pytest.mark.parametrize("cut", [0, 1, 511, 513, 1024, 1500, MIB])
def test_skipping_finds_and_refuses_the_same(size, cut):
    data = member(b"a", b"x" * size) + member(b"b", b"y" * size) + END
    data = data[: len(data) - cut]

    def outcome(stream):
        seen = []
        try:
            for entry in read_tar(stream):
                seen.append((entry.name, entry.data_offset))
        except TarFormatError as error:
            seen.append(str(error))
        return seen

    assert outcome(Skipping(data)) == outcome(io.BytesIO(data))
