"""The merged file system as paths, like `pathlib`'s."""

import io
import stat
from importlib.resources.abc import Traversable

import pytest

from oci_layers import open_image
from oci_layers.errors import PathMissingError
from oci_layers.image.view import ImagePath
from tests.support.layers import block, char, d, f, fifo, image, ln, sym, tar
from tests.support.trees import merged

LAYER = tar(
    d("etc/"),
    f("etc/os-release", "NAME=caf\u00e9\r\nID=x\n"),
    f("etc/latin", b"caf\xe9"),
    f("etc/archive.tar.gz", "zz"),
    f("etc/.hidden", ""),
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


def test_a_path_shows_itself_absolute(root):
    path = root / "etc" / "os-release"
    assert (str(path), bytes(path), repr(path)) == (
        "/etc/os-release",
        b"/etc/os-release",
        "ImagePath('/etc/os-release')",
    )
    assert (str(root), bytes(root), root.name, root.parts) == ("/", b"/", "", ("/",))
    assert (path.name, path.parts) == ("os-release", ("/", "etc", "os-release"))
    assert path.__fspath__() == "/etc/os-release"
    assert (root / b"n\xe9").name == "n\udce9"


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("archive.tar.gz", "archive.tar", ".gz"),
        ("os-release", "os-release", ""),
        (".hidden", ".hidden", ""),
        ("dot.", "dot.", ""),
    ],
)
def test_names_are_taken_apart_as_pathlib_does(root, name, stem, suffix):
    assert ((root / name).stem, (root / name).suffix) == (stem, suffix)


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (["etc", "x"], "/etc/x"),
        (["etc/./x//y"], "/etc/x/y"),
        (["etc", "/abs"], "/abs"),
        (["etc", "..", "x"], "/x"),
        (["..", "..", "x"], "/x"),
        ([b"n\xe9"], "/n\udce9"),
        ([], "/"),
    ],
)
def test_joining_stays_inside_the_root(root, parts, path):
    assert str(root.joinpath(*parts)) == path


def test_the_parent_of_the_root_is_the_root(root):
    assert (root / "etc" / "x").parent == root / "etc"
    assert root.parent == root


def test_paths_are_compared_by_tree_and_bytes(root):
    other = ImagePath(merged(LAYER))
    assert root / "a" == root / "./a"
    assert root / "a" != other / "a"
    assert root / "a" != "/a"
    assert len({root / "a", root / "a/", other / "a"}) == 2
    assert sorted([root / "b", root / "a"]) == [root / "a", root / "b"]
    with pytest.raises(TypeError):
        _ = root < "x"


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
        (root / "etc").readlink()
    assert (raised.value.path, raised.value.reason) == (b"/etc", "not a symbolic link")


def test_a_directory_lists_its_names_in_the_order_of_their_bytes(root):
    assert [each.name for each in (root / "here").iterdir()] == [
        ".hidden",
        "archive.tar.gz",
        "latin",
        "os-release",
        "up",
    ]
    assert str(next((root / "here").iterdir())) == "/here/.hidden"
    for path, reason in (("release", "not a directory"), ("none", "no such file or directory")):
        with pytest.raises(PathMissingError) as raised:
            next((root / path).iterdir())
        assert (raised.value.path, raised.value.reason) == (b"/" + path.encode(), reason)


def test_a_walk_gives_a_path_and_all_below_it_without_following(root):
    assert [str(each) for each in (root / "etc").walk()] == [
        "/etc",
        "/etc/.hidden",
        "/etc/archive.tar.gz",
        "/etc/latin",
        "/etc/os-release",
        "/etc/up",
    ]
    assert [str(each) for each in (root / "here").walk()] == ["/here"]


def test_text_is_read_as_asked(root):
    path = root / "absolute"
    assert path.read_text() == "NAME=caf\u00e9\r\nID=x\n"
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
    with (root / "etc/latin").open("r", "latin-1") as text:
        assert text.read() == "caf\u00e9"
    with (root / "etc/latin").open("r", encoding="ascii", errors="replace") as text:
        assert text.read() == "caf\ufffd"
    with pytest.raises(ValueError, match="can only be read"):
        (root / "release").open("w")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("etc", "not a regular file"),
        ("pipe", "not a regular file"),
        ("none", "no such file or directory"),
        ("nowhere", "no such file or directory"),
        ("loop", "no such file or directory"),
    ],
)
def test_what_is_no_file_cannot_be_read(root, path, reason):
    with pytest.raises(PathMissingError) as raised:
        (root / path).read_bytes()
    assert (raised.value.path, raised.value.reason) == (b"/" + path.encode(), reason)


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
