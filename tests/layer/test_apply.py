import io
import sys

import attrs
import pytest

from oci_layers.errors import LayerError, LimitError, LinkError, TarFormatError, UnsafePathError
from oci_layers.layer import Add, Link, Opaque, Policy, Whiteout, apply, decode
from oci_layers.layer.apply import Application
from oci_layers.limits import Limits
from oci_layers.tar import read_tar
from oci_layers.tree import Directory, Fifo, File, FileTree, Inline, TreeEditor, dump, parse
from tests.support.findings import in_layer
from tests.support.layers import char, d, f, fifo, ln, opq, sym, tar, wh
from tests.support.trees import merged, mirrored

LENIENT = Policy.preset("lenient")
STRICT = Policy.preset("strict")


def laid(*layers, policy=None, tree=None):
    """The tree of layers, and the findings of the last."""
    tree, findings = FileTree() if tree is None else tree, []
    for index, layer in enumerate(layers):
        findings.clear()
        apply(decode(layer, layer=index), tree, layer=index, policy=policy, on_finding=findings.append)
    return tree, findings


def names(tree):
    return [path.decode() for path, _ in tree.walk() if path]


def test_a_change_can_be_made_by_hand():
    tree = FileTree()
    node = File(0o644, 0, 0, 0, content=Inline(b"x"))
    changes = [Add(b"d/f", node), Link(b"h", b"d/f"), Add(b"g", Fifo(0o600, 0, 0, 0)), Whiteout(b"g"), Opaque(b"d")]
    apply(changes, tree)
    assert names(tree) == ["d", "d/f", "g", "h"]
    assert tree.get("h") is tree.get("d/f")
    assert tree.get("h").content == Inline(b"x")
    assert tree.get("d").layer == 0


def test_links_in_paths_are_followed_unless_the_policy_replaces_them():
    layers = [d("d/"), sym("l", "d")], [f("l/x")]
    assert names(laid(*layers)[0]) == ["d", "d/x", "l"]
    assert names(laid(*layers, policy=Policy(parents="replace"))[0]) == ["d", "l", "l/x"]


def test_findings_nobody_asked_for_are_no_problem():
    tree = FileTree()
    apply([Whiteout(b"x")], tree)
    assert len(tree) == 1


def test_every_node_knows_its_layer():
    tree, _ = laid([d("a/"), f("a/x"), f("b/x")], [d("a/"), f("c/x"), f("b/y")], [wh("b"), f("b/z")])
    assert {path.decode(): (node.layer, getattr(node, "implicit", False)) for path, node in tree.walk()} == {
        "": (0, True),
        "a": (1, False),
        "a/x": (0, False),
        "b": (2, True),
        "b/z": (2, False),
        "c": (1, True),
        "c/x": (1, False),
    }


def test_a_directory_that_was_only_implied_is_reset_by_a_whiteout():
    tree, _ = laid([d("p/", 0o700, uid=1, xattrs={b"user.k": b"v"}), f("p/old")], [f("p/new"), wh("p")])
    node = tree.get("p")
    assert (node.mode, node.uid, dict(node.xattrs), node.layer, node.implicit) == (0o755, 0, {}, 1, True)


def test_a_directory_that_was_searched_before_does_not_end_the_search_beside_it():
    directories = [f"d/{name}" for name in "abc"]
    upper = [*(f(f"{each}/new") for each in directories), opq("d/b"), opq("d")]
    tree, _ = laid([f(f"{each}/old") for each in directories], upper)
    assert names(tree) == ["d", *(f"{each}{below}" for each in directories for below in ("", "/new"))]


def test_a_directory_with_an_entry_of_its_own_is_not_reset():
    lower = [d("p/", 0o700), d("p/q/", 0o700), f("p/q/old")]
    tree, _ = laid(lower, [d("p/q/", 0o711), f("p/q/new"), wh("p/q"), opq("p"), wh("p")])
    assert names(tree) == ["p", "p/q", "p/q/new"]
    assert (tree.get("p").mode, tree.get("p").implicit) == (0o755, True)
    assert (tree.get("p/q").mode, tree.get("p/q").implicit) == (0o711, False)


