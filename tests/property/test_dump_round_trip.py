"""Law: a dump parses back into the same tree, and the same tree gives the same dump."""

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.layer import Policy
from oci_layers.testing.strategies import trees
from oci_layers.tree import dump, parse
from oci_layers.tree.content import DigestContent, Inline
from tests.support.layers import tar
from tests.support.stacks import stacks
from tests.support.trees import merged

any_names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not set(name) & set(b"/\0") and name not in {b".", b".."}
)
contents = st.binary(max_size=70).map(Inline) | st.builds(
    DigestContent, st.integers(0, 2**63), st.binary(min_size=32, max_size=32).map(bytes.hex)
)


@given(trees(wide=True, names=any_names, contents=contents))
def test_any_tree_is_parsed_back_from_its_dump(tree):
    text = dump(tree)
    assert parse(text) == tree
    assert dump(parse(text)) == text
    assert text.isascii()
    assert text.count("\n") == len(tree)


@given(stacks())
def test_what_layers_make_is_parsed_back_from_its_dump(stack):
    tree = merged(*(tar(*layer) for layer in stack), policy=Policy.preset("lenient"))
    assert parse(dump(tree)) == tree
