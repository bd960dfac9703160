import errno
import os
import sys

import pytest

from oci_layers import system
from oci_layers.disk.confine import Handles, open_file, remove_children, remove_tree
from oci_layers.errors import UnsafePathError
from oci_layers.system import beneath
from tests.support.process import as_user, in_child, outcome


@pytest.fixture
def root(place):
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def inode(fd):
    return os.fstat(fd).st_ino


def open_files():
    return len(os.listdir("/proc/self/fd"))


def deep(place, depth, name="d"):
    """Make directories in one another, however long their path becomes; return the path."""
    fd = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    return "/".join([name] * depth).encode()


def test_a_directory_is_reached_and_stays_open(place, root):
    (place / "a/b").mkdir(parents=True)
    handles = Handles(root)
    assert inode(handles.directory(b"")) == inode(root)
    fd = handles.directory(b"a/b")
    assert inode(fd) == os.stat(place / "a/b").st_ino
    assert handles.directory(b"a/b") == fd
    handles.close()
    assert inode(root) == os.stat(place).st_ino
    assert outcome(os.fstat, fd)[0] == "OSError"


@pytest.fixture(params=["one call", "one call for each directory"])
def calls(request, monkeypatch):
    """The ways to open a file at a path: the kernel may have no call for it, or forbid it."""
    if request.param != "one call":

        def refused(path, root):
            raise PermissionError(errno.EPERM, "refused")

        monkeypatch.setattr(system, "open_beneath", refused)


@pytest.mark.parametrize("depth", [0, 1, 30, 2100])
def test_a_file_is_opened_at_any_depth(place, root, calls, depth):
    path = (deep(place, depth) + b"/f").lstrip(b"/")
    handles = Handles(root)
    parent = handles.directory(path.rpartition(b"/")[0])
    with os.fdopen(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=parent), "wb") as file:
        file.write(b"lit")
    handles.close()
    before = open_files()
    fd = open_file(path, root)
    assert (os.read(fd, 9), os.get_inheritable(fd)) == (b"lit", False)
    os.close(fd)
    assert open_files() == before
    remove_children(root)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        *((b"link", errno.ELOOP), (b"missing", errno.ENOENT), (b"pipe", errno.EINVAL), (b"inner", errno.EINVAL)),
        *((path, None) for path in (b"linked/file", b"missing/file", b"pipe/file", b"loop/file")),
    ],
)
def test_only_a_regular_file_is_opened_and_no_link_is_followed(place, root, calls, path, error):
    (place / "inner").mkdir()
    (place / "inner/file").write_text("secret")
    os.mkfifo(place / "pipe")
    for name, target in {"link": "inner/file", "linked": "inner", "loop": "loop"}.items():
        os.symlink(target, place / name)
    before = open_files()
    with pytest.raises(OSError if error else UnsafePathError) as caught:
        open_file(path, root)
    assert getattr(caught.value, "errno", None) == error
    assert open_files() == before


@pytest.mark.parametrize("path", [b"..", b"a/../../x", b"/etc/passwd", b"a/link"])
def test_the_kernel_does_not_leave_the_root(place, root, path):
    (place / "a").mkdir()
    os.symlink("/etc/passwd", place / "a/link")
    with pytest.raises(OSError, match=r".") as caught:
        system.open_beneath(path, root)
    assert caught.value.errno in {errno.EXDEV, errno.ELOOP, errno.ENOSYS, errno.EPERM}


def test_a_path_with_a_nul_is_not_cut_there(place, root):
    (place / "f").touch()
    with pytest.raises(ValueError, match="NUL"):
        system.open_beneath(b"f\0g", root)


def test_a_python_without_ctypes_opens_one_directory_after_another(place, root, monkeypatch):
    (place / "d").mkdir()
    (place / "d/f").write_bytes(b"text")
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.setattr(beneath, "_call", beneath._call.__wrapped__)
    with pytest.raises(OSError, match="openat2") as caught:
        system.open_beneath(b"d/f", root)
    assert caught.value.errno == errno.ENOSYS
    with os.fdopen(open_file(b"d/f", root), "rb") as file:
        assert file.read() == b"text"


@pytest.mark.parametrize("path", [b"link", b"link/inner", b"file", b"file/x", b"missing", b"dangling", b"loop"])
def test_what_is_no_directory_any_more_is_an_error(place, root, path):
    (place / "outside/inner").mkdir(parents=True)
    (place / "file").touch()
    for name, target in {"link": "outside", "dangling": "nowhere", "loop": "loop"}.items():
        os.symlink(target, place / name)
    handles = Handles(root)
    with pytest.raises(UnsafePathError) as caught:
        handles.directory(path)
    assert caught.value.path == path.partition(b"/")[0]
    assert caught.value.reason == "the directory was changed by someone else meanwhile"
    handles.close()


def test_a_directory_that_is_swapped_is_still_the_one_that_was_opened(place, root):
    (place / "a").mkdir()
    (place / "other").mkdir()
    handles = Handles(root)
    fd = handles.directory(b"a")
    os.rename(place / "a", place / "moved")
    os.symlink("other", place / "a")
    assert inode(handles.directory(b"a")) == os.stat(place / "moved").st_ino
    handles.forget(b"a")
    assert outcome(os.fstat, fd)[0] == "OSError"
    assert outcome(handles.directory, b"a")[0] == "UnsafePathError"