@pytest.mark.parametrize(
    ("lower", "upper", "path"),
    [
        ([sym("l", "d")], [wh("l"), f("l/x")], [b"l"]),
        ([sym("p/q/l", "/d")], [wh("p"), f("p/q/l/x")], [b"p/q/l"]),
        ([sym("p/q/l", "/d")], [wh("p/q/l"), wh("p"), f("p/q/l/x")], [b"p/q/l"]),
        ([sym("p/q/l", "/d")], [wh("p"), f("p/q/m/x"), f("p/q/l-/x")], []),
        ([sym("p/q/l", "/d")], [opq("p/q"), f("p/q/l/x")], [b"p/q/l"]),
        ([sym("l", "/d"), sym("k", "/d"), f("e/k")], [wh("e/k"), f("k/x"), wh("l"), f("l/x")], [b"l"]),
        ([sym("l", "/d"), sym("k", "/d"), f("e/x")], [opq("e"), f("k/x"), wh("l"), f("l/x")], [b"l"]),
        ([sym("p/l", "/d")], [wh("p"), f("p/l-/l/x"), f("p/l/l/x")], [b"p/l"]),
        ([f("p/q"), sym("l", "d")], [wh("p"), f("p/q/x/y"), f("p/q/x/l/z")], []),
    ],
)
def test_a_path_is_reported_where_a_link_was_removed_and_nowhere_else(lower, upper, path):
    _, findings = laid([d("d/"), *lower], upper)
    assert [(finding.rule, finding.location.path) for finding in findings] == [("order", each) for each in path]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([[f("a"), f("a")]], [in_layer("duplicate", b"a", 0)]),
        ([[d("./"), d("./")]], [in_layer("duplicate", b"", 0)]),
        ([[f("d/x"), d("d/")]], []),
        ([[f("d/x"), f("d")]], [in_layer("duplicate", b"d", 0)]),
        ([[f("a"), d("a/")]], [in_layer("duplicate", b"a", 0)]),
        ([[wh("a")]], [in_layer("nothing-hidden", b"a", 0)]),
        ([[], [opq("a/b")]], [in_layer("nothing-hidden", b"a/b", 1)]),
        ([[f("a"), f("d/a")], [wh("a"), wh("d/a"), wh("a")]], [in_layer("duplicate", b".wh.a", 1)]),
        ([[f("d/a"), f("e/a")], [opq("d"), opq("e"), opq("d")]], [in_layer("duplicate", b"d/.wh..wh..opq", 1)]),
        ([[sym("l", "d"), f("d/a")], [wh("l/a"), wh("l/a")]], [in_layer("duplicate", b"l/.wh.a", 1)]),
        ([[f("d/a")], [f("d"), wh("d/a"), opq("d")]], []),
        (
            [[f("p")], [f("p/a")]],
            [in_layer("file-as-directory", b"p", 1, "a file is used as a directory, and is replaced by one")],
        ),
        ([[sym("l", "../x")], [f("l/a")]], [in_layer("climbing-link", b"l", 1, "the link leads above the root")]),
        (
            [[f("f")], [ln("h", "f"), wh("f")]],
            [in_layer("order", b"f", 1, "the layer uses this and removes it: read in tar order")],
        ),
        (
            [[d("d/"), sym("l", "d")], [wh("l"), f("l/a")]],
            [in_layer("order", b"l", 1, "the layer uses this and removes it: read in tar order")],
        ),
        (
            [[d("d/"), sym("l", "d")], [f("l/a"), f("l")]],
            [],
        ),
        (
            [[d("d/"), f("d/a")], [sym("l", "d"), wh("l/a")]],
            [in_layer("nothing-hidden", b"l/a", 1)],
        ),
    ],
)
def test_findings_say_what_where_in_which_layer_and_why(layers, expected):
    assert laid(*layers)[1] == expected


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ([], [f("a"), f("b"), f("a")], [("duplicate", b"a", 2)]),
        ([sym("l", "d"), f("d/x")], [wh("l/y"), f("z")], [("nothing-hidden", b"l/y", 0)]),
        ([sym("l", "../d"), f("d/x")], [f("z"), wh("l/x")], [("climbing-link", b"l", 1)]),
        ([f("f")], [ln("h", "f"), wh("f")], [("order", b"f", 1)]),
        ([f("d/f")], [ln("h", "d/f"), opq("d")], [("order", b"d", 1)]),
        ([f("f")], [wh("f"), ln("h", "f")], [("refused", b"h", 1), ("order", b"h", 1)]),
        ([sym("l", "d"), f("d/x")], [f("l/y"), f("z"), wh("l")], [("order", b"l", 2)]),
        ([sym("p/l", "/d")], [opq("p"), f("p/l/x")], [("order", b"p/l", 1)]),
        ([f("d/f")], [f("a"), ln("h", "no"), f("b")], [("refused", b"h", 1)]),
        ([sym("l", "l")], [f("a"), f("l/x"), wh("l")], [("refused", b"l/x", 1), ("order", b"l/x", 1)]),
        (
            [d("d/"), d("q/r/"), d("q/d/"), sym("m", "q/r"), sym("l", "m/../d")],
            [wh("m"), f("l/x")],
            [("order", b"l", 1)],
        ),
        ([], [ln("h", "f"), ln("h", "g"), f("f"), f("g")], [("duplicate", b"h", 1)]),
    ],
)
def test_a_finding_has_the_path_and_the_turn_of_its_change_when_it_comes_later_too(lower, upper, expected):
    tree, found = laid(lower)[0], []
    policy = Policy(forward_links="defer", refused="skip")

    def note(finding):
        found.append((finding.rule, finding.location.path, application.turn))

    application = Application(tree, 1, None, policy, note)
    for application.turn, change in enumerate(decode(upper)):
        application.take(change)
    application.turn = None
    application.end()
    assert found == expected


