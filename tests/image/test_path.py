"""The merged file system as paths, like `pathlib`'s."""

import errno
import importlib.resources
import io
import os
import pathlib
import shutil
import stat
from importlib.resources.abc import Traversable

import pytest

from oci_layers import Limits, open_image
from oci_layers.errors import (
    IsDirectoryError,
    LimitError,
    NotDirectoryError,
    OwnerMissingError,
    PathError,
    PathMissingError,
)
from oci_layers.image.path import ImagePath
from oci_layers.tree import FileTree
from tests.support.layers import block, char, d, f, fifo, image, ln, sym, tar
from tests.support.trees import merged

LAYER = tar(
    d("etc/"),
    f("etc/os-release", "NAME=caf\u00e9\r\nID=x\n"),
    f("etc/latin", b"caf\xe9"),
    f("etc/archive.tar.gz", "zz"),
    f("etc/.hidden", ""),
    f("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nme:x:1000:100::/:\n"),
    sym("etc/group", "../usr/group"),
    f("usr/group", "wheel:x:0:\nstaff:x:100:me\n"),
    f("mine", "m", uid=1000, gid=100),
    f("foreign", "", uid=7, gid=8),
    sym("release", "etc/os-release"),
    sym("absolute", "/etc/os-release"),
    sym("above", "../../../etc/os-release"),
    sym("here", "etc"),
    sym("etc/up", ".."),
    sym("nowhere", "none"),
    sym("loop", "pool"),
    sym("pool", "loop"),
    ln("hard", "etc/os-release"),
    d("sticky/", mode=0o1777),
    fifo("pipe"),
    char("null"),
    block("disk"),
    f("n\udce9", "odd"),
)


@pytest.fixture(scope="module")
def root():
    return ImagePath(merged(LAYER))


def test_it_is_what_importlib_calls_traversable(root):
    assert isinstance(root, Traversable)

    def read_all(place: Traversable):
        for below in place.iterdir():
            if below.is_dir():
                yield from read_all(below)
            elif below.is_file():
                yield below.name, len(below.read_bytes())

    tree = merged(tar(f("a", "1"), f("b/c", "22"), sym("d", "a"), sym("e", "none")))
    assert list(read_all(ImagePath(tree))) == [("a", 1), ("c", 2), ("d", 1)]
    assert root.joinpath("etc", "os-release").open().read() == "NAME=caf\u00e9\nID=x\n"


@pytest.mark.parametrize(
    ("path", "exists", "is_dir", "is_file", "is_symlink"),
    [
        ("", True, True, False, False),
        ("etc", True, True, False, False),
        ("etc/os-release", True, False, True, False),
        ("release", True, False, True, True),
        ("absolute", True, False, True, True),
        ("above", True, False, True, True),
        ("here", True, True, False, True),
        ("here/up/here/os-release", True, False, True, False),
        ("nowhere", False, False, False, True),
        ("loop", False, False, False, True),
        ("loop/x", False, False, False, False),
        ("etc/os-release/x", False, False, False, False),
        ("none", False, False, False, False),
        ("pipe", True, False, False, False),
        ("hard", True, False, True, False),
    ],
)
def test_questions_follow_links_inside_the_root(root, path, exists, is_dir, is_file, is_symlink):
    asked = root / path
    assert (asked.exists(), asked.is_dir(), asked.is_file(), asked.is_symlink()) == (
        exists,
        is_dir,
        is_file,
        is_symlink,
    )


@pytest.mark.parametrize(
    ("path", "follow", "mode"),
    [
        ("etc", True, stat.S_IFDIR | 0o755),
        ("sticky", True, stat.S_IFDIR | 0o1777),
        ("release", True, stat.S_IFREG | 0o644),
        ("release", False, stat.S_IFLNK | 0o777),
        ("pipe", True, stat.S_IFIFO | 0o644),
        ("null", True, stat.S_IFCHR | 0o644),
        ("disk", True, stat.S_IFBLK | 0o644),
    ],
)
def test_modes_are_those_of_stat(root, path, follow, mode):
    assert (root / path).mode(follow=follow) == mode


