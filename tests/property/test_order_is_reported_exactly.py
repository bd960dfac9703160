"""Law: that a layer is read in tar order is reported if, and only if, its markers elsewhere would make another tree.

Every place that the markers of a small layer can have among its entries, in every order, is tried.
"""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError
from oci_layers.layer import Policy, apply, decode
from oci_layers.tree import dump
from tests.support.layers import tar
from tests.support.stacks import directories, files, links, markers, stacks, symlinks
from tests.support.trees import merged

entries = files | directories | symlinks | links


def outcome(lower, layer):
    """The tree that a layer makes, None if it is refused; and whether it says that it was read in tar order."""
    tree, findings = lower.fork(), []
    try:
        apply(decode(layer), tree, on_finding=findings.append)
    except LayerError:
        return None, False
    return dump(tree), any(finding.rule == "order" for finding in findings)


def readings(added, marks):
    """The layer with its markers in every order at every place."""
    for order in itertools.permutations(marks):
        for places in itertools.combinations_with_replacement(range(len(added) + 1), len(order)):
            layer = []
            for at in range(len(added) + 1):
                layer += [mark for mark, place in zip(order, places, strict=True) if place == at]
                layer += added[at : at + 1]
            yield layer


@given(
    stacks(entries, layers=2),
    st.lists(entries, min_size=1, max_size=3),
    st.lists(markers, min_size=1, max_size=2),
)
def test_order_is_reported_where_it_decides_and_nowhere_else(stack, added, marks):
    lower = merged(*(tar(*layer) for layer in stack), policy=Policy.preset("lenient"))
    outcomes = [outcome(lower, layer) for layer in readings(added, marks)]
    decides = len({made for made, _ in outcomes}) > 1
    assert {told for made, told in outcomes if made is not None} <= {decides}
