"""A real directory as entries: what `scan` sees, in one walk, while it changes, and as little of it as is needed."""

import io
import os
import socket
import stat

import pytest

from oci_layers import read_tar, scan, system
from oci_layers.build.directory import directory_entries
from oci_layers.build.ignore import Ignore
from oci_layers.errors import LimitError, SizeMismatchError, UnsafePathError, WhiteoutError
from oci_layers.layer import tree_entries
from oci_layers.limits import Limits
from oci_layers.report import Skipped
from oci_layers.tar import HARDLINK, write_tar
from tests.disk.test_mirror import EVERYTHING
from tests.support.layers import tar
from tests.support.process import as_user, in_child
from tests.support.trees import mirrored


def walk(directory, ignore="", limits=None, skip=lambda _: None):
    return directory_entries(os.fspath(directory), ignore=Ignore.parse(ignore), limits=limits or Limits(), skip=skip)


def names(directory, ignore=""):
    return [entry.name for entry in walk(directory, ignore)]


def raw(directory):
    return b"".join(write_tar(walk(directory)))


def fill(top, *paths):
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).mkdir() if path.endswith("/") else (top / path).write_text(path)


@pytest.mark.root
def test_everything_that_a_layer_can_hold_is_what_scan_finds(tmp_path):
    everything = [entry for entry in EVERYTHING if entry.name != b"zero"]
    mirrored(tmp_path, tar(*everything))
    assert raw(tmp_path) == b"".join(write_tar(tree_entries(scan(tmp_path))))


def test_a_directory_comes_before_what_is_in_it_and_names_are_sorted_by_their_bytes(tmp_path):
    fill(tmp_path, "b/x", "b-c", "b.d", "a", "é", "Z", "b/a/y")
    expected = [b"./", b"Z", b"a", b"b/", b"b/a/", b"b/a/y", b"b/x", b"b-c", b"b.d", "é".encode()]
    assert sorted(names(tmp_path)) == sorted(expected)
    assert names(tmp_path) == [b"./", b"Z", b"a", b"b/", b"b/a/", b"b/a/y", b"b/x", b"b-c", b"b.d", "é".encode()]


def test_names_are_bytes(tmp_path):
    odd = [b"\n", b"\xff\xfe", b" a\\b", b"*"]
    for name in odd:
        (tmp_path / os.fsdecode(name)).touch()
    assert names(tmp_path)[1:] == sorted(odd)


def test_the_first_name_of_a_file_has_its_content_and_the_others_are_links_to_it(tmp_path):
    fill(tmp_path, "b")
    (tmp_path / "a").mkdir()
    os.link(tmp_path / "b", tmp_path / "a/z")
    os.symlink("x", tmp_path / "c")
    os.link(tmp_path / "c", tmp_path / "d", follow_symlinks=False)
    os.chmod(tmp_path / "b", 0o640)
    found = {entry.name: entry for entry in walk(tmp_path)}
    assert (found[b"a/z"].size, found[b"b"].type, found[b"b"].linkname) == (1, HARDLINK, b"a/z")
    assert (found[b"d"].type, found[b"d"].linkname) == (HARDLINK, b"c")
    assert (found[b"b"].mode, found[b"b"].mtime_ns) == (found[b"a/z"].mode, found[b"a/z"].mtime_ns)


def test_a_file_of_which_only_one_name_is_taken_has_its_content_there(tmp_path):
    fill(tmp_path, "a/x")
    os.link(tmp_path / "a/x", tmp_path / "b")
    assert [(entry.name, entry.size) for entry in walk(tmp_path, "a")][1:] == [(b"b", 3)]


def test_sockets_are_left_out_and_reported(tmp_path):
    (tmp_path / "d").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "d/s"))
    found = []
    assert [entry.name for entry in walk(tmp_path, skip=found.append)] == [b"./", b"d/"]
    assert found == [Skipped("socket", b"d/s", 0, None)]


@pytest.mark.parametrize("name", [".wh.a", ".wh.", ".wh..wh..opq"])
@pytest.mark.parametrize("make", [os.mkdir, lambda path: open(path, "x").close()])
def test_a_name_that_would_be_read_as_a_marker_is_refused(tmp_path, name, make):
    (tmp_path / "d").mkdir()
    make(tmp_path / "d" / name)
    with pytest.raises(WhiteoutError) as caught:
        names(tmp_path)
    assert caught.value.path == b"d/" + name.encode()
    assert names(tmp_path, "d/.wh.*") == [b"./", b"d/"]


