"""What differs between a tree and a fork of it, which reads no content and no shared directory."""

from oci_layers.image.differences import compare, differences, kind_of
from oci_layers.layer import apply, decode
from oci_layers.tree import FileTree
from tests.support.layers import char, d, f, ln, sym, wh


def grown(tree, *entries):
    """A fork of a tree with a layer over it."""
    fork = tree.fork()
    apply(decode(entries), fork)
    return fork


def test_only_what_is_not_shared_is_yielded_in_the_order_of_a_walk():
    tree = grown(FileTree(), f("a/x"), f("a/y/z"), f("b/x"), f("c"), f("d/e"))
    upper = grown(tree, f("a/y/new"), wh("d"), ln("l", "c"))
    found = list(differences(tree, upper))
    assert [path for path, _, _ in found] == [b"", b"a", b"a/y", b"a/y/new", b"d", b"d/e", b"l"]
    kinds = {path: kind_of(path, old, new) for path, old, new in found}
    assert kinds == {
        b"": None,
        b"a": None,
        b"a/y": None,
        b"a/y/new": "added",
        b"d": "removed",
        b"d/e": "removed",
        b"l": "added",
    }
    assert list(differences(tree, tree.fork())) == []


def test_the_root_is_added_by_the_first_description():
    tree = grown(FileTree(), f("a"))
    upper = grown(tree, d("./"))
    assert kind_of(b"", tree.root, upper.root) == "added"
    assert kind_of(b"", upper.root, grown(upper, d("./", mode=0o700)).root) == "changed"


def test_files_of_one_size_are_changed_as_their_contents_are_not_read():
    one, same, empty = f("a", "12"), f("a", "12"), f("b")
    tree = grown(FileTree(), one, empty)
    upper = grown(tree, same, f("b"))
    found = {path: (kind_of(path, old, new), compare(old, new)) for path, old, new in differences(tree, upper) if path}
    assert found == {b"a": ("changed", ((), True)), b"b": (None, ((), False))}


def test_compare_names_what_differs():
    tree, other = FileTree(), FileTree()
    one = [f("f", "12"), sym("l", "a"), char("c", 1, 3), d("d/"), f("t", "")]
    two = [
        f("f", "123", mode=0o600, uid=1, mtime_ns=5, xattrs={b"user.k": b"v"}),
        sym("l", "b"),
        char("c", 1, 4),
        d("d/", gid=1),
        d("t/", mode=0o644),
    ]
    apply(decode(one), tree)
    apply(decode(two), other)
    found = {path: compare(old, new)[0] for path, old, new in differences(tree, other) if path}
    assert found == {
        b"c": ("device",),
        b"d": ("owner",),
        b"f": ("content", "mode", "owner", "mtime", "xattrs"),
        b"l": ("target",),
        b"t": ("type",),
    }
