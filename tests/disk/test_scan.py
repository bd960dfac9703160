import os
import socket
import stat

import pytest

from oci_layers import system
from oci_layers.disk import scan
from oci_layers.errors import SizeMismatchError, UnsafePathError
from oci_layers.tree.dump import dump
from tests.disk.test_confine import deep
from tests.disk.test_mirror import EVERYTHING
from tests.support.layers import d, f, fifo, ln, sym, tar
from tests.support.process import as_user, in_child, outcome
from tests.support.trees import mirrored


def own(*entries):
    for entry in entries:
        entry.uid, entry.gid = os.geteuid(), os.getegid()
    return tar(*entries)


@pytest.mark.root
def test_a_tree_that_was_mirrored_is_scanned_as_it_was(place):
    (place / "dest").mkdir()
    tree, _ = mirrored(place / "dest", tar(*EVERYTHING))
    found = scan(place / "dest")
    assert found == tree
    assert dump(found) == dump(tree)


def test_an_ordinary_user_scans_what_is_their_own(place):
    def work():
        (place / "dest").mkdir()
        layer = own(
            d("./"), d("a", xattrs={b"user.a": b"1"}), f("a/b", "x" * 100), ln("c", "a/b"), sym("l", "a"), fifo("p")
        )
        tree, report = mirrored(place / "dest", layer)
        return dump(scan(place / "dest")) == dump(tree), len(report.skipped)

    assert as_user(work) == (True, 0)


def test_an_empty_directory_is_a_root_alone(place):
    place.chmod(0o751)
    os.utime(place, ns=(1, 1_000_000_001))
    owner = "{0.st_uid}:{0.st_gid}".format(os.stat(place))
    assert dump(scan(place)) == f"/ dir 0751 {owner} 1.000000001\n"


def test_a_link_to_a_directory_is_resolved(place):
    (place / "real").mkdir()
    (place / "real/x").touch()
    os.symlink("real", place / "link")
    assert [path for path, _ in scan(place / "link").walk()] == [b"", b"x"]


def test_links_inside_are_not_followed(place):
    (place / "tree").mkdir()
    (place / "outside").mkdir()
    (place / "outside/secret").touch()
    os.symlink("../outside", place / "tree/link")
    assert [path for path, _ in scan(place / "tree").walk()] == [b"", b"link"]


def test_sockets_are_left_out_and_told(place):
    (place / "a").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "a/s"))
    found = []
    assert [path for path, _ in scan(place, skip=found.append).walk()] == [b"", b"a"]
    assert [(item.what, item.path, item.errno) for item in found] == [("socket", b"a/s", None)]
    assert len(scan(place)) == 2


def test_names_are_bytes(place):
    names = [b"\xff\xfe", b"\n", b"a b", "é".encode()]
    for name in names:
        os.close(os.open(os.fsencode(place) + b"/" + name, os.O_CREAT))
    assert [path for path, _ in scan(place).walk()][1:] == sorted(names)


def test_names_of_one_file_are_one_file(place):
    (place / "a").write_text("x")
    (place / "d").mkdir()
    os.link(place / "a", place / "d/b")
    os.symlink("x", place / "l")
    os.link(place / "l", place / "m", follow_symlinks=False)
    tree = scan(place)
    assert tree.get("a") is tree.get("d/b")
    assert tree.get("l") is tree.get("m")
    assert tree.get("a") is not tree.get("l")


def test_holes_are_known_and_read_as_zeros(place):
    with open(place / "sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"data")
        file.truncate(3 << 20)
    os.truncate(place / "sparse", 3 << 20)
    content = scan(place).get("sparse").content
    assert content.size == 3 << 20
    assert content.extents == ((1 << 20, 4096),)
    assert b"".join(content.chunks()) == (place / "sparse").read_bytes()


def test_a_file_of_holes_alone_has_no_data(place):
    os.close(os.open(place / "hole", os.O_CREAT))
    os.truncate(place / "hole", 1 << 20)
    content = scan(place).get("hole").content
    assert content.extents == ()
    assert b"".join(content.chunks()) == bytes(1 << 20)


def test_contents_are_read_when_asked_for_and_as_safely(place):
    (place / "tree/d").mkdir(parents=True)
    (place / "tree/d/file").write_bytes(b"x" * 700_000)
    (place / "secret").write_text("secret")
    content = scan(place / "tree").get("d/file").content
    assert [len(chunk) for chunk in content.chunks()] == [1 << 18, 1 << 18, 700_000 - (1 << 19)]
    os.rename(place / "tree/d", place / "tree/moved")
    assert outcome(list, content.chunks())[0] == "UnsafePathError"
    os.mkdir(place / "tree/d")
    assert outcome(list, content.chunks())[0] == "FileNotFoundError"
    os.symlink(place / "secret", place / "tree/d/file")
    assert outcome(list, content.chunks())[0] == "OSError"
    os.unlink(place / "tree/d/file")
    os.mkfifo(place / "tree/d/file")
    assert outcome(list, content.chunks())[0] == "OSError"


def test_a_file_that_becomes_something_else_while_it_is_scanned_is_an_error(place, monkeypatch):
    (place / "file").write_text("x")
    (place / "secret").write_text("secret")
    real = system.lstat

    def lstat(name, parent):
        found = real(name, parent)
        if name == b"file" and stat.S_ISREG(found.st_mode):
            os.unlink(place / "file")
            os.symlink("secret", place / "file")
        return found

    monkeypatch.setattr(system, "lstat", lstat)
    assert outcome(scan, place)[0] == "OSError"


def test_a_directory_that_becomes_a_link_while_it_is_scanned_is_an_error(place, monkeypatch):
    (place / "tree/d").mkdir(parents=True)
    real = system.lstat

    def lstat(name, parent):
        found = real(name, parent)
        os.rmdir(place / "tree/d")
        os.symlink("..", place / "tree/d")
        return found

    monkeypatch.setattr(system, "lstat", lstat)
    with pytest.raises(UnsafePathError) as caught:
        scan(place / "tree")
    assert caught.value.path == b"d"


def test_depth_and_breadth_need_few_handles(place):
    for number in range(100):
        (place / f"n{number}/x").mkdir(parents=True)
    deep(place, 300)
    before = len(os.listdir("/proc/self/fd"))
    assert in_child(lambda: len(scan(place)), files=before + 12) == 1 + 200 + 300
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_proc_attributes_of_links_are_not_looked_for(place, monkeypatch):
    monkeypatch.setattr(system, "HAS_PROC", False)
    os.symlink("x", place / "l")
    os.mkfifo(place / "p")
    assert [path for path, _ in scan(place).walk()] == [b"", b"l", b"p"]


@pytest.mark.parametrize("name", ["missing", "file", "loop"])
def test_what_is_no_directory_cannot_be_scanned(place, name):
    (place / "file").touch()
    os.symlink("loop", place / "loop")
    assert outcome(scan, place / name)[0] in {"FileNotFoundError", "NotADirectoryError"}


@pytest.mark.root
def test_what_may_not_be_read_is_an_error(place):
    (place / "mine").touch(0o600)
    assert as_user(lambda: outcome(scan, place))[0] == "PermissionError"


def test_a_file_that_has_become_shorter_is_an_error_after_its_bytes(place):
    (place / "f").write_bytes(b"12345")
    content = scan(place).require("f").content
    os.truncate(place / "f", 3)
    pieces = []
    with pytest.raises(SizeMismatchError) as raised:
        pieces.extend(content.chunks())
    assert (pieces, raised.value.what, raised.value.expected, raised.value.actual) == ([b"123"], "f", 5, 3)