def test_a_link_that_is_refused_is_no_name_of_the_layer():
    lower, policy = [f("e/d/f"), f("e/x")], Policy(refused="skip")
    assert names(laid(lower, [ln("e/d", "e/d/f"), wh("e/d")], policy=policy)[0]) == ["e", "e/x"]


def test_a_refused_change_is_reported_with_its_own_name():
    _, findings = laid([d("d/"), ln("h", "d"), sym("l", "l")], [ln("h", "no"), wh("l/x")], policy=LENIENT)
    assert findings == [
        in_layer("refused", b"l/x", 1, "more than 40 links to follow, perhaps a loop"),
        in_layer("refused", b"h", 1, "no file 'no' to link to"),
    ]


@pytest.mark.parametrize(
    ("layers", "kind", "path", "reason"),
    [
        ([[ln("h", b"\xff no")]], LinkError, b"h", r"no file '\xff no' to link to"),
        ([[d("d/"), ln("h", "d")]], LinkError, b"h", "a hard link to a directory: 'd'"),
        ([[ln("h", "/")]], LinkError, b"h", "a hard link to a directory: '/'"),
        ([[f("f"), ln("./f", "f")]], LinkError, b"f", "a hard link to itself"),
        ([[f("f"), ln("f/h", "f")]], LinkError, b"f/h", "a hard link to a file that it uses as a directory"),
        ([[f("d/f"), ln("d", "d/f")]], LinkError, b"d", "a hard link to a file of the directory that it replaces"),
        ([[sym("l", "l"), f("l/x")]], LinkError, b"l", "more than 40 links to follow, perhaps a loop"),
    ],
)
def test_what_cannot_be_linked_raises(layers, kind, path, reason):
    with pytest.raises(LayerError) as caught:
        laid(*layers)
    assert (type(caught.value), caught.value.path, caught.value.reason) == (kind, path, reason)


@pytest.mark.parametrize(
    ("layers", "path", "reason"),
    [
        ([[f("a"), f("a")]], b"a", "the layer has this name twice (LYR-02)"),
        ([[f("p"), f("p/a")]], b"p", "a file is used as a directory, and is replaced by one"),
        ([[sym("l", ".."), f("l/a")]], b"l", "the link leads above the root"),
    ],
)
def test_strict_raises_what_default_reports(layers, path, reason):
    with pytest.raises(LayerError) as caught:
        laid(*layers, policy=STRICT)
    assert (type(caught.value), caught.value.path, caught.value.reason) == (LayerError, path, reason)
    laid(*layers)


def test_a_duplicate_that_is_refused_changes_nothing():
    policy = Policy(duplicates="error", refused="skip")
    tree, findings = laid([f("a", "1"), f("a", "2"), d("d/", 0o700), d("d/"), d("./"), d("./", 0)], policy=policy)
    assert tree.get("a").content == Inline(b"1")
    assert tree.get("d").mode == 0o700
    assert tree.root.mode == 0o755
    assert [(finding.rule, finding.location.path) for finding in findings] == [
        ("refused", b"a"),
        ("refused", b"d"),
        ("refused", b""),
    ]


