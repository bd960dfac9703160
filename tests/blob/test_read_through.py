"""What is read once is read from a directory the next time."""

import contextlib
import errno
import io
import os

import pytest

from oci_layers import system
from oci_layers.blob import DirectoryBlobs, OpenDirectory
from oci_layers.blob.read_through import ReadThrough
from oci_layers.errors import BlobMissingError
from oci_layers.spec.digest import Digest
from oci_layers.testing.streams import read_all

DATA = os.urandom(100_000)
DIGEST = Digest.of(DATA)


class Source:
    """A source that counts, and may send something else."""

    def __init__(self, data=DATA):
        self.data, self.opened, self.closed = data, 0, 0

    def open_blob(self, digest):
        if digest != DIGEST:
            raise BlobMissingError(str(digest))
        self.opened += 1
        stream = io.BytesIO(self.data)
        close = stream.close

        class Stream:
            read = stream.read

            def close(stream):  # noqa: N805
                self.closed += 1
                close()

        return Stream()


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "blobs").mkdir()
    with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
        yield DirectoryBlobs(root)


def through(source, kept):
    return ReadThrough(source, kept)


def left(tmp_path):
    return sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file())


def test_a_blob_is_read_from_its_source_once(kept, tmp_path):
    source = Source()
    for _ in range(3):
        stream = through(source, kept).open_blob(DIGEST)
        assert read_all(stream, 999) == DATA
    assert source.opened == source.closed == 1
    assert left(tmp_path) == [f"blobs/sha256/{DIGEST.encoded}"]


def test_what_is_missing_is_missing(kept):
    with pytest.raises(BlobMissingError):
        through(Source(), kept).open_blob(Digest.of(b""))


def test_what_was_read_in_part_is_not_kept(kept, tmp_path):
    stream = through(Source(), kept).open_blob(DIGEST)
    assert stream.read(10) == DATA[:10]
    stream.close()
    assert left(tmp_path) == []


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"!", b"x" * 100_000])
def test_wrong_bytes_are_handed_on_and_not_kept(kept, tmp_path, data):
    stream = through(Source(data), kept).open_blob(DIGEST)
    assert read_all(stream) == data
    assert left(tmp_path) == []


@pytest.mark.parametrize("call", ["write_at", "fsync", "rename", "open_new_file", "lock"])
def test_a_directory_that_is_full_keeps_nothing_and_reading_goes_on(kept, tmp_path, monkeypatch, call):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if not hasattr(system, call):
        pytest.skip(f"there is no system.{call}")
    monkeypatch.setattr(system, call, fail)
    source = Source()
    stream = through(source, kept).open_blob(DIGEST)
    assert read_all(stream) == DATA
    assert source.closed == 1
    monkeypatch.undo()
    assert not [each for each in left(tmp_path) if each.startswith("blobs")]


@pytest.mark.parametrize("damaged", [b"", DATA[:-1], DATA + b"!", b"!" + DATA[1:]], ids=["none", "cut", "more", "flip"])
def test_what_is_kept_and_damaged_is_fetched_again_and_replaced(kept, tmp_path, damaged):
    file = tmp_path / "blobs/sha256" / DIGEST.encoded
    source = Source()
    read_all(through(source, kept).open_blob(DIGEST))
    file.chmod(0o644)
    file.write_bytes(damaged)
    again = through(source, kept)
    assert read_all(again.open_blob(DIGEST)) == DATA
    assert (source.opened, file.read_bytes()) == (2, DATA)
    for each in (again, through(source, kept)):
        assert read_all(each.open_blob(DIGEST)) == DATA
    assert source.opened == 2


def test_what_is_kept_is_compared_once(kept, monkeypatch):
    reader = through(Source(), kept)
    read_all(reader.open_blob(DIGEST))
    reads = []
    read = system.pread
    monkeypatch.setattr(system, "pread", lambda *rest: reads.append(rest) or read(*rest))
    reader.open_blob(DIGEST).close()
    assert reads
    reads.clear()
    reader.open_blob(DIGEST).close()
    assert reads == []


def test_two_may_read_at_once(kept):
    source = Source()
    first, second = through(source, kept).open_blob(DIGEST), through(source, kept).open_blob(DIGEST)
    assert read_all(first) == read_all(second) == DATA
    assert kept.has_blob(DIGEST)
    assert source.opened == 2
