"""What a diff emits, row by row: `+` a node, `=` another name of one, `-` a whiteout, `!` an opaque marker."""

import os
import socket

import pytest

from oci_layers import scan
from oci_layers.disk import DirectoryMirror
from oci_layers.errors import NameFormatError, SizeMismatchError, WhiteoutError
from oci_layers.layer import Add, Link, Opaque, Whiteout, apply, decode, diff
from oci_layers.tree import NOWHERE, Directory, File, FileTree, Inline, RangeContent, TreeEditor
from tests.support.edits import apart
from tests.support.layers import block, char, d, f, fifo, ln, opq, sym, tar, wh
from tests.support.trees import merged, mirrored

SIGNS = {Add: "+", Link: "=", Whiteout: "-", Opaque: "!"}


def described(changes):
    """Changes as one line: a sign and the path of each, without the directories that are only on the way."""
    words = []
    for change in changes:
        word = SIGNS[type(change)] + (os.fsdecode(change.path) or "/")
        if isinstance(change, Add) and isinstance(change.node, Directory):
            word += "/" * bool(change.path)
        words.append(word + (f"->{os.fsdecode(change.target)}" if isinstance(change, Link) else ""))
    return " ".join(words)


def trees(lower, upper):
    """Two trees: what one layer makes, and a fork of it with a second one."""
    old = merged(tar(*lower))
    new = old.fork()
    apply(decode(upper), new, layer=1)
    return old, new


BASE = [d("d/"), d("d/e/"), f("d/e/x", "x"), f("d/y", "y"), f("z", "z"), sym("s", "d")]
LINKED = [d("d/"), f("d/a", "1"), ln("d/b", "d/a"), ln("e", "d/a")]

