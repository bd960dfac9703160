"""Law: a dump parses back into the same tree, and the same tree gives the same dump."""

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.layer import Policy
from oci_layers.tree import FileTree, TreeEditor, dump, parse
from oci_layers.tree.content import DigestContent, Inline
from oci_layers.tree.editor import Parent
from oci_layers.tree.node import Device, Directory, Fifo, File, Symlink
from tests.support.layers import tar
from tests.support.stacks import stacks
from tests.support.trees import merged

any_names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not set(name) & set(b"/\0") and name not in {b".", b".."}
)
any_bytes = st.binary(max_size=12)
common = {
    "mode": st.integers(0, 0o7777),
    "uid": st.integers(0, 2**32 - 2),
    "gid": st.integers(0, 2**32 - 2),
    "mtime_ns": st.integers(-(2**70), 2**70),
    "xattrs": st.dictionaries(any_bytes, any_bytes, max_size=3),
}
contents = st.binary(max_size=70).map(Inline) | st.builds(
    DigestContent, st.integers(0, 2**63), st.binary(min_size=32, max_size=32).map(bytes.hex)
)
numbers = st.integers(0, 2**32 - 1)
leaves = st.one_of(
    st.builds(File, **common, content=contents),
    st.builds(Symlink, **{key: common[key] for key in common if key != "mode"}, target=any_bytes),
    st.builds(Device, **common, kind=st.sampled_from(["char", "block"]), major=numbers, minor=numbers),
    st.builds(Fifo, **common),
)
directories = st.builds(Directory, **common)


@st.composite
def trees(draw):
    """A tree of any names and attributes, with a second name for some files."""
    tree = FileTree()
    merge = TreeEditor(tree)
    merge.describe_root(draw(directories))
    places = [Parent(b"", tree.writable_root())]
    made = []
    for name, node in draw(st.dictionaries(any_names, leaves | directories, max_size=8)).items():
        place = draw(st.sampled_from(places))
        merge.put(place, name, node)
        path = place.path + b"/" + name if place.path else name
        if isinstance(node, Directory):
            places.append(Parent(path, node))
        else:
            made.append((path, node))
    for number, target in enumerate(draw(st.lists(st.sampled_from(made), max_size=3)) if made else []):
        merge.link(target, draw(st.sampled_from(places)), b"another name %d" % number)
    return tree


@given(trees())
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
