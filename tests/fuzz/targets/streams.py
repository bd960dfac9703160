"""Compressed streams.

Laws: what comes out does not depend on how much is asked for, nor, of gzip, on the library that is installed; what is
accepted, the standard library's decompressor reads as the same.
"""

import bz2
import gzip
import io
import lzma
import zlib

from oci_layers.blob import compression
from oci_layers.blob.compression import decompressed, sniff, zstd
from oci_layers.errors import CompressionError, LimitError
from oci_layers.limits import Limits
from tests.fuzz.target import Target, check_message

LIMITS = Limits(plain_bytes=1 << 22, window_bytes=1 << 24, ratio=None)
PLAIN = [b"", b"a", b"text " * 300, bytes(3000), bytes(range(256)) * 3]


def plain(data, piece, expected=None):
    """Return the bytes that come out, or the type of the error."""
    try:
        stream = decompressed(io.BytesIO(data), expected, LIMITS)
        found = io.BytesIO()
        while part := stream.read(piece):
            assert len(part) <= piece
            found.write(part)
        return found.getvalue()
    except (CompressionError, LimitError) as error:
        check_message(error)
        return type(error)


def read_gzip(data):
    found = read_stream(data)
    kept, compression.igzip_lib = compression.igzip_lib, None
    try:
        assert read_stream(data) == found
    finally:
        compression.igzip_lib = kept
    if sniff(data) != "gzip" or isinstance(found, type):
        return False
    assert gzip.decompress(data) == found
    return True


def read_stream(data):
    found = plain(data, 1 << 16)
    # Small pieces, but not a million of them; and what is both damaged and too large may be refused as either.
    again = plain(data, max(1 + len(data) % 1000, 0 if isinstance(found, type) else len(found) // 10_000))
    assert again == found or {again, found} == {CompressionError, LimitError}
    declared = plain(data, 1 << 16, sniff(data))
    assert declared == found
    return found


def read_zstd(data):
    found = read_stream(data)
    if sniff(data) != "zstd" or isinstance(found, type):
        return False
    assert zstd.decompress(data) == found
    return True


def read_bz2(data):
    found = read_stream(data)
    if sniff(data) != "bz2" or isinstance(found, type):
        return False
    assert bz2.decompress(data) == found
    return True


def read_xz(data):
    found = read_stream(data)
    if sniff(data) != "xz" or isinstance(found, type):
        return False
    whole = data.rstrip(b"\0")  # Python's module knows no padding, which is of whole words (xz file format, 2.2).
    assert (len(data) - len(whole)) % 4 == 0
    if b"YZ\0\0\0\0" not in whole:
        assert lzma.decompress(whole) == found
    return True


def gzips():
    """Members with and without optional fields, stored and compressed; two members; zeros after them."""
    made = [gzip.compress(data, level, mtime=0) for data in PLAIN for level in (0, 1, 9)]
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = raw.compress(b"abc") + raw.flush() + zlib.crc32(b"abc").to_bytes(4, "little") + (3).to_bytes(4, "little")
    start = b"\x1f\x8b\x08"
    fields = {0x02: b"", 0x04: b"\x04\0ab\0\0", 0x08: b"name\0", 0x10: b"comment\0"}
    for flag, field in fields.items():
        head = start + bytes([flag]) + b"\0\0\0\0\0\xff" + field
        made.append(head + (zlib.crc32(head).to_bytes(4, "little")[:2] if flag == 2 else b"") + body)
    return [*made, made[3] + made[4], made[3] + bytes(512)]


def zstds():
    """Frames with and without size and checksum, two frames, and skippable ones."""
    made = [zstd.compress(data, level) for data in PLAIN for level in (1, 19)]
    options = {zstd.CompressionParameter.checksum_flag: 1, zstd.CompressionParameter.content_size_flag: 0}
    made += [zstd.compress(data, options=options) for data in PLAIN]
    skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    return [*made, made[2] + made[3], skipped + made[2], made[2] + skipped]


TARGETS = [
    Target("gzip", read_gzip, gzips, (b"\x1f\x8b\x08", b"\x03\x00", bytes(10), b"\xff\xff"), 4096),
    Target("zstd", read_zstd, zstds, (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"\xff" * 4), 4096),
    Target("bz2", read_bz2, lambda: [bz2.compress(data) for data in PLAIN], (b"BZh91AY&SY", b"\x17rE8P\x90"), 1024),
    Target("xz", read_xz, lambda: [lzma.compress(data) for data in PLAIN], (b"\xfd7zXZ\0", b"YZ", bytes(4)), 1024),
]
