"""A blob on its way into a store: it is not there until it is whole, and what was interrupted is continued.

What faults of the system do to a writer is in `tests/durability`.
"""

import contextlib
import os
import time

import attrs
import pytest

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.ingest import partial_name
from oci_layers.blob.root import OpenDirectory
from oci_layers.errors import DigestMismatchError, SizeMismatchError, StoreError, UnsupportedError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.testing.streams import read_all
from tests.support.operations import Source
from tests.support.process import in_child

DATA = b"The lamp is lit. Keep two miles off."
BLOB = Descriptor.of(DATA, media_type="text/plain")
OTHER = b"The lamp is out. Keep two miles off."
PARTIAL = partial_name(BLOB.digest).decode()


@pytest.fixture
def blobs(tmp_path):
    with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
        yield DirectoryBlobs(root, fsync="never")


@pytest.fixture
def ingest(tmp_path):
    """What is in the directory of files that are no blobs yet, by name."""
    return lambda: {each.name: each.read_bytes() for each in (tmp_path / "ingest").iterdir()}


def stored(blobs):
    return {digest: read_all(blobs.open_blob(digest)) for digest in blobs.iter_blobs()}


def start(blobs, data, blob=BLOB):
    """Write the first bytes of a blob, and leave them."""
    with blobs.ingest(blob, resume=True) as writer:
        writer.write(data)


def test_a_blob_of_unknown_digest_is_written_in_pieces(blobs, ingest):
    with blobs.ingest() as writer:
        assert [writer.write(DATA[:5]), writer.write(b""), writer.write(DATA[5:])] == [5, 0, len(DATA) - 5]
        assert writer.offset == len(DATA)
        assert list(ingest().values()) == [DATA]
        assert stored(blobs) == {}
        found = writer.commit()
    assert found == attrs.evolve(BLOB, media_type="application/octet-stream")
    assert stored(blobs) == {BLOB.digest: DATA}
    assert ingest() == {}


@pytest.mark.parametrize("expected", [BLOB, attrs.evolve(BLOB, annotations={"a": "b"})])
def test_what_is_committed_has_the_descriptor_that_was_expected(blobs, expected):
    for options, argument in (((expected,), ()), ((), (expected,))):
        with blobs.ingest(*options) as writer:
            writer.write(DATA)
            assert writer.commit(*argument) == expected


def test_a_digest_alone_leaves_the_size_open(blobs):
    with blobs.ingest() as writer:
        writer.write(DATA)
        assert writer.commit(BLOB.digest) == attrs.evolve(BLOB, media_type="application/octet-stream")


def test_a_blob_of_no_bytes_is_one(blobs):
    with blobs.ingest() as writer:
        assert (writer.commit().size, stored(blobs)) == (0, {Digest.of(b""): b""})


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_the_algorithm_is_that_of_the_expected_digest(blobs, algorithm):
    blob = attrs.evolve(BLOB, digest=Digest.of(DATA, algorithm))
    with blobs.ingest(blob) as writer:
        writer.write(DATA)
        assert writer.commit() == blob
    assert stored(blobs) == {blob.digest: DATA}


def test_an_algorithm_that_cannot_be_computed_is_refused_at_once(blobs, tmp_path):
    with pytest.raises(UnsupportedError) as caught:
        blobs.ingest(attrs.evolve(BLOB, digest=Digest("md5:" + 32 * "0")))
    assert caught.value.value == "md5"
    assert os.listdir(tmp_path) == []


def test_more_bytes_than_expected_are_refused_before_they_are_written(blobs, ingest):
    with blobs.ingest(BLOB) as writer:
        writer.write(DATA)
        with pytest.raises(SizeMismatchError) as caught:
            writer.write(b"!")
        assert (caught.value.what, caught.value.expected, caught.value.actual) == (
            f"blob {BLOB.digest}",
            len(DATA),
            len(DATA) + 1,
        )
        assert list(ingest().values()) == [DATA]
        for call in (lambda: writer.write(b""), writer.restart, writer.commit):
            with pytest.raises(StoreError) as failed:
                call()
            assert failed.value.reason in {"the writer has failed", "the writer is closed"}
    assert (stored(blobs), ingest()) == ({}, {})


