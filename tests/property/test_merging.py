"""Laws of merging: forks are apart, and layers that are repeated or flattened change nothing."""

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.layer import Policy, apply, decode
from oci_layers.tree import FileTree, TreeEditor, dump
from tests.support.layers import tar
from tests.support.stacks import everything, links, markers, stacks, unlinked
from tests.support.trees import flattened, merged

LENIENT = Policy.preset("lenient")

# --- Forks ------------------------------------------------------------------------------------------------------------


def laid(tree, layer, policy=LENIENT):
    apply(decode(layer, policy=policy), tree, policy=policy)


@given(stacks(size=5), stacks(size=5, layers=2), st.lists(everything, max_size=5))
def test_a_fork_and_its_original_change_apart(lower, one, other):
    original = merged(*(tar(*layer) for layer in lower), policy=LENIENT)
    before = dump(original)
    fork = original.fork()
    for layer in one:
        laid(fork, layer)
    assert dump(original) == before
    after = dump(fork)
    laid(original, other)
    assert dump(fork) == after
    assert after == dump(merged(*(tar(*layer) for layer in lower + one), policy=LENIENT))
    assert dump(original) == dump(merged(*(tar(*layer) for layer in [*lower, other]), policy=LENIENT))


@given(stacks(size=5), st.lists(everything, max_size=5))
def test_a_change_in_one_side_of_a_fork_is_seen_through_all_names_and_on_that_side_only(lower, layer):
    original = merged(*(tar(*each) for each in lower), policy=LENIENT)
    fork = original.fork()
    laid(fork, layer)
    after = dump(fork)
    for path, _ in list(original.walk()):
        TreeEditor(original).change(path, mode=0o123)
    assert dump(fork) == after
    assert {node.mode for _, node in original.walk()} == {0o123}
    expected = merged(*(tar(*each) for each in lower), policy=LENIENT)
    for _, node in expected.walk():
        node.mode = 0o123
    assert original == expected


@given(stacks())
def test_a_fork_after_each_layer_is_that_many_layers(stack):
    tree, forks = FileTree(), []
    for layer in stack:
        laid(tree, layer)
        forks.append(tree.fork())
    for count, fork in enumerate(forks, 1):
        assert dump(fork) == dump(merged(*(tar(*layer) for layer in stack[:count]), policy=LENIENT))


@given(stacks(), st.integers(0, 30))
def test_a_fork_in_the_middle_of_a_layer_changes_nothing(stack, moment):
    tree, forks = FileTree(), []

    def forking(changes):
        for number, change in enumerate(changes):
            if number % 7 == moment % 7:
                forks.append((tree.fork(), dump(tree)))
            yield change

    for layer in stack:
        apply(forking(decode(layer, policy=LENIENT)), tree, policy=LENIENT)
    assert dump(tree) == dump(merged(*(tar(*layer) for layer in stack), policy=LENIENT))
    for fork, before in forks:
        assert dump(fork) == before


@given(stacks(size=5), st.lists(everything, max_size=6), st.lists(everything, max_size=6))
def test_the_same_changes_may_be_applied_to_more_than_one_tree(lower, layer, more):
    changes = list(decode(layer, policy=LENIENT))
    trees = [FileTree(), merged(*(tar(*each) for each in lower), policy=LENIENT), FileTree()]
    for tree in trees:
        apply(changes, tree, policy=LENIENT)
    before = [dump(tree) for tree in trees]
    laid(trees[1], more)
    assert [dump(trees[0]), dump(trees[2])] == [before[0], before[2]]
    assert before[0] == before[2] == dump(merged(tar(*layer), policy=LENIENT))


# --- Layers of layers -------------------------------------------------------------------------------------------------


@given(stacks())
def test_a_tree_written_as_one_layer_makes_the_tree(stack):
    tree = merged(*(tar(*layer) for layer in stack), policy=LENIENT)
    assert dump(merged(flattened(tree))) == dump(tree)


@given(stacks(unlinked | links | markers), st.lists(unlinked, max_size=8))
def test_a_layer_without_markers_and_links_applied_again_changes_nothing(lower, layer):
    once = merged(*(tar(*each) for each in [*lower, layer]), policy=LENIENT)
    twice = once.fork()
    laid(twice, layer)
    assert dump(twice) == dump(once)
