"""Compressed streams: the way back gives the input, the same input gives the same bytes, however it is cut."""

import gzip
import hashlib
import random
import subprocess
import threading
import tracemalloc
import zlib

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.compressor import compressed
from oci_layers.errors import DigestMismatchError, UnsupportedError
from oci_layers.limits import Limits
from tests.support.blocks import Drip
from tests.support.examples import some

MIB = 1 << 20
LETTERS = random.Random(1)
TEXT = bytes(LETTERS.choices(b"abcdefgh \n", k=MIB)) * 2 + b"the end"
kinds = pytest.mark.parametrize("kind", ["", "gzip", "zstd"])
packed_kinds = pytest.mark.parametrize("kind", ["gzip", "zstd"])


class Closing(Drip):
    closed = False

    def close(self):
        self.closed = True


class Failing(Closing):
    """A stream that fails once after `good` bytes, and goes on if it is read again."""

    def __init__(self, data, good, error):
        super().__init__(data, 1000)
        self.good = good
        self.error = error

    def read(self, size):
        if self.error is not None and self.stream.tell() >= self.good:
            error, self.error = self.error, None
            raise error
        return super().read(size)


def read_all(stream, size=1 << 16):
    parts = []
    while part := stream.read(size):
        assert len(part) <= size
        parts.append(part)
    assert stream.read(size) == b""
    stream.close()
    return b"".join(parts)


def packed(data, kind, *, step=None, size=1 << 16, **options):
    return read_all(compressed(Closing(data, step), kind, **options), size)


def plain(data, kind):
    return read_all(decompressed(Closing(data), kind, Limits()))


@given(data=st.binary(max_size=5000), kind=st.sampled_from(["", "gzip", "zstd"]), step=st.integers(1, 5000))
def test_the_way_back_gives_the_input(data, kind, step):
    assert plain(packed(data, kind, step=step), kind) == data


@kinds
@pytest.mark.parametrize("size", some([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, len(TEXT)], every=2))
def test_the_way_back_gives_the_input_where_blocks_end(kind, size):
    assert plain(packed(TEXT[:size], kind), kind) == TEXT[:size]


@packed_kinds
@pytest.mark.parametrize("step", [4097, MIB, None])
@pytest.mark.parametrize("size", [1000, 1 << 22])
def test_the_bytes_do_not_depend_on_how_the_streams_are_cut(kind, step, size):
    assert packed(TEXT, kind, step=step, size=size) == packed(TEXT, kind)


@packed_kinds
def test_the_bytes_do_not_depend_on_the_number_of_threads(kind):
    assert len({packed(TEXT, kind, threads=threads) for threads in (None, 0, 1, 2, 7)}) == 1


@packed_kinds
def test_each_level_has_its_bytes(kind):
    default, best, fast = (packed(TEXT, kind, level=level) for level in (None, 9, 1))
    assert len(best) < len(fast)
    assert default == packed(TEXT, kind, level={"gzip": 6, "zstd": 3}[kind])
    assert [plain(data, kind) for data in (default, best, fast)] == [TEXT] * 3


def test_gzip_can_store():
    assert len(packed(TEXT, "gzip", level=0)) > len(TEXT)


@pytest.mark.parametrize("level", some([None, 0, 1, 2, 3], every=2))
@pytest.mark.parametrize("size", [0, 1, MIB, len(TEXT)])
def test_isal_makes_gzip_that_does_not_depend_on_the_number_of_threads(level, size):
    one, other = (packed(TEXT[:size], "gzip", encoder="isal", level=level, threads=threads) for threads in (1, 3))
    assert one == other
    assert gzip.decompress(one) == TEXT[:size]
    if level is None:
        assert one == packed(TEXT[:size], "gzip", encoder="isal", level=1, step=4097)


def test_an_encoder_that_does_not_exist_or_is_not_installed_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="expected zlib or isal, not 'other'"):
        compressed(Closing(b""), "gzip", encoder="other")
    with pytest.raises(ValueError, match="level of gzip: expected 0 to 3, not 4"):
        compressed(Closing(b""), "gzip", encoder="isal", level=4)
    monkeypatch.setattr("oci_layers.blob.compressor.isal_zlib", None)
    with pytest.raises(UnsupportedError) as caught:
        compressed(Closing(b""), "gzip", encoder="isal")
    assert (caught.value.what, caught.value.value) == ("encoder of gzip", "isal")


@pytest.mark.parametrize(("kind", "level"), [("gzip", -1), ("gzip", 10), ("zstd", 23), ("zstd", -(1 << 20))])
def test_a_level_that_does_not_exist_is_refused(kind, level):
    with pytest.raises(ValueError, match=rf"level of {kind}: expected -?\d+ to \d+, not {level}"):
        compressed(Closing(b""), kind, level=level)


def test_a_compression_that_is_only_read_is_refused():
    with pytest.raises(ValueError, match="expected gzip, zstd or an empty string, not 'xz'"):
        compressed(Closing(b""), "xz")


