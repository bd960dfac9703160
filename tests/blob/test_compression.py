import bz2
import gzip
import lzma
import struct
import zlib

import pytest
from backports import zstd

from oci_layers.blob import compression
from oci_layers.blob.compression import decompressed, sniff
from oci_layers.errors import CompressionError, LimitError
from oci_layers.limits import Limits
from tests.support.blocks import Drip
from tests.support.layers import f, tar

PLAIN = tar(f("a", "some text, " * 300), f("b", bytes(range(256)) * 4))
LEVELS = {
    "": lambda data: data,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstd.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


class Closing(Drip):
    closed = False

    def close(self):
        self.closed = True


def plain(data, kind=None, *, step=None, size=1000, **limits):
    """Return all that comes out."""
    stream = decompressed(Closing(data, step), kind, Limits(**limits), what="layer 7")
    parts = []
    while part := stream.read(size):
        assert len(part) <= size
        parts.append(part)
    assert stream.read(size) == b""
    return b"".join(parts)


def refused(data, kind=None, **options):
    with pytest.raises(CompressionError) as caught:
        plain(data, kind, **options)
    assert caught.value.what == "layer 7"
    return caught.value.reason


@pytest.fixture(params=["isal", "zlib"])
def engine(request, monkeypatch):
    """Either of the two that inflate gzip, which shall have the same verdict on everything."""
    if request.param == "zlib":
        monkeypatch.setattr(compression, "igzip_lib", None)
    elif compression.igzip_lib is None:
        pytest.skip("isal is not installed")


kinds = pytest.mark.parametrize("kind", LEVELS)
compressed_kinds = pytest.mark.parametrize("kind", [kind for kind in LEVELS if kind])


@kinds
@pytest.mark.parametrize("step", [1, 7, None])
@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_whatever_the_pieces_the_bytes_are_the_same(engine, kind, step, size):
    data = LEVELS[kind](PLAIN)
    assert plain(data, kind, step=step, size=size) == PLAIN
    assert plain(data, None, step=step, size=size) == PLAIN


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", ""),
        (b"\x1f\x8b", ""),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x1f\x8b\x07", ""),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x28\xb5\x2f", ""),
        (b"\x50\x2a\x4d\x18", "zstd"),
        (b"\x5f\x2a\x4d\x18", "zstd"),
        (b"\x60\x2a\x4d\x18", ""),
        (b"\xfd7zXZ\0", "xz"),
        (b"\xfd7zXZ", ""),
        (b"BZh91AY&SY", "bz2"),
        (b"BZh9\x17rE8P\x90", "bz2"),
        (b"BZh9 is a file", ""),
        (b"file\0\0\0\0\0\0", ""),
    ],
)
def test_the_beginning_tells_the_compression(head, kind):
    assert sniff(head) == kind


@kinds
@pytest.mark.parametrize("promised", ["", "gzip", "zstd"])
def test_the_media_type_and_the_bytes_must_agree(kind, promised):
    if kind != promised:
        shown = kind or "no compression that is known"
        reason = f"the media type promises {promised or 'plain tar'}, the bytes are {shown}"
        assert refused(LEVELS[kind](PLAIN), promised) == reason


@pytest.mark.parametrize("promised", ["gzip", "zstd"])
def test_nothing_is_not_a_compressed_stream(promised):
    assert refused(b"", promised) == f"the media type promises {promised}, the bytes are empty"
    assert plain(b"", "") == plain(b"", None) == b""


@compressed_kinds
def test_several_members_are_one_stream(engine, kind):
    data = b"".join(LEVELS[kind](part) for part in (PLAIN[:100], b"", PLAIN[100:], b""))
    for step in (1, None):
        assert plain(data, step=step) == PLAIN


@compressed_kinds
def test_an_empty_member_is_an_empty_stream(engine, kind):
    assert plain(LEVELS[kind](b""), kind) == b""


ODD_PADDING = "damaged xz data (padding that is no multiple of four bytes)"


@compressed_kinds
@pytest.mark.parametrize("garbage", [b"\0", b"x", b"\x1f\x8b", b"garbage" * 100, bytes(512)])
def test_what_follows_must_be_another_member(engine, kind, garbage):
    data = LEVELS[kind](PLAIN) + garbage
    for step in (1, None):
        if kind == "xz" and garbage == b"\0":
            assert refused(data, step=step) == ODD_PADDING
        elif kind in {"gzip", "xz"} and not garbage.strip(b"\0"):
            assert plain(data, step=step) == PLAIN
        else:
            assert refused(data, step=step) == f"garbage after the {kind} data"


