import pytest

from oci_layers.errors import LimitError, WhiteoutError
from oci_layers.layer import Opaque, Whiteout
from oci_layers.layer.whiteout import aufs_artifact, check_name, clean_name, marker_name, parse_whiteout
from oci_layers.limits import DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b".wh.a", Whiteout(b"a")),
        (b"d/.wh.a", Whiteout(b"d/a")),
        (b"d/e/.wh..a", Whiteout(b"d/e/.a")),
        (b".wh....", Whiteout(b"...")),
        (b".wh.a.wh.b", Whiteout(b"a.wh.b")),
        (b".wh.\xff", Whiteout(b"\xff")),
        (b".wh. ", Whiteout(b" ")),
        (b".wh.wh", Whiteout(b"wh")),
        (b".wh..wh..opq", Opaque(b"")),
        (b"d/e/.wh..wh..opq", Opaque(b"d/e")),
    ],
)
def test_the_last_component_says_what_is_hidden(path, expected):
    assert parse_whiteout(path) == expected
    assert aufs_artifact(path) is None


@pytest.mark.parametrize(
    "path", [b"", b"a", b"a/b", b"a.wh.b", b".wh", b".whx", b"d/a.wh.", b".WH.a", b"a.wh./b", b"wh.a"]
)
def test_any_other_name_is_a_name(path):
    assert parse_whiteout(path) is None
    assert aufs_artifact(path) is None


@pytest.mark.parametrize("directory", [b"", b"d/", b"d/e/"])
@pytest.mark.parametrize("name", [b".wh.", b".wh..", b".wh..."])
def test_a_marker_must_name_what_it_hides(directory, name):
    with pytest.raises(WhiteoutError) as caught:
        parse_whiteout(directory + name)
    error = caught.value
    assert (error.path, error.reason) == (directory + name, "a whiteout must name what it removes")


@pytest.mark.parametrize(
    "path",
    [
        b".wh.a/b",
        b"d/.wh.a/b",
        b".wh.a/b/c",
        b".wh./a",
        b".wh..wh..opq/a",
        b".wh.a/.wh.b",
        b".wh.a/.wh..wh..opq",
        b".wh.a/.wh..wh.b",
    ],
)
def test_a_marker_is_no_directory(path):
    assert aufs_artifact(path) is None
    with pytest.raises(WhiteoutError) as caught:
        parse_whiteout(path)
    error = caught.value
    assert (error.path, error.reason) == (path, "a directory cannot have a name that begins with '.wh.'")


@pytest.mark.parametrize("name", [b".wh..wh.plnk", b".wh..wh.aufs", b".wh..wh.orph"])
def test_what_aufs_left_at_the_root_means_nothing(name):
    assert aufs_artifact(name) == "aufs"
    assert aufs_artifact(name + b"/a") == "aufs"
    assert aufs_artifact(name + b"/.wh.a/b") == "aufs"
    assert aufs_artifact(name + b"x") == "whiteout-of-marker"
    assert aufs_artifact(b"d/" + name) == "whiteout-of-marker"


@pytest.mark.parametrize(
    "path", [b".wh..wh.a", b"d/.wh..wh.a", b".wh..wh.", b".wh..wh..", b".wh..wh..opq.", b".wh..wh..wh..opq"]
)
def test_a_whiteout_of_a_marker_hides_what_no_image_can_have(path):
    assert aufs_artifact(path) == "whiteout-of-marker"


@pytest.mark.parametrize("marker", [Whiteout(b"a"), Whiteout(b"d/a"), Whiteout(b"d/..a"), Opaque(b""), Opaque(b"d/e")])
def test_the_name_of_a_marker_is_parsed_back(marker):
    assert parse_whiteout(marker_name(marker)) == marker


@pytest.mark.parametrize("path", [b".wh.", b".wh.a", b"d/.wh.a", b".wh.d/a", b"d/.wh.e/a"])
def test_a_name_that_is_a_marker_or_in_one_is_refused(path):
    for check in (check_name, lambda path: marker_name(Whiteout(path)), lambda path: marker_name(Opaque(path))):
        with pytest.raises(WhiteoutError) as caught:
            check(path)
        assert caught.value.path == path


@pytest.mark.parametrize("path", [b"", b"a", b"a.wh.b/c", b".whx", b"wh."])
def test_a_name_that_only_has_these_letters_is_not_refused(path):
    check_name(path)


def test_a_marker_may_be_longer_than_a_name_by_its_prefix():
    longest = b"n" * DEFAULT_LIMITS.component_bytes
    assert clean_name(b"./d//.wh." + longest) == b"d/.wh." + longest
    assert clean_name(b"a.wh.b/") == b"a.wh.b"
    for name in (b".wh.n" + longest, b"n" + longest, b"x.wh." + longest):
        with pytest.raises(LimitError) as caught:
            clean_name(name)
        assert caught.value.limit == "component_bytes"
