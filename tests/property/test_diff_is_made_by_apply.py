"""Law: `apply(diff(old, new), old) == new` for any two trees, which may share all, some or nothing.

The changes are a layer that the strict policy accepts, in which no name is both removed and made, which describes
every directory before what is in it, and which is the same whether the trees share nodes or not.
"""

import io
import itertools

from hypothesis import given

from oci_layers.layer import Add, Link, Opaque, Whiteout, apply, decode, diff, encode, from_upper, to_upper
from oci_layers.lint import lint
from oci_layers.tar import read_tar, write_tar
from oci_layers.tree import Directory, FileTree
from tests.support.edits import apart, edited, edits
from tests.support.layers import tar
from tests.support.stacks import stacks
from tests.support.trees import merged

MODES = [{"content": "always"}, {"content": "always", "opaque": True}]


def shown(changes):
    """What can be compared of changes: nodes compare by identity."""
    return [(change.path, _node(change.node)) if isinstance(change, Add) else change for change in changes]


def _node(node):
    fields = {key: getattr(node, key, None) for key in ("mode", "uid", "gid", "mtime_ns", "target", "kind", "major")}
    content = getattr(node, "content", None)
    return type(node), fields, dict(node.xattrs), content and b"".join(content.chunks())


def assert_a_layer_makes(old, new):
    for mode in MODES:
        changes = list(diff(old, new, **mode))
        result = old.fork()
        apply(changes, result, policy="strict")
        assert result == new
        assert (changes == []) == (old == new)
        assert_well_formed(changes)
        raw = b"".join(write_tar(encode(diff(old, new, **mode))))
        result = old.fork()
        apply(decode(read_tar(io.BytesIO(raw)), policy="strict"), result, policy="strict")
        assert result == new
        assert shown(decode(read_tar(io.BytesIO(raw)))) == shown(changes)
        found = {finding.severity for finding in lint(read_tar(io.BytesIO(raw)), lower=old)}
        assert "error" not in found


def assert_well_formed(changes):
    described, made, removed = set(), set(), set()
    for change in changes:
        path = change.path
        assert not path or path.rpartition(b"/")[0] in described
        match change:
            case Add(_, Directory()):
                described.add(path)
                made.add(path)
            case Add():
                made.add(path)
            case Link(_, target):
                assert target in made
                made.add(path)
            case Whiteout():
                removed.add(path)
            case Opaque():
                assert path in described
    assert not made & removed
    in_order = [change.path for change in changes if isinstance(change, Add | Link)]
    assert in_order == sorted(set(in_order), key=lambda path: path.split(b"/") if path else [])


@given(edits, edits, edits)
def test_trees_that_share_nodes(first, left, right):
    base = edited(FileTree(), first)
    one, two = edited(base, left), edited(base, right)
    for old, new in itertools.product([base, one, two], repeat=2):
        assert_a_layer_makes(old, new)


@given(edits, edits)
def test_trees_that_share_nothing_have_the_same_changes(first, steps):
    base = edited(FileTree(), first)
    new = edited(base, steps)
    for old, other in ((base, new), (new, base)):
        changes = shown(diff(old, other, content="always"))
        assert changes == shown(diff(apart(old), other, content="always"))
        assert changes == shown(diff(old, apart(other), content="always"))


@given(stacks(), stacks())
def test_trees_that_layers_make(lower, upper):
    old = merged(*(tar(*layer) for layer in lower), policy="lenient")
    new = merged(*(tar(*layer) for layer in upper), policy="lenient")
    above = merged(*(tar(*layer) for layer in lower + upper), policy="lenient")
    assert_a_layer_makes(old, new)
    assert_a_layer_makes(old, above)
    assert_a_layer_makes(above, old)


@given(edits, edits)
def test_an_upper_directory_holds_the_same_changes(first, steps):
    old = edited(FileTree(), first)
    new = edited(old, steps)
    for namespace, mode in itertools.product(["trusted", "user"], MODES):
        changes = list(diff(old, new, **mode))
        upper = FileTree()
        apply(to_upper(changes, namespace=namespace), upper, policy="strict")
        if changes:
            assert shown(from_upper(upper, namespace=namespace)) == shown(changes)
