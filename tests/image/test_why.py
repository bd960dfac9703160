"""The history of a path: what each layer did to it, against the trees after each layer."""

import tempfile

import pytest
from hypothesis import given

from oci_layers import Policy, open_image
from oci_layers.errors import PathMissingError, UnsafePathError
from tests.image.test_account import walked
from tests.support.facts import node_facts
from tests.support.layers import char, d, f, image, ln, opq, sym, tar, wh
from tests.support.stacks import stacks

LENIENT = Policy.preset("lenient")
ASPECTS = (("type", 0), ("mode", 1), ("owner", 2), ("owner", 3), ("mtime", 4), ("xattrs", 5))


@pytest.fixture
def why(tmp_path):
    """Ask about a path of an image of layers."""

    def why(path, *layers, **options):
        with open_image(image(tmp_path, *(tar(*layer) for layer in layers))) as opened:
            return opened.why(path, **options)

    return why


def told(history):
    return [(each.layer.index, each.what, each.aspects, each.marker, each.by) for each in history.touches]


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        (f("a/x", "22"), ("changed", ("content",), None, None)),
        (f("a/x", "longer"), ("changed", ("content",), None, None)),
        (f("a/x", "11"), ("repeated", (), None, None)),
        (f("a/x", "11", mode=0o600), ("changed", ("mode",), None, None)),
        (f("a/x", "11", uid=1), ("changed", ("owner",), None, None)),
        (f("a/x", "11", gid=1), ("changed", ("owner",), None, None)),
        (f("a/x", "11", mtime_ns=1), ("changed", ("mtime",), None, None)),
        (f("a/x", "12", mtime_ns=1), ("changed", ("content", "mtime"), None, None)),
        (f("a/x", "11", xattrs={b"user.k": b""}), ("changed", ("xattrs",), None, None)),
        (d("a/x/", mode=0o644), ("changed", ("type",), None, None)),
        (char("a/x", mode=0o644), ("changed", ("type",), None, None)),
        (wh("a/x"), ("removed", (), "whiteout", b"a/x")),
        (wh("a"), ("removed", (), "whiteout", b"a")),
        (opq("a"), ("removed", (), "opaque", b"a")),
        (opq(""), ("removed", (), "opaque", b"")),
        (f("a"), ("hidden", (), None, b"a")),
        (sym("a", "."), ("hidden", (), None, b"a")),
    ],
)
def test_a_layer_changes_removes_or_hides_a_path(why, upper, expected):
    history = why("a/x", [f("a/x", "11")], [f("other")], [upper])
    assert told(history) == [(0, "added", (), None, None), (2, *expected)]
    assert (history.node is None) == (expected[0] in {"removed", "hidden"})


def test_the_nearest_marker_is_named(why):
    assert told(why("a/b/x", [f("a/b/x")], [opq(""), wh("a/b"), opq("a")]))[1:] == [
        (1, "removed", (), "whiteout", b"a/b")
    ]


def test_a_directory_that_was_a_file_for_a_while_hides_what_was_in_it(why):
    layers = [f("a/x")], [f("a"), d("a/")]
    assert told(why("a/x", *layers, policy=LENIENT))[1:] == [(1, "hidden", (), None, b"a")]


def test_markers_are_found_through_links(why):
    layers = [f("real/x"), sym("link", "real")], [wh("link/x")]
    assert told(why("real/x", *layers))[1:] == [(1, "removed", (), "whiteout", b"real/x")]


def test_links_in_the_parents_are_followed_and_a_link_itself_if_asked(why):
    layers = [[f("usr/bin/bash", "#!"), sym("usr/bin/sh", "bash"), sym("bin", "usr/bin")]]
    history = why("/bin/sh", *layers)
    assert (history.asked, history.path, history.links) == (b"bin/sh", b"usr/bin/sh", (b"bin",))
    history = why("/bin/../bin/sh", *layers, follow=True)
    assert (history.asked, history.path, history.links) == (b"bin/sh", b"usr/bin/bash", (b"bin", b"usr/bin/sh"))


def test_a_path_is_resolved_where_a_layer_last_had_it(why):
    layers = [f("usr/log/x"), sym("var", "usr")], [wh("var"), wh("usr")], [f("other")]
    history = why("var/log/x", *layers)
    assert (history.path, told(history)[1:]) == (b"usr/log/x", [(1, "removed", (), "whiteout", b"usr")])


def test_another_name_of_a_file_is_added_and_the_old_one_untouched(why):
    layers = [f("a", "1")], [ln("b", "a")], [wh("a")]
    assert told(why("b", *layers)) == [(1, "added", (), None, None)]
    assert [why(path, *layers[:2]).link_count for path in ("b", "/")] == [2, 2]
    assert [why(path, *layers).link_count for path in ("b", "a")] == [1, 0]


def test_the_root_is_added_by_the_layer_that_describes_it(why):
    assert told(why("/", [f("a")], [d("./")])) == [(1, "added", (), None, None)]
    assert told(why("/", [f("a")])) == []


@pytest.mark.parametrize("path", ["none", "a/none", "a/b/c", "loop/x"])
def test_a_path_that_no_layer_has_is_missing(why, path):
    with pytest.raises(PathMissingError) as missing:
        why(path, [f("a/b"), sym("loop", "loop")])
    assert (missing.value.path, missing.value.reason) == (path.encode(), "no layer has it")


def test_a_path_that_climbs_stays_at_the_root_and_a_nul_is_refused(why):
    assert why("../../a", [f("a")]).path == b"a"
    with pytest.raises(UnsafePathError):
        why("a\0", [f("a")])


def test_an_image_without_layers_has_no_path(why):
    with pytest.raises(PathMissingError):
        why("/")


# --- Against the trees after each layer -------------------------------------------------------------------------------


def expected_aspects(old, new):
    one, other = node_facts(old), node_facts(new)
    aspects = {name for name, at in ASPECTS if one[at] != other[at]}
    if one[0] != other[0] and not {one[0], other[0]} <= {"char", "block"}:
        return aspects
    names = {"file": "content", "symlink": "target", "char": "device", "block": "device"}
    aspects.discard("type")
    return aspects | ({names[one[0]]} if (one[0], one[6:]) != (other[0], other[6:]) else set())


@given(stacks(size=5))
def test_the_history_is_that_of_the_trees(stack):
    shown = walked(stack)
    with (
        tempfile.TemporaryDirectory() as directory,
        open_image(image(directory, *(tar(*layer) for layer in stack))) as opened,
    ):
        for path in sorted(set().union(*shown) - {b""}):
            history = opened.why(path, policy=LENIENT)
            touches = {each.layer.index: each for each in history.touches}
            for index in range(len(stack)):
                old, new = shown[index].get(history.path), shown[index + 1].get(history.path)
                check(touches.get(index), old, new, history.path)
            if history.path != path:
                assert history.links


def check(touch, old, new, path):
    if old is None:
        assert (touch and touch.what) == (None if new is None else "added")
    elif new is None:
        assert touch.what in {"removed", "hidden"}
        assert path == touch.by or not touch.by or path.startswith(touch.by + b"/")
        assert (touch.marker is None) == (touch.what == "hidden")
    elif expected_aspects(old, new):
        assert (touch.what, set(touch.aspects)) == ("changed", expected_aspects(old, new))
    else:
        assert touch is None or (touch.what, touch.aspects) == ("repeated", ())