def test_after_an_error_a_fork_has_what_was():
    tree, _ = laid([f("a")])
    fork = tree.fork()
    with pytest.raises(LinkError):
        laid([f("b"), ln("h", "no")], tree=fork)
    assert (names(tree), names(fork)) == (["a"], ["a", "b"])


def test_links_that_wait_are_refused_in_the_end():
    policy = Policy(forward_links="defer")
    assert names(laid([ln("h", "f"), f("f")], policy=policy)[0]) == ["f", "h"]
    with pytest.raises(LinkError) as caught:
        laid([ln("h", "f"), f("g")], policy=policy)
    assert (caught.value.path, caught.value.reason) == (b"h", "no file 'f' to link to")


def test_a_link_that_waits_is_one_entry_in_any_order():
    policy = Policy(forward_links="defer", duplicates="error")
    tree, findings = laid([f("a")], [wh("a"), ln("h", "f"), f("f")], policy=policy)
    assert (names(tree), findings) == (["f", "h"], [])


def test_the_last_entry_of_a_name_wins_over_a_link_that_waits():
    tree, findings = laid([ln("h", "f"), f("h", "own"), f("f")], policy=LENIENT)
    assert tree.get("h").content == Inline(b"own")
    assert findings == [in_layer("duplicate", b"h", 0)]


@pytest.mark.parametrize(("links", "made"), [(0, 1), (1, 2), (40, 9)])
def test_links_to_links_that_wait_are_made_as_often_as_links_are_followed(links, made):
    layer = [*(ln(f"h{n}", f"h{n + 1}") for n in range(9)), f("h9")]
    policy = Policy(forward_links="defer", refused="skip")
    tree, findings = laid(layer, policy=policy, tree=FileTree(limits=Limits(links=links)))
    assert names(tree) == [f"h{n}" for n in range(9 - made, 10)]
    assert [finding.location.path for finding in findings] == [b"h%d" % n for n in range(9 - made)]


def test_resolved_names_are_held_to_the_limits():
    lower = [d("a/b/"), f("f"), sym("l", "a/b")]
    for limits in (Limits(path_depth=3), Limits(path_bytes=6)):
        tree, _ = laid(lower, [f("l/cc"), ln("l/dd", "f")], tree=FileTree(limits=limits))
        assert names(tree)[2:4] == ["a/b/cc", "a/b/dd"]
    for limit, allowed, seen in (("path_depth", 2, 3), ("path_bytes", 5, 6)):
        for upper in (f("l/cc"), ln("l/cc", "f")):
            tree = FileTree(limits=Limits(**{limit: allowed}))
            with pytest.raises(LimitError) as caught:
                laid(lower, [upper], policy=LENIENT, tree=tree)
            assert (caught.value.limit, caught.value.allowed, caught.value.seen) == (limit, allowed, seen)


def test_the_links_in_a_path_are_limited():
    lower = [d("d/"), *(sym(f"l{n}", f"l{n + 1}") for n in range(3)), sym("l3", "d")]
    for limit in (4, 5):
        assert "d/x" in laid(lower, [f("l0/x")], tree=FileTree(limits=Limits(links=limit)))[0]
    with pytest.raises(LinkError) as caught:
        laid(lower, [f("l0/x")], tree=FileTree(limits=Limits(links=3)))
    assert (caught.value.path, caught.value.reason) == (b"l0", "more than 3 links to follow, perhaps a loop")


def test_a_deep_path_needs_no_recursion():
    deep = "d/" * 3000
    limits = Limits(path_depth=4000, path_bytes=10000)
    tree = FileTree(limits=limits)
    for layer in ([f(deep + "x")], [f(deep + "y"), opq("d"), wh("d")]):
        apply(decode(layer, limits=limits), tree)
    assert len(tree) == 3002
    assert [path for path, node in tree.walk() if isinstance(node, File)] == [deep.encode() + b"y"]


@pytest.mark.parametrize("policy", [Policy(), STRICT, LENIENT])
def test_an_archive_cut_short_is_never_passed_over(policy, tmp_path):
    archive = tar(f("x", "t" * 2000, mtime_ns=0))[:1000]
    with pytest.raises(TarFormatError) as caught:
        mirrored(tmp_path, archive, policy=policy)
    assert caught.value.path == b"x"

    def cut():
        yield memoryview(b"x")
        raise TarFormatError(b"x", "cut", 7)

    class Reads:
        def make(self, parent, name, node, data):
            b"".join(data)

    with pytest.raises(TarFormatError):
        apply([Add(b"x", File(0o644, 0, 0, 0), cut())], FileTree(), mirror=Reads(), policy=policy)