# What is below, what is laid over it, and what the diff of the two trees says.
ROWS = {
    "nothing": (BASE, [], ""),
    "a new file": (BASE, [f("d/e/new", "n")], "+/ +d/ +d/e/ +d/e/new"),
    "the parents of a change, and no others": (BASE, [f("z", "Z")], "+/ +z"),
    "attributes of a directory": (BASE, [d("d/", 0o700)], "+/ +d/"),
    "attributes of the root": (BASE, [d("./", 0o700)], "+/"),
    "a removed file": (BASE, [wh("d/y")], "+/ +d/ -d/y"),
    "a removed directory is one whiteout": (BASE, [wh("d")], "+/ -d"),
    "markers right after their directory": (
        [*BASE, f("d/a", ""), f("d/zz", "")],
        [wh("d/a"), wh("d/zz"), f("d/b", "n")],
        "+/ +d/ -d/a -d/zz +d/b",
    ),
    "a file over a directory": (BASE, [f("d", "n")], "+/ +d"),
    "a directory over a file": (BASE, [d("z/"), f("z/in", "n")], "+/ +z/ +z/in"),
    "a directory over a link": (BASE, [d("s/"), f("s/in", "n")], "+/ +s/ +s/in"),
    "a link over a directory": (BASE, [wh("d"), sym("d", "z")], "+/ +d"),
    "a directory that comes back": (BASE, [wh("d"), d("d/"), f("d/new", "n")], "+/ +d/ -d/e -d/y +d/new"),
    "a directory that comes back empty": (BASE, [wh("d"), d("d/")], "+/ +d/ -d/e -d/y"),
    "a directory that comes back with an old name": (BASE, [wh("d"), d("d/"), f("d/y", "n")], "+/ +d/ -d/e +d/y"),
    "a file that comes back": (BASE, [wh("z"), f("z", "n")], "+/ +z"),
    "an opaque directory": (BASE, [opq("d"), d("d/"), f("d/new")], "+/ +d/ -d/e -d/y +d/new"),
    "an opaque root": (BASE, [opq(), f("new")], "+/ -d -s -z +new"),
    "paths in the order of their components": (
        [],
        [f("a.b", ""), d("a/"), f("a/x", ""), f("a-b", "")],
        "+/ +a/ +a/x +a-b +a.b",
    ),
    "all kinds": (
        [f("a"), f("b"), f("c"), f("e")],
        [fifo("a"), char("b"), block("c"), sym("e", "x")],
        "+/ +a +b +c +e",
    ),
    "another device": ([char("a", 1, 3)], [char("a", 1, 5)], "+/ +a"),
    "another kind of device": ([char("a", 8, 0)], [block("a", 8, 0)], "+/ +a"),
    "another target": ([sym("a", "x")], [sym("a", "y")], "+/ +a"),
    "the same again": ([fifo("a"), char("b"), sym("c", "x"), f("e", "1")],) * 2 + ("",),
    "another owner": ([f("a", uid=1)], [f("a", gid=1)], "+/ +a"),
    "another attribute": ([f("a", xattrs={b"user.k": b""})], [f("a")], "+/ +a"),
    "another time": ([f("a", mtime_ns=1)], [f("a", mtime_ns=2)], "+/ +a"),
    "a directory that only paths imply": ([], [f("a/b/c", "")], "+/ +a/ +a/b/ +a/b/c"),
    # Hard links: the names of a file are written all, or not at all.
    "a new file with several names": ([], LINKED, "+/ +d/ +d/a =d/b->d/a =e->d/a"),
    "a name is added": (LINKED, [ln("c", "e")], "+/ +c +d/ =d/a->c =d/b->c =e->c"),
    "a name is removed": (LINKED, [wh("d/a")], "+/ +d/ -d/a"),
    "all names but one are removed": (LINKED, [wh("d")], "+/ -d"),
    "a name becomes another file": (LINKED, [f("d/a", "2")], "+/ +d/ +d/a"),
    "a name becomes a copy": (LINKED, [f("d/a", "1")], "+/ +d/ +d/a"),
    "the last name becomes a copy": (LINKED, [f("e", "1")], "+/ +e"),
    "a name becomes a directory": (LINKED, [d("d/b/")], "+/ +d/ +d/b/"),
    "a file becomes two of as many names": (
        [f("a", "1"), ln("b", "a"), ln("c", "a"), ln("e", "a")],
        [f("a", "1"), ln("c", "a")],
        "+/ +b =e->b",
    ),
    "a name becomes a copy in a directory of its own": (
        [d("a/"), f("a/x", "1"), d("b/"), ln("b/x", "a/x")],
        [f("a/x", "1")],
        "+/ +b/ +b/x",
    ),
    "one file becomes two": (LINKED, [f("d/b", "1"), ln("e", "d/b")], "+/ +d/ +d/a"),
    "two files become one": ([f("a", "1"), f("b", "1")], [ln("b", "a")], "+/ +a =b->a"),
    "two groups become one": (
        [f("a", "1"), ln("b", "a"), f("c", "1"), ln("e", "c")],
        [ln("c", "a"), ln("e", "a")],
        "+/ +a =b->a =c->a =e->a",
    ),
    "a file is replaced under all its names": (
        LINKED,
        [f("d/a", "2"), ln("d/b", "d/a"), ln("e", "d/a")],
        "+/ +d/ +d/a =d/b->d/a =e->d/a",
    ),
    "a file moves to other names": (LINKED, [ln("f", "e"), ln("g", "e"), wh("d"), wh("e")], "+/ -d -e +f =g->f"),
    "links to a link": ([sym("a", "x"), ln("b", "a")], [ln("c", "b")], "+/ +a =b->a =c->a"),
    "names where a directory was": ([d("a/"), f("b", "1")], [ln("a", "b")], "+/ +a =b->a"),
}


@pytest.mark.parametrize("share", [True, False], ids=["forks", "apart"])
@pytest.mark.parametrize(("lower", "upper", "expected"), ROWS.values(), ids=ROWS)
def test_a_diff_is(lower, upper, expected, share):
    old, new = trees(lower, upper)
    assert described(diff(old, new if share else apart(new), content="always")) == expected
    result = old.fork()
    apply(diff(old, new, content="always"), result, policy="strict")
    assert result == new


def test_an_opaque_marker_takes_the_place_of_whiteouts_where_nothing_old_stays():
    old, new = trees(BASE, [wh("d"), d("d/"), f("d/new", "n")])
    assert described(diff(old, new, opaque=True)) == "+/ +d/ !d +d/new"
    result = old.fork()
    apply(diff(old, new, opaque=True), result, policy="strict")
    assert result == new


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([wh("d/y")], "+/ +d/ -d/y"),
        ([wh("d"), wh("s"), wh("z"), f("new")], "+/ -d -s -z +new"),
        ([wh("d"), d("d/"), f("d/y", "n")], "+/ +d/ -d/e +d/y"),
        ([d("d/", 0o700)], "+/ +d/"),
    ],
    ids=["some stay", "the root", "a name that is used again", "nothing vanishes"],
)
def test_elsewhere_there_are_whiteouts_all_the_same(upper, expected):
    assert described(diff(*trees(BASE, upper), opaque=True)) == expected


