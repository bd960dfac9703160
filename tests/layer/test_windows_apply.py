import pytest

from oci_layers.errors import LayerError, LinkError
from oci_layers.layer import Add, Link, Opaque, Policy, Whiteout
from oci_layers.layer.windows_apply import spelled
from oci_layers.tree import Directory, File
from tests.support.layers import d, f, ln, sym, wh
from tests.support.windows import paths, reported, windir, windows_tree, winfile

STRICT = Policy.preset("strict")
BASE = [windir("Files"), windir("Files/Windows"), windir("Files/Windows/inf"), winfile("Files/Windows/inf/a.INF", "1")]


def test_a_layer_names_directories_in_any_case():
    tree, found = reported(BASE, [winfile("Files/WINDOWS/INF/b.inf"), winfile("files/windows/Inf/c.inf")])
    assert paths(tree)[2:] == [
        b"Files/Windows/inf",
        *(b"Files/Windows/inf/" + name for name in (b"a.INF", b"b.inf", b"c.inf")),
    ]
    assert found == []


def test_a_directory_over_a_directory_keeps_the_first_spelling():
    tree, found = reported(BASE, [windir("Files/Windows/INF", mtime_ns=5)])
    assert paths(tree) == paths(windows_tree(BASE))
    assert tree.require("Files/Windows/inf").mtime_ns == 5
    assert found == []


@pytest.mark.parametrize(
    "upper",
    [
        [winfile("Files/Windows/INF/A.inf", "2")],
        [wh("Files/Windows/inf/a.INF"), winfile("Files/Windows/inf/A.inf", "2")],
    ],
)
def test_a_file_has_the_spelling_of_the_layer_that_replaces_it(upper):
    tree, found = reported(BASE, upper)
    assert paths(tree)[-1] == b"Files/Windows/inf/A.inf"
    assert tree.require("files/windows/inf/a.inf").content.data == b"2"
    assert len(paths(tree)) == 4
    assert found == []


def test_another_kind_of_node_replaces_what_is_spelled_otherwise():
    assert paths(windows_tree(BASE, [winfile("Files/Windows/INF")]))[-1] == b"Files/Windows/INF"
    assert paths(windows_tree(BASE, [windir("Files/Windows/inf/A.INF")]))[-1] == b"Files/Windows/inf/A.INF"


def test_a_whiteout_removes_a_name_in_any_case():
    assert paths(windows_tree(BASE, [wh("Files/windows/INF/A.inf")]))[-1] == b"Files/Windows/inf"
    assert paths(windows_tree(BASE, [wh("Files/windows/INF")]))[-1] == b"Files/Windows"


def test_a_whiteout_leaves_what_its_layer_has_in_another_case():
    for upper in (
        [wh("Files/Windows/INF"), windir("Files/Windows/Inf")],
        [windir("Files/Windows/Inf"), wh("Files/Windows/INF")],
    ):
        tree = windows_tree(BASE, upper)
        assert paths(tree)[-1] == b"Files/Windows/inf"
        assert tree.require("Files/Windows/inf").layer == 1


def test_two_names_of_a_layer_that_are_one_are_reported_and_the_last_wins():
    layer = [windir("Files"), winfile("Files/a", "1"), winfile("Files/A", "2")]
    tree, found = reported(layer)
    assert paths(tree) == [b"Files", b"Files/A"]
    assert found == [("folded-name", b"Files/A", "one name with 'Files/a' on Windows")]
    tree, found = reported([windir("Files"), windir("Files/d"), windir("Files/D", mtime_ns=3)])
    assert (paths(tree), tree.require("Files/d").mtime_ns) == ([b"Files", b"Files/d"], 3)
    assert [each[:2] for each in found] == [("folded-name", b"Files/D"), ("duplicate", b"Files/d")]