MEMBER = gzip.compress(PLAIN, mtime=0), lzma.compress(PLAIN)


@pytest.mark.parametrize("step", [1, 17, None])
@pytest.mark.parametrize("zeros", [1, 4, 17, 18, 512, 3 << 20], ids=str)
@pytest.mark.parametrize(
    ("member", "after", "outcome"),
    [
        (MEMBER[0], b"", PLAIN),
        (MEMBER[0], b"x", "garbage after the gzip data"),
        (MEMBER[0], MEMBER[0], "garbage after the gzip data"),
        (MEMBER[1], b"", PLAIN),
        (MEMBER[1], b"x", "garbage after the xz data"),
        (MEMBER[1], MEMBER[1], PLAIN * 2),
    ],
    ids=["gzip", "gzip, x", "gzip, gzip", "xz", "xz, x", "xz, xz"],
)
def test_zeros_may_end_gzip_and_stand_between_xz(engine, member, after, zeros, step, outcome):
    """As gzip(1) and xz(1) have it: what follows the zeros of gzip is garbage, xz pads between streams, too."""
    data = member + bytes(zeros) + after
    if member == MEMBER[1] and zeros % 4:
        outcome = ODD_PADDING
    step = step if zeros < 1000 else None
    assert (plain(data, step=step) if isinstance(outcome, bytes) else refused(data, step=step)) == outcome


def test_the_stream_is_read_to_its_end_behind_zeros():
    for member in MEMBER:
        stream = Closing(member + bytes(5 << 20))
        found = decompressed(stream, None, Limits(), what="layer 7")
        while found.read(1 << 20):
            pass
        assert stream.stream.read() == b""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_member_of_another_compression_is_garbage(kind):
    other = {"gzip": "zstd", "zstd": "gzip"}[kind]
    assert refused(LEVELS[kind](PLAIN) + LEVELS[other](PLAIN)) == f"garbage after the {kind} data"


@compressed_kinds
@pytest.mark.parametrize("before", [0, 1])
def test_a_stream_that_is_cut_anywhere_is_damaged(engine, kind, before):
    data = LEVELS[kind](PLAIN)
    for cut in range(1, len(data)):
        with pytest.raises(CompressionError):
            plain(data * before + data[:cut], kind, size=1 << 16)


# gzip, header by header.


def gzipped(flags=0, fields=b"", data=PLAIN, crc=None, size=None, method=8):
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = squeeze.compress(data) + squeeze.flush()
    crc = zlib.crc32(data) if crc is None else crc
    size = len(data) if size is None else size
    head = bytes((0x1F, 0x8B, method, flags)) + bytes(4) + b"\0\x03"
    return head + fields + body + struct.pack("<II", crc & 0xFFFFFFFF, size & 0xFFFFFFFF)


def with_header_check(flags, fields, change=0):
    head = bytes((0x1F, 0x8B, 8, flags)) + bytes(4) + b"\0\x03" + fields
    return gzipped(flags, fields + struct.pack("<H", (zlib.crc32(head) ^ change) & 0xFFFF))