def test_fewer_or_other_bytes_than_expected_are_discarded(blobs, ingest):
    for data, error, actual in (
        (DATA[:-1], SizeMismatchError, len(DATA) - 1),
        (b"", SizeMismatchError, 0),
        (OTHER, DigestMismatchError, str(Digest.of(OTHER))),
    ):
        with blobs.ingest(BLOB) as writer:
            writer.write(data)
            with pytest.raises(error) as caught:
                writer.commit()
        assert (caught.value.what, caught.value.actual) == (f"blob {BLOB.digest}", actual)
        assert (stored(blobs), ingest()) == ({}, {})


def test_a_committed_writer_only_verifies(blobs):
    with blobs.ingest() as writer:
        writer.write(DATA)
        first = writer.commit()
        assert [writer.commit(), writer.commit(BLOB), writer.commit(BLOB.digest)] == [first] * 3
        with pytest.raises(DigestMismatchError):
            writer.commit(Digest.of(OTHER))
        with pytest.raises(StoreError) as caught:
            writer.write(b"more")
        assert caught.value.reason == "the writer is closed"
    assert stored(blobs) == {BLOB.digest: DATA}


def test_a_writer_that_is_left_or_forgotten_leaves_nothing(blobs, ingest):
    with blobs.ingest() as writer:
        writer.write(DATA)
    assert ingest() == {}
    writer = blobs.ingest(BLOB)
    writer.write(DATA)
    with pytest.raises(KeyboardInterrupt), writer:
        raise KeyboardInterrupt
    assert ingest() == {}
    writer = blobs.ingest()
    writer.write(DATA)
    del writer
    assert (stored(blobs), ingest()) == ({}, {})


def test_bytes_are_discarded_on_request(blobs):
    with blobs.ingest(BLOB) as writer:
        writer.write(OTHER)
        writer.restart()
        assert writer.offset == 0
        writer.write(DATA)
        writer.commit()
    assert stored(blobs) == {BLOB.digest: DATA}


def test_a_blob_that_exists_is_replaced_by_verified_bytes(blobs, tmp_path):
    for _ in range(2):
        with blobs.ingest(BLOB) as writer:
            writer.write(DATA)
            writer.commit()
    path = tmp_path / "blobs/sha256" / BLOB.digest.encoded
    path.write_bytes(b"damaged")
    with blobs.ingest() as writer:
        writer.write(DATA)
        writer.commit()
    assert path.read_bytes() == DATA


def test_the_age_of_a_blob_counts_from_its_commit(blobs, tmp_path):
    start(blobs, DATA[:5])
    os.utime(tmp_path / "ingest" / PARTIAL, (0, 0))
    with blobs.ingest(BLOB, resume=True) as writer:
        writer.write(DATA[5:])
        os.utime(tmp_path / "ingest" / PARTIAL, (0, 0))
        writer.commit()
    assert abs((tmp_path / "blobs/sha256" / BLOB.digest.encoded).stat().st_mtime - time.time()) < 60


def test_a_closed_store_takes_no_new_writer_and_ends_the_one_at_work_well(blobs):
    writer = blobs.ingest(BLOB)
    writer.write(DATA)
    blobs.root.close()
    with pytest.raises(StoreError) as caught:
        blobs.ingest()
    assert caught.value.reason == "closed"
    with contextlib.suppress(StoreError):
        writer.commit()
    writer.close()
    with contextlib.closing(OpenDirectory(blobs.root.place)) as root:
        assert set(stored(DirectoryBlobs(root))) <= {BLOB.digest}


# What was interrupted.


def test_bytes_are_kept_if_they_can_be_continued(blobs, ingest):
    start(blobs, DATA[:5])
    assert ingest() == {PARTIAL: DATA[:5]}
    with blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == 5
        writer.write(DATA[5:10])
    assert ingest() == {PARTIAL: DATA[:10]}
    with blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == 10
        writer.write(DATA[10:])
        assert writer.commit() == BLOB
    assert (stored(blobs), ingest()) == ({BLOB.digest: DATA}, {})


def test_bytes_that_are_all_there_need_only_a_commit(blobs):
    start(blobs, DATA)
    with blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == len(DATA)
        writer.commit()
    assert stored(blobs) == {BLOB.digest: DATA}


def test_an_interrupted_writer_of_no_bytes_leaves_nothing(blobs, ingest):
    with blobs.ingest(BLOB, resume=True):
        pass
    assert ingest() == {}


