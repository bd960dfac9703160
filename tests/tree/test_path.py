import itertools
import pathlib

import pytest

from oci_layers.errors import LimitError, UnsafePathError
from oci_layers.limits import Limits
from oci_layers.tree.path import check_limits, clean, join, parent_and_name, to_bytes, to_bytes_each


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"", b""),
        (b".", b""),
        (b"/", b""),
        (b"./", b""),
        (b"///", b""),
        (b"a/..", b""),
        (b"a", b"a"),
        (b"a/", b"a"),
        (b"a//", b"a"),
        (b"./a", b"a"),
        (b"././a", b"a"),
        (b".//a", b"a"),
        (b"/a", b"a"),
        (b"//a/b", b"a/b"),
        (b"a/./b", b"a/b"),
        (b"a//b", b"a/b"),
        (b"a/b/.", b"a/b"),
        (b"a/b/..", b"a"),
        (b"a/../b", b"b"),
        (b"a/b/../../c", b"c"),
        (b".a", b".a"),
        (b"a/.b", b"a/.b"),
        (b"..a", b"..a"),
        (b"a/..b/...", b"a/..b/..."),
        (b"a.", b"a."),
        (b"\xff\n ", b"\xff\n "),
    ],
)
@pytest.mark.parametrize("clamp", [False, True])
def test_names_are_cleaned_lexically(path, expected, clamp):
    assert clean(path, clamp=clamp) == expected


@pytest.mark.parametrize(
    ("path", "held"),
    [(b"..", b""), (b"../a", b"a"), (b"/../a", b"a"), (b"a/../../b", b"b"), (b"a/../..", b""), (b"./../a/", b"a")],
)
def test_what_climbs_is_refused_or_held_at_the_root(path, held):
    assert clean(path, clamp=True) == held
    with pytest.raises(UnsafePathError) as caught:
        clean(path)
    assert (caught.value.path, caught.value.reason) == (path, "the name climbs above the root of the image")


@pytest.mark.parametrize("path", [b"\0", b"a\0b", b"/a/\0", b"a\0/.."[:3]])
def test_a_nul_is_refused(path):
    with pytest.raises(UnsafePathError) as caught:
        clean(path, clamp=True)
    assert (caught.value.path, caught.value.reason) == (path, "the name has a NUL byte")


def refused(path, **limits):
    with pytest.raises(LimitError) as caught:
        clean(path, limits=Limits(**limits))
    return caught.value.limit, caught.value.allowed, caught.value.seen


@pytest.mark.parametrize("spelling", [b"%s", b"./%s/", b"x/../%s"])
def test_a_component_may_have_255_bytes(spelling):
    for size in (254, 255):
        assert clean(spelling % (b"c" * size)) == b"c" * size
    assert refused(spelling % (b"c" * 256)) == ("component_bytes", 255, 256)
    assert refused(b"a/" + b"c" * 256) == ("component_bytes", 255, 256)


def test_a_path_may_have_4096_bytes():
    path = b"/".join([b"d" * 255] * 16)
    assert len(path) == 4095
    assert clean(path) == path
    assert clean(b"/" + path + b"/") == path
    path = b"/".join([b"d" * 255] * 15 + [b"d" * 127, b"d" * 128])
    assert len(path) == 4096
    assert clean(path) == path
    assert refused(path + b"x") == ("path_bytes", 4096, 4097)


def test_a_path_may_have_256_components():
    for depth in (255, 256):
        assert clean(b"d/" * depth) == (b"d/" * depth)[:-1]
    assert refused(b"d/" * 257) == ("path_depth", 256, 257)


def test_every_limit_can_be_set():
    assert clean(b"abc/d", limits=Limits(path_bytes=5, component_bytes=3, path_depth=2)) == b"abc/d"
    assert refused(b"abc/de", path_bytes=5) == ("path_bytes", 5, 6)
    assert refused(b"abcd", component_bytes=3) == ("component_bytes", 3, 4)
    assert refused(b"a/b/c", path_depth=2) == ("path_depth", 2, 3)
    assert clean(b"d/" * 1000, limits=Limits(path_depth=1000)) == (b"d/" * 1000)[:-1]


def test_the_root_is_within_every_limit():
    check_limits(b"", Limits(path_depth=1))


class Says:
    """Says a path in the one way or the other, or something that is none."""

    def __init__(self, **methods):
        self.__class__ = type("Says", (Says,), {name: (lambda _, said=said: said) for name, said in methods.items()})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"\xff", b"\xff"),
        ("é", b"\xc3\xa9"),
        ("\udcff", b"\xff"),
        (pathlib.PurePosixPath("a/b"), b"a/b"),
        (Says(__fspath__=b"a/\xff"), b"a/\xff"),
        (Says(__image_path__=b"/a"), b"/a"),
        (Says(__image_path__=b"/a", __bytes__=b"b", __str__="c"), b"/a"),
    ],
)
def test_paths_are_taken_as_bytes_text_or_whatever_says_its_path(path, expected):
    assert to_bytes(path) == expected


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (5, "int"),
        (None, "NoneType"),
        (bytearray(b"a"), "bytearray"),
        (memoryview(b"a"), "memoryview"),
        ([97], "list"),
        (Says(__bytes__=b"a"), "Says"),
        (Says(__fspath__=5), "Says"),
        (pathlib.PurePosixPath, "type"),
    ],
)
def test_what_does_not_say_its_path_is_none(path, kind):
    with pytest.raises(TypeError) as caught:
        to_bytes(path)
    assert str(caught.value) == f"a path inside an image is bytes, str, os.PathLike or an ImagePath, not {kind}"


@pytest.mark.parametrize("path", ["a", b"a"])
def test_one_path_is_no_list_of_paths(path):
    assert to_bytes_each([path]) == [b"a"]
    with pytest.raises(TypeError) as caught:
        to_bytes_each(path)
    assert str(caught.value) == f"paths must be a list of paths, not one path: {path!r}"


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(UnsafePathError) as caught:
        to_bytes("a\ud800")
    assert (caught.value.path, caught.value.reason) == (b"a\xed\xa0\x80", "the name is not valid Unicode")


@pytest.mark.parametrize(("path", "parts"), [(b"a", (b"", b"a")), (b"a/b", (b"a", b"b")), (b"a/b/c", (b"a/b", b"c"))])
def test_a_path_is_split_and_joined(path, parts):
    assert parent_and_name(path) == parts
    assert join(*parts) == path


def model(spelled):
    """Component by component, as the rules are written; None where the name is refused."""
    parts = []
    for part in spelled.split(b"/"):
        if part == b"..":
            if not parts:
                return None
            parts.pop()
        elif part not in {b"", b"."}:
            parts.append(part)
    return None if any(b"\0" in part for part in parts) else b"/".join(parts)


def cleaned(spelled):
    try:
        return clean(spelled)
    except UnsafePathError:
        return None


def test_every_short_spelling_is_cleaned_as_the_rules_are_written():
    for size in range(8):
        for letters in itertools.product(b"./a\0", repeat=size):
            assert cleaned(bytes(letters)) == model(bytes(letters)), bytes(letters)