GOOD = {
    "bare": gzipped(),
    "text": gzipped(1),
    "extra": gzipped(4, b"\x03\0abc"),
    "name": gzipped(8, b"layer.tar\0"),
    "comment": gzipped(16, b"comment\0"),
    "everything": gzipped(4 | 8 | 16, b"\0\0n\0c\0"),
    "checked header": with_header_check(2 | 8, b"layer.tar\0"),
}
BAD = {
    "reserved flag 5": gzipped(0x20),
    "reserved flag 6": gzipped(0x40),
    "reserved flag 7": gzipped(0x80),
    "header check": with_header_check(2 | 8, b"layer.tar\0", change=1),
    "crc": gzipped(crc=1),
    "size": gzipped(size=1),
    "size of 4 GiB less": gzipped(size=len(PLAIN) - (1 << 32) + 1),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_gzip_header_may_have_fields(engine, data):
    for step in (1, None):
        assert plain(data, "gzip", step=step) == PLAIN
        assert plain(gzipped() + data, "gzip", step=step) == PLAIN * 2


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_gzip_member_that_is_wrong_is_damaged(engine, data):
    for step in (1, None):
        assert refused(data, "gzip", step=step).startswith("damaged gzip data")
        assert refused(gzipped() + data, "gzip", step=step).startswith("damaged gzip data")


# zstd, frame by frame.


def skippable(data=b"skip me", number=0):
    return bytes((0x50 + number,)) + b"\x2a\x4d\x18" + struct.pack("<I", len(data)) + data


def frame(window_log, data=PLAIN):
    squeeze = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
    return squeeze.compress(data) + squeeze.flush()


@pytest.mark.parametrize("number", [0, 7, 15])
@pytest.mark.parametrize("place", ["before", "between", "after", "alone", "empty"])
def test_skippable_frames_are_skipped(number, place):
    half = len(PLAIN) // 2
    first, second = zstd.compress(PLAIN[:half]), zstd.compress(PLAIN[half:])
    skip = skippable(number=number)
    data = {
        "before": skip + first + second,
        "between": first + skip + skip + second,
        "after": first + second + skip,
        "alone": skip,
        "empty": first + skippable(b"") + second,
    }[place]
    for step in (1, None):
        assert plain(data, "zstd", step=step) == (b"" if place == "alone" else PLAIN)


@pytest.mark.parametrize("cut", [4, 7, 8, 9, 14])
def test_a_skippable_frame_that_is_cut_is_damaged(cut):
    for before in (zstd.compress(PLAIN), skippable(), b""):
        for step in (1, None):
            assert refused(before + skippable()[:cut], "zstd", step=step) == "the zstd data is cut short"


def test_a_skippable_frame_of_many_pieces_is_skipped():
    assert plain(skippable(bytes(3 << 20)) + zstd.compress(PLAIN), "zstd") == PLAIN
    assert refused(skippable(bytes(3 << 20))[:-1], "zstd") == "the zstd data is cut short"


class Handed(bytes):
    """Compressed bytes that add up what is cut out of them and of what comes from them."""

    copied = 0

    def __getitem__(self, place):
        part = super().__getitem__(place)
        if isinstance(part, bytes):
            Handed.copied += len(part)
            return Handed(part)
        return part

    def __add__(self, other):
        return Handed(bytes(self) + other)

    def __radd__(self, other):
        return Handed(other + bytes(self))


class WholePieces:
    """A stream that gives all it has at once."""

    def __init__(self, data):
        self.head, self.rest = data[:18], data[18:]

    def read(self, size):
        if self.head:
            data, self.head = self.head, b""
        else:
            data, self.rest = self.rest, b""
        return Handed(data)


@pytest.mark.parametrize(
    "member",
    [*(level(b"") for kind, level in LEVELS.items() if kind), skippable(b""), skippable(b"x"), gzipped(8, b"n\0")],
    ids=["gzip", "zstd", "bz2", "xz", "skippable", "skippable of one byte", "gzip with a name"],
)
def test_what_a_member_copies_does_not_grow_with_what_follows(engine, member):
    def copied(count):
        Handed.copied = 0
        stream = decompressed(WholePieces(member * count), None, Limits())
        while stream.read(1 << 20):
            pass
        return Handed.copied

    few, many = copied(1000), copied(2000)
    assert many < 2.2 * few
    assert many < 2000 * 2000


def test_a_checksum_that_is_wrong_is_damaged():
    data = bytearray(zstd.compress(PLAIN, options={zstd.CompressionParameter.checksum_flag: 1}))
    data[-1] ^= 1
    assert refused(bytes(data)).startswith("damaged zstd data")


@pytest.mark.parametrize("size", [1, 63, 64, 1 << 20])
@pytest.mark.parametrize("step", [1, None])
def test_a_zstd_frame_is_as_long_as_it_promises(size, step):
    """Also where its last block is empty, after which libzstd compares the lengths only if it has room for both."""
    promise = b"\x28\xb5\x2f\xfd\x20\x40"  # 64 bytes
    empty, raw = b"\x01\0\0", b"\0\x02\0" + bytes(64)  # the last block; a block of 64 bytes
    assert plain(promise + raw + empty, "zstd", size=size, step=step) == bytes(64)
    for body in (empty, raw + raw + empty, raw[:3] + b"\0", b"\x08\0\0a" + empty):
        with pytest.raises(CompressionError):
            plain(promise + body, "zstd", size=size, step=step)


@pytest.mark.parametrize(
    ("allowed", "asked", "passes"),
    [
        (1 << 20, 20, True),
        (1 << 20, 21, False),
        ((1 << 20) - 1, 20, False),
        ((1 << 20) + 1, 20, True),
        (1 << 27, 27, True),
        (1 << 27, 28, False),
        (1 << 40, 27, True),
        (1, 10, False),
    ],
)
def test_a_frame_may_ask_for_so_much_memory(allowed, asked, passes):
    if passes:
        assert plain(frame(asked), "zstd", window_bytes=allowed) == PLAIN
    else:
        for data in (frame(asked), frame(10, b"x") + frame(asked)):
            with pytest.raises(LimitError) as caught:
                plain(data, "zstd", window_bytes=allowed)
            error = caught.value
            assert (error.limit, error.allowed, error.__notes__) == ("window_bytes", allowed, ["layer 7"])
            assert error.seen in (1 << asked, 1 << 10)


def test_a_window_between_two_powers_counts_as_it_is():
    for eighths in range(8):
        data = b"\x28\xb5\x2f\xfd\x00" + bytes(((10 << 3) + eighths,)) + b"\x01\x00\x00"
        window = (1 << 20) + (1 << 17) * eighths
        assert plain(data, "zstd", window_bytes=window) == b""
        with pytest.raises(LimitError) as caught:
            plain(data, "zstd", window_bytes=window - 1)
        assert caught.value.seen == window


@pytest.mark.parametrize("size", [1, 255, 256, 65_791, 65_792, 1 << 20])
def test_a_frame_in_one_segment_asks_for_its_size(size):
    data = zstd.compress(b"x" * size)
    assert data[4] & 0x20
    assert plain(data, "zstd", window_bytes=max(size, 1024)) == b"x" * size
    with pytest.raises(LimitError) as caught:
        plain(data, "zstd", window_bytes=size - 1)
    assert caught.value.seen == size


def test_a_frame_in_one_segment_of_immense_size_is_refused():
    data = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 62) + bytes(9)
    with pytest.raises(LimitError) as caught:
        plain(data, "zstd")
    assert caught.value.seen == 1 << 62