@pytest.mark.parametrize(
    "layer",
    [
        [winfile("Files/a"), winfile("Files/A")],
        [windir("Files/a"), windir("Files/A")],
        [winfile("Files/b"), winfile("Files/a"), ln("Files/A", "Files/b")],
    ],
)
def test_two_names_of_a_layer_that_are_one_are_refused_in_strict(layer):
    with pytest.raises(LayerError) as raised:
        windows_tree([windir("Files"), *layer], policy=STRICT)
    assert raised.value.path == b"Files/A"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("\u0130", "i", False),  # A capital I with a dot is its own upper case.
        ("\u0131", "I", False),  # A small i without a dot has an upper case of ASCII, which Windows does not use.
        ("stra\u00dfe", "STRA\u00dfE", True),
        ("stra\u00dfe", "STRASSE", False),
        ("\u00e9t\u00e9", "\u00c9T\u00c9", True),
        ("e\u0301", "\u00e9", False),  # Composed and decomposed.
        ("\u03c2", "\u03a3", True),
        ("\ufb01", "FI", False),
        ("\U00010428", "\U00010400", False),  # Each is two units.
        ("\u017f", "s", False),
    ],
)
def test_names_fold_unit_by_unit(one, other, same):
    tree = windows_tree([windir("Files"), winfile(f"Files/{one}"), winfile(f"Files/{other}")])
    assert (len(paths(tree)) == 2) == same


def test_a_hard_link_finds_its_target_in_any_case():
    tree = windows_tree(BASE, [ln("Files/Windows/INF/b", "files/WINDOWS/INF/A.inf")])
    assert tree.require("Files/Windows/inf/b") is tree.require("Files/Windows/inf/a.INF")


def test_a_link_of_windows_is_never_followed_by_a_layer():
    base = [windir("Files"), windir("Files/Users"), sym("Files/Docs", "C:\\Users")]
    tree, found = reported(base, [winfile("Files/docs/x")])
    assert paths(tree) == [b"Files", b"Files/Docs", b"Files/Docs/x", b"Files/Users"]
    assert [each[0] for each in found] == ["file-as-directory"]


def test_changes_are_spelled_as_the_tree_or_the_layers_below():
    tree = windows_tree(BASE)
    lower = windows_tree([windir("FILES"), windir("FILES/windows")])
    file, directory = File(0, 0, 0, 0), Directory(0, 0, 0, 0)
    assert spelled(Add(b"files/windows/INF", file), tree, lower).path == b"Files/Windows/INF"
    assert spelled(Add(b"files/windows/INF", directory), tree, lower).path == b"Files/Windows/inf"
    assert spelled(Link(b"files/new", b"files/windows/INF/a.inf"), tree, lower) == Link(
        b"Files/new", b"Files/Windows/inf/a.INF"
    )
    assert spelled(Whiteout(b"files/WINDOWS"), tree, lower) == Whiteout(b"FILES/windows")
    assert spelled(Opaque(b"files/none/INF"), tree, lower) == Opaque(b"FILES/none/INF")


# --- Streams ----------------------------------------------------------------------------------------------------------


def streams(tree, path):
    windows = tree.require(path).windows
    return {} if windows is None else {name: content.data for name, content in windows.streams.items()}


def test_a_stream_belongs_to_the_file_before_it():
    tree = windows_tree([windir("Files"), f("Files/a", "x"), f("Files/a:s", "1"), f("files/A:t:$DATA", "2")])
    assert paths(tree) == [b"Files", b"Files/a"]
    assert streams(tree, "Files/a") == {b"s": b"1", b"t": b"2"}


def test_a_directory_has_streams_too():
    tree = windows_tree([windir("Files"), windir("Files/d"), winfile("Files/d:s", "1"), winfile("Files/d/x")])
    assert streams(tree, "Files/d") == {b"s": b"1"}


def test_a_file_that_is_replaced_has_no_stream_of_the_old_one():
    lower = [windir("Files"), winfile("Files/a"), winfile("Files/a:s", "1")]
    assert streams(windows_tree(lower, [winfile("Files/a")]), "Files/a") == {}
    assert streams(windows_tree(lower, [winfile("Files/b")]), "Files/a") == {b"s": b"1"}


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([[f("Files/a:s")]], "the stream does not follow its file"),
        ([[f("Files/a")], [f("Files/a:s")]], "the stream does not follow its file"),
        ([[f("Files/a"), ln("Files/b", "Files/a"), f("Files/b:s")]], "a hard link has no streams of its own"),
        ([[f("Files/a"), *(f(f"Files/a:{n}") for n in range(4097))]], "the file has more than 4096 streams"),
    ],
)
def test_a_stream_without_its_file_is_refused(layers, reason):
    with pytest.raises(LayerError) as raised:
        windows_tree(*layers)
    assert raised.value.reason == reason


def test_a_link_that_would_lose_its_target_is_refused():
    with pytest.raises(LinkError):
        windows_tree([d("Files"), f("Files/a"), ln("Files/A", "Files/a")])