def test_a_removed_directory_and_what_replaces_one_have_no_markers_within():
    old, new = trees(BASE, [wh("d"), f("z", "n")])
    assert [change.path for change in diff(old, new) if isinstance(change, Whiteout)] == [b"d"]
    assert [change for change in diff(*trees(BASE, [f("d", "n")])) if isinstance(change, Whiteout)] == []


NANOSECONDS = 10**9 + 1


@pytest.mark.parametrize(
    ("mode", "mtime_ns", "expected"),
    [
        ("always", NANOSECONDS, "+/ +a"),
        ("auto", NANOSECONDS, ""),
        ("never", NANOSECONDS, ""),
        ("always", 10**9, "+/ +a"),
        ("auto", 10**9, "+/ +a"),
        ("never", 10**9, ""),
    ],
)
def test_contents_are_read_where_they_are_asked_for_or_where_times_cannot_decide(mode, mtime_ns, expected):
    """Times in whole seconds are what programs cut them to, so they say little (GEN-03)."""
    old, new = trees([f("a", "1", mtime_ns=mtime_ns)], [])
    content = RangeContent(Kept(b"2"), 0, 1)
    TreeEditor(new).change(b"a", content=content)
    assert described(diff(old, new, content=mode)) == expected


class Kept:
    """A source of contents."""

    def __init__(self, data):
        self.data = data

    def read_at(self, offset, size):
        return self.data[offset : offset + size]


@pytest.mark.parametrize(("mode", "expected"), [("always", "+/ +a"), ("auto", "+/ +a"), ("never", "")])
def test_contents_in_memory_are_compared_unless_never(mode, expected):
    old, new = trees([f("a", "1", mtime_ns=NANOSECONDS)], [f("a", "2", mtime_ns=NANOSECONDS)])
    assert described(diff(old, new, content=mode)) == expected


@pytest.mark.parametrize("mode", ["always", "auto", "never"])
def test_another_size_is_a_change_without_reading(mode):
    old, new = trees([f("a", "1", mtime_ns=0)], [])
    TreeEditor(new).change(b"a", content=RangeContent(NOWHERE, 0, 2))
    assert described(diff(old, new, content=mode)) == "+/ +a"


def test_the_same_content_is_not_read():
    old = FileTree()
    TreeEditor(old).put(TreeEditor(old).open_parent(b""), b"a", File(0, 0, 0, 0, content=RangeContent(NOWHERE, 0, 2)))
    new = old.fork()
    TreeEditor(new).change(b"a", xattrs={})
    assert old.at(b"a") is not new.at(b"a")
    assert list(diff(old, new, content="always")) == []


@pytest.mark.parametrize(
    ("ignore", "upper", "expected"),
    [
        ({"mtime"}, [f("a", "1", mtime_ns=2), d("d/", mtime_ns=2)], ""),
        ({"mtime"}, [f("a", "2", mtime_ns=2)], "+/ +a"),
        ({"mtime"}, [f("a", "1", 0o600, mtime_ns=2)], "+/ +a"),
        ({"directory-mtime"}, [f("a", "1", mtime_ns=2), d("d/", mtime_ns=2)], "+/ +a"),
        ({"directory-mtime"}, [d("d/", 0o700, mtime_ns=2)], "+/ +d/"),
        ({"owner"}, [f("a", "1", uid=1, gid=2, mtime_ns=1), d("d/", uid=1, mtime_ns=1)], ""),
        ({"mode"}, [f("a", "1", 0o600, mtime_ns=1), d("d/", 0o700, mtime_ns=1)], ""),
        ({"xattrs"}, [f("a", "1", mtime_ns=1, xattrs={b"user.k": b"v"})], ""),
        ({"nanoseconds"}, [f("a", "1", mtime_ns=0), d("d/", mtime_ns=0)], ""),
        ({"nanoseconds"}, [f("a", "2", mtime_ns=0)], "+/ +a"),
        ({"nanoseconds"}, [f("a", "1", mtime_ns=2), d("d/", mtime_ns=2)], "+/ +a +d/"),
        ({"nanoseconds"}, [f("a", "1", mtime_ns=10**9), d("d/", mtime_ns=-1)], "+/ +a +d/"),
        ((), [f("a", "1", mtime_ns=0), d("d/", mtime_ns=0)], "+/ +a +d/"),
        (["owner", "mode", "mtime", "xattrs"], [f("a", "1", 0, uid=7, mtime_ns=9, xattrs={b"user.k": b""})], ""),
    ],
)
def test_what_is_ignored_alone_is_no_change(ignore, upper, expected):
    old, new = trees([f("a", "1", mtime_ns=1), d("d/", mtime_ns=1)], upper)
    assert described(diff(old, new, ignore=ignore)) == expected


