"""The oracle: it agrees with every case of the layer rules, and obeys the laws that the spec gives merging."""

import ast
import io
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oci_layers.tar import read_tar
from oci_layers.testing import oracle
from oci_layers.testing.cases import cases
from oci_layers.testing.oracle import IMPLIED, RefusedError, merge
from tests.support.facts import facts, oracle_facts
from tests.support.layers import d, entry, f, ln, opq, sym, wh
from tests.support.stacks import MARKERS, ODD, UNLINKED, quick_stacks

JUDGED = [
    pytest.param(case, outcomes[name].tree, parents, id=f"{case.id}-{name}")
    for case in cases()
    for outcomes in (case.outcomes,)
    for name, parents in (("default", "follow"), ("replace", "replace"))
    if name in outcomes
]
stacks = quick_stacks()


def test_the_oracle_shares_no_code_with_what_it_judges():
    needed = set()
    for node in ast.walk(ast.parse(Path(oracle.__file__).read_text())):
        if isinstance(node, ast.Import):
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            needed.add(node.module)
    assert {module.partition(".")[0] for module in needed} <= sys.stdlib_module_names


# --- The cases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "wanted", "parents"), JUDGED)
def test_the_oracle_agrees_with_the_cases(case, wanted, parents):
    layers = [read_tar(io.BytesIO(layer)) for layer in case.layers]
    if wanted is None:
        with pytest.raises(RefusedError):
            merge(layers, parents=parents)
    else:
        assert oracle_facts(merge(layers, parents=parents)) == facts(wanted)


def test_what_no_entry_describes_is_implied():
    made = merge([[f("a/b/c"), d("d/e/")]])
    assert {path for path, node in made.items() if node.implied} == {b"", b"a", b"a/b", b"d"}
    assert made[b"a"] is IMPLIED


def test_a_name_with_a_nul_is_refused():
    with pytest.raises(RefusedError, match="no name has a NUL"):
        merge([[f("a\0b")]])


def test_two_names_of_a_file_lead_to_one_node():
    made = merge([[f("a", "1"), ln("b", "a"), f("c", "1")]])
    assert made[b"a"] is made[b"b"]
    assert made[b"a"] is not made[b"c"]
    assert made[b"a"] != made[b"c"]


# --- Laws -------------------------------------------------------------------------------------------------------------


def outcome(layers, lower=None):
    """The tree that layers make on a lower one, or None if they are refused."""
    try:
        return merge(layers, lower=lower)
    except RefusedError:
        return None


def shown(made):
    """What a tree shows, so that trees of other entries may be equal."""
    return None if made is None else oracle_facts(made)


def applied(stack):
    """The tree of the layers of a stack; one that is refused is left out."""
    made = {b"": IMPLIED}
    for layer in stack:
        made = outcome([layer], made) or made
    return made


@given(stacks, st.integers(0, 4))
def test_layers_may_be_merged_a_few_at_a_time(stack, count):
    whole = outcome(stack)
    lower = outcome(stack[:count])
    assert shown(whole) == (None if lower is None else shown(outcome(stack[count:], lower)))


@given(stacks)
def test_a_lower_tree_stays_as_it_is(stack):
    lower = applied(stack[:2])
    before = dict(lower)
    outcome(stack[2:], lower)
    assert lower == before


@given(stacks)
def test_a_layer_without_entries_changes_nothing(stack):
    lower = applied(stack)
    assert merge([[]], lower=lower) == lower


@given(stacks)
def test_every_path_has_its_parents(stack):
    made = applied(stack)
    for path in made:
        assert path == b"" or made[path.rpartition(b"/")[0]].kind == "dir"


simple = quick_stacks([*UNLINKED, *MARKERS, *ODD], layers=3)
"""Stacks without links, in which no name leads to another."""


def is_marker(each):
    return each.name.rpartition(b"/")[2].startswith(b".wh.")


