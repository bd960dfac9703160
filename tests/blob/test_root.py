"""An open directory: files are opened in it until it is closed, and no handle is lost."""

import errno
import os
import stat

import pytest

from oci_layers import system
from oci_layers.blob.root import OpenDirectory, is_odd, odd_file
from oci_layers.errors import PlaceMissingError, StoreError
from tests.support.process import USER, in_child, shared_directory

needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


def handles():
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def root(tmp_path):
    opened = OpenDirectory(str(tmp_path))
    yield opened
    opened.close()


def opening(name):
    return lambda fd: system.open_regular_file(name, fd)


@pytest.mark.parametrize("name", ["absent", "file", "file/below"])
def test_what_is_no_directory_is_a_missing_place(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(PlaceMissingError) as caught:
        OpenDirectory(str(tmp_path / name))
    assert (caught.value.place, caught.value.reason) == (str(tmp_path / name), "no such directory")


def test_a_link_to_the_directory_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    root = OpenDirectory(str(tmp_path / "link"))
    with root as fd:
        assert os.path.samestat(os.fstat(fd), os.stat(tmp_path / "real"))
    root.close()


@needs_proc
def test_another_error_of_the_system_names_the_place_and_leaves_nothing_open(tmp_path, monkeypatch):
    def fault(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    for call in ("open_root", "fstat"):
        before = handles()
        with monkeypatch.context() as patch:
            patch.setattr(system, call, fault)
            with pytest.raises(OSError, match="Input/output error") as caught:
                OpenDirectory(str(tmp_path))
        assert (caught.value.filename, caught.value.__notes__) == (str(tmp_path), ["store"])
        assert handles() == before


def test_a_file_is_read_and_an_absent_one_is_none(root, tmp_path):
    (tmp_path / "file").write_bytes(b"the lamp")
    reader = root.open_file("the file", opening(b"file"), links=False)
    assert (reader.size, reader.read(100), reader.read(100)) == (8, b"the lamp", b"")
    reader.close()
    assert root.open_file("the file", opening(b"absent"), links=False) is None


def test_a_file_that_is_no_regular_one_is_refused_by_the_name_that_it_has_for_the_caller(root, tmp_path):
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    os.mkfifo(tmp_path / "pipe")
    reasons = {}
    for name in ("directory", "pipe", "link"):
        for links in (False, True):
            with pytest.raises(StoreError) as caught:
                root.open_file("the file", opening(name.encode()), links=links)
            assert caught.value.place == str(tmp_path)
            reasons[name, links] = caught.value.reason
    plain = "the file is not a regular file"
    assert {reason for key, reason in reasons.items() if key != ("link", False)} == {plain}
    assert reasons["link", False] == (
        f"{plain}, or is reached through a link; "
        "links are followed with blob_links=True, in the command with --policy lenient or --profile lenient"
    )


def test_errors_are_told_apart():
    odd = {number for number in errno.errorcode if is_odd(OSError(number, ""))}
    assert odd == {errno.ELOOP, errno.EMLINK, errno.ENOTDIR, errno.EINVAL, errno.EISDIR, errno.ENXIO}
    assert odd_file("it", OSError(errno.EISDIR, ""), links=False) == "it is not a regular file"
    assert "link" in odd_file("it", OSError(errno.ELOOP, ""), links=False)


def test_nothing_is_opened_in_a_directory_that_was_closed(root, tmp_path):
    (tmp_path / "file").write_bytes(b"the lamp")
    reader = root.open_file("file", opening(b"file"), links=False)
    root.close()
    root.close()
    for call in (root.__enter__, lambda: root.open_file("file", opening(b"file"), links=False), lambda: reader.read(1)):
        with pytest.raises(StoreError) as caught:
            call()
        assert (caught.value.place, caught.value.reason) == (str(tmp_path), "closed")


@needs_proc
def test_a_handle_that_is_in_use_stays_open_until_the_last_use_ends(root, tmp_path):
    before = handles()
    with root as fd:
        below = root.directory(b"made")
        with root as again:
            assert again == fd
            root.close()
        assert stat.S_ISDIR(os.fstat(fd).st_mode)
        os.close(system.open_new_file(b"file", below))
    assert handles() == before - 1
    assert os.listdir(tmp_path / "made") == ["file"]


@needs_proc
def test_directories_below_are_made_once_and_closed_with_it(root, tmp_path):
    before = handles()
    with root:
        first = root.directory(b"a", b"b")
        assert root.directory(b"a", b"b") == first
        assert root.directory(b"a") != first
    assert handles() == before + 2
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")) == ["a", "a/b"]
    root.close()
    assert handles() == before - 1


def test_a_directory_that_was_removed_is_made_again(root, tmp_path):
    with root:
        first = root.directory(b"a")
        (tmp_path / "a").rmdir()
        second = root.directory(b"a")
        os.close(system.open_new_file(b"file", second))
        assert os.fstat(first).st_nlink == 0
    assert os.listdir(tmp_path / "a") == ["file"]


def test_a_directory_below_is_not_made_or_opened_through_a_link(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "file").touch()
    for name in (b"link", b"file"):
        with root, pytest.raises(StoreError) as caught:
            root.directory(name)
        assert caught.value.place == str(tmp_path)
        assert caught.value.reason == f"{name.decode()} is not a directory, or is a link"
    assert os.listdir(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("umask", [0, 0o022, 0o027, 0o077])
def test_others_may_read_what_is_made_as_far_as_the_umask_lets_them(root, tmp_path, umask):
    old = os.umask(umask)
    try:
        with root as fd:
            os.close(root.create_file(b"file", fd))
            os.close(root.make_directory(b"directory", fd))
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "directory")]
    assert modes == [0o644 & ~umask, 0o755 & ~umask]


def test_a_file_is_not_made_over_another(root, tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    with root as fd, pytest.raises(FileExistsError):
        root.create_file(b"file", fd)
    assert (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.root
def test_root_makes_files_for_the_owner_of_the_directory():
    with shared_directory() as place:
        root = OpenDirectory(str(place))
        with root as fd:
            os.close(root.create_file(b"file", fd))
            below = root.directory(b"a", b"b")
            os.close(root.create_file(b"file", below))
        root.close()
        owners = {str(each.relative_to(place)): (each.stat().st_uid, each.stat().st_gid) for each in place.rglob("*")}
    assert owners == dict.fromkeys(["file", "a", "a/b", "a/b/file"], (USER, USER))


@pytest.mark.root
def test_a_directory_of_another_that_is_there_keeps_its_owner():
    with shared_directory() as place:
        (place / "a").mkdir()
        (place / "a" / "full").touch()
        root = OpenDirectory(str(place))
        with root:
            root.directory(b"a")
        root.close()
        assert (place / "a").stat().st_uid == 0


def test_an_ordinary_user_makes_files_of_its_own():
    def made():
        root = OpenDirectory(str(place))
        with root as fd:
            os.close(root.create_file(b"file", fd))
        root.close()
        return (place / "file").stat().st_uid == os.geteuid()

    with shared_directory() as place:
        assert in_child(made, user=USER)


@needs_proc
def test_a_directory_that_is_not_closed_warns_and_is_closed_when_it_is_collected(tmp_path):
    before = handles()
    root = OpenDirectory(str(tmp_path))
    with root:
        root.directory(b"a")
    with pytest.warns(ResourceWarning, match=f"^unclosed {tmp_path}$"):
        del root
    assert handles() == before
