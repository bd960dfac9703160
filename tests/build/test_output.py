"""Pieces of a tar into a store: digests of what went in and of what is there, in one pass, and nothing on an error."""

import gzip
import hashlib
import os
import threading

import pytest
from backports import zstd

from oci_layers.blob import DirectoryBlobs, MemoryBlobs, OpenDirectory
from oci_layers.blob.spool import Spool
from oci_layers.build.options import Codec
from oci_layers.build.output import write_blob
from oci_layers.errors import LimitError, StoreError, UnsupportedError
from oci_layers.spec import Digest

PIECES = [b"a" * 512, b"", memoryview(b"b" * (5 << 18)), b"c", bytes(70_000)]
PLAIN = b"".join(PIECES)
UNPACK = {"": bytes, "gzip": gzip.decompress, "zstd": zstd.decompress}


@pytest.fixture
def directory(tmp_path):
    root = OpenDirectory(str(tmp_path))
    yield DirectoryBlobs(root)
    root.close()


@pytest.fixture(params=["memory", "directory"])
def blobs(request):
    return MemoryBlobs() if request.param == "memory" else request.getfixturevalue("directory")


def given(pieces=PIECES, error=None):
    yield from pieces
    if error is not None:
        raise error


def write(blobs, pieces, spool=None, **codec):
    return write_blob(pieces, blobs, Codec(**codec), spool or Spool(None, 1 << 30))


def stored(blobs, descriptor):
    stream = blobs.open_blob(descriptor.digest)
    try:
        return b"".join(iter(lambda: stream.read(1 << 20), b""))
    finally:
        stream.close()


@pytest.mark.parametrize("threads", [1, 2, None])
@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_what_is_stored_is_what_went_in_and_the_digests_say_so(blobs, compression, threads):
    written = write(blobs, given(), compression=compression, threads=threads)
    raw = stored(blobs, written.descriptor)
    assert UNPACK[compression](raw) == PLAIN
    assert (written.diff_id, written.plain_size) == (Digest.of(PLAIN), len(PLAIN))
    assert (written.descriptor.digest, written.descriptor.size) == (Digest.of(raw), len(raw))
    assert written.descriptor.media_type == Codec(compression=compression).media_type
    assert list(blobs.iter_blobs()) == [written.descriptor.digest]


@pytest.mark.parametrize("codec", [{}, {"compression": "zstd"}, {"compression": ""}, {"encoder": "isal"}])
def test_the_bytes_depend_on_neither_the_pieces_nor_the_threads_nor_the_store(directory, codec):
    one = write(directory, given(), **codec)
    other = write(
        MemoryBlobs(), given([PLAIN[at : at + 9_999] for at in range(0, len(PLAIN), 9_999)]), threads=1, **codec
    )
    assert one == other


def test_nothing_is_an_empty_blob(blobs):
    assert write(blobs, given([]), compression="").descriptor.digest == Digest.of(b"")
    assert write(blobs, given([])).diff_id == Digest.of(b"")


def test_the_level_and_the_encoder_are_a_choice(blobs):
    pieces = [hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(5000)]
    sizes = [write(blobs, given(pieces), **codec).descriptor.size for codec in ({"level": 0}, {"level": 9})]
    assert sizes[0] > sum(map(len, pieces)) > sizes[1]
    fast = write(blobs, given(pieces), encoder="isal")
    assert gzip.decompress(stored(blobs, fast.descriptor)) == b"".join(pieces)


@pytest.mark.parametrize("codec", [{"level": 77}, {"compression": "xz"}, {"encoder": "other"}])
def test_a_codec_that_does_not_exist_is_refused(blobs, codec):
    with pytest.raises((ValueError, KeyError)):
        write(blobs, given(), **codec)
    assert list(blobs.iter_blobs()) == []


def test_an_encoder_that_is_not_installed_is_refused(blobs, monkeypatch):
    monkeypatch.setattr("oci_layers.blob.compressor.isal_zlib", None)
    with pytest.raises(UnsupportedError) as caught:
        write(blobs, given(), encoder="isal")
    assert caught.value.value == "isal"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("codec", [{}, {"compression": "zstd"}, {"compression": ""}])
def test_an_error_of_the_source_is_raised_and_nothing_is_stored(blobs, tmp_path, codec, threads):
    before = threading.active_count()
    for error in (ZeroDivisionError("source"), KeyboardInterrupt(), OSError(5, "Input/output error")):
        pieces = given(error=error)
        with pytest.raises(type(error)) as caught:
            write(blobs, pieces, threads=threads, **codec)
        assert caught.value is error
        assert pieces.gi_frame is None
    assert threading.active_count() == before
    assert list(blobs.iter_blobs()) == []
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_store_closes_the_source(tmp_path, threads):
    root = OpenDirectory(str(tmp_path))
    blobs = DirectoryBlobs(root)
    root.close()
    before, pieces = threading.active_count(), given()
    next(pieces)
    with pytest.raises(StoreError):
        write(blobs, pieces, threads=threads)
    assert (pieces.gi_frame, threading.active_count()) == (None, before)


def test_the_temporary_file_has_a_limit_and_no_name(tmp_path):
    spool = Spool(str(tmp_path), 1000)
    with pytest.raises(LimitError) as caught:
        write(MemoryBlobs(), given(), spool, compression="")
    assert caught.value.limit == "temporary_bytes"
    assert os.listdir(tmp_path) == []


def test_a_blob_that_the_store_has_is_not_stored_again():
    class Counting(MemoryBlobs):
        puts = 0

        def put_blob(self, stream, descriptor):
            self.puts += 1
            super().put_blob(stream, descriptor)

    blobs = Counting()
    assert write(blobs, given()) == write(blobs, given())
    assert blobs.puts == 1


@pytest.mark.parametrize("codec", [{}, {"compression": ""}])
def test_where_no_thread_can_be_started_the_caller_does_the_work(blobs, monkeypatch, codec):
    expected = write(MemoryBlobs(), given(), **codec)

    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert write(blobs, given(), threads=4, **codec) == expected
