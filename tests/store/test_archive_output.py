"""Where an archive goes: it has its name when it is complete, a pipe gets it as it comes, and errors leave nothing."""

import errno
import os

import pytest

from oci_layers import system
from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.store.archive_output import ArchiveOutput


def names(directory):
    return sorted(os.listdir(directory))


def refused(error, *arguments, **options):
    with pytest.raises(error) as raised:
        ArchiveOutput(*arguments, sync=False, **options)
    return raised.value.place, raised.value.reason


def test_a_file_has_its_name_when_it_is_complete(tmp_path):
    output = ArchiveOutput(tmp_path / "a.tar", sync=True)
    output.write(b"one")
    (sibling,) = names(tmp_path)
    assert sibling.startswith(".a.tar.oci-layers-")
    assert len(sibling) == len(".a.tar.oci-layers-") + 8
    output.write(memoryview(b"two"))
    output.commit()
    output.discard()
    assert (names(tmp_path), (tmp_path / "a.tar").read_bytes()) == (["a.tar"], b"onetwo")
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_discarded_is_gone(tmp_path):
    for error in (None, ValueError()):
        output = ArchiveOutput(tmp_path / "a.tar", sync=True)
        output.write(b"one")
        output.discard(error)
        output.discard(error)
        assert names(tmp_path) == []


def test_a_file_that_is_dropped_warns_and_is_gone(tmp_path):
    output = ArchiveOutput(tmp_path / "a.tar", sync=True)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.warns(ResourceWarning, match=f"^unclosed {tmp_path}/a.tar$"):
        del output
    assert names(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before - 2


def test_what_exists_is_refused_and_left(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("file")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("file", "link"):
        expected = f"{tmp_path}/{name}", "it exists, and an archive that exists is not changed"
        assert refused(StoreError, tmp_path / name) == expected
    for name in (f"{tmp_path}/directory", "/", "."):
        assert refused(StoreError, name) == (name, "it is a directory, not a file")
    assert refused(PlaceMissingError, tmp_path / "none/a.tar") == (f"{tmp_path}/none", "no such directory")
    assert refused(StoreError, tmp_path / "file/a.tar") == (f"{tmp_path}/file/a.tar", "its parent is not a directory")
    assert names(tmp_path) == ["directory", "file", "link"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_put_there_meanwhile_is_left(tmp_path):
    output = ArchiveOutput(tmp_path / "a.tar", sync=True)
    (tmp_path / "a.tar").write_bytes(b"theirs")
    with pytest.raises(StoreError) as raised:
        output.commit()
    output.discard(raised.value)
    assert raised.value.place == f"{tmp_path}/a.tar"
    assert (names(tmp_path), (tmp_path / "a.tar").read_bytes()) == (["a.tar"], b"theirs")


def test_a_name_is_as_long_as_names_can_be(tmp_path):
    long = tmp_path / ("n" * 255)
    output = ArchiveOutput(long, sync=False)
    output.commit()
    assert names(tmp_path) == ["n" * 255]
    with pytest.raises(OSError, match="name too long") as raised:
        ArchiveOutput(f"{long}n", sync=False)
    assert (raised.value.filename, raised.value.__notes__) == (f"{long}n", ["archive"])


def test_a_pipe_is_written_as_it_comes_and_has_no_sibling(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDWR)
    output = ArchiveOutput(tmp_path / "pipe", sync=True)
    output.write(b"one")
    assert os.read(reader, 9) == b"one"
    output.commit()
    discarded = ArchiveOutput(tmp_path / "pipe", sync=True)
    discarded.write(b"two")
    discarded.discard()
    assert (os.read(reader, 9), names(tmp_path)) == (b"two", ["pipe"])
    os.close(reader)


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_is_written_at_its_position_and_remains_open(tmp_path, name):
    saved = os.dup(1)
    fd = os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"before ")
    os.dup2(fd, 1)
    try:
        output = ArchiveOutput(name, sync=True)
        output.write(b"archive")
        output.commit()
        os.write(1, b" after")
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(fd)
    assert (tmp_path / "out").read_bytes() == b"before archive after"


def written(file):
    """Write a file; discard it after an error."""
    output = ArchiveOutput(file, sync=True)
    try:
        output.write(b"one")
        output.commit()
    except OSError as error:
        output.discard(error)
        raise


CALLS = ["open_root", "lstat", "open_new_file", "write_all", "fsync", "link"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE])
@pytest.mark.parametrize("call", CALLS)
def test_an_error_of_any_call_names_the_archive_and_leaves_nothing(tmp_path, monkeypatch, call, code):
    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(system, call, fail)
    with pytest.raises(OSError, match=os.strerror(code)) as raised:
        written(tmp_path / "a.tar")
    assert (raised.value.errno, raised.value.filename) == (code, f"{tmp_path}/a.tar")
    assert raised.value.__notes__ == ["archive"]
    assert names(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_archive_whose_name_is_not_synced_is_in_place(tmp_path, monkeypatch):
    output = ArchiveOutput(tmp_path / "a.tar", sync=True)
    real, calls = os.fsync, []

    def fail(fd):
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.EIO, "no")
        real(fd)

    monkeypatch.setattr(system, "fsync", fail)
    with pytest.raises(OSError, match="no") as raised:
        output.commit()
    output.discard(raised.value)
    assert raised.value.__notes__ == ["archive, which is in place but may not survive a power loss"]
    assert names(tmp_path) == ["a.tar"]


def test_a_file_that_cannot_be_removed_is_named(tmp_path, monkeypatch):
    def fail(name, parent):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(system, "unlink", fail)
    error = ValueError("the reason")
    output = ArchiveOutput(tmp_path / "a.tar", sync=False)
    output.discard(error)
    (sibling,) = names(tmp_path)
    assert error.__notes__ == [f"{tmp_path}/{sibling} is left behind, it cannot be removed ([Errno 30] read-only)"]
    output = ArchiveOutput(tmp_path / "b.tar", sync=False)
    with pytest.raises(OSError, match="read-only") as raised:
        output.discard()
    assert raised.value.filename.startswith(f"{tmp_path}/.b.tar.oci-layers-")
    assert raised.value.__notes__ == ["unfinished archive, which is left behind"]


def test_nothing_is_synced_unasked(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "fsync", None)
    output = ArchiveOutput(tmp_path / "a.tar", sync=False)
    output.commit()
    assert names(tmp_path) == ["a.tar"]
