import pickle

import pytest

from oci_layers.layer import apply, decode
from oci_layers.tree import FileTree
from oci_layers.tree.fold import FoldedNames, fold, spelling
from tests.support.layers import f


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        (b"Windows", b"WINDOWS"),
        (b"\xff\xfeab", b"\xff\xfeAB"),
        ("ÿ".encode(), "Ÿ".encode()),
        ("ß\u0131".encode(), "ß\u0131".encode()),
        (b"\xed\xa0\x80a\xed\xb0\x80\xed\xa0\x80b", b"\xed\xa0\x80A\xed\xb0\x80\xed\xa0\x80B"),
        ("\U00010428".encode(), "\U00010428".encode()),
        (b"a/\xc3\xa9", b"A/\xc3\x89"),
    ],
)
def test_names_fold_to_one_unit_of_upper_case(name, folded):
    assert fold(name) == folded
    assert fold(folded) == folded


def test_names_are_known_as_spelled_and_found_in_any_case():
    names = FoldedNames({b"Inf": 1})
    names[b"Temp"] = 2
    assert (dict(names), len(names), b"INF" in names) == ({b"Inf": 1, b"Temp": 2}, 2, False)
    assert [names.spelling(name) for name in (b"INF", b"Inf", b"temp", b"x")] == [b"Inf", b"Inf", b"Temp", b"x"]
    assert names.pop(b"Inf") == 1
    del names[b"Temp"]
    assert [names.spelling(name) for name in (b"INF", b"temp")] == [b"INF", b"temp"]


def test_a_name_may_be_replaced_by_another_spelling_in_any_order():
    names = FoldedNames({b"a": 1})
    names[b"A"] = 2
    del names[b"a"]
    assert names.spelling(b"a") == b"A"


def test_a_copy_changes_alone_and_a_pickle_is_equal():
    names = FoldedNames({b"a": 1})
    other = names.copy()
    other[b"B"] = 2
    del names[b"a"]
    assert [each.spelling(b"A") for each in (names, other)] == [b"A", b"a"]
    again = pickle.loads(pickle.dumps(other))
    assert (again, again.spelling(b"b")) == (other, b"B")


def test_elsewhere_a_name_is_spelled_as_it_is():
    assert spelling({b"a": 1}, b"A") == b"A"


def test_a_tree_of_windows_finds_names_in_any_case_and_so_do_its_forks_and_copies():
    tree = FileTree(windows=True)
    apply(decode([f("Files/Users/x.TXT"), f("Files/other")], windows=True), tree)
    for each in (tree, tree.fork(), pickle.loads(pickle.dumps(tree))):
        assert each.windows
        assert "FILES/users/X.txt" in each
        assert each.resolve("files/USERS/x.txt").path == b"Files/Users/x.TXT"
        assert each.spelled(b"files/users/new/X") == b"Files/Users/new/X"
        assert each.spelled(b"files/OTHER/x") == b"Files/other/x"
        assert each.spelled(b"") == b""
        assert each == tree
    linux = FileTree()
    apply(decode([f("Files/x")]), linux)
    assert "files/x" not in linux
    assert linux.spelled(b"files/x") == b"files/x"


def test_a_fork_and_its_tree_change_apart():
    tree = FileTree(windows=True)
    apply(decode([f("Files/a")], windows=True), tree)
    fork = tree.fork()
    apply(decode([f("Files/A", "2"), f("Files/b")], windows=True, layer=1), fork, layer=1)
    assert ([*tree.require("Files").children], [*fork.require("Files").children]) == ([b"a"], [b"A", b"b"])
    assert tree.spelled(b"Files/A") == b"Files/a"