def test_what_is_ignored_comes_with_what_is_emitted():
    old, new = trees([d("d/"), f("d/a", "1")], [d("d/", uid=7), f("d/a", "2", uid=7)])
    assert [change.node.uid for change in diff(old, new, ignore={"owner"})] == [0, 7, 7]


def test_a_mode_and_an_attribute_that_do_not_exist_are_refused_at_once():
    tree = FileTree()
    with pytest.raises(NameFormatError) as raised:
        diff(tree, tree, content="sometimes")
    assert (raised.value.what, raised.value.text) == ("content mode", "sometimes")
    with pytest.raises(NameFormatError) as raised:
        diff(tree, tree, ignore={"size"})
    assert (raised.value.what, raised.value.text) == ("attribute to ignore", "size")
    assert raised.value.reason == "there are mtime, directory-mtime, nanoseconds, owner, mode, xattrs"


def with_names(*paths):
    tree = FileTree()
    editor = TreeEditor(tree)
    for path in paths:
        parent, _, name = path.rpartition(b"/")
        editor.put(editor.open_parent(parent), name, File(0o644, 0, 0, 0))
    return tree


@pytest.mark.parametrize("path", [b".wh.x", b"d/.wh.x", b".wh.d/x", b".wh..wh..opq", b"d/.wh."])
def test_a_name_that_would_be_a_marker_is_neither_made_nor_removed(path):
    for old, new in ((FileTree(), with_names(path)), (with_names(path), FileTree())):
        if b"/" in path:
            TreeEditor(old).open_parent(path.rpartition(b"/")[0])
            TreeEditor(new).open_parent(path.rpartition(b"/")[0])
        with pytest.raises(WhiteoutError) as raised:
            list(diff(old, new))
        assert path.startswith(raised.value.path)
        assert raised.value.reason == "no layer can add or remove a name that begins with '.wh.'"
    assert list(diff(with_names(path), with_names(path))) == []


def test_other_names_with_these_letters_are_names():
    assert described(diff(FileTree(), with_names(b".whx", b"a.wh.b", b"wh."))) == "+/ +.whx +a.wh.b +wh."


def test_the_tree_may_be_changed_while_its_diff_is_read():
    old, new = trees(BASE, [wh("d/e"), f("a", "n"), f("d/y", "n")])
    shown = described(diff(old, new))
    changes = diff(old, new)
    apply(changes, old)
    assert old == new
    changes = diff(merged(tar(*BASE)), new)
    TreeEditor(new).drop(TreeEditor(new).open_parent(b""), b"a")
    assert described(changes) == shown


class Untouched(dict):
    """The children of a directory that nothing may look into."""

    def _refuse(self, *_):
        raise AssertionError("a directory that both trees share was searched")

    __iter__ = __getitem__ = get = keys = values = items = __contains__ = __len__ = _refuse


def test_directories_that_both_trees_share_are_not_searched():
    old = merged(tar(d("a/"), f("a/x"), d("b/"), d("b/c/"), f("b/c/x"), f("b/d/x")))
    new = old.fork()
    editor = TreeEditor(new)
    editor.put(editor.open_parent(b"b/c"), b"new", File(0o644, 0, 0, 0))
    for path in (b"a", b"b/d"):
        old.at(path).children = Untouched()
    assert described(diff(old, new)) == "+/ +b/ +b/c/ +b/c/new"


