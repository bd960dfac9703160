"""Which names of hard-linked files are written again; the rows of `test_diff` have what comes of it."""

from oci_layers.layer.compare import Comparison
from oci_layers.layer.groups import LinkGroups
from oci_layers.tree import FileTree
from tests.support.layers import d, f, ln, tar, wh
from tests.support.trees import merged

LINKED = [f("a", "1"), ln("b", "a"), d("d/"), ln("d/c", "a")]


def groups(old, new):
    found = LinkGroups(old, new, Comparison("always", ()))
    return found.leaders, [path for path in found.leaders if path in found.written]


def test_without_links_nothing_is_decided():
    assert groups(merged(tar(f("a"))), merged(tar(f("b")))) == ({}, [])


def test_trees_that_share_a_file_with_all_its_names_decide_nothing():
    old = merged(tar(*LINKED))
    assert groups(old, old.fork()) == ({}, [])


def test_equal_files_with_the_same_names_stay():
    assert groups(merged(tar(*LINKED)), merged(tar(*LINKED))) == ({b"a": None, b"b": None, b"d/c": None}, [])


def test_a_new_name_leads_if_it_is_the_first():
    new = merged(tar(*LINKED), tar(ln("0", "a")))
    leaders, written = groups(merged(tar(*LINKED)), new)
    assert leaders == dict.fromkeys([b"0", b"a", b"b", b"d/c"], b"0")
    assert sorted(written) == [b"0", b"a", b"b", b"d/c"]


def test_the_first_name_is_that_of_the_walk():
    """`d/c` comes before `d.`, which has the smaller byte."""
    new = merged(tar(d("d/"), f("d/c"), ln("d.", "d/c")))
    assert groups(FileTree(), new)[0] == {b"d/c": b"d/c", b"d.": b"d/c"}


def test_what_is_removed_is_not_decided():
    old = merged(tar(*LINKED))
    assert groups(old, merged(tar(*LINKED), tar(wh("b")))) == ({b"a": None, b"d/c": None}, [])
    assert groups(old, FileTree()) == ({}, [])


def test_the_larger_part_keeps_the_file():
    old = merged(tar(*LINKED))
    leaders, _ = groups(old, merged(tar(f("a", "1"), f("b", "1"), d("d/"), ln("d/c", "b"))))
    assert leaders == {b"a": b"a", b"b": None, b"d/c": None}


def test_of_parts_of_one_size_the_first_of_the_walk_keeps_the_file():
    old = merged(tar(d("d/"), f("d/c", "1"), ln("d.", "d/c")))
    assert groups(old, merged(tar(d("d/"), f("d/c", "1"), f("d.", "1"))))[0] == {b"d/c": None, b"d.": b"d."}


def test_names_are_decided_at_any_depth():
    old = merged(tar(d("d/"), d("d/e/"), f("d/e/x", "1"), ln("z", "d/e/x")))
    new = merged(tar(d("d/"), d("d/e/"), f("d/e/x", "1"), f("z", "1")))
    assert groups(old, new)[0] == {b"d/e/x": None, b"z": b"z"}


def test_a_directory_where_a_name_was_is_no_name():
    old = merged(tar(*LINKED))
    assert groups(old, merged(tar(*LINKED), tar(d("a/"), f("a/x")))) == ({b"b": None, b"d/c": None}, [])
    assert groups(merged(tar(d("a/"))), merged(tar(f("a"), ln("b", "a"))))[0] == {b"a": b"a", b"b": b"a"}
    assert groups(merged(tar(*LINKED, d("e/"))), merged(tar(*LINKED, f("e"))))[0] == dict.fromkeys([b"a", b"b", b"d/c"])
