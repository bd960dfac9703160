"""The lines of a layer's changes: written and read back, and refused where they are damaged."""

import json

import pytest
from hypothesis import given

from oci_layers.errors import StoreError
from oci_layers.layer import Add, Link, diff
from oci_layers.snapshot.changes_file import (
    StoredContent,
    apply_lines,
    link_line,
    node_line,
    stored_files,
    whiteout_line,
)
from oci_layers.tree import FileTree, dump
from oci_layers.tree.content import DigestContent, Inline
from tests.support.layers import block, d, f, fifo, ln, sym, tar, wh
from tests.support.stacks import portable_stacks
from tests.support.trees import merged

SHA256 = "ab" * 32


def content(path, stored):
    return DigestContent(stored.size, stored.sha256)


def lines_of(old, new):
    """The lines of the changes from one tree to another, with all contents in them."""
    return [line_of(change).encode() for change in diff(old, new)]


def line_of(change):
    match change:
        case Add(path, node):
            known = getattr(node, "content", None)
            return node_line(path, node, Inline(b"".join(known.chunks()) if known is not None else b""))
        case Link(path, target):
            return link_line(path, target)
        case _:
            return whiteout_line(change.path)


def read(lines, tree=None, **options):
    tree = FileTree() if tree is None else tree
    apply_lines(lines, tree, layer=3, opener=content, place="layer x", **options)
    return tree


@given(portable_stacks())
def test_lines_make_of_the_tree_below_the_tree_above(stack):
    tars = [tar(*layer) for layer in stack]
    below, above = merged(*tars[:-1]), merged(*tars)
    lines = lines_of(below, above)
    assert all(line.endswith(b"\n") and line.isascii() for line in lines)
    assert dump(read(lines, below.fork())) == dump(above)


def test_every_kind_of_node_has_a_line():
    layer = tar(
        *(d("a", uid=1), f(b"a/\xff\n", "x"), sym("s", b"\xfe"), block("b", 8, 1), fifo("p"), ln("z", "s")),
        f("k", xattrs={b"user.\xff": b"\0\1"}),
    )
    tree = merged(layer)
    lines = lines_of(FileTree(), tree)
    assert dump(read(lines)) == dump(tree)
    assert {json.loads(line)[1] for line in lines} == {"dir", "file", "symlink", "block", "fifo", "link"}
    assert {node.layer for _, node in read(lines).walk() if not hasattr(node, "children") or node.mode} >= {3}


def test_a_file_that_is_not_small_has_its_digest_and_its_pieces():
    (change,) = (each for each in diff(FileTree(), merged(tar(f("f", "x")))) if each.path)
    stored = StoredContent(70, SHA256, ((0, 10), (60, 10)))
    line = node_line(change.path, change.node, stored).encode()
    assert json.loads(line)[7:] == [70, "sha256", SHA256, [[0, 10], [60, 10]]]
    assert read([line]).at(b"f").content == DigestContent(70, SHA256)
    assert [(path, found) for path, _, found in stored_files([b'["d","dir",493,0,0,0,{}]', line], "x")] == [
        (b"f", stored)
    ]
    assert list(stored_files([node_line(change.path, change.node, Inline(b'"sha256"')).encode()], "x")) == []


def test_an_upper_directory_has_whiteouts_and_escaped_attributes():
    below = merged(tar(f("gone")))
    above = merged(tar(f("gone")), tar(wh("gone"), d("a", xattrs={b"user.overlay.opaque": b"y"})))
    upper = read(lines_of(below, above), upper=True)
    assert upper.at(b"gone").number == ("char", 0, 0)
    assert dict(upper.at(b"a").xattrs) == {b"user.overlay.overlay.opaque": b"y"}


DAMAGED = [
    *(b"", b"nonsense", b"{}", b"[]", b"7", b'["a"]', b'["a", "dir"]', b'["a", "unheard", 1, 2, 3, 4, {}]'),
    *(b'["", "fifo", 1, 0, 0, 0, {}]', b'["a", "link", "none"]', b'["a", "symlink", 1, 0, 0, 0, {}]'),
    *(b'["a", "file", 1, 0, 0, 0, {}, 1, "text", "%"]', b'["a", "file", 1, 0, 0, 0, {}, 1, "sha256"]'),
    *(
        b'["a", "char", 1, 0, 0, 0, {}, 1]',
        b'["a", "dir", 1, 0, 0, 0, 7]',
        b"\xff\xfe",
        b'["a", "symlink", 1, 0, 0, 0, {}]',
    ),
]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_refused_with_its_number(line):
    with pytest.raises(StoreError) as caught:
        read([b'["b","dir",493,0,0,0,{}]', line])
    assert (caught.value.place, caught.value.reason) == ("layer x", "line 2 is damaged")


@pytest.mark.parametrize("line", [b'"sha256"', b'["a", "file", 1, 0, 0, 0, {}, 1, "sha256"]', b'["sha256"'])
def test_a_damaged_line_of_a_file_is_refused_where_files_are_looked_for(line):
    with pytest.raises(StoreError, match="line 1 is damaged"):
        list(stored_files([line], "layer x"))