def test_of_a_directory_that_both_trees_share_only_the_names_of_changed_files_are_looked_at():
    old = merged(tar(d("a/"), d("a/b/"), f("a/b/x", "1"), f("a/y"), d("a/z/"), f("c", "1")))
    TreeEditor(old).link(TreeEditor(old).find(b"a/b/x"), TreeEditor(old).open_parent(b""), b"d")
    new = old.fork()
    editor = TreeEditor(new)
    editor.link(editor.find(b"d"), editor.open_parent(b""), b"e")
    old.at(b"a/z").children = Untouched()
    assert old.at(b"a") is new.at(b"a")
    assert described(diff(old, new)) == "+/ +a/ +a/b/ +a/b/x =d->a/b/x =e->a/b/x"


def test_contents_are_streamed_without_the_zeros_of_their_holes():
    old, new = FileTree(), FileTree()
    content = RangeContent(Kept(b"abcdef"), 1, 10, ((2, 3), (8, 1)))
    editor = TreeEditor(new)
    editor.put(editor.open_parent(b""), b"sparse", File(0o644, 0, 0, 0, content=content))
    editor.put(editor.open_parent(b""), b"text", File(0o644, 0, 0, 0, content=Inline(b"text")))
    editor.put(editor.open_parent(b""), b"zero", File(0o644, 0, 0, 0))
    assert [change.data and [*map(bytes, change.data)] for change in diff(old, new)] == [
        None,
        [b"bcd", b"e"],
        [b"text"],
        None,
    ]


def test_two_scanned_directories_are_compared(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "d").mkdir(parents=True)
        for file in ("same", "other", "cut"):
            (tmp_path / name / "d" / file).write_text(name if file == "other" else "text")
            os.utime(tmp_path / name / "d" / file, ns=(0, 10**9))
        os.utime(tmp_path / name / "d", ns=(0, 0))
        os.utime(tmp_path / name, ns=(0, 0))
    one, two = scan(tmp_path / "one"), scan(tmp_path / "two")
    assert described(diff(one, two)) == "+/ +d/ +d/other"
    assert described(diff(one, two, content="never")) == ""
    (tmp_path / "two" / "d" / "cut").write_text("")
    with pytest.raises(SizeMismatchError) as raised:
        list(diff(one, two))
    assert (raised.value.expected, raised.value.actual) == (4, 0)


def test_a_socket_is_in_no_tree_and_reported_by_the_scan(tmp_path):
    before = scan(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(tmp_path / "socket"))
        skipped = []
        after = scan(tmp_path, skip=skipped.append)
    assert [(each.what, each.path) for each in skipped] == [("socket", b"socket")]
    assert list(diff(before, after, ignore={"directory-mtime"})) == []


@pytest.mark.root
def test_a_diff_makes_the_files_on_disk(tmp_path):
    lower = [f("a", "old"), d("d/"), f("d/x", "x"), ln("l", "a"), f("gone", "")]
    upper = [wh("gone"), f("a", "new" * 100, 0o4755, uid=7), ln("l", "a"), f("d/y", ""), char("d/null")]
    old, new = trees(lower, upper)
    (tmp_path / "root").mkdir()
    raw = tar(*lower)
    mirrored(tmp_path / "root", raw)
    assert scan(tmp_path / "root") == old
    root = os.open(tmp_path / "root", os.O_RDONLY)
    mirror = DirectoryMirror(root)
    apply(diff(old, new), old, mirror=mirror)
    mirror.finish(old)
    mirror.close()
    os.close(root)
    assert scan(tmp_path / "root") == new


def test_a_file_of_many_names_costs_what_its_names_cost():
    """Each name is decided once, whether all stay, one comes, or each becomes a file of its own."""
    count = 3000
    names = [f("d/a", "1"), *(ln(f"d/{number}", "d/a") for number in range(count))]
    old = merged(tar(*names))
    more = merged(tar(*names, ln("z", "d/a")))
    each = merged(tar(f("d/a", "1"), *(f(f"d/{number}", "1") for number in range(count))))
    assert len(list(diff(old, merged(tar(*names))))) == 0
    assert len(list(diff(old, more))) == count + 4
    assert len(list(diff(old, each))) == count + 2
    assert len(list(diff(each, old))) == count + 3
    assert len(list(diff(more, old))) == 2
