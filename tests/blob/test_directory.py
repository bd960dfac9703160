import contextlib
import errno
import io
import os
import stat

import pytest

from oci_layers import system
from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.root import OpenDirectory
from oci_layers.errors import BlobMissingError, StoreError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from tests.support.process import outcome

DATA = b"a blob of bytes"
DESCRIPTOR = Descriptor.of(DATA, media_type="text/plain")
DIGEST = DESCRIPTOR.digest


@pytest.fixture
def blobs(tmp_path):
    with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
        yield DirectoryBlobs(root)


@pytest.fixture
def path(tmp_path):
    """Where the blob is, in a directory that is there."""
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    return tmp_path / "blobs/sha256" / DIGEST.encoded


def put(blobs):
    blobs.put_blob(io.BytesIO(DATA), DESCRIPTOR)


def test_a_blob_is_a_file_named_by_its_digest_as_the_umask_lets_it(blobs, tmp_path):
    old = os.umask(0o027)
    try:
        put(blobs)
    finally:
        os.umask(old)
    path = tmp_path / "blobs/sha256" / DIGEST.encoded
    assert path.read_bytes() == DATA
    assert [stat.S_IMODE(os.stat(each).st_mode) for each in (tmp_path / "blobs", path.parent, path)] == [
        0o750,
        0o750,
        0o640,
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


FILE = "is not a regular file"
LINK = (
    f"{FILE}, or is reached through a link; "
    "links are followed with blob_links=True, in the command with --policy lenient or --profile lenient"
)


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_file_or_reached_by_a_link_is_refused(blobs, path, name):
    ODD[name](path)
    for call in (blobs.open_blob, blobs.has_blob):
        with pytest.raises(StoreError) as caught:
            call(DIGEST)
        assert caught.value.place == blobs.root.place
        assert caught.value.reason == f"blob {DIGEST} {LINK if 'link' in name or 'for' in name else FILE}"


@pytest.fixture
def following(tmp_path):
    with contextlib.closing(OpenDirectory(str(tmp_path))) as root:
        yield DirectoryBlobs(root, links=True)


@pytest.mark.parametrize("name", ["link", "linked directory", "linked blobs"])
def test_links_are_followed_to_files_where_the_caller_asks_for_it(following, path, name):
    ODD[name](path)
    with contextlib.closing(following.open_blob(DIGEST)) as stream:
        assert stream.read(100) == DATA
    assert following.has_blob(DIGEST)


@pytest.mark.parametrize("name", ["directory", "fifo", "file for a directory"])
def test_links_are_followed_to_files_alone(following, path, name):
    elsewhere = path.parent.parent.parent / "elsewhere" / "blobs" / "sha256" / DIGEST.encoded
    elsewhere.parent.mkdir(parents=True)
    ODD[name](elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(StoreError) as caught:
        following.open_blob(DIGEST)
    assert caught.value.reason == f"blob {DIGEST} is not a regular file"


def test_a_link_that_leads_nowhere_is_a_missing_blob_and_one_in_a_circle_is_none(following, path):
    path.symlink_to("nowhere")
    assert not following.has_blob(DIGEST)
    path.unlink()
    path.symlink_to(path.name)
    with pytest.raises(StoreError):
        following.has_blob(DIGEST)


@pytest.mark.root
def test_a_device_is_refused(blobs, path):
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    with pytest.raises(StoreError):
        blobs.open_blob(DIGEST)


@pytest.mark.parametrize("make", [linked_directory, linked_blobs], ids=["linked directory", "linked blobs"])
def test_nothing_is_put_through_a_link(blobs, path, make):
    make(path)
    assert outcome(put, blobs)[0] == "StoreError"


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
    with pytest.raises(OSError, match="input/output error") as raised:
        blobs.open_blob(DIGEST)
    assert raised.value.filename == blobs.root.place


def test_a_blob_that_grows_while_it_is_read_shows_what_it_was(blobs, path):
    path.write_bytes(DATA)
    stream = blobs.open_blob(DIGEST)
    with path.open("ab") as file:
        file.write(b"more")
    assert stream.read(100) == DATA
    assert stream.read(100) == b""
    stream.close()


@pytest.mark.parametrize("linked", ["blobs", "blobs/sha256"])
def test_blobs_in_directories_that_are_links_are_listed_where_links_are_followed(tmp_path, linked):
    (tmp_path / "real").mkdir()
    (tmp_path / "layout" / linked).parent.mkdir(parents=True)
    (tmp_path / "layout" / linked).symlink_to(tmp_path / "real")
    (tmp_path / "layout/blobs/sha256").mkdir(exist_ok=True)
    (tmp_path / "layout/blobs/sha256" / DIGEST.encoded).write_bytes(DATA)
    with contextlib.closing(OpenDirectory(str(tmp_path / "layout"))) as root:
        assert list(DirectoryBlobs(root, links=True).iter_blobs()) == [DIGEST]


def test_a_blob_is_deleted_and_one_that_is_not_there_is_no_error(blobs, path):
    for digest in (DIGEST, Digest.of(b"another", "sha512"), Digest("md5:" + "0" * 32)):
        blobs.delete_blob(digest)
    put(blobs)
    blobs.delete_blob(Digest.of(b"another"))
    assert list(blobs.iter_blobs()) == [DIGEST]
    blobs.delete_blob(DIGEST)
    assert os.listdir(path.parent) == []


def test_nothing_is_deleted_where_there_are_no_locks(blobs, path, monkeypatch):
    put(blobs)
    monkeypatch.setattr(system, "lock", lambda fd, *, wait, shared=False: None)
    with pytest.raises(StoreError) as caught:
        blobs.delete_blob(DIGEST)
    assert (caught.value.place, caught.value.reason) == (
        blobs.root.place,
        "its file system has no locks, so nothing can be deleted safely",
    )
    assert os.listdir(path.parent) == [path.name]
