"""Paths of a writable layer: what `pathlib` has, what `os` has for paths, and what neither has."""

import copy
import errno
import io
import pickle
from pathlib import PurePosixPath

import pytest

from oci_layers.build import BoxPath, WritableLayer
from oci_layers.errors import (
    LimitError,
    NotDirectoryError,
    NotPermittedError,
    PathError,
    PathExistsError,
    PathMissingError,
    StoreError,
    UnsafePathError,
    WhiteoutError,
)
from oci_layers.image.path import ImagePath
from oci_layers.limits import Limits
from oci_layers.tree import FileTree, dump

NOW = 7 * 10**9


@pytest.fixture
def root():
    with WritableLayer(FileTree(), clock=lambda: NOW) as box:
        yield box.root


def test_paths_made_of_a_path_are_of_its_kind(root):
    path = root / "a" / "b.txt"
    made = [
        path.parent,
        *path.parents,
        path.with_name("c"),
        path.with_stem("c"),
        path.with_suffix(".c"),
        path.joinpath("x"),
    ]
    (root / "a").mkdir()
    path.touch()
    made += [
        *root.iterdir(),
        *(each for each, _, _ in root.walk()),
        *root.glob("**/*.txt"),
        *root.rglob("b*"),
        path.resolve(),
    ]
    assert {type(each) for each in made} == {BoxPath}
    for each in made:
        each.exists()
    assert repr(path) == "BoxPath('/a/b.txt')"


def test_every_method_of_an_image_path_is_there(root):
    assert isinstance(root, ImagePath)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("lamp:x:0:0\n")
    (root / "etc/group").write_text("keepers:x:0:\n")
    path = root / "etc/passwd"
    assert (path.owner(), path.group(), path.size(), path.is_file(), path.mode()) == (
        "lamp",
        "keepers",
        11,
        True,
        0o100644,
    )
    assert path.read_text() == "lamp:x:0:0\n"
    assert path.samefile("etc/../etc/passwd")


def test_writing_returns_what_pathlib_returns(root):
    assert (root / "f").write_text("Grüße") == 5
    assert (root / "f").write_bytes(memoryview(b"bytes")) == 5
    assert (root / "f").rename("g") == root / "g"
    assert (root / "g").replace(root / "f") == root / "f"
    with pytest.raises(TypeError, match="data must be str, not bytes"):
        (root / "f").write_text(b"x")