@pytest.mark.root
def test_a_device_that_overlayfs_reads_as_a_whiteout_is_refused(tmp_path):
    os.mknod(tmp_path / "fine", stat.S_IFBLK, os.makedev(0, 0))
    os.mknod(tmp_path / "gone", stat.S_IFCHR, os.makedev(0, 0))
    with pytest.raises(WhiteoutError) as caught:
        names(tmp_path)
    assert caught.value.path == b"gone"


def test_what_is_left_out_is_neither_read_nor_entered(tmp_path, monkeypatch):
    fill(tmp_path, "node_modules/a/b", "keep", "secret", "src/node_modules/x", "src/y")
    opened = []
    for call in ("open_directory", "open_regular_file"):
        real = getattr(system, call)
        monkeypatch.setattr(system, call, lambda name, *rest, real=real: (opened.append(name), real(name, *rest))[1])
    assert names(tmp_path, "**/node_modules\nsecret") == [b"./", b"keep", b"src/", b"src/y"]
    assert opened == [b"keep", b"src", b"y"]


def test_a_directory_above_what_is_taken_back_is_there_as_it_is(tmp_path):
    fill(tmp_path, "a/b/keep", "a/b/not", "a/c/not", "a/not")
    os.chmod(tmp_path / "a", 0o750)
    found = list(walk(tmp_path, "a\n!a/b/keep"))
    assert [entry.name for entry in found] == [b"./", b"a/", b"a/b/", b"a/b/keep"]
    assert found[1].mode == 0o750


def read_slowly(directory, change):
    """Call `change` when the first entry with content is reached, and read on."""
    pieces = []
    for entry in walk(directory):
        if entry.size:
            change()
        pieces.append(b"".join(entry.chunks()))
    return pieces


def test_a_file_that_grows_has_the_size_that_it_had(tmp_path):
    (tmp_path / "log").write_bytes(b"12345")

    def grow():
        with open(tmp_path / "log", "ab") as file:
            file.write(b"678")

    assert read_slowly(tmp_path, grow) == [b"", b"12345"]


def test_a_file_that_shrinks_is_an_error_that_names_it(tmp_path):
    (tmp_path / "log").write_bytes(b"12345")
    with pytest.raises(SizeMismatchError) as caught:
        read_slowly(tmp_path, lambda: os.truncate(tmp_path / "log", 2))
    assert (caught.value.what, caught.value.expected, caught.value.actual) == (str(tmp_path / "log"), 5, 2)