def test_a_writer_that_does_not_ask_for_them_begins_anew(blobs, ingest):
    start(blobs, DATA[:5])
    with blobs.ingest(BLOB) as writer:
        assert writer.offset == 0
        writer.write(DATA)
        writer.commit()
    assert (stored(blobs), ingest()) == ({BLOB.digest: DATA}, {PARTIAL: DATA[:5]})


def test_each_blob_has_bytes_of_its_own(blobs, ingest):
    other = Descriptor.of(OTHER, media_type="text/plain")
    start(blobs, DATA[:5])
    start(blobs, OTHER[:9], other)
    assert ingest() == {PARTIAL: DATA[:5], partial_name(other.digest).decode(): OTHER[:9]}


def test_wrong_bytes_are_found_by_the_digest_of_the_whole_and_all_is_discarded(blobs, ingest, tmp_path):
    start(blobs, DATA[:5])
    (tmp_path / "ingest" / PARTIAL).write_bytes(b"wrong")
    with blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == 5
        writer.write(DATA[5:])
        with pytest.raises(DigestMismatchError) as caught:
            writer.commit()
    assert caught.value.actual == str(Digest.of(b"wrong" + DATA[5:]))
    assert (stored(blobs), ingest()) == ({}, {})


@pytest.mark.parametrize("more", [1, 1000])
def test_more_bytes_than_the_blob_has_are_discarded_before_anything_is_read(blobs, ingest, tmp_path, more):
    start(blobs, DATA[:5])
    (tmp_path / "ingest" / PARTIAL).write_bytes(DATA + b"!" * more)
    with blobs.ingest(BLOB, resume=True) as writer:
        assert (writer.offset, ingest()) == (0, {PARTIAL: b""})
        writer.write(DATA)
        writer.commit()
    assert stored(blobs) == {BLOB.digest: DATA}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in this process", "in another process"])
def test_one_writer_continues_them_and_others_write_files_of_their_own(blobs, ingest, elsewhere):
    start(blobs, DATA[:5])

    def second():
        with blobs.ingest(BLOB, resume=True) as writer:
            assert writer.offset == 0
            writer.write(DATA)
            names = set(ingest())
            writer.commit()
        return len(names)

    with blobs.ingest(BLOB, resume=True) as first:
        assert first.offset == 5
        assert (in_child(second) if elsewhere else second()) == 2
        assert (stored(blobs), set(ingest())) == ({BLOB.digest: DATA}, {PARTIAL})
        first.write(DATA[5:])
        first.commit()
    assert (stored(blobs), ingest()) == ({BLOB.digest: DATA}, {})


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_what_no_writer_made_is_not_continued_and_not_touched(blobs, tmp_path, kind):
    start(blobs, DATA[:5])
    path = tmp_path / "ingest" / PARTIAL
    path.unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    match kind:
        case "link":
            path.symlink_to(tmp_path / "secret")
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
    with blobs.ingest(BLOB, resume=True) as writer:
        assert writer.offset == 0
        writer.write(DATA)
        writer.commit()
    assert stored(blobs) == {BLOB.digest: DATA}
    assert (os.listdir(tmp_path / "ingest"), (tmp_path / "secret").read_bytes()) == ([PARTIAL], b"secret")


def test_a_stream_that_skips_continues_what_an_interrupted_one_has_left(blobs, ingest):
    class Counting(Source):
        seen = 0

        def read(self, size=-1):
            if self.tell() >= self.stop:
                raise ConnectionError("gone")
            data = super().read(min(size, self.stop - self.tell()))
            self.seen += len(data)
            return data

    first, second = Counting(DATA), Counting(DATA)
    first.stop, second.stop = 20, 1000
    with pytest.raises(ConnectionError):
        blobs.put_blob(first, BLOB)
    assert (ingest(), first.closed, blobs.has_blob(BLOB.digest)) == ({PARTIAL: DATA[:20]}, True, False)
    blobs.put_blob(second, BLOB)
    assert (stored(blobs), ingest(), second.seen) == ({BLOB.digest: DATA}, {}, len(DATA) - 20)


@pytest.mark.parametrize("digest", ["sha256:" + 64 * "0", "sha512:" + 128 * "a"])
def test_the_name_of_a_partial_is_one_component(digest):
    assert partial_name(Digest(digest)).decode() == digest.replace(":", "-")