def test_other_errors_come_through(root, monkeypatch):
    def refuse(name, parent):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(system, "open_directory", refuse)
    assert outcome(Handles(root).directory, b"a") == ("OSError", "[Errno 5] input/output error")


def test_forgetting_a_directory_forgets_what_is_below_and_nothing_else(place, root):
    for name in ("a/b", "ab", "c"):
        (place / name).mkdir(parents=True)
    handles = Handles(root)
    before = open_files()
    for name in (b"a/b", b"ab", b"c"):
        handles.directory(name)
    handles.forget(b"a")
    assert open_files() == before + 2
    handles.close()


@pytest.mark.parametrize(("limit", "kept"), [(64, 16), (8, 4), (1024, 128), (1 << 20, 128)])
def test_so_many_directories_stay_open(place, root, monkeypatch, limit, kept):
    monkeypatch.setattr(system, "open_file_limit", lambda: limit)
    for number in range(200):
        (place / str(number)).mkdir()
    before = open_files()
    handles = Handles(root)
    for number in [*range(200), *range(200)]:
        path = str(number).encode()
        assert inode(handles.directory(path)) == os.stat(place / str(number)).st_ino
    assert open_files() - before == kept
    handles.close()
    assert open_files() == before


def test_depth_costs_no_stack_and_no_handles(place, root):
    path = deep(place, 1500)
    handles = Handles(root)
    before = open_files()
    assert inode(handles.directory(path)) != inode(root)
    assert open_files() - before <= 128
    handles.close()
    assert in_child(lambda: outcome(remove_children, root), files=32) == ("ok", None)
    assert os.listdir(place) == []


def test_a_held_directory_is_not_pushed_out(place, root):
    (place / "a").mkdir()
    path = deep(place, 300)
    handles = Handles(root)
    with handles.held(b"a") as fd:
        handles.directory(path)
        assert inode(fd) == os.stat(place / "a").st_ino
    assert outcome(os.fstat, fd)[0] == "OSError"
    handles.close()


def planted(place):
    """A tree with a link out of it, and what that leads to."""
    (place / "outside").mkdir()
    (place / "outside/file").touch()
    (place / "tree/d/e").mkdir(parents=True)
    os.symlink(place / "outside", place / "tree/d/link")
    os.symlink("../../outside", place / "tree/d/e/up")
    os.link(place / "outside/file", place / "tree/d/e/hard")
    os.mkfifo(place / "tree/fifo")
    return place / "tree"


def test_removal_follows_no_link(place, root):
    planted(place)
    remove_tree(b"tree", root)
    assert sorted(os.listdir(place)) == ["outside"]
    assert os.listdir(place / "outside") == ["file"]


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_what_is_no_directory_is_removed_itself(place, root, kind):
    make = {"file": lambda p: p.touch(), "link": lambda p: os.symlink("..", p), "fifo": os.mkfifo}[kind]
    make(place / "x")
    remove_tree(b"x", root)
    assert os.listdir(place) == []


def test_what_shall_stay_stays(place):
    tree = planted(place)
    (tree / "marker").touch()
    (tree / "d/marker").touch()
    fd = os.open(tree, os.O_RDONLY)
    remove_children(fd, keep=b"marker")
    os.close(fd)
    assert os.listdir(tree) == ["marker"]


@pytest.mark.parametrize("mode", [0, 0o111, 0o222, 0o444, 0o555, 0o300])
def test_directories_that_their_owner_may_not_enter_are_removed(place, mode):
    def work():
        (place / "a/b/c").mkdir(parents=True)
        (place / "a/b/file").touch()
        for name in ("a/b/c", "a/b", "a"):
            (place / name).chmod(mode)
        fd = os.open(place, os.O_RDONLY)
        remove_tree(b"a", fd)
        return os.listdir(place)

    assert as_user(work) == []


@pytest.mark.root
def test_directories_of_others_are_not_removed_by_an_ordinary_user(place):
    (place / "a/b").mkdir(parents=True)
    (place / "a").chmod(0o500)
    fd = os.open(place, os.O_RDONLY)
    assert as_user(lambda: outcome(remove_tree, b"a", fd))[0] == "PermissionError"
    os.close(fd)
    assert (place / "a/b").is_dir()


def test_a_missing_name_is_an_error(root):
    assert outcome(remove_tree, b"missing", root)[0] == "FileNotFoundError"


def test_a_directory_that_becomes_a_link_while_it_is_removed_is_not_followed(place, root, monkeypatch):
    planted(place)
    real = system.lstat

    def lstat(name, parent):
        found = real(name, parent)
        if name == b"d" and not (place / "moved").exists():
            os.rename(place / "tree/d", place / "moved")
            os.symlink(place / "outside", place / "tree/d")
        return found

    monkeypatch.setattr(system, "lstat", lstat)
    assert outcome(remove_tree, b"tree", root)[0] == "UnsafePathError"
    assert os.listdir(place / "outside") == ["file"]
