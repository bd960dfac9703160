"""What differs between two trees, row by row: `+` added, `-` removed, `~` changed and in what."""

import os

import pytest

from oci_layers.errors import NameFormatError
from oci_layers.layer.difference import differences
from oci_layers.tree import File, FileTree, Inline, TreeEditor
from tests.support.layers import MTIME, char, d, f, fifo, ln, sym, tar, wh
from tests.support.trees import merged

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def described(found):
    """Differences as one line."""
    words = []
    for each in found:
        what = f"({','.join(each.what)})" if each.what else ""
        words.append(f"{SIGNS[each.kind]}/{os.fsdecode(each.path)}{what}")
    return " ".join(words)


BASE = [d("d/"), f("d/x", "x"), f("d/y", "y"), sym("s", "d"), char("c"), fifo("p"), f("z", "z")]
LINKED = [f("a", "1"), ln("b", "a"), ln("c", "a")]

ROWS = {
    "nothing": (BASE, [], ""),
    "a file, and not its directory": (BASE, [f("d/n")], "+/d/n"),
    "all that a new directory holds": (BASE, [d("e/"), f("e/n")], "+/e +/e/n"),
    "all that a directory held": (BASE, [wh("d")], "-/d -/d/x -/d/y"),
    "a content of another size": (BASE, [f("z", "zz")], "~/z(content)"),
    "a content of the same size": (BASE, [f("z", "Z", mtime_ns=MTIME + 1)], "~/z(content,mtime)"),
    "only a time": (BASE, [f("z", "z", mtime_ns=MTIME + 1)], "~/z(mtime)"),
    "every attribute": (
        BASE,
        [f("z", "z", mode=0o600, uid=1, mtime_ns=0, xattrs={b"user.k": b""})],
        "~/z(mode,owner,mtime,xattrs)",
    ),
    "those of a directory": (BASE, [d("d/", 0o700, gid=1)], "~/d(mode,owner)"),
    "those of the root": ([d("./")], [d("./", 0o700)], "~/(mode)"),
    "a target": (BASE, [sym("s", "e")], "~/s(target)"),
    "a device": (BASE, [char("c", 1, 5)], "~/c(device)"),
    "another type, and nothing else": (BASE, [fifo("z", mode=0o600)], "~/z(type)"),
    "a directory that becomes a file": (BASE, [f("d")], "~/d(type) -/d/x -/d/y"),
    "a file that becomes a directory": (BASE, [d("z/"), f("z/n")], "~/z(type) +/z/n"),
    "the order of the names, not of the paths": ([], [d("a/"), f("a/b"), f("a-b")], "+/a +/a/b +/a-b"),
    "a further name": (LINKED, [ln("d", "a")], "+/d"),
    "a second name": ([f("a", "1")], [ln("b", "a")], "+/b"),
    "one file of two that have several names": (
        [*LINKED, f("e", "1"), ln("g", "e")],
        [f("g", "1")],
        "~/e(links) ~/g(links)",
    ),
    "a name less": (LINKED, [wh("b")], "-/b"),
    "a name that is a file of its own": (LINKED, [f("c", "1")], "~/a(links) ~/b(links) ~/c(links)"),
    "files that become one": ([f("a", "1"), f("b", "1")], [ln("b", "a")], "~/a(links) ~/b(links)"),
    "all names at once": (LINKED, [f("a", "2"), ln("b", "a"), ln("c", "a")], "~/a(content) ~/b(content) ~/c(content)"),
}


@pytest.mark.parametrize("row", ROWS)
def test_what_differs(row):
    lower, upper, expected = ROWS[row]
    # Contents and times of the two trees are apart, as those of two images are.
    old = merged(tar(*lower))
    new = merged(tar(*lower), tar(*upper))
    assert described(differences(old, new, content="always")) == expected
    reverse = described(differences(new, old, content="always"))
    assert sorted(reverse.replace("+", "?").replace("-/", "+/").replace("?", "-").split()) == sorted(expected.split())
    assert described(differences(new, new)) == ""


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        (["mtime"], "~/z(content,mode,owner)"),
        (["mode", "owner"], "~/d(mtime) ~/z(content,mtime)"),
        (["directory-mtime", "mtime", "mode", "owner"], "~/z(content)"),
        (["directory-mtime", "mode", "owner"], "~/z(content,mtime)"),
    ],
)
def test_attributes_are_ignored(ignore, expected):
    old = merged(tar(*BASE))
    new = merged(tar(*BASE), tar(d("d/", mtime_ns=1), f("z", "Z", mode=0o600, uid=1, mtime_ns=1)))
    assert described(differences(old, new, ignore=ignore)) == expected


def test_contents_are_compared_where_times_differ_unless_never():
    old, new = (merged(tar(f("z", data, mtime_ns=at))) for data, at in (("z", 1), ("Z", 2)))
    assert described(differences(old, new)) == "~/z(content,mtime)"
    assert described(differences(old, new, content="never")) == "~/z(mtime)"


def test_directories_that_the_trees_share_are_not_searched():
    old = merged(tar(d("d/"), f("d/x", "x"), d("e/")))
    file = old.require("d/x")
    new = old.fork()
    editor = TreeEditor(new)
    editor.put(editor.open_parent(b"e"), b"n", File(0o644, 0, 0, 0))
    # Were it looked at, it would be the same in both.
    file.content = Inline(b"changed in both")
    assert described(differences(old, new)) == "+/e/n"


def test_a_file_of_many_names_takes_no_long():
    names = [f"{number}" for number in range(3000)]
    old, new = (merged(tar(f("a", data), *(ln(name, "a") for name in names))) for data in "xy")
    assert described(differences(old, new, content="always")).count("(content)") == 3001


def test_a_name_joined_to_a_file_that_both_trees_share_is_a_change_of_both():
    old = merged(tar(f("a", "1"), f("b", "1")))
    new = old.fork()
    editor = TreeEditor(new)
    editor.link(editor.find(b"a"), editor.open_parent(b""), b"b")
    assert new.at(b"a") is old.at(b"a")
    assert described(differences(old, new)) == "~/a(links) ~/b(links)"


def test_a_difference_has_the_node_of_each_tree():
    old, new = merged(tar(f("a", "1"), f("b"))), merged(tar(f("a", "2"), f("c")))
    assert [(each.old, each.new) for each in differences(old, new)] == [
        (old.at(b"a"), new.at(b"a")),
        (old.at(b"b"), None),
        (None, new.at(b"c")),
    ]


def test_an_unknown_attribute_is_refused_at_once():
    with pytest.raises(NameFormatError) as raised:
        differences(FileTree(), FileTree(), ignore=["color"])
    assert (raised.value.what, raised.value.text) == ("attribute to ignore", "color")