def test_a_link_is_read_and_resolved(root):
    assert (root / "above").readlink() == b"../../../etc/os-release"
    assert (root / "above").resolve() == root / "etc/os-release"
    assert (root / "here/up/here/none").resolve() == root / "etc/none"
    with pytest.raises(PathMissingError) as raised:
        (root / "none").readlink()
    assert raised.value.path == b"/none"
    with pytest.raises(PathError) as raised:
        (root / "etc").readlink()
    assert type(raised.value) is PathError
    assert (raised.value.path, raised.value.errno, raised.value.reason) == (
        b"/etc",
        errno.EINVAL,
        "not a symbolic link",
    )


def test_a_path_is_resolved_as_far_as_it_leads_or_strictly(root):
    assert (root / "here/os-release").resolve(strict=True) == root / "etc/os-release"
    assert (root / "nowhere").resolve() == root / "none"
    with pytest.raises(PathMissingError) as raised:
        (root / "nowhere").resolve(strict=True)
    assert raised.value.reason == "no such file or directory; through the link /nowhere it is /none"
    with pytest.raises(PathError) as looped:
        (root / "loop").resolve()
    assert (looped.value.path, looped.value.errno) == (b"/loop", errno.ELOOP)


def test_a_directory_lists_its_names_in_the_order_of_their_bytes(root):
    assert [each.name for each in (root / "here").iterdir()] == [
        ".hidden",
        "archive.tar.gz",
        "group",
        "latin",
        "os-release",
        "passwd",
        "up",
    ]
    assert str(next((root / "here").iterdir())) == "/here/.hidden"


def walked(path, **options):
    return [(str(each), directories, others) for each, directories, others in path.walk(**options)]


def test_a_walk_gives_directories_with_what_is_in_them(root):
    below = ImagePath(merged(tar(d("a/"), d("a/b/"), f("a/b/c"), f("a/d"), sym("a/link", "b"), d("e/"))))
    top = ("/", ["a", "e"], [])
    a, b, e = ("/a", ["b"], ["d", "link"]), ("/a/b", [], ["c"]), ("/e", [], [])
    assert walked(below) == [top, a, b, e]
    assert walked(below, top_down=False) == [b, a, e, top]
    followed = ("/a", ["b", "link"], ["d"])
    assert walked(below / "a", follow_symlinks=True) == [followed, b, ("/a/link", [], ["c"])]
    assert walked(below / "a/link") == [("/a/link", [], ["c"])]
    assert next(below.walk())[0] == below


def test_a_walk_leaves_out_the_directories_that_a_caller_takes_out():
    root = ImagePath(merged(tar(d("a/b/c/"), d("d/e/"))))
    seen = []
    for path, directories, _ in root.walk():
        seen.append(str(path))
        directories[:] = [name for name in directories if name != "b"]
    assert seen == ["/", "/a", "/d", "/d/e"]


def test_a_walk_tells_of_what_it_cannot_list_if_it_is_asked(root):
    for path, number in (("none", errno.ENOENT), ("release", errno.ENOTDIR), ("loop", errno.ELOOP)):
        errors = []
        assert walked(root / path) == walked(root / path, on_error=errors.append) == []
        assert [(each.errno, each.filename) for each in errors] == [(number, f"/{path}")]


def test_a_walk_into_a_loop_of_links_ends():
    root, errors = ImagePath(merged(tar(sym("a", ".")))), []
    seen = walked(root, follow_symlinks=True, on_error=errors.append)
    assert len(seen) == 41
    assert all(directories == ["a"] for _, directories, _ in seen[:-1])


