"""Law: a blob that is cut, longer by a byte, or has any bit flipped is refused under its descriptor.

Whatever the compression, whichever engine inflates it, and however its pieces come: the bytes are right, or there is
an error; never fewer of them, or others, and a good end.
"""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.blob import MemoryBlobs, VerifiedReader, compression, decompressed, open_verified
from oci_layers.errors import (
    CompressionError,
    DigestMismatchError,
    IntegrityError,
    LimitError,
    OCIError,
    SizeMismatchError,
)
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from tests.support.blocks import Drip
from tests.support.layers import COMPRESS, f, sym, tar

PLAIN = tar(f("file", "some text, " * 40), sym("link", "file"), f("other", bytes(range(256)) * 2))
BLOBS = {kind: squeeze(PLAIN) for kind, squeeze in COMPRESS.items()}
ENGINES = [engine for engine in ("isal", "zlib") if engine == "zlib" or compression.igzip_lib is not None]
kinds = pytest.mark.parametrize("kind", BLOBS)


class Stream(Drip):
    def close(self):
        pass


class Blobs:
    """A source with one blob, whatever is asked for."""

    def __init__(self, data):
        self.data = data

    def open_blob(self, digest):
        return io.BytesIO(self.data)


def through(data, descriptor, kind, size=1 << 16):
    """Read a blob as a layer is read, to its end."""
    raw = open_verified(Blobs(data), descriptor)
    plain = VerifiedReader(decompressed(raw, kind, Limits()), Digest.of(PLAIN))
    parts = []
    while part := plain.read(size):
        parts.append(part)
    while raw.read(1 << 16):
        pass
    return b"".join(parts)


def verdict(data, kind, engine, step):
    """Return the plain bytes, or None for a refusal, by one engine and without looking at digests."""
    kept = compression.igzip_lib
    if engine == "zlib":
        compression.igzip_lib = None
    try:
        stream = decompressed(Stream(data, step), kind, Limits())
        parts = []
        while part := stream.read(1000):
            parts.append(part)
        return b"".join(parts)
    except CompressionError:
        return None
    finally:
        compression.igzip_lib = kept


@kinds
def test_a_blob_that_is_whole_passes(kind):
    descriptor = Descriptor.of(BLOBS[kind], media_type="x")
    assert through(BLOBS[kind], descriptor, kind) == PLAIN


@kinds
def test_a_blob_that_is_cut_anywhere_is_refused(kind):
    data = BLOBS[kind]
    descriptor = Descriptor.of(data, media_type="x")
    for cut in range(len(data)):
        with pytest.raises((SizeMismatchError, CompressionError)):
            through(data[:cut], descriptor, kind)


@kinds
def test_a_blob_with_any_bit_flipped_is_refused(kind):
    data = BLOBS[kind]
    descriptor = Descriptor.of(data, media_type="x")
    for bit in range(0, len(data) * 8, 1 if kind else 5):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DigestMismatchError, CompressionError, LimitError)) as caught:
            through(bytes(flipped), descriptor, kind)
        assert getattr(caught.value, "limit", "window_bytes") == "window_bytes"


@kinds
@given(extra=st.binary(min_size=1, max_size=20))
def test_a_blob_that_is_longer_is_refused(kind, extra):
    descriptor = Descriptor.of(BLOBS[kind], media_type="x")
    with pytest.raises((SizeMismatchError, CompressionError)):
        through(BLOBS[kind] + extra, descriptor, kind)


@kinds
@given(data=st.binary(max_size=200))
def test_other_bytes_are_not_stored_under_a_descriptor(kind, data):
    descriptor = Descriptor.of(BLOBS[kind], media_type="x")
    blobs = MemoryBlobs()
    with pytest.raises(IntegrityError):
        blobs.put_blob(io.BytesIO(data), descriptor)
    assert not blobs.has_blob(descriptor.digest)


edits = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=0, max_size=4)


@given(edits, st.integers(0, 10_000), st.sampled_from([1, 2, 3, 17, 100, None]), st.binary(max_size=30))
def test_both_engines_have_the_same_verdict_on_gzip(edits, cut, step, extra):
    data = bytearray(BLOBS["gzip"] + BLOBS["gzip"][:cut] + extra)
    for place, value in edits:
        data[place % len(data)] = value
    assert len({verdict(bytes(data), "gzip", engine, step) for engine in ENGINES}) == 1


@given(st.binary(min_size=1, max_size=1), st.binary(max_size=60), st.sampled_from([1, 5, None]))
def test_both_engines_have_the_same_verdict_on_gzip_headers(flags, fields, step):
    data = b"\x1f\x8b\x08" + flags + bytes(6) + fields + BLOBS["gzip"][10:]
    assert len({verdict(data, "gzip", engine, step) for engine in ENGINES}) == 1


@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd"]))
def test_bytes_of_any_kind_are_refused_by_an_error_of_ours(data, kind):
    magic = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd"}[kind]
    for each in (data, magic + data):
        try:
            stream = decompressed(io.BytesIO(each), kind, Limits(plain_bytes=1 << 20))
            while stream.read(1000):
                pass
        except OCIError:
            pass