def test_a_frame_that_needs_a_dictionary_is_damaged():
    data = b"\x28\xb5\x2f\xfd\x21\x07\x05" + b"\x29\x00\x00hello"
    assert refused(data, "zstd").startswith("damaged zstd data")


def test_xz_may_ask_for_so_much_memory_too():
    data = lzma.compress(PLAIN, preset=9)
    assert plain(data) == PLAIN
    assert refused(data, window_bytes=1 << 20).startswith("damaged xz data (Memory usage limit")


# Bombs.


@kinds
@pytest.mark.parametrize(("allowed", "passes"), [(-1, False), (0, True), (1, True)], ids=["below", "at", "above"])
def test_plain_bytes_are_limited(engine, kind, allowed, passes):
    data, allowed = LEVELS[kind](PLAIN), len(PLAIN) + allowed
    for size in (1000, 1 << 20):
        if passes:
            assert plain(data, size=size, plain_bytes=allowed) == PLAIN
        else:
            with pytest.raises(LimitError) as caught:
                plain(data, size=size, plain_bytes=allowed)
            assert (caught.value.limit, caught.value.allowed) == ("plain_bytes", allowed)
            assert caught.value.__notes__ == ["layer 7"]
            assert allowed < caught.value.seen <= len(PLAIN)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_the_ratio_is_limited(engine, kind):
    zeros = bytes(4 << 20)
    data = LEVELS[kind](zeros)
    ratio = -(-len(zeros) // len(data))
    assert plain(data, ratio=ratio, size=1 << 16) == zeros
    assert plain(data, ratio=ratio + 1, size=1 << 16) == zeros
    with pytest.raises(LimitError) as caught:
        plain(data, ratio=ratio - 1, size=1 << 16)
    assert (caught.value.limit, caught.value.allowed) == ("ratio", ratio - 1)
    assert caught.value.__notes__ == ["layer 7"]
    assert caught.value.seen >= ratio - 1


def test_small_streams_have_no_ratio(engine):
    assert plain(gzip.compress(bytes(1 << 20)), ratio=1) == bytes(1 << 20)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gzip", "zstd", "bz2", "xz"])
def test_a_bomb_is_let_out_in_pieces_only(engine, kind):
    squeeze = {
        "gzip": lambda: zlib.compressobj(9, zlib.DEFLATED, 31),
        "zstd": zstd.ZstdCompressor,
        "bz2": bz2.BZ2Compressor,
        "xz": lzma.LZMACompressor,
    }[kind]()
    bomb = b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(32)) + squeeze.flush()
    stream = decompressed(Closing(bomb), kind if kind in {"gzip", "zstd"} else None, Limits(plain_bytes=20 << 20))
    seen = 0
    with pytest.raises(LimitError) as caught:  # noqa: PT012  # the loop ends by it alone
        while True:
            seen += len(stream.read(1 << 16))
    assert seen <= 20 << 20
    assert caught.value.seen <= (20 << 20) + (1 << 16)


@kinds
def test_closing_closes_what_is_below(kind):
    below = Closing(LEVELS[kind](PLAIN))
    decompressed(below, None, Limits()).close()
    assert below.closed