def test_text_is_read_as_asked(root):
    path = root / "absolute"
    assert path.read_text() == "NAME=caf\u00e9\nID=x\n"
    assert path.read_text(newline="") == "NAME=caf\u00e9\r\nID=x\n"
    assert path.read_bytes() == b"NAME=caf\xc3\xa9\r\nID=x\n"
    assert (root / "etc/latin").read_text("latin-1") == "caf\u00e9"
    assert (root / "etc/latin").read_text(errors="replace") == "caf\ufffd"
    with pytest.raises(UnicodeDecodeError):
        (root / "etc/latin").read_text()


def test_a_file_is_opened_for_reading(root):
    with (root / "release").open() as text:
        assert text.readlines() == ["NAME=caf\u00e9\n", "ID=x\n"]
    with (root / "release").open("rb") as raw:
        assert (raw.read(4), raw.readable(), raw.read()) == (b"NAME", True, b"=caf\xc3\xa9\r\nID=x\n")
    with (root / "etc/latin").open("rt", -1, "latin-1") as text:
        assert text.read() == "caf\u00e9"
    with (root / "etc/latin").open("r", encoding="ascii", errors="replace") as text:
        assert text.read() == "caf\ufffd"
    with (root / "release").open("r", 1, None, None, "") as text:
        assert text.readlines() == ["NAME=caf\u00e9\r\n", "ID=x\n"]
    with (root / "release").open("br", 0) as raw:
        assert (raw.read(4), raw.seek(-2, io.SEEK_END), raw.read()) == (b"NAME", 15, b"x\n")
    with (root / "release").open("rb", 2) as raw:
        assert (raw.seek(5), raw.read(3), raw.tell()) == (5, b"caf", 8)
    with (root / "release").open() as text:
        assert (text.readline(), text.seek(0), text.read(4)) == ("NAME=caf\u00e9\n", 0, "NAME")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["w"], "mode 'w': an image can only be read, 'r' or 'rb'"),
        (["r", 0], "text cannot be read without a buffer"),
        (["rb", -1, "utf-8"], "mode 'rb' takes no encoding, errors or newline"),
        (["rb", -1, None, None, ""], "mode 'rb' takes no encoding, errors or newline"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused_whatever_is_there(root, arguments, reason):
    for path in ("release", "none"):
        with pytest.raises(ValueError) as raised:
            (root / path).open(*arguments)
        assert str(raised.value) == reason


NOTHING = "no such file or directory"


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("etc", IsDirectoryError, "is a directory"),
        ("pipe", PathError, "not a regular file"),
        ("none", PathMissingError, NOTHING),
        ("none/x", PathMissingError, NOTHING),
        ("nowhere", PathMissingError, f"{NOTHING}; through the link /nowhere it is /none"),
        ("etc/latin/x", NotDirectoryError, "not a directory"),
        ("release/x", NotDirectoryError, "not a directory"),
        ("loop", PathError, "more than 40 links to follow, perhaps a loop"),
    ],
)
@pytest.mark.parametrize("ask", [ImagePath.read_bytes, ImagePath.read_text, ImagePath.open, ImagePath.size])
def test_what_is_no_file_cannot_be_read(root, ask, path, kind, reason):
    with pytest.raises(PathError) as raised:
        ask(root / path)
    assert (type(raised.value), raised.value.path, raised.value.reason) == (kind, b"/" + path.encode(), reason)


def test_a_pipe_has_nothing_at_its_other_end(root):
    with pytest.raises(PathError) as raised:
        (root / "pipe").read_bytes()
    assert raised.value.errno == errno.ENXIO


@pytest.mark.parametrize(
    ("path", "kind"),
    [("none", FileNotFoundError), ("release", NotADirectoryError), ("etc/latin/x", NotADirectoryError)],
)
def test_what_is_no_directory_is_not_listed_which_is_said_at_once(root, path, kind):
    with pytest.raises(kind) as raised:
        (root / path).iterdir()
    assert (raised.value.filename, raised.value.path) == (f"/{path}", b"/" + path.encode())