@given(simple, simple)
def test_a_layer_applied_again_changes_nothing(stack, upper):
    lower = applied(stack)
    for layer in upper:
        once = outcome([[each for each in layer if not is_marker(each)]], lower)
        assume(once is not None)
        assert shown(merge([[each for each in layer if not is_marker(each)]], lower=once)) == shown(once)


@given(stacks, stacks)
def test_removals_made_again_change_nothing(stack, upper):
    lower = applied(stack)
    for layer in upper:
        marks = [each for each in layer if is_marker(each)]
        once = outcome([marks], lower)
        assume(once is not None)
        assert merge([marks], lower=once) == once


@given(stacks, stacks, st.randoms(use_true_random=False))
def test_markers_may_stand_anywhere_where_nothing_removed_is_needed(stack, upper, random):
    """Where the two extremes make the same tree, all places between do."""
    lower = applied(stack)
    for layer in upper:
        marks = [each for each in layer if is_marker(each)]
        others = [each for each in layer if not is_marker(each)]
        extremes = [shown(outcome([each], lower)) for each in (marks + others, others + marks)]
        assume(None not in extremes and extremes[0] == extremes[1])
        between = list(others)
        for mark in marks:
            between.insert(random.randint(0, len(between)), mark)
        assert shown(outcome([between], lower)) == extremes[0]


@given(simple, simple, st.randoms(use_true_random=False))
def test_the_order_of_a_layer_with_each_name_once_does_not_matter(stack, upper, random):
    lower = applied(stack)
    for layer in upper:
        once = list({oracle.clean(each.name): each for each in layer if b".." not in each.name}.values())
        above = {parent for each in once for parent in parents(each)}
        once = [each for each in once if each.type == b"5" or is_marker(each) or oracle.clean(each.name) not in above]
        shuffled = random.sample(once, len(once))
        assert shown(outcome([shuffled], lower)) == shown(outcome([once], lower))


def parents(each):
    parts = oracle.clean(each.name).split(b"/")
    return [b"/".join(parts[:depth]) for depth in range(1, len(parts))]


@given(stacks, stacks)
def test_an_opaque_marker_at_the_root_leaves_nothing_lower(stack, upper):
    lower = applied(stack)
    for layer in upper:
        others = [each for each in layer if not is_marker(each)]
        alone = outcome([others], {b"": lower[b""]})
        assume(alone is not None)
        assert shown(outcome([[opq(), *others]], lower)) == shown(alone)


@given(stacks)
def test_a_tree_is_what_its_files_make_as_one_layer(stack):
    made = described(applied(stack))
    layer, first = [], {}
    for path, node in sorted(made.items()):
        if node.implied:
            continue
        leader = path if node.kind == "dir" else first.setdefault(node, path)
        layer.append(ln(path, leader) if leader != path else as_entry(path, node))
    assert shown(merge([layer])) == shown(made)


def described(tree):
    """A tree without the directories that no entry describes and in which there is nothing any more."""
    files = [path for path, node in tree.items() if not node.implied]
    return {
        path: node
        for path, node in tree.items()
        if not path or not node.implied or any(file.startswith(path + b"/") for file in files)
    }


TYPES = {"file": b"0", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}


def as_entry(path, node):
    fields = {name: getattr(node, name) for name in ("mode", "uid", "gid", "mtime_ns", "xattrs")}
    if node.kind == "symlink":
        fields["linkname"] = node.data
    if node.device:
        fields["devmajor"], fields["devminor"] = node.device
    return entry(path or b"./", TYPES[node.kind], data=node.data if node.kind == "file" else b"", **fields)


def test_removed_and_needed_is_read_in_tar_order():
    lower = merge([[f("d/f"), sym("l", "d")]])
    needs = [(ln("h", "d/f"), wh("d")), (f("l/g"), wh("l")), (ln("h", "l/f"), opq("d"))]
    for needed, removed in needs:
        first, last = outcome([[removed, needed]], lower), outcome([[needed, removed]], lower)
        assert shown(first) != shown(last)