def test_without_a_compression_the_stream_is_returned():
    stream = Closing(b"x")
    assert compressed(stream, "", level=3) is stream


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("size", [0, 5, MIB, len(TEXT)])
def test_gzip_is_one_member_with_a_fixed_header_and_a_right_trailer(size, threads):
    data = packed(TEXT[:size], "gzip", threads=threads)
    assert data[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    assert data[-8:] == zlib.crc32(TEXT[:size]).to_bytes(4, "little") + size.to_bytes(4, "little")
    member = zlib.decompressobj(31)
    assert member.decompress(data) == TEXT[:size]
    assert (member.eof, member.unused_data) == (True, b"")


def test_a_small_input_is_what_zlib_makes_of_it():
    """All but the header: no block is needed."""
    data = packed(TEXT[:1000], "gzip", level=9)
    assert data[10:] == gzip.compress(TEXT[:1000], 9, mtime=0)[10:]


def test_blocks_cost_next_to_nothing():
    assert len(packed(TEXT, "gzip")) < 1.001 * len(gzip.compress(TEXT, 6))


def test_zstd_is_one_frame_with_a_checksum_and_a_window_that_readers_allow():
    data = packed(TEXT, "zstd")
    info = zstd.get_frame_info(data)
    assert info.decompressed_size is None
    assert data[4] & 0x04, "the frame says that a checksum follows"
    assert zstd.get_frame_size(data) == len(data)
    with pytest.raises(zstd.ZstdError, match="checksum"):
        zstd.decompress(data[:-1] + bytes([data[-1] ^ 1]))


@packed_kinds
def test_the_beginning_tells_the_compression_of_the_result(kind):
    assert sniff(packed(b"", kind)) == sniff(packed(TEXT, kind)) == kind


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        pytest.param("gzip", ["gzip", "-dc"], marks=pytest.mark.peer("gzip")),
        pytest.param("zstd", ["zstd", "-dcq"], marks=pytest.mark.peer("zstd")),
    ],
)
@pytest.mark.parametrize("size", [0, 1000, len(TEXT)])
def test_peers_read_what_is_written(kind, command, size):
    done = subprocess.run(command, input=packed(TEXT[:size], kind), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (TEXT[:size], b"")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        pytest.param("gzip", ["gzip", "-lv"], marks=pytest.mark.peer("gzip")),
        pytest.param("zstd", ["zstd", "-tq"], marks=pytest.mark.peer("zstd")),
    ],
)
def test_peers_find_nothing_wrong(tmp_path, kind, command):
    file = tmp_path / ("file." + {"gzip": "gz", "zstd": "zst"}[kind])
    file.write_bytes(packed(TEXT, kind))
    assert subprocess.run([*command, file], capture_output=True, check=True).stderr == b""


@pytest.mark.peer("zstd")
def test_zstd_makes_the_same_kind_of_frame():
    theirs = subprocess.run(["zstd", "-qc"], input=TEXT, capture_output=True, check=True).stdout
    assert theirs[4] & 0x04 == packed(TEXT, "zstd")[4] & 0x04


@packed_kinds
@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_input_never_looks_like_the_end(kind, threads):
    error = DigestMismatchError("layer", "a", "b")
    stream = compressed(Failing(TEXT, MIB + 5000, error), kind, threads=threads)
    with pytest.raises(DigestMismatchError) as caught:
        read_all(stream)
    assert caught.value is error
    stream.close()


@packed_kinds
@pytest.mark.parametrize("good", [0, 5000, MIB + 5000])
def test_nothing_is_lost_if_the_input_is_tried_again(kind, good):
    stream = compressed(Failing(TEXT, good, OSError(5, "once")), kind, threads=3)
    parts = []
    with pytest.raises(OSError, match="once"):  # noqa: PT012  # the loop ends by it alone
        while part := stream.read(MIB):
            parts.append(part)
    assert b"".join(parts) + read_all(stream) == packed(TEXT, kind)


@kinds
def test_closing_closes_the_input_and_ends_the_threads(kind):
    before = threading.active_count()
    below = Closing(TEXT * 4)
    stream = compressed(below, kind, level=9, threads=4)
    assert len(stream.read(10)) == 10  # the header of gzip, before anything is compressed
    stream.read(100)
    stream.close()
    assert below.closed
    assert threading.active_count() == before


def test_where_no_thread_can_be_started_the_caller_compresses(monkeypatch):
    expected = packed(TEXT, "gzip")

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert packed(TEXT, "gzip", threads=4) == expected


@packed_kinds
def test_memory_does_not_grow_with_the_input(kind):
    class Endless:
        left = 48

        def read(self, size):
            self.left -= 1
            return bytes(size) if self.left else b""

        def close(self):
            pass

    tracemalloc.start()
    try:
        stream = compressed(Endless(), kind, threads=2)
        digest = hashlib.sha256()
        while data := stream.read(1 << 16):
            digest.update(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * MIB


def test_nothing_is_read_before_the_result_is():
    below = Closing(TEXT)
    compressed(below, "gzip")
    compressed(below, "zstd")
    assert below.stream.tell() == 0
