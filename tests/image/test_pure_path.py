"""Paths inside an image as text, like those of `pathlib.PurePosixPath`."""

import pathlib

import pytest

from oci_layers.errors import UnsafePathError
from oci_layers.image.path import ImagePath
from oci_layers.tree import FileTree


@pytest.fixture
def root():
    return ImagePath(FileTree())


def test_a_path_shows_itself_absolute(root):
    path = root / "etc" / "os-release"
    assert (str(path), bytes(path), repr(path)) == (
        "/etc/os-release",
        b"/etc/os-release",
        "ImagePath('/etc/os-release')",
    )
    assert (str(root), bytes(root), root.name, root.parts) == ("/", b"/", "", ("/",))
    assert (path.name, path.parts) == ("os-release", ("/", "etc", "os-release"))
    assert (path.root, path.anchor, path.drive) == ("/", "/", "")
    assert (path.as_posix(), path.is_absolute(), path.absolute()) == (str(path), True, path)
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
    other = ImagePath(FileTree())
    assert root / "a" == root / "./a"
    assert root / "a" != other / "a"
    assert root / "a" != "/a"
    assert len({root / "a", root / "a/", other / "a"}) == 2
    assert sorted([root / "b", root / "a"]) == [root / "a", root / "b"]
    assert root <= root < root / "a" <= root / "b" > root / "a" >= root
    for compare in (lambda: root < "x", lambda: root <= "x"):
        with pytest.raises(TypeError):
            compare()


def test_a_path_has_parents(root):
    path = root / "a/b/c"
    assert path.parents == (root / "a/b", root / "a", root)
    assert (path.parents[-1], path.parents[:1]) == (root, (root / "a/b",))
    assert root.parents == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.with_name("x"), "/etc/x"),
        (lambda path: path.with_name(b"\xe9"), "/etc/\udce9"),
        (lambda path: path.with_stem("x"), "/etc/x.gz"),
        (lambda path: path.with_suffix(".xz"), "/etc/archive.tar.xz"),
        (lambda path: path.with_suffix(""), "/etc/archive.tar"),
        (lambda path: path.parent.with_suffix(".d"), "/etc.d"),
        (lambda path: path.parent.with_stem("usr"), "/usr"),
    ],
)
def test_a_name_is_changed(root, change, expected):
    path = root / "etc/archive.tar.gz"
    assert change(path) == root / expected
    assert path.suffixes == [".tar", ".gz"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.with_name(""), "'' is not the name of a file"),
        (lambda path: path.with_name("."), "'.' is not the name of a file"),
        (lambda path: path.with_name(".."), "'..' is not the name of a file"),
        (lambda path: path.with_name("a/b"), "'a/b' is not the name of a file"),
        (lambda path: path.parent.with_name("x"), "the root has no name that could be another"),
        (lambda path: path.parent.with_stem("x"), "the root has no name that could be another"),
        (lambda path: path.parent.with_suffix(".x"), "the root has no name that could be another"),
        (lambda path: path.with_stem(""), "/a.b has a suffix, which cannot be all of a name"),
        (lambda path: path.with_suffix("x"), "'x' is not a suffix: expected a dot followed by text"),
        (lambda path: path.with_suffix("."), "'.' is not a suffix: expected a dot followed by text"),
        (lambda path: path.with_suffix("./x"), "'a./x' is not the name of a file"),
    ],
)
def test_a_name_is_not_changed_into_what_is_none(root, change, reason):
    with pytest.raises(ValueError) as raised:
        change(root / "a.b")
    assert str(raised.value) == reason


def test_a_name_with_a_nul_is_refused(root):
    with pytest.raises(UnsafePathError):
        (root / "a").with_name("\0")


@pytest.mark.parametrize(
    ("path", "other", "expected"),
    [
        ("a/b/c", "a", "b/c"),
        ("a/b", "/a/b/", "."),
        ("a", "/", "a"),
        ("", "", "."),
        ("a/b", "a/c/d", "../../b"),
        ("", "a", ".."),
        ("ab", "a", "../ab"),
    ],
)
def test_a_path_is_relative_to_another(root, path, other, expected):
    asked = root / path
    below = not expected.startswith("..")
    for start in (other, root / other, ImagePath(FileTree(), other)):
        assert asked.is_relative_to(start) == below
        assert asked.relative_to(start, walk_up=True) == pathlib.PurePosixPath(expected)
        if below:
            assert asked.relative_to(start) == pathlib.PurePosixPath(expected)
            assert (root / other).joinpath(asked.relative_to(start)) == asked
        else:
            with pytest.raises(ValueError, match=" is not below "):
                asked.relative_to(start)