@pytest.mark.parametrize(
    "ask",
    [
        ImagePath.stat,
        ImagePath.lstat,
        ImagePath.mode,
        ImagePath.owner,
        ImagePath.group,
        ImagePath.readlink,
        lambda path: path.samefile("/"),
        lambda path: ImagePath(path._tree).samefile(path),
    ],
)
def test_what_is_not_there_is_a_file_not_found_whatever_is_asked(root, ask):
    with pytest.raises(FileNotFoundError) as raised:
        ask(root / "none")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOENT, "/none")
    with pytest.raises(PathError) as looped:
        ask(root / "loop/x")
    assert (looped.value.errno, looped.value.filename) == (errno.ELOOP, "/loop/x")


@pytest.mark.parametrize(
    "use",
    [
        open,
        os.stat,
        os.fspath,
        pathlib.Path,
        os.listdir,
        lambda path: shutil.copy(path, "copy"),
        lambda path: os.path.join("/", path),
    ],
)
def test_the_host_does_not_take_it_for_a_path_of_its_own(root, use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not isinstance(root, os.PathLike)
    with pytest.raises(TypeError):
        use(root / "etc/passwd")
    assert os.listdir(tmp_path) == []


def test_it_is_taken_where_a_path_inside_an_image_is(tmp_path):
    with open_image(image(tmp_path / "image", tar(f("a/b", "b"), f("c", "c")))) as opened:
        path = opened.root / "a" / "b"
        assert opened.tree().get(path) is path.node
        assert path in opened.tree()
        assert [each for each, _, _ in opened.files([path])] == [b"a/b"]
        opened.unpack(tmp_path / "out", paths=[path.parent])
        assert (opened.root / "c").joinpath(path) == ImagePath(opened.root._tree, path) == path
    assert sorted(os.listdir(tmp_path / "out")) == ["a"]


def test_importlib_makes_a_file_on_the_host_of_it(root):
    with importlib.resources.as_file(root / "mine") as file:
        assert (file.name.endswith("mine"), file.read_bytes()) == (True, b"m")


def test_patterns_are_over_the_paths_of_the_image(root):
    assert list((root / "here").glob("*.gz")) == [root / "here/archive.tar.gz"]
    assert list(root.glob("etc")) == [root / "etc"]
    assert list(root.rglob("group")) == [root / "etc/group", root / "usr/group"]
    assert list((root / "none").rglob("*")) == []
    for ask in (root.glob, root.rglob):
        with pytest.raises(NotImplementedError):
            ask("/etc")
    path = root / "etc/archive.tar.gz"
    assert (path.match("*.gz"), path.match("/*.gz"), path.full_match("/**/*.gz")) == (True, False, True)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pipe", ImagePath.is_fifo),
        ("disk", ImagePath.is_block_device),
        ("null", ImagePath.is_char_device),
        ("", ImagePath.is_mount),
        ("none", None),
        ("etc", None),
        ("release", None),
    ],
)
def test_a_path_is_of_one_kind(root, path, kind):
    kinds = [ImagePath.is_fifo, ImagePath.is_block_device, ImagePath.is_char_device, ImagePath.is_mount]
    assert [each for each in (*kinds, ImagePath.is_socket, ImagePath.is_junction) if each(root / path)] == [kind] * (
        kind is not None
    )


@pytest.mark.parametrize(
    ("path", "exists", "is_dir", "is_file"),
    [
        ("release", True, False, False),
        ("here", True, False, False),
        ("etc", True, True, False),
        ("mine", True, False, True),
    ],
)
def test_questions_do_not_follow_a_link_where_that_is_asked(root, path, exists, is_dir, is_file):
    asked = root / path
    ways = (ImagePath.exists, ImagePath.is_dir, ImagePath.is_file)
    assert tuple(way(asked, follow_symlinks=False) for way in ways) == (exists, is_dir, is_file)


