"""Laws of layers for Windows: whatever they hold, they are merged or refused, and no two names of a tree fold alike."""

import io
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from oci_layers import open_image
from oci_layers.disk import scan
from oci_layers.errors import LayerError
from oci_layers.layer import Policy, apply, decode, diff, encode, tree_entries
from oci_layers.lint import Linter
from oci_layers.tar import read_tar
from oci_layers.tree import Directory, FileTree, dump
from oci_layers.tree.fold import fold
from oci_layers.windows import from_unpacked
from tests.support.layers import Built, d, f, ln, sym, tar
from tests.support.windows import pax

NAMES = st.sampled_from(
    ["a", "A", "b", "B", "é", "É", ".wh.a", ".wh.B", ".wh..wh..opq", "a:s", "A:t", "b:$DATA", "x\\y"]
)
PATHS = st.builds(
    lambda root, names: "/".join([root, *names]),
    st.sampled_from(["Files", "Files", "Files", "files", "Hives", "UtilityVM/Files", "C:"]),
    st.lists(NAMES, max_size=3),
)
RECORDS = st.sampled_from([{}, pax(32), pax(33, b"sd"), {b"MSWINDOWS.rawsd": b"?"}, {b"MSWINDOWS.xattr.A": b"AQ=="}])
ENTRIES = st.one_of(
    st.builds(lambda path, data, records: f(path, data, pax=records), PATHS, st.sampled_from(["", "1", "22"]), RECORDS),
    st.builds(lambda path, records: d(path, pax=records), PATHS, RECORDS),
    st.builds(sym, PATHS, st.sampled_from(["b", "C:\\a", "..\\A", "D:\\x", "\\\\s\\x"])),
    st.builds(ln, PATHS, PATHS),
)
STACKS = st.lists(st.lists(ENTRIES, max_size=8), min_size=1, max_size=3)
LENIENT = Policy.preset("lenient")


def merged(stack, policy, on_finding=None):
    tree = FileTree(windows=True)
    for number, layer in enumerate(stack):
        entries = read_tar(io.BytesIO(tar(*layer)))
        changes = decode(entries, layer=number, policy=policy, windows=True, on_finding=on_finding)
        apply(changes, tree, layer=number, policy=policy, on_finding=on_finding)
    return tree


def directories(tree):
    return [(path, node) for path, node in tree.walk() if isinstance(node, Directory)]


@given(STACKS)
def test_any_layers_are_merged_or_refused_and_no_names_fold_alike(stack):
    tree = merged(stack, LENIENT)
    for _, node in directories(tree):
        assert len({fold(name) for name in node.children}) == len(node.children)
        assert {node.children.spelling(fold(name)) for name in node.children} == set(node.children)
    for policy in ("default", "strict"):
        try:
            merged(stack, Policy.preset(policy))
        except LayerError:
            continue


@given(STACKS)
def test_a_name_is_found_in_any_case(stack):
    tree = merged(stack, LENIENT)
    for path, node in tree.walk():
        assert tree.at(tree.spelled(fold(path))) is node


@given(STACKS)
def test_lint_finds_all_that_a_policy_refuses_or_reports(stack):
    lower = FileTree(windows=True)
    for number, layer in enumerate(stack):
        linter = Linter(lower=lower, layer=number, policy=LENIENT, windows=True)
        found = [each for entry in read_tar(io.BytesIO(tar(*layer))) for each in linter.look(entry)]
        found += linter.end()
        told = []
        fork = lower.fork()
        entries = read_tar(io.BytesIO(tar(*layer)))
        changes = decode(entries, layer=number, policy=LENIENT, windows=True, on_finding=told.append)
        apply(changes, fork, layer=number, policy=LENIENT, on_finding=told.append)
        assert linter.tree.is_like(fork, lambda one, two: one.size == two.size)
        assert bool(found) >= bool(told)
        lower = fork


@given(STACKS, STACKS)
def test_a_diff_is_a_layer(old, new):
    before, after = merged(old, LENIENT), merged(new, LENIENT)
    try:
        upper = tar(*encode(diff(before, after)))
        again = before.fork()
        apply(decode(read_tar(io.BytesIO(upper)), layer=1, windows=True), again, layer=1)
    except LayerError:
        return  # Names beside Files cannot be removed.
    assert sorted(map(fold, (path for path, _ in again.walk()))) == sorted(
        map(fold, (path for path, _ in after.walk()))
    )


@given(STACKS)
def test_a_tree_is_a_layer(stack):
    tree = merged(stack, LENIENT)
    again = FileTree(windows=True)
    apply(decode(read_tar(io.BytesIO(tar(*tree_entries(tree)))), windows=True), again)
    if not tree.root.xattrs:
        assert dump(again) == dump(tree)


@given(STACKS)
def test_the_disk_and_what_is_beside_it_are_the_tree(stack):
    with tempfile.TemporaryDirectory() as name:
        built = Built.of(f"{name}/layout", *(tar(*layer) for layer in stack))
        built.config["os"] = "windows"
        with open_image(built.write()) as image:
            image.unpack(Path(name, "disk"), policy=LENIENT)
            expected = dump(image.tree(root="layer", policy=LENIENT))
        assert dump(from_unpacked(scan(Path(name, "disk")))) == expected