def test_directories_are_made_with_their_parents(root):
    (root / "a/b/c").mkdir(0o700, parents=True)
    (root / "a/b/c").mkdir(0o777, parents=True, exist_ok=True)
    assert [oct((root / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")] == ["0o40755", "0o40755", "0o40700"]
    (root / "f").touch()
    for work in (lambda: (root / "f").mkdir(exist_ok=True), (root / "a").mkdir):
        with pytest.raises(PathExistsError):
            work()
    with pytest.raises(NotDirectoryError):
        (root / "f/x").mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        (root / "x/y").mkdir()


def test_many_directories_are_made_at_once():
    with WritableLayer(FileTree(limits=Limits(path_depth=3_000, path_bytes=10_000))) as box:
        (box.root / ("d/" * 2_000)).mkdir(parents=True)
        assert (box.root / ("d/" * 2_000)).is_dir()


def test_a_path_climbs_to_the_root_at_most(root):
    (root / "../../f").write_text("x")
    (root / "f").rename("../g")
    assert [str(path) for path in root.iterdir()] == ["/g"]


def test_touch_makes_a_file_or_sets_its_time(root):
    (root / "f").touch(0o600)
    (root / "f").utime(1)
    (root / "f").touch()
    assert (oct((root / "f").stat().st_mode), (root / "f").stat().st_mtime_ns) == ("0o100600", NOW)
    with pytest.raises(PathExistsError):
        (root / "f").touch(exist_ok=False)
    (root / "link").symlink_to("target")
    (root / "link").touch()
    assert (root / "target").is_file()


@pytest.mark.parametrize("target", ["a/../b", b"\xff", PurePosixPath("x/y")])
def test_a_link_has_the_target_that_it_was_given(root, target):
    (root / "l").symlink_to(target)
    assert (root / "l").readlink() == (target if isinstance(target, bytes) else str(target).encode())


def test_a_link_to_a_path_is_absolute(root):
    (root / "l").symlink_to(root / "a/b", target_is_directory=True)
    assert (root / "l").readlink() == b"/a/b"


def test_a_target_that_no_link_can_have_is_refused(root):
    with pytest.raises(PathMissingError):
        (root / "l").symlink_to("")
    with pytest.raises(UnsafePathError):
        (root / "l").symlink_to("a\0b")
    with pytest.raises(LimitError) as caught:
        (root / "l").symlink_to("x" * 4097)
    assert (caught.value.limit, caught.value.seen) == ("path_bytes", 4097)
    assert not (root / "l").exists(follow_symlinks=False)


def test_names_of_255_bytes_and_paths_of_4096_are_made_and_longer_ones_refused(root):
    (root / ("x" * 255)).touch()
    with pytest.raises(LimitError) as caught:
        root / ("x" * 256)
    assert (caught.value.limit, caught.value.allowed) == ("component_bytes", 255)
    deep = root / "/".join(["x" * 254] * 16)  # 4,079 bytes
    deep.mkdir(parents=True)
    (deep / ("y" * 16)).touch()
    with pytest.raises(LimitError) as caught:
        deep / ("y" * 17)
    assert (caught.value.limit, caught.value.seen) == ("path_bytes", 4097)


def test_a_name_that_no_layer_can_have_is_refused_when_it_is_made(root):
    (root / "f").touch()
    for work in ((root / ".wh.f").touch, lambda: (root / "f").rename(".wh.f"), (root / ".wh..wh.d").mkdir):
        with pytest.raises(WhiteoutError):
            work()
    assert [path.name for path in root.iterdir()] == ["f"]


def test_pipes_and_devices_are_made(root):
    (root / "pipe").mkfifo(0o600)
    (root / "null").mknod("char", 1, 3, 0o666)
    (root / "disk").mknod("block", 8, 0)
    assert ((root / "pipe").is_fifo(), (root / "null").is_char_device(), (root / "disk").is_block_device()) == (
        True,
    ) * 3
    assert [oct((root / name).stat().st_mode & 0o777) for name in ("pipe", "null", "disk")] == [
        "0o600",
        "0o644",
        "0o600",
    ]
    with pytest.raises(WhiteoutError):
        (root / "whiteout").mknod("char", 0, 0)
    with pytest.raises(ValueError, match="kind 'fifo': expected 'char' or 'block'"):
        (root / "x").mknod("fifo", 1, 3)
    with pytest.raises(PathError) as caught:
        (root / "x").mknod("char", 1 << 32, 0)
    assert caught.value.errno == errno.EINVAL
    for name in ("pipe", "null"):
        with pytest.raises(PathError) as caught:
            (root / name).open("w")
        assert (caught.value.errno, caught.value.reason) == (errno.ENXIO, "not a regular file")
        with pytest.raises(PathError) as caught:
            (root / name).truncate(0)
        assert (caught.value.errno, caught.value.reason) == (errno.EINVAL, "not a regular file")


def test_unlink_may_miss(root):
    (root / "no").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (root / "no").unlink()
    (root / "f").touch()
    with pytest.raises(NotADirectoryError):
        (root / "f/x").unlink(missing_ok=True)


def test_attributes_are_set(root):
    path = root / "f"
    path.touch()
    path.chmod(0o4755)
    path.chown(5)
    path.chown(gid=6)
    path.utime(3)
    path.set_xattr("user.note", b"hi")
    path.set_xattr(b"user.other", b"")
    path.remove_xattr("user.other")
    assert path.xattrs() == {b"user.note": b"hi"}
    assert "/f file 0755 5:6 0.000000003 text= xattr.user.note=hi" in dump(path._tree)


def test_what_is_no_number_is_refused_before_anything_changes(root):
    path = root / "f"
    path.write_bytes(b"0123")
    before = dump(path._tree)
    with path.open("r+b", 0) as file:
        for work in (
            lambda: path.truncate(1.0),
            lambda: path.chmod("755"),
            lambda: path.chown(1.0),
            lambda: path.utime(1.5),
            lambda: path.set_xattr("user.a", "text"),
            lambda: (root / "x").mknod("char", 1.0, 3),
            lambda: file.truncate(1.0),
            lambda: file.seek(1.0),
        ):
            with pytest.raises(TypeError):
                work()
    assert dump(path._tree) == before


def test_a_time_that_no_layer_can_have_is_refused(root):
    (root / "f").touch()
    for seconds in (-(2**63) + 1, 2**63 - 1):
        (root / "f").utime(seconds * 10**9)
        assert (root / "f").stat().st_mtime_ns == seconds * 10**9
    for seconds in (-(2**63), 2**63):
        with pytest.raises(PathError, match="64 bits") as caught:
            (root / "f").utime(seconds * 10**9)
        assert caught.value.errno == errno.EINVAL


def test_an_attribute_is_a_copy_of_the_bytes_that_were_given(root):
    value = bytearray(b"1")
    root.set_xattr("user.a", value)
    value[:] = b"22"
    assert root.xattrs() == {b"user.a": b"1"}


def test_a_link_has_no_permissions(root):
    (root / "l").symlink_to("f")
    (root / "f").touch()
    for work in (lambda: (root / "l").chmod(0o600, follow_symlinks=False), lambda: (root / "l").lchmod(0o600)):
        with pytest.raises(PathError) as caught:
            work()
        assert caught.value.errno == errno.ENOTSUP
    (root / "f").lchmod(0o600)
    (root / "l").chown(5, 5, follow_symlinks=False)
    assert (oct((root / "f").stat().st_mode), (root / "f").stat().st_uid, (root / "l").lstat().st_uid) == (
        "0o100600",
        0,
        5,
    )
    with pytest.raises(NotPermittedError):
        (root / "l").set_xattr("user.a", b"", follow_symlinks=False)
    assert (root / "l").xattrs(follow_symlinks=False) == {}


def test_a_file_is_truncated(root):
    (root / "f").write_bytes(b"0123456789")
    (root / "f").truncate(4)
    (root / "f").truncate(6)
    assert (root / "f").read_bytes() == b"0123\0\0"
    with pytest.raises(PathError) as caught:
        (root / "f").truncate(-1)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    "taken", [lambda path: path.content(), lambda path: path.node.content, lambda path: path.link_node.content]
)
def test_a_content_or_node_that_was_given_out_does_not_change(root, taken):
    path = root / "f"
    path.write_bytes(b"first")
    content = taken(path)
    with path.open("r+b") as file:
        file.write(b"SECOND")
    assert b"".join(content.chunks()) == b"first"
    assert path.read_bytes() == b"SECOND"
    assert (root / "no").node is None


def test_a_path_of_another_layer_is_on_another_device(root):
    (root / "f").touch()
    with WritableLayer(FileTree()) as other:
        for work in (lambda: (root / "f").rename(other.root / "g"), lambda: (root / "g").hardlink_to(other.root / "f")):
            with pytest.raises(PathError) as caught:
                work()
            assert caught.value.errno == errno.EXDEV
        assert other.root != root


def test_a_tree_may_change_while_it_is_walked(root):
    for name in ("a/b/c", "d"):
        (root / name).mkdir(parents=True)
    seen = []
    for path, _, _ in root.walk():
        seen.append(str(path))
        if path.name == "b":
            (path / "c").rmdir()
    assert seen == ["/", "/a", "/a/b", "/d"]


def test_a_tree_may_change_while_a_pattern_is_looked_for(root):
    for number in range(20):
        (root / f"{number}/d").mkdir(parents=True)
        (root / f"{number}/d/f").touch()
    for path in root.rglob("f"):
        path.parent.rmtree()
        (root / f"new{path.parent.parent.name}").touch()
    assert [*root.rglob("f")] == []
    assert len([*root.glob("new*")]) == 20


@pytest.mark.parametrize("work", [pickle.dumps, copy.deepcopy])
def test_neither_a_layer_nor_its_paths_are_pickled(root, work):
    with WritableLayer(FileTree()) as box:
        for each in (box, box.root):
            with pytest.raises(TypeError, match="cannot be pickled: commit, and write the layer first"):
                work(each)
    assert copy.copy(root) == root


def test_paths_are_of_no_use_after_the_end():
    with WritableLayer(FileTree()) as box:
        path = box.root / "f"
        path.touch()
    for work in (
        path.exists,
        path.stat,
        path.read_bytes,
        path.iterdir,
        path.touch,
        lambda: path.glob("*"),
        lambda: path.rglob("*"),
        lambda: path.write_bytes(b""),
    ):
        with pytest.raises(StoreError):
            work()


def test_a_file_can_be_had_by_readers_that_want_one(root):
    (root / "f.tar").write_bytes(b"x" * 100_000)
    with (root / "f.tar").open("rb") as file:
        assert isinstance(file, io.BufferedReader)
        file.seek(-10, io.SEEK_END)
        assert file.read() == b"x" * 10
