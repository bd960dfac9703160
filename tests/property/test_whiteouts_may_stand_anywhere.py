"""Law: where the markers of a layer stand in it makes no difference (WHT-06, WHT-07, WHT-11).

The exception is what cannot be free of order: names that a layer follows, as links in a path or as targets of hard
links, and that it makes, removes or replaces too.
"""

from hypothesis import assume, given
from hypothesis import strategies as st

from oci_layers.errors import LayerError
from oci_layers.layer import Policy, apply, decode
from oci_layers.tree import dump
from tests.support.layers import tar
from tests.support.stacks import directories, files, links, markers, roots, specials, stacks, symlinks
from tests.support.trees import merged

unlinked = files | directories | specials | roots


@st.composite
def two_orders(draw, additions):
    """The entries of a layer, and the same with its markers elsewhere."""
    added = draw(st.lists(additions, max_size=6))
    marks = draw(st.lists(markers, min_size=1, max_size=4))
    return interleaved(draw, added, marks), interleaved(draw, added, draw(st.permutations(marks)))


def interleaved(draw, added, marks):
    layer = list(added)
    for mark in marks:
        layer.insert(draw(st.integers(0, len(layer))), mark)
    return layer


def below(stack, policy):
    """The tree of the lower layers; what they refuse is left out."""
    return merged(*(tar(*layer) for layer in stack), policy=policy)


def upon(lower, layer, policy):
    """The tree with one more layer, unless it is refused, or read in tar order for cause."""
    tree, findings = lower.fork(), []
    try:
        apply(decode(layer, policy=policy), tree, policy=policy, on_finding=findings.append)
    except LayerError:
        assume(False)
    assume(not any(finding.rule == "order" for finding in findings))
    return dump(tree)


@given(stacks(), two_orders(unlinked | links | symlinks))
def test_whiteouts_may_stand_anywhere(lower, layers):
    tree = below(lower, Policy.preset("lenient"))
    one, other = (upon(tree, layer, Policy()) for layer in layers)
    assert one == other


@given(stacks(), two_orders(unlinked | symlinks))
def test_where_no_link_is_followed_there_is_no_exception(lower, layers):
    policy = Policy(parents="replace", refused="skip")
    tree = below(lower, policy)
    one, other = (upon(tree, layer, policy) for layer in layers)
    assert one == other