def test_a_sparse_file_that_shrinks_is_an_error_too(tmp_path):
    with open(tmp_path / "log", "wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 20)
        file.write(b"data")
    with pytest.raises(SizeMismatchError) as caught:
        read_slowly(tmp_path, lambda: os.truncate(tmp_path / "log", 1 << 20))
    assert (caught.value.expected, caught.value.actual) == ((1 << 20) + 4, 1 << 20)


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_end(tmp_path):
    fill(tmp_path, "top/f", "new")
    assert read_slowly(tmp_path / "top", lambda: os.rename(tmp_path / "new", tmp_path / "top/f")) == [b"", b"top/f"]


def at_lstat(monkeypatch, name, change):
    """Call `change` once, just after `name` was looked at."""
    real, todo = system.lstat, [change]

    def lstat(given, parent):
        found = real(given, parent)
        if given == name and todo:
            todo.pop()()
        return found

    monkeypatch.setattr(system, "lstat", lstat)


def test_a_file_that_vanishes_is_an_error_that_names_it(tmp_path, monkeypatch):
    fill(tmp_path, "d/f")
    at_lstat(monkeypatch, b"f", lambda: os.unlink(tmp_path / "d/f"))
    with pytest.raises(FileNotFoundError) as caught:
        names(tmp_path)
    assert caught.value.filename == str(tmp_path / "d/f")
    assert caught.value.__notes__ == ["directory of the new layer"]


def test_a_file_that_vanishes_before_it_is_looked_at_is_an_error_that_names_it(tmp_path):
    fill(tmp_path, "a", "b")
    with pytest.raises(FileNotFoundError) as caught:
        read_slowly(tmp_path, lambda: os.unlink(tmp_path / "b"))
    assert caught.value.filename == str(tmp_path / "b")


def test_a_directory_that_vanishes_is_an_error_that_names_it(tmp_path, monkeypatch):
    fill(tmp_path, "d/e/")
    at_lstat(monkeypatch, b"e", lambda: os.rmdir(tmp_path / "d/e"))
    with pytest.raises(UnsafePathError) as caught:
        names(tmp_path)
    assert caught.value.path == b"d/e"


def test_a_directory_that_becomes_a_link_is_not_followed(tmp_path, monkeypatch):
    fill(tmp_path, "top/d/", "outside/secret")

    def replace():
        os.rmdir(tmp_path / "top/d")
        os.symlink("../outside", tmp_path / "top/d")

    at_lstat(monkeypatch, b"d", replace)
    with pytest.raises(UnsafePathError) as caught:
        names(tmp_path / "top")
    assert caught.value.path == b"d"


def test_a_file_that_becomes_a_pipe_is_an_error_and_nothing_waits(tmp_path, monkeypatch):
    fill(tmp_path, "f")

    def replace():
        os.unlink(tmp_path / "f")
        os.mkfifo(tmp_path / "f")

    at_lstat(monkeypatch, b"f", replace)
    with pytest.raises(OSError, match="not a regular file") as caught:
        names(tmp_path)
    assert caught.value.filename == str(tmp_path / "f")


@pytest.mark.root
@pytest.mark.parametrize(("path", "mode"), [("d/f", 0o000), ("d", 0o300)])
def test_what_may_not_be_read_is_an_error_that_names_it(place, path, mode):
    (place / "d").mkdir()
    (place / "d/f").touch()
    os.chmod(place / path, mode)
    assert as_user(lambda: outcome(place)) == ("PermissionError", str(place / path))


def outcome(directory):
    try:
        names(directory)
    except OSError as error:
        return type(error).__name__, error.filename
    return "nothing"


def test_an_error_of_reading_names_the_file(tmp_path, monkeypatch):
    fill(tmp_path, "f")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(system, "pread", fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        raw(tmp_path)
    assert caught.value.filename == str(tmp_path / "f")


def test_holes_are_zeros_and_not_read(tmp_path, monkeypatch):
    with open(tmp_path / "f", "wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"data")
    read, real = [], system.pread
    monkeypatch.setattr(system, "pread", lambda *given: (read.append(given[1]), real(*given))[1])
    content = b"".join(chunk for entry in walk(tmp_path) for chunk in entry.chunks())
    assert (len(content), content.strip(b"\0")) == (64 << 20, b"data")
    assert sum(read) < 1 << 20


def test_a_content_is_gone_when_the_next_entry_is_requested(tmp_path):
    fill(tmp_path, "a", "b")
    first = list(walk(tmp_path))[1]
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(first.chunks())


def test_a_walk_that_is_closed_leaves_no_file_open(tmp_path):
    fill(tmp_path, "a/b/c/d", "e")
    before = len(os.listdir("/proc/self/fd"))
    walked = walk(tmp_path)
    while next(walked).name != b"a/b/c/d":
        pass
    walked.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_depth_and_breadth_need_few_open_files(tmp_path):
    fill(tmp_path, *(f"n{number}/x" for number in range(100)))
    deep = tmp_path
    for _ in range(200):
        deep /= "d"
        deep.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    assert in_child(lambda: len(names(tmp_path)), files=before + 12) == 1 + 200 + 200


def test_a_path_that_could_not_be_read_again_is_refused(tmp_path):
    fill(tmp_path, "a/b/c")
    with pytest.raises(LimitError) as caught:
        list(walk(tmp_path, limits=Limits(path_depth=2)))
    assert caught.value.limit == "path_depth"
    with pytest.raises(LimitError) as caught:
        list(walk(tmp_path, limits=Limits(path_bytes=4)))
    assert caught.value.limit == "path_bytes"


def test_a_link_to_a_directory_is_resolved(tmp_path):
    fill(tmp_path, "real/x")
    os.symlink("real", tmp_path / "link")
    assert names(tmp_path / "link") == [b"./", b"x"]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_directory_is_an_error(tmp_path, name):
    fill(tmp_path, "file")
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
        names(tmp_path / name)
    assert caught.value.filename == str(tmp_path / name)


def test_names_too_long_for_ustar_are_kept(tmp_path):
    name = "/".join(["é" * 100] * 10)
    fill(tmp_path, name)
    assert [entry.name for entry in read_tar(io.BytesIO(raw(tmp_path)))][-1] == name.encode()


def test_an_empty_directory_is_its_top_alone(tmp_path):
    os.chmod(tmp_path, 0o751)
    [top] = walk(tmp_path)
    assert (top.name, top.mode, top.mtime_ns) == (b"./", 0o751, os.stat(tmp_path).st_mtime_ns)
