"""A layer with another compression: every byte checked, the result in a temporary file, nothing left on errors."""

import bz2
import errno
import io
import lzma
import os
import threading

import pytest

from oci_layers import blob
from oci_layers.blob.recompress import recompressed
from oci_layers.blob.spool import Spool
from oci_layers.blob.stream import VerifiedReader
from oci_layers.errors import CompressionError, DigestMismatchError, LimitError, SizeMismatchError, StoreError
from oci_layers.limits import Limits
from oci_layers.spec import Descriptor, Digest
from tests.support.layers import COMPRESS, d, f, tar
from tests.support.process import mounted

PLAIN = tar(d("a"), f("a/b", "text " * 100_000), f("random", os.urandom(100_000)))
DIFF_ID = Digest.of(PLAIN)
WRONG = Digest.of(b"")
kinds = pytest.mark.parametrize("new", ["", "gzip", "zstd"])


class Blob(VerifiedReader):
    """A verified blob that knows whether it was closed."""

    closed = False

    def __init__(self, data, digest=None):
        super().__init__(io.BytesIO(data), digest or Digest.of(data), len(data), what="blob")

    def close(self):
        self.closed = True
        super().close()


def used(spool):
    """Return how many bytes of temporary files a spool counts."""
    return spool._used


def converted(stream, old, new, *, spool=None, limits=None, **options):
    spool = Spool(None, 1 << 30) if spool is None else spool
    return recompressed(stream, old, new, spool=spool, limits=limits or Limits(), what="layer 7", **options)


def read_plain(stream, compression):
    plain = blob.decompressed(stream, compression, Limits())
    return b"".join(iter(lambda: plain.read(1 << 16), b""))