class Refusing:
    """A mirror that holds names, and refuses those that differ from one only in case."""

    def __init__(self):
        self.names = set()

    def make(self, parent, name, node, data):
        path = parent + b"/" + name
        if path.lower() in {each.lower() for each in self.names}:
            raise UnsafePathError(path, "two names for one")
        self.names.add(path)

    def link(self, target, parent, name, node):
        self.make(parent, name, node, None)

    def remove(self, parent, name, node):
        path = parent + b"/" + name
        self.names = {each for each in self.names if each != path and not each.startswith(path + b"/")}


LAYER = [f("a", "1"), f("A", "2"), ln("h", "a"), ln("H", "a"), f("d/x"), f("D/y"), d("D/")]


def test_what_a_mirror_refuses_is_not_in_the_tree():
    mirror, tree, findings = Refusing(), FileTree(), []
    apply(decode(LAYER), tree, mirror=mirror, policy=LENIENT, on_finding=findings.append)
    assert names(tree) == ["a", "d", "d/x", "h"]
    assert mirror.names == {b"/a", b"/d", b"d/x", b"/h"}
    assert [(finding.rule, finding.location.path) for finding in findings] == [
        ("refused", b"A"),
        ("refused", b"H"),
        ("refused", b"D/y"),
        ("refused", b"D"),
    ]
    with pytest.raises(UnsafePathError):
        apply(decode(LAYER), FileTree(), mirror=Refusing())


def test_changes_may_be_applied_to_more_than_one_tree():
    changes = list(decode([d("d/"), f("d/a"), f("d/b"), ln("h", "d/a")]))
    first, second = FileTree(), FileTree()
    apply(decode([f("x"), f("y"), ln("z", "x")]), second)
    apply(changes, first)
    before = dump(first)
    apply(changes, second)
    laid([f("d/c"), d("d/", 0), wh("d/a")], tree=second)
    assert dump(first) == before
    TreeEditor(first).change(b"h", mode=0)
    assert {path: node.mode for path, node in first.walk()} == {
        b"": 0o755,
        b"d": 0o755,
        b"d/a": 0,
        b"d/b": 0o644,
        b"h": 0,
    }


def test_a_directory_given_as_a_change_stays_as_it_was():
    node = Directory(0o755, 0, 0, 0)
    tree = FileTree()
    apply([Add(b"d", node), Add(b"d/x", Fifo(0, 0, 0, 0)), Add(b"d", Directory(0, 1, 1, 1))], tree)
    assert (node.mode, node.uid, node.children, node.token) == (0o755, 0, {}, None)


# --- No more work than there are entries ------------------------------------------------------------------------------


