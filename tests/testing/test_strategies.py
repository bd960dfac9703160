"""Strategies of layers, trees and edits: what they draw, what they leave out, and what is left when they shrink."""

import collections
import io
import os

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from oci_layers.errors import OCIError
from oci_layers.layer import Policy, apply, decode
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.tar import BLOCK, CHARACTER, DIRECTORY, FIFO, HARDLINK, REGULAR, SYMLINK, read_tar
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies import (
    AWKWARD,
    FEATURES,
    KINDS,
    PORTABLE,
    TIDY,
    Edit,
    edit_lists,
    edited,
    edits,
    entries,
    layers,
    names,
    nodes,
    paths,
    stacks,
    trees,
)
from oci_layers.tree import Directory, File, FileTree, Symlink, dump
from tests.support.examples import some

quiet = settings(database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def drawn(strategy, count=300):
    """So many examples, the same each time."""
    found = []

    @settings(quiet, max_examples=count, phases=[Phase.generate])
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    return found


def laid(stack, policy=None):
    """The trees after each layer of a stack, and the rules that are found."""
    tree, after, rules = FileTree(), [], set()
    for index, layer in enumerate(stack.layers):
        found = []
        changes = decode(layer, layer=index, policy=policy, on_finding=found.append)
        apply(changes, tree, layer=index, policy=policy, on_finding=found.append)
        after.append(tree.fork())
        rules |= {finding.rule for finding in found}
    return after, rules


PRESETS = {
    "awkward": ({"layers": (1, 4)}, {"nothing-hidden"}),
    "tidy": ({"awkward": False}, set()),
    "portable": ({"portable": True}, {"nothing-hidden"}),
    "everything": ({"features": FEATURES, "layers": (2, 4)}, {"nothing-hidden", "file-as-directory"}),
    "hostile names": ({"names": names(hostile=True)}, {"nothing-hidden"}),
}


@pytest.mark.parametrize(("options", "allowed"), PRESETS.values(), ids=PRESETS)
def test_layers_are_legal_and_do_not_depend_on_their_order(options, allowed):
    @settings(quiet, max_examples=4 * settings.default.max_examples)
    @given(stacks(**options))
    def check(stack):
        _, rules = laid(stack)
        assert [list(read_tar(io.BytesIO(raw))) for raw in stack.tars()] == [list(layer) for layer in stack.layers]
        # Neither refused, nor with a name twice, nor read in tar order: what `order` and `duplicate` report.
        assert rules <= allowed

    check()


@given(stacks(features=FEATURES, parents="replace", layers=(2, 4)))
def test_layers_for_overlays_lead_nowhere_else(stack):
    _, rules = laid(stack, Policy(parents="replace"))
    assert rules <= {"nothing-hidden", "file-as-directory"}


def names_of(layer):
    return [entry.name.rstrip(b"/").removeprefix(b"./") for entry in layer]


def hidden(name):
    parent, slash, base = name.rpartition(b"/")
    return None if not base.startswith(PREFIX) or base == OPAQUE_NAME else parent + slash + base[len(PREFIX) :]


def seen(stack):
    """What is remarkable in a stack."""
    trees, _ = laid(stack)
    for index, layer in enumerate(stack.layers):
        lower = trees[index - 1] if index else FileTree()
        added, described = set(), set()
        marked = {hidden(name) for name in names_of(layer)} - {None}
        for place, entry in enumerate(layer):
            name = entry.name.rstrip(b"/").removeprefix(b"./")
            above = [name.rsplit(b"/", depth)[0] for depth in range(1, name.count(b"/") + 1)]
            if OPAQUE_NAME in name:
                yield "opaque late" if any(other.startswith(name[: -len(OPAQUE_NAME)]) for other in added) else "opaque"
                yield from ["opaque root"] * (name == OPAQUE_NAME)
            elif PREFIX in name:
                yield "whiteout late" if added else "whiteout"
                yield "whiteout of nothing" if lower.at(hidden(name)) is None else "whiteout of something"
                yield from ["whiteout through a link"] * any(isinstance(lower.at(each), Symlink) for each in above)
            else:
                yield from ["re-added"] * (name in marked)
                yield from ["re-added below"] * (not marked.isdisjoint(above))
                followed = [each for each in above if isinstance(lower.at(each), Symlink) and each not in described]
                yield from ["added through a link"] * bool(followed)
                yield from ["implied"] * (not described.issuperset(above))
                yield from ["late directory"] * (
                    entry.type == DIRECTORY and any(other.startswith(name + b"/") for other in added)
                )
                old = lower.at(name)
                if old is not None and (entry.type == DIRECTORY) != isinstance(old, Directory):
                    yield "another type"
                if entry.type == HARDLINK:
                    yield "link to lower" if entry.linkname.lstrip(b"./") not in added else "link within"
                    yield from ["link to a link"] * isinstance(trees[index].at(name), Symlink)
                added.add(name)
                described |= {name} if entry.type == DIRECTORY else set()
                yield entry.type
                yield from ["set-id"] * bool(entry.mode & 0o6000)
                yield from ["xattrs"] * bool(entry.xattrs)
                yield from ["before the epoch"] * (entry.mtime_ns < 0)
                yield from ["owned"] * bool(entry.uid or entry.gid)
                yield from ["spelled"] * (entry.name.startswith(b"./") and len(entry.name) > 2)
                yield from ["root"] * (entry.name == b"./")
            yield place and "several entries"


ALL = {
    *(REGULAR, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO),
    *("opaque", "opaque late", "opaque root", "whiteout", "whiteout late", "whiteout of nothing"),
    *("whiteout of something", "whiteout through a link", "re-added", "re-added below", "added through a link"),
    *("implied", "late directory", "another type", "link to lower", "link within", "link to a link", "set-id"),
    *("xattrs", "before the epoch", "owned", "spelled", "root", "several entries"),
}
TIDY_ONES = {
    *(REGULAR, DIRECTORY, SYMLINK, HARDLINK, CHARACTER, BLOCK, FIFO, "opaque", "whiteout", "whiteout of something"),
    *("another type", "link within", "set-id", "xattrs", "before the epoch", "owned", "several entries"),
}
LOWER = {"link to lower", "whiteout through a link", "added through a link"}


HAVING = {
    "awkward": ({}, ALL),
    "tidy": ({"awkward": False}, TIDY_ONES),
    "portable": ({"portable": True}, ALL - LOWER - {"xattrs", "spelled", "root"}),
}


@pytest.mark.parametrize("what", some(HAVING, every=2))
def test_layers_have_all_that_they_may_have(what):
    options, expected = HAVING[what]
    counted = collections.Counter(
        what for stack in drawn(stacks(layers=(2, 4), entries=(2, 10), **options), 500) for what in set(seen(stack))
    )
    found = set(counted) - {0, "opaque root", "link to a link"}
    assert found == expected - {"opaque root", "link to a link"}
    assert min(counted[what] for what in found) >= 3
    assert {"opaque root", "link to a link"} & expected <= {*counted}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_drawn_alone(kind):
    types = {
        "file": REGULAR,
        "dir": DIRECTORY,
        "symlink": SYMLINK,
        "link": HARDLINK,
        "fifo": FIFO,
        "char": CHARACTER,
        "block": BLOCK,
        "whiteout": REGULAR,
        "opaque": REGULAR,
    }
    for strategy in (stacks(kinds=[kind]), stacks(kinds=[kind], awkward=False)):
        found = [entry for stack in drawn(strategy, 30) for layer in stack.layers for entry in layer]
        assert {entry.type for entry in found} <= {types[kind]}
        assert {PREFIX in entry.name for entry in found} <= {kind in {"whiteout", "opaque"}}
    assert {entry.type for entry in drawn(entries(kinds=[kind]), 30)} == {types[kind]}


def test_sizes_names_and_depth_are_those_that_are_asked_for():
    for stack in drawn(stacks(layers=(2, 3), entries=(1, 4), names=["x", "y"], depth=2, kinds=["file", "dir"]), 100):
        assert 2 <= len(stack.layers) <= 3
        for layer in stack.layers:
            assert 1 <= len(layer) <= 4
            for name in names_of(layer):
                assert name == b"." or ({*name.split(b"/")} <= {b"x", b"y"} and name.count(b"/") < 2)


def test_there_are_no_more_entries_than_legal_names():
    for stack in drawn(stacks(entries=(5, 5), names=["a"], depth=1, kinds=["file"], features=[]), 20):
        assert {len(layer) for layer in stack.layers} == {1}


def test_tidy_layers_describe_each_directory_before_what_is_in_it_and_have_their_markers_first():
    for stack in drawn(stacks(layers=(2, 3), awkward=False)):
        for layer in stack.layers:
            described = {b""}
            assert [PREFIX in entry.name for entry in layer] == sorted([PREFIX in e.name for e in layer], reverse=True)
            for entry in layer:
                if PREFIX not in entry.name:
                    assert entry.name.rstrip(b"/").rpartition(b"/")[0] in described
                    described |= {entry.name.rstrip(b"/")} if entry.type == DIRECTORY else set()


def test_a_feature_is_drawn_only_where_it_is_asked_for():
    assert set(FEATURES) > AWKWARD > PORTABLE
    assert TIDY < AWKWARD
    for stack in drawn(stacks(features=["implied-parents"], layers=(2, 3)), 100):
        found = set(seen(stack))
        assert not found & {"set-id", "xattrs", "owned", "spelled", "root", "link to lower", "re-added"}
        assert not found & {"whiteout late", "opaque late", "whiteout of nothing", "late directory", *LOWER}


@given(layers(portable=True))
def test_a_single_layer_is_the_lowest(layer):
    laid(Stack((layer,)))


def test_hostile_layers_are_refused_in_many_ways_by_our_errors_alone():
    refused = collections.Counter()
    for stack in drawn(stacks(hostile=True, layers=(2, 4)), 600):
        try:
            _, rules = laid(stack)
        except OCIError as error:
            rules = {type(error).__name__}
        refused.update(rules)
    assert {"UnsafePathError", "WhiteoutError", "LinkError", "LayerError", "LimitError", "duplicate"} <= {*refused}


# --- What is left of a failure ----------------------------------------------------------------------------------------

SMALLEST = {
    "a whiteout that hides": (
        lambda stack: "whiteout of something" in set(seen(stack)),
        "layer\n    a file\nlayer\n    a whiteout",
    ),
    "a link to a lower file": (
        lambda stack: "link to lower" in set(seen(stack)),
        None,
    ),
    "three names": (
        lambda stack: any(
            tree.link_count(node) == 3 and isinstance(node, File)
            for tree in laid(stack)[0][-1:]
            for _, node in tree.walk()
        ),
        "layer\n    a file\n    b link a\n    c link a",
    ),
    "what is re-added": (lambda stack: "re-added" in set(seen(stack)), "layer\n    a file\n    a whiteout"),
    "a path through a link": (lambda stack: "added through a link" in set(seen(stack)), None),
    "opaque and late": (lambda stack: "opaque late" in set(seen(stack)), None),
    "another type": (lambda stack: "another type" in set(seen(stack)), None),
    "a mode": (lambda stack: any(e.mode & 0o4000 for layer in stack.layers for e in layer), None),
}


@pytest.mark.parametrize("what", some(SMALLEST, every=4, ci=2))
def test_a_failure_shrinks_to_what_a_person_can_read(what):
    wanted, expected = SMALLEST[what]
    stack = find(stacks(), wanted, settings=settings(quiet, max_examples=3000))
    assert len(stack.layers) <= 2
    assert sum(map(len, stack.layers)) <= 3
    assert str(stack) == expected or expected is None


def test_a_failure_is_printed_in_the_notation():
    @settings(quiet, print_blob=False)
    @given(stacks())
    def check(stack):
        assert not any(entry.type == FIFO for layer in stack.layers for entry in layer)

    with pytest.raises(AssertionError) as caught:
        check()
    assert 'stack=Stack.parse(r"""\n        layer\n            a fifo\n        """)' in caught.value.__notes__[0]
    assert repr(Stack.parse("a fifo")) == "Stack.parse('layer\\n    a fifo')"


# --- Names ------------------------------------------------------------------------------------------------------------


@given(names(hostile=True) | names())
def test_a_file_can_have_every_name(name):
    assert 1 <= len(name) <= 255
    assert not {*b"/\0"} & {*name}
    assert name not in {b".", b".."}
    assert not name.startswith(PREFIX)
    assert os.fsencode(os.fsdecode(name)) == name


def test_hostile_names_are_of_all_sorts():
    found = drawn(names(hostile=True), 500)
    assert any(b"\n" in name for name in found)
    assert any(name.startswith(b"-") for name in found)
    assert any(len(name) == 255 for name in found)
    assert any(name.lower().startswith(b".wh") for name in found)
    assert {b"a", b"A"} <= {*found}
    assert any(name != name.decode(errors="ignore").encode() for name in found)


@pytest.mark.parametrize("bad", [[], [""], ["a/b"], [".."], [b".wh.a"], [b"a\0"]])
def test_names_that_no_file_can_have_are_refused(bad):
    for strategy in (stacks, layers, entries, edit_lists, trees):
        with pytest.raises(ValueError, match="names: expected names that files of an image can have"):
            strategy(names=bad)


@given(stacks(hostile=True, names=names(), entries=(1, 2)))
def test_hostile_layers_take_any_names(stack):
    assert all(1 <= len(layer) <= 2 for layer in stack.layers)


@given(paths(depth=(2, 3), names=[b"x", "é"]))
def test_paths_are_made_of_the_names(path):
    assert {*path.split(b"/")} <= {b"x", "é".encode()}
    assert 1 <= path.count(b"/") <= 2


# --- Trees and edits --------------------------------------------------------------------------------------------------


def test_trees_have_all_kinds_and_hard_links():
    found = drawn(trees(entries=(0, 8)))
    kinds = {getattr(node, "kind", type(node).__name__) for tree in found for _, node in tree.walk()}
    assert kinds == {"File", "Directory", "Symlink", "Fifo", "char", "block"}
    assert any(tree.link_count(node) > 1 for tree in found for _, node in tree.walk() if isinstance(node, File))
    assert {len(tree) for tree in drawn(trees(entries=(0, 1), features=[]), 50)} <= {1, 2, 3, 4}


def test_wide_trees_have_any_attributes():
    found = [node for tree in drawn(trees(wide=True), 100) for _, node in tree.walk()]
    assert len({node.uid for node in found}) > 20
    assert any(abs(node.mtime_ns) > 1 << 63 for node in found)
    assert {type(node) for node in drawn(nodes(["file", "symlink"]), 50)} == {File, Symlink}


@given(trees(), edit_lists(), st.data())
def test_edits_change_a_fork(old, steps, data):
    before = dump(old)
    new = edited(old, steps)
    assert dump(old) == before
    assert edited(old, steps) == new
    assert edited(new, []) == new
    data.draw(edits(new, edits=(1, 3)))
    assert dump(new) == dump(edited(old, steps))


def test_edits_do_all_that_they_can():
    steps = [step for found in drawn(edit_lists(), 100) for step in found]
    assert {step.what for step in steps} == {"put", "drop", "link", "copy", "change"}
    assert repr(Edit("link", b"a", target=b"b/c")) == "<link a b/c>"
    assert repr(Edit("change", b"", attributes={"mode": 0})) == "<change / mode=0>"
    assert find(edit_lists(), lambda found: len(edited(FileTree(), found)) == 2, settings=quiet)[0].what == "put"
