"""Contents as a file: the same bytes as in one piece, from wherever they are asked for."""

import errno
import io
import random

import pytest

from oci_layers.disk import scan
from oci_layers.errors import LimitError, UnsupportedError
from oci_layers.image.content_reader import ContentReader, check_size, is_text
from oci_layers.tree.content import DigestContent, Inline, RangeContent

DATA = bytes(range(1, 256)) * 3


class Asked:
    """A `tree.Source` that remembers what was asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    def read_at(self, offset, size):
        self.asked.append((offset, size))
        return self.data[offset : offset + size]


class Chunked:
    """Contents of no kind that is known: they come in pieces, from the beginning."""

    extents = None

    def __init__(self, data):
        self.data = data
        self.size = len(data)
        self.begun = 0

    def chunks(self):
        self.begun += 1
        for start in range(0, len(self.data), 100):
            yield self.data[start : start + 100]


def sparse(*extents, size):
    """Stored contents with these extents; what they read as."""
    plain, stored = bytearray(size), b""
    for start, length in extents:
        plain[start : start + length] = DATA[len(stored) : len(stored) + length]
        stored += DATA[len(stored) : len(stored) + length]
    return RangeContent(Asked(b"before" + stored), 6, size, extents), bytes(plain)


CONTENTS = {
    "in memory": (Inline(DATA), DATA),
    "in a layer": (RangeContent(Asked(b"before" + DATA + b"after"), 6, len(DATA)), DATA),
    "in another way": (Chunked(DATA), DATA),
    "with holes": sparse((10, 20), (30, 5), (100, 50), size=200),
    "with a hole at its end": sparse((0, 7), size=30),
    "with data at its end": sparse((20, 10), size=30),
    "all hole": sparse(size=50),
    "empty": (Inline(b""), b""),
    "empty in a layer": (RangeContent(Asked(b"before"), 6, 0), b""),
}


@pytest.fixture(params=CONTENTS.values(), ids=CONTENTS)
def contents(request):
    return request.param


def test_a_whole_file_is_what_its_contents_are(contents):
    content, data = contents
    assert b"".join(content.chunks()) == data
    assert ContentReader(content, len(data)).readall() == data
    with io.BufferedReader(ContentReader(content, len(data)), 16) as file:
        assert list(iter(lambda: file.read(7), b"")) == [data[start : start + 7] for start in range(0, len(data), 7)]
    assert io.BufferedReader(ContentReader(content, 0), 3).readlines() == io.BytesIO(data).readlines()


@pytest.mark.parametrize("buffer", [1, 16, 4096])
def test_any_order_of_seeks_and_reads_is_that_of_a_file_in_memory(contents, buffer):
    content, data = contents
    moves = random.Random(buffer)
    model = io.BytesIO(data)
    with io.BufferedReader(ContentReader(content, len(data)), buffer) as file:
        for _ in range(300):
            position = moves.randrange(len(data) + 10)
            whence = moves.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
            offset = position - {io.SEEK_SET: 0, io.SEEK_CUR: model.tell(), io.SEEK_END: len(data)}[whence]
            assert file.seek(offset, whence) == model.seek(position) == file.tell()
            size = moves.choice([0, 1, 5, 100, None])
            assert file.read(size) == model.read(size)
            assert file.tell() == model.tell()


def test_the_end_of_a_file_is_read_without_its_beginning():
    source = Asked(bytes(10_000))
    reader = ContentReader(RangeContent(source, 100, 9000), 0)
    assert reader.seek(-10, io.SEEK_END) == 8990
    assert (reader.read(100), reader.read(100)) == (bytes(10), b"")
    assert source.asked == [(9090, 10)]


def test_contents_in_order_begin_anew_only_for_a_seek_back():
    content = Chunked(DATA)
    reader = ContentReader(content, 0)
    for offset in (5, 300, 399, 700):
        reader.seek(offset)
        assert reader.read(1) == DATA[offset : offset + 1]
    assert content.begun == 1
    reader.seek(699)
    assert reader.read(3) == DATA[699:700]
    reader.seek(0)
    assert (reader.read(3), content.begun) == (DATA[:3], 3)


def test_contents_that_are_shorter_than_they_say_end_there():
    content = Chunked(DATA)
    content.size += 10
    assert ContentReader(content, 10_000).readall() == DATA


def test_a_scanned_directory_is_read_like_an_image(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    reader = ContentReader(scan(tmp_path).require("a").content, 0)
    reader.seek(100)
    assert reader.read(10) == DATA[100:110]


def test_contents_that_are_not_there_are_an_error_when_they_are_read():
    reader = ContentReader(DigestContent(5, "0" * 64), 5)
    assert reader.seek(0, io.SEEK_END) == 5
    reader.seek(0)
    with pytest.raises(UnsupportedError):
        reader.read(1)


def test_it_is_read_into_any_buffer():
    target = memoryview(bytearray(8)).cast("I")
    assert ContentReader(Inline(b"12345678"), 0).readinto(target) == 8
    assert target.tobytes() == b"12345678"


def test_what_is_left_is_held_in_memory_only_below_the_limit():
    reader = ContentReader(Inline(b"0123456789"), 9)
    with pytest.raises(LimitError) as raised:
        reader.readall()
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("content_bytes", 9, 10)
    assert (reader.tell(), reader.read(1), reader.readall()) == (0, b"0", b"123456789")
    reader.seek(100)
    assert reader.readall() == b""


def test_a_size_is_held_against_what_is_allowed():
    check_size(5, 5)
    with pytest.raises(LimitError) as raised:
        check_size(6, 5)
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("content_bytes", 5, 6)


def test_a_position_before_the_beginning_is_refused_as_by_the_system():
    reader = ContentReader(Inline(b"0123"), 9)
    for offset, whence in ((-1, io.SEEK_SET), (-1, io.SEEK_CUR), (-5, io.SEEK_END)):
        with pytest.raises(OSError) as raised:
            reader.seek(offset, whence)
        assert raised.value.errno == errno.EINVAL
    with pytest.raises(ValueError, match="whence is 7, and may be 0, 1 or 2"):
        reader.seek(0, 7)
    assert reader.tell() == 0


@pytest.mark.parametrize(
    "use",
    [
        ContentReader.readable,
        ContentReader.seekable,
        ContentReader.tell,
        ContentReader.readall,
        lambda reader: reader.seek(0),
        lambda reader: reader.read(1),
    ],
)
def test_a_closed_file_is_not_read(use):
    reader = ContentReader(Inline(b"0123"), 9)
    assert (reader.readable(), reader.seekable(), reader.writable()) == (True, True, False)
    reader.close()
    with pytest.raises(ValueError, match="closed file"):
        use(reader)


@pytest.mark.parametrize(("mode", "text"), [("r", True), ("rt", True), ("tr", True), ("rb", False), ("br", False)])
def test_a_mode_says_whether_it_is_text(mode, text):
    assert is_text(mode, -1, None, None) is text


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "rb+", "", "b", "rr", "rw", "rbt", "U"])
def test_a_mode_that_is_not_for_reading_is_refused(mode):
    with pytest.raises(ValueError, match="can only be read"):
        is_text(mode, -1)


class Ranges(Asked):
    """Contents of no kind that is known, but with ranges that can be read."""

    extents = None
    size = len(DATA)

    def chunks(self):
        raise AssertionError


def test_contents_with_ranges_are_read_by_range():
    content = Ranges(DATA)
    file = ContentReader(content, 1 << 20)
    file.seek(-5, io.SEEK_END)
    assert file.read(10) == DATA[-5:]
    assert content.asked == [(len(DATA) - 5, 5)]