@kinds
@pytest.mark.parametrize("old", ["", "gzip", "zstd"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_plain_bytes_stay_and_the_result_can_be_stored(old, new, threads):
    before = threading.active_count()
    spool, stream = Spool(None, 1 << 30), Blob(COMPRESS[old](PLAIN))
    with converted(stream, old, new, spool=spool, diff_id=DIFF_ID, threads=threads) as result:
        assert stream.closed
        assert used(spool) == result.size
        store = blob.MemoryBlobs()
        descriptor = Descriptor(media_type="application/x", digest=result.digest, size=result.size)
        store.put_blob(result.open(), descriptor)
        assert read_plain(store.open_blob(result.digest), new) == PLAIN
        again = result.open()
        assert read_plain(again, new) == PLAIN
        assert threading.active_count() == before
    assert used(spool) == 0
    with pytest.raises(StoreError):
        again.read_at(0, 1)
    result.close()
    assert used(spool) == 0


def test_a_layout_stores_the_result(tmp_path):
    root = blob.OpenDirectory(str(tmp_path))
    with converted(Blob(COMPRESS["gzip"](PLAIN)), "gzip", "zstd") as result:
        descriptor = Descriptor(media_type="application/x", digest=result.digest, size=result.size)
        store = blob.DirectoryBlobs(root)
        store.put_blob(result.open(), descriptor)
        assert store.has_blob(result.digest)
    root.close()


@kinds
def test_the_same_layer_gives_the_same_blob_whatever_it_was(new):
    digests = set()
    for old in ("", "gzip", "zstd"):
        for threads in (1, 4):
            with converted(Blob(COMPRESS[old](PLAIN)), old, new, threads=threads) as result:
                digests.add(result.digest)
    assert len(digests) == 1
    assert (new == "") == (digests == {DIFF_ID})


def test_a_level_may_be_asked_for():
    with (
        converted(Blob(PLAIN), "", "gzip", level=1) as fast,
        converted(Blob(PLAIN), "", "gzip", level=9) as best,
    ):
        assert best.size < fast.size


@pytest.mark.parametrize("old", ["bz2", "xz", "gzip"])
def test_the_compression_can_be_detected(old):
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gzip": COMPRESS["gzip"]}[old]
    with converted(Blob(pack(PLAIN)), None, "zstd", diff_id=DIFF_ID) as result:
        assert read_plain(result.open(), "zstd") == PLAIN


def failing(stream, old, error, *, threads, spool=None, **options):
    """Return the error of a recompression, after looking that nothing is left."""
    spool, before = Spool(None, 1 << 30) if spool is None else spool, threading.active_count()
    with pytest.raises(error) as caught:
        converted(stream, old, "gzip", spool=spool, threads=threads, **options)
    assert stream.closed
    assert used(spool) == 0
    assert threading.active_count() == before
    return caught.value


threads_ = pytest.mark.parametrize("threads", [1, 3])


@threads_
@pytest.mark.parametrize("old", ["", "gzip", "zstd"])
def test_a_wrong_digest_is_found(old, threads):
    data = COMPRESS[old](PLAIN)
    error = failing(Blob(data, WRONG), old, DigestMismatchError, threads=threads)
    assert (error.what, error.expected, error.actual) == ("blob", str(WRONG), str(Digest.of(data)))


@threads_
def test_damage_is_reported_as_a_wrong_digest(threads):
    data = COMPRESS["gzip"](PLAIN)
    damaged = data[:10] + b"\xff" * 100 + data[110:]
    error = failing(Blob(damaged, Digest.of(data)), "gzip", DigestMismatchError, threads=threads)
    assert (error.expected, error.actual) == (str(Digest.of(data)), str(Digest.of(damaged)))


@threads_
def test_bytes_that_are_cut_short_are_found(threads):
    data = COMPRESS["gzip"](PLAIN)
    stream = Blob(data)
    stream._stream = io.BytesIO(data[:-5])
    error = failing(stream, "gzip", SizeMismatchError, threads=threads)
    assert (error.expected, error.actual) == (len(data), len(data) - 5)


@threads_
def test_another_diff_id_is_found(threads):
    error = failing(Blob(COMPRESS["gzip"](PLAIN)), "gzip", DigestMismatchError, threads=threads, diff_id=WRONG)
    assert error.what == "layer 7: diff_id of the plain layer"
    assert (error.expected, error.actual) == (str(WRONG), str(DIFF_ID))


@threads_
def test_another_compression_than_promised_is_found(threads):
    error = failing(Blob(COMPRESS["zstd"](PLAIN)), "gzip", CompressionError, threads=threads)
    assert (error.what, error.reason) == ("layer 7", "the media type promises gzip, the bytes are zstd")


@threads_
def test_a_blob_that_is_undamaged_garbage_is_found(threads):
    data = COMPRESS["gzip"](PLAIN)[:-5]
    error = failing(Blob(data), "gzip", CompressionError, threads=threads)
    assert (error.what, error.reason) == ("layer 7", "the gzip data is cut short")


@threads_
def test_limits_hold(threads):
    data = COMPRESS["gzip"](PLAIN)
    limits = Limits(plain_bytes=1000)
    error = failing(Blob(data), "gzip", LimitError, threads=threads, limits=limits)
    assert (error.limit, error.allowed) == ("plain_bytes", 1000)
    spool = Spool(None, 5000)
    error = failing(Blob(data), "gzip", LimitError, threads=threads, spool=spool)
    assert (error.limit, error.allowed) == ("temporary_bytes", 5000)


@threads_
def test_a_level_that_does_not_exist_leaves_nothing(threads):
    failing(Blob(PLAIN), "", ValueError, threads=threads, level=10)


@pytest.mark.root
@threads_
def test_a_full_disk_is_named(tmp_path, threads):
    with mounted(tmp_path / "small", options="size=64k") as directory:
        spool = Spool(str(directory), 1 << 30)
        error = failing(Blob(PLAIN), "", OSError, threads=threads, spool=spool)
        assert (error.errno, error.filename) == (errno.ENOSPC, str(directory))
        assert list(directory.iterdir()) == []


def test_the_temporary_file_has_no_name(tmp_path):
    with converted(Blob(PLAIN), "", "zstd", spool=Spool(str(tmp_path), 1 << 30)):
        assert list(tmp_path.iterdir()) == []