def test_paths_lead_to_the_same_file(root):
    assert (root / "hard").samefile(root / "here/os-release")
    assert (root / "hard").samefile("etc/os-release")
    assert (root / "here").samefile("/etc")
    assert not (root / "mine").samefile(b"foreign")
    assert not root.samefile(ImagePath(merged(LAYER)))
    assert root.samefile(root / "etc/..")


def test_sizes_and_the_rest_are_those_of_stat(root):
    assert (root / "hard").size() == (root / "hard").stat().st_size == 17
    assert (root / "release").stat() == (root / "etc/os-release").stat() == (root / "hard").lstat()
    link = (root / "release").lstat()
    assert (link, link.st_size, link.st_mode) == (
        (root / "release").stat(follow_symlinks=False),
        14,
        stat.S_IFLNK | 0o777,
    )
    assert (root / "here").stat() == (root / "etc").stat()


def test_owners_are_named_by_the_image_itself(root):
    assert ((root / "mine").owner(), (root / "mine").group()) == ("me", "staff")
    assert ((root / "release").owner(follow_symlinks=False), root.group()) == ("root", "wheel")
    for ask, what, number in ((ImagePath.owner, "user", 7), (ImagePath.group, "group", 8)):
        with pytest.raises(KeyError) as raised:
            ask(root / "foreign")
        assert (type(raised.value), raised.value.what, raised.value.number) == (OwnerMissingError, what, number)
    for entries in ([], [d("etc/passwd/")], [sym("etc/passwd", "passwd")]):
        with pytest.raises(OwnerMissingError):
            ImagePath(merged(tar(f("a"), *entries)), "a").owner()


def limited(allowed):
    tree = FileTree(limits=Limits(content_bytes=allowed))
    whole = merged(tar(f("a", "0123456789"), f("etc/passwd", "root:x:0:\n")))
    tree.root = whole.root
    return ImagePath(tree)


@pytest.mark.parametrize(
    "read",
    [
        ImagePath.read_bytes,
        ImagePath.read_text,
        lambda path: path.open("rb").read(),
        lambda path: path.open("rb", 0).read(),
        lambda path: path.open().read(),
    ],
)
def test_a_file_is_held_in_memory_only_below_the_limit(read):
    assert read(limited(10) / "a") in {b"0123456789", "0123456789"}
    with pytest.raises(LimitError) as raised:
        read(limited(9) / "a")
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("content_bytes", 9, 10)


def test_a_file_past_the_limit_is_read_in_pieces():
    with (limited(9) / "a").open("rb") as file:
        assert (file.read(4), file.read(), file.read(1)) == (b"0123", b"456789", b"")


def test_names_of_owners_are_not_looked_for_in_a_file_past_the_limit():
    assert (limited(10) / "a").owner() == "root"
    with pytest.raises(LimitError):
        (limited(9) / "a").owner()


def test_a_large_file_is_read_in_pieces_of_any_size(tmp_path):
    data = bytes(range(256)) * 5000
    with open_image(image(tmp_path, tar(f("big", data)))) as opened:
        with (opened.root / "big").open("rb") as raw:
            pieces = iter(lambda: raw.read(70_001), b"")
            assert b"".join(pieces) == data
        with (opened.root / "big").open("rb") as raw:
            copied = io.BytesIO()
            while block_ := raw.read1(10):
                copied.write(block_)
            assert copied.getvalue() == data


@pytest.mark.parametrize("path", ["/etc", b"etc"])
def test_one_path_is_no_list_of_paths(tmp_path, path):
    with open_image(image(tmp_path / "image", tar(f("etc/a", "1")))) as opened:
        with pytest.raises(TypeError, match="list of paths, not one path"):
            opened.unpack(tmp_path / "out", paths=path)
        with pytest.raises(TypeError, match="list of paths, not one path"):
            list(opened.files(path))
    assert not (tmp_path / "out").exists()
