import errno
import io
import os
import stat

import pytest

from oci_layers import system
from oci_layers.blob.directory import DirectoryBlobs, FileRange
from oci_layers.errors import BlobMissingError, StoreError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from tests.support.place import outcome

DATA = b"a blob of bytes"
DESCRIPTOR = Descriptor.of(DATA, media_type="text/plain")
DIGEST = DESCRIPTOR.digest


@pytest.fixture
def blobs(tmp_path):
    root = os.open(tmp_path, os.O_RDONLY)
    yield DirectoryBlobs(root, "the layout")
    os.close(root)


@pytest.fixture
def path(tmp_path):
    """Where the blob is, in a directory that is there."""
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    return tmp_path / "blobs/sha256" / DIGEST.encoded


def put(blobs):
    blobs.put_blob(io.BytesIO(DATA), DESCRIPTOR)


def test_a_blob_is_a_file_named_by_its_digest(blobs, tmp_path):
    old = os.umask(0o077)
    try:
        put(blobs)
    finally:
        os.umask(old)
    path = tmp_path / "blobs/sha256" / DIGEST.encoded
    assert path.read_bytes() == DATA
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in (tmp_path / "blobs", path.parent, path)] == [
        0o755,
        0o755,
        0o644,
    ]
    assert os.listdir(path.parent) == [path.name]


def test_a_damaged_blob_is_mended_by_putting_it_again(blobs, path):
    path.write_bytes(b"damaged")
    put(blobs)
    assert path.read_bytes() == DATA


def link(path):
    (path.parent / "other").write_bytes(DATA)
    os.symlink("other", path)


def linked_directory(path):
    path.write_bytes(DATA)
    path.parent.rename(path.parent.parent / "other")
    os.symlink("other", path.parent)


def linked_blobs(path):
    path.write_bytes(DATA)
    top = path.parent.parent
    top.rename(top.parent / "other")
    os.symlink("other", top)


def file_for_directory(path):
    path.parent.rmdir()
    path.parent.touch()


ODD = {
    "link": link,
    "dangling link": lambda path: os.symlink("nowhere", path),
    "directory": lambda path: path.mkdir(),
    "fifo": os.mkfifo,
    "linked directory": linked_directory,
    "linked blobs": linked_blobs,
    "file for a directory": file_for_directory,
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_what_is_no_file_or_reached_by_a_link_is_refused(blobs, path, make):
    make(path)
    for call in (blobs.open_blob, blobs.has_blob):
        with pytest.raises(StoreError) as caught:
            call(DIGEST)
        assert caught.value.place == "the layout"
        assert caught.value.reason == f"blob {DIGEST} is not a regular file, or is reached through a link"


@pytest.mark.root
def test_a_device_is_refused(blobs, path):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    with pytest.raises(StoreError):
        blobs.open_blob(DIGEST)


@pytest.mark.parametrize("make", [linked_directory, linked_blobs], ids=["linked directory", "linked blobs"])
def test_nothing_is_put_through_a_link(blobs, path, make):
    make(path)
    assert outcome(put, blobs)[0] in {"NotADirectoryError", "OSError"}


def test_a_digest_of_an_unknown_algorithm_is_no_path(blobs, tmp_path):
    (tmp_path / "blobs/md5").mkdir(parents=True)
    (tmp_path / "blobs/md5" / ("0" * 32)).touch()
    with pytest.raises(BlobMissingError):
        blobs.open_blob(Digest("md5:" + "0" * 32))
    assert list(blobs.iter_blobs()) == []


def test_listing_passes_over_what_is_no_blob(blobs, path):
    assert list(blobs.iter_blobs()) == []
    put(blobs)
    for name in ("readme", ".tmp", DIGEST.encoded.upper(), DIGEST.encoded[:-1], "é"):
        (path.parent / name).touch()
    (path.parent.parent / "readme").touch()
    (path.parent.parent / "sha512").touch()
    assert list(blobs.iter_blobs()) == [DIGEST]


def test_a_directory_without_blobs_has_none(blobs):
    assert list(blobs.iter_blobs()) == []
    assert not blobs.has_blob(DIGEST)


FAULTS = ["open_new_file", "write_all", "fchmod", "rename", "make_directory"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", FAULTS)
def test_a_fault_leaves_nothing_and_the_next_time_is_well(blobs, tmp_path, monkeypatch, call, number):
    def fault(*arguments):
        raise OSError(number, os.strerror(number))

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(system, call, fault)
        with pytest.raises(OSError) as caught:
            put(blobs)
        assert caught.value.errno == number
        del caught
    assert [each for each in tmp_path.rglob("*") if not each.is_dir()] == []
    assert len(os.listdir("/proc/self/fd")) == before
    put(blobs)
    assert list(blobs.iter_blobs()) == [DIGEST]


def test_ctrl_c_after_the_rename_leaves_the_blob(blobs, path, monkeypatch):
    real = system.rename

    def interrupted(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(system, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(blobs)
    assert os.listdir(path.parent) == [path.name]


def test_other_errors_come_through(blobs, path, monkeypatch):
    put(blobs)

    def fault(*arguments):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(system, "open_regular_file", fault)
    assert outcome(blobs.open_blob, DIGEST) == ("OSError", "[Errno 5] input/output error")


def test_a_blob_that_grows_while_it_is_read_shows_what_it_was(blobs, path):
    path.write_bytes(DATA)
    stream = blobs.open_blob(DIGEST)
    with path.open("ab") as file:
        file.write(b"more")
    assert stream.read(100) == DATA
    assert stream.read(100) == b""
    stream.close()


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "numbers").write_bytes(b"0123456789")
    fd = os.open(tmp_path / "numbers", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_a_range_is_read_in_order_and_anywhere(numbers):
    part = FileRange(numbers, 2, 5, own=False)
    assert [part.read(2), part.read(100), part.read(1)] == [b"23", b"456", b""]
    assert [part.read_at(*each) for each in ((0, 2), (4, 9), (5, 1), (9, 1))] == [b"23", b"6", b"", b""]
    assert part.again().read(100) == b"23456"
    part.close()
    os.fstat(numbers)


def test_a_range_of_its_own_closes_the_file_once(tmp_path):
    (tmp_path / "x").touch()
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    part = FileRange(fd, 0, 0)
    part.again().close()
    os.fstat(fd)
    part.close()
    part.close()
    assert outcome(os.fstat, fd)[0] == "OSError"
