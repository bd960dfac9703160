import pytest

from oci_layers.errors import LayerError, LinkError, UnsafePathError, WhiteoutError
from oci_layers.layer import Add, Policy, Whiteout, decode
from oci_layers.layer.windows_name import file_and_stream, is_outside, parse_tombstone, windows_path
from tests.support.layers import d, f, ln, sym, wh
from tests.support.windows import paths, reported, windir, windows_tree, winfile

STRICT, LENIENT = Policy.preset("strict"), Policy.preset("lenient")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (b"Files/a", b"Files/a"),
        (b"Files/a:s", b"Files/a:s"),
        (b"Files/a:s:$DATA", b"Files/a:s"),
        (b"Files/a b:.x", b"Files/a b:.x"),
    ],
)
def test_a_name_of_windows_has_at_most_one_stream(given, path):
    assert windows_path(given, is_file=True) == path


@pytest.mark.parametrize(
    "name",
    [
        *(b"Files\\a", b"Files/a\\b", b"C:", b"C:/x", b"C:x", b"Files/C:/x", b"Files/a:", b"Files/:s", b"Files/a:s:t"),
        *(b"Files/a:s:$DATA:$DATA", b"Files/a::$DATA", b"\\\\?\\C:\\x"),
    ],
)
def test_separators_and_drives_are_refused(name):
    with pytest.raises(UnsafePathError):
        list(decode([f(name)], windows=True))
    assert [change.path for change in decode([f(name)])] == [name]


@pytest.mark.parametrize(
    "entry", [d("Files/a:s"), sym("Files/a:s", "x"), ln("Files/a:s", "Files/a"), ln("Files/a", "Files/b:s")]
)
def test_only_a_file_is_a_stream(entry):
    with pytest.raises(UnsafePathError):
        list(decode([entry], windows=True))


def test_names_that_climb_or_have_a_nul_are_refused_as_everywhere():
    for name in ("Files/../../x", "Files/a\0b"):
        with pytest.raises(UnsafePathError):
            list(decode([f(name)], windows=True))


def test_a_path_has_a_file_and_perhaps_a_stream():
    assert file_and_stream(b"Files/a:s") == (b"Files/a", b"s")
    assert file_and_stream(b"Files/a") == (b"Files/a", b"")


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        (b"Files/.wh.a", b"Files/a"),
        (b"UtilityVM/Files/d/.wh.a", b"UtilityVM/Files/d/a"),
        (b"Files/.wh..wh..opq", b"Files/.wh..opq"),
        (b"Files/.wh..wh.a", b"Files/.wh.a"),
        (b"Files/.wh.a:s", b"Files/a:s"),
    ],
)
def test_a_whiteout_removes_the_rest_of_its_name(name, removed):
    assert parse_tombstone(name) == Whiteout(removed)


@pytest.mark.parametrize(
    "name",
    [
        *(
            b".wh.Files",
            b"Files/.wh.",
            b"Files/.wh..",
            b"Files/.wh...",
            b"Hives/.wh.x",
            b"UtilityVM/.wh.x",
            b".wh..wh.plnk",
        ),
        *(b"files/.wh.x", b"Files/.wh.d/x", b".wh.d/Files"),
    ],
)
def test_a_whiteout_elsewhere_is_refused(name):
    with pytest.raises(WhiteoutError):
        list(decode([f(name)], layer=1, windows=True))


def test_the_prefix_of_a_whiteout_has_a_case():
    assert parse_tombstone(b"Files/.WH.a") is None
    assert not is_outside(b"Files/a")
    assert is_outside(b"Filesystem/a")


BASE = [windir("Files"), windir("Files/d"), winfile("Files/d/a"), winfile("Files/d/b"), winfile("Files/d/c")]


def test_an_opaque_marker_removes_nothing_and_is_reported():
    tree, found = reported(BASE, [f("Files/d/.wh..wh..opq")])
    assert tree == windows_tree(BASE)
    assert [each[:2] for each in found] == [
        ("windows-opaque", b"Files/d/.wh..wh..opq"),
        ("nothing-hidden", b"Files/d/.wh..opq"),
    ]
    with pytest.raises(LayerError):
        windows_tree(BASE, [f("Files/d/.wh..wh..opq")], policy=STRICT)


def test_a_whiteout_in_the_base_is_reported_or_refused():
    assert [each[0] for each in reported([f("Files/.wh.x")])[1]] == ["whiteout-in-base", "nothing-hidden"]
    with pytest.raises(LayerError):
        windows_tree([f("Files/.wh.x")], policy=STRICT)


def test_a_whiteout_and_the_same_name_leave_the_new_file():
    for upper in ([wh("Files/d/a"), winfile("Files/d/a", "new")], [winfile("Files/d/a", "new"), wh("Files/d/a")]):
        tree = windows_tree(BASE, upper)
        assert tree.require("Files/d/a").content.data == b"new"


def test_what_is_refused_is_left_out_under_a_policy_that_allows_it():
    tree, found = reported(BASE, [wh("Hives/x"), f("C:/x"), winfile("Files/e")], policy=LENIENT)
    assert paths(tree)[-1] == b"Files/e"
    assert [each[:2] for each in found] == [("refused", b"Hives/.wh.x"), ("refused", b"C:/x")]


def test_a_stream_is_an_addition_of_its_own_before_it_is_applied():
    [change] = decode([f("Files/a:s:$DATA", "x")], windows=True)
    assert type(change) is Add
    assert change.path == b"Files/a:s"


def test_a_link_to_itself_in_another_case_is_refused():
    with pytest.raises(LinkError):
        windows_tree(BASE, [ln("Files/d/A", "Files/D/a")])