def calls(do):
    """How many functions are called."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        do()
    finally:
        sys.setprofile(None)
    return count


def work(lower, upper, policy=None):
    """How many functions are called to lay one layer over another."""
    tree, _ = laid(lower)
    changes = list(decode(upper))
    return calls(lambda: apply(changes, tree, policy=policy))


MANY = [f(f"d/{number}") for number in range(200)]
SHAPES = {
    "files": lambda n: ([], [f(f"d/{k}") for k in range(n)]),
    "same-file": lambda n: ([], [f("d/x") for _ in range(n)]),
    "links-to-one-file": lambda n: ([f("f")], [ln(f"h{k}", "f") for k in range(n)]),
    "links-to-the-last": lambda n: ([], [f("h-1"), *(ln(f"h{k}", f"h{k - 1}") for k in range(n))]),
    "whiteouts": lambda n: ([f(f"d/{k}") for k in range(n)], [wh(f"d/{k}") for k in range(n)]),
    "repeated-whiteouts": lambda n: (MANY, [f("d/x"), *[wh("d")] * n]),
    "repeated-opaques": lambda n: (MANY, [f("d/x"), *[opq("d")] * n]),
    "opaques-and-entries": lambda n: (MANY, [each for k in range(n) for each in (f(f"d/new{k}"), opq("d"), wh("d"))]),
    "opaques-at-every-level": lambda n: (
        [],
        [f("/".join("e" * 40) + "/x"), *(opq("/".join("e" * (k % 40))) for k in range(n))],
    ),
    "whiteouts-of-nothing": lambda n: (MANY, [wh(f"d/no{k}") for k in range(n)]),
    "directories": lambda n: ([], [d(f"{k}/") for k in range(n)]),
    "replaced-links": lambda n: (
        [d("d/"), d("e/")],
        [each for k in range(n) for each in (sym("l", "de"[k % 2]), f(f"l/{k}"))],
    ),
    "removed-and-implied": lambda n: (
        [f(f"p/{k}/x") for k in range(n)],
        [e for k in range(n) for e in (wh(f"p/{k}"), f(f"p/{k}/y"))],
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_work_grows_with_the_entries(shape):
    assert work(*shape(2000)) < 2.2 * work(*shape(1000))


def test_work_for_links_that_wait_grows_with_the_entries():
    def waiting(count):
        return work([], [*(ln(f"h{k}", f"h{k + 1}") for k in range(count)), f(f"h{count}")], policy=LENIENT)

    assert waiting(2000) < 2.2 * waiting(1000)


def test_work_for_deep_paths_grows_with_their_depth():
    def deep(depth):
        return work([], [f("d/" * depth + "x")])

    assert deep(200) < 2.2 * deep(100)


class Counted(dict):
    """Children that count how often they are gone through."""

    walks = 0

    def __iter__(self):
        type(self).walks += 1
        return super().__iter__()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "marker", [wh("d"), opq("d"), opq(), wh("d/no")], ids=["whiteout", "opaque", "root", "missing"]
)
def test_twenty_thousand_markers_go_through_a_directory_once(marker):
    tree, _ = laid([f(f"d/{number}") for number in range(100)])
    directory = tree.get("d")
    Counted.walks = 0
    directory.children = Counted(directory.children)
    laid([f("d/0"), *[marker] * 20_000], tree=tree)
    walks = Counted.walks
    assert walks <= 1
    assert names(tree)[:2] == ["d", "d/0"]


# --- The mirror is told what happens ----------------------------------------------------------------------------------


@attrs.define
class Steps:
    """A mirror that writes down what it is told."""

    steps: list = attrs.field(factory=list)

    def make(self, parent, name, node, data):
        self.steps.append(("make", parent, name, data and b"".join(data)))

    def link(self, target, parent, name, node):
        self.steps.append(("link", target, parent, name))

    def remove(self, parent, name, node):
        self.steps.append(("remove", parent, name))


def test_a_mirror_is_told_every_step_at_resolved_paths():
    tree, _ = laid([d("d/"), f("d/old"), f("gone/x"), sym("l", "d")])
    mirror = Steps()
    layer = tar(
        f("l/new", "text"), ln("l/h", "l/new"), wh("gone"), wh("l/old"), d("d/", 0o700), fifo("p/q"), char("l/h")
    )
    apply(decode(read_tar(io.BytesIO(layer))), tree, mirror=mirror)
    assert mirror.steps == [
        ("make", b"d", b"new", b"text"),
        ("link", b"d/new", b"d", b"h"),
        ("remove", b"", b"gone"),
        ("make", b"", b"p", None),
        ("make", b"p", b"q", None),
        ("remove", b"d", b"h"),
        ("make", b"d", b"h", None),
        ("remove", b"d", b"old"),
    ]


def test_merging_from_archives_is_merging_their_entries():
    layers = [[d("a/"), f("a/x", "1")], [wh("a/x"), f("b", "2")]]
    assert merged(*(tar(*layer) for layer in layers)) == laid(*layers)[0]
    assert laid(*layers)[0] != parse("/a dir 0755 0:0 0")


@pytest.mark.parametrize("there", [[], [f("x")]])
def test_a_link_that_comes_where_dots_took_a_name_back_leads_elsewhere_from_then_on(there):
    tree = merged(
        tar(sym("l", "x/../b"), *there, f("l/first"), d("q/"), d("q/r/"), sym("x", "q/r"), f("l/second")),
    )
    assert {path for path, node in tree.walk() if isinstance(node, File)} == {b"b/first", b"q/b/second"}


def test_a_way_that_was_refused_is_refused_again():
    policy = Policy(refused="skip", suspicious="error")
    findings = []
    tree = merged(tar(sym("l", "../x"), f("l/a"), f("l/b")), policy=policy, on_finding=findings.append)
    assert [(each.rule, each.location.path) for each in findings] == [("refused", b"l/a"), ("refused", b"l/b")]
    assert not any(isinstance(node, File) for _, node in tree.walk())
