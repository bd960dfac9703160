"""Laws: metadata of Windows survive a dump, and a layer; a diff of two trees of Windows makes the one of the other.

A directory keeps the spelling of the old tree.
"""

import io

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.layer import apply, decode, diff, encode, tree_entries
from oci_layers.tar import read_tar
from oci_layers.tree import Directory, File, FileTree, Inline, Symlink, TreeEditor, dump, parse
from oci_layers.tree.windows import WindowsMetadata
from tests.support.layers import tar

TIMES = st.none() | st.integers(-(2**62), 2**62)
NAMES = st.text("abAB.$é", min_size=1, max_size=5).map(str.encode).filter(lambda name: name not in {b".", b".."})
METADATA = st.builds(
    WindowsMetadata,
    attributes=st.none() | st.integers(0, 2**32 - 1),
    security_descriptor=st.none() | st.binary(max_size=9),
    sddl=st.none() | st.binary(max_size=9),
    created_ns=TIMES,
    accessed_ns=TIMES,
    changed_ns=TIMES,
    is_junction=st.booleans(),
    extended_attributes=st.dictionaries(NAMES, st.binary(max_size=9), max_size=3),
    streams=st.dictionaries(NAMES, st.binary(max_size=70).map(Inline), max_size=3),
).filter(lambda metadata: metadata.attributes is not None)


@st.composite
def trees(draw):
    """Trees of Windows: some names, no two of which fold alike, in directories."""
    tree = FileTree(windows=True)
    editor = TreeEditor(tree)
    editor.put(editor.open_parent(b""), b"Files", Directory(0, 0, 0, 0, windows=draw(METADATA)))
    parents = [b"Files"]
    for name in draw(st.lists(NAMES, max_size=6)):
        here = editor.open_parent(draw(st.sampled_from(parents)))
        if here.directory.children.spelling(name) in here.directory.children:
            continue
        windows = draw(METADATA)
        kind = draw(st.sampled_from([Directory, File, Symlink]))
        own = {"target": b"C:\\x"} if kind is Symlink else {"mode": draw(st.sampled_from([0, 0o644]))}
        editor.put(here, name, kind(uid=0, gid=0, mtime_ns=draw(st.integers(-(2**62), 2**62)), windows=windows, **own))
        if kind is Directory:
            parents.append(here.path + b"/" + name)
    return tree


def of_layers(*layers):
    tree = FileTree(windows=True)
    for raw in layers:
        apply(decode(read_tar(io.BytesIO(raw)), windows=True), tree)
    return tree


@given(trees())
def test_a_dump_is_parsed_back(tree):
    assert parse(dump(tree)) == tree


@given(trees())
def test_a_layer_of_a_tree_makes_it_again_and_the_same_bytes(tree):
    raw = tar(*tree_entries(tree))
    again = of_layers(raw)
    assert again == tree
    assert tar(*tree_entries(again)) == raw


@given(trees(), trees())
def test_a_diff_makes_one_tree_of_the_other(old, new):
    upper = tar(*(entry for entry in encode(diff(old, new)) if entry.name != b"./"))
    made = of_layers(tar(*tree_entries(old)), upper)
    assert sorted(dump(made).upper().splitlines()) == sorted(dump(new).upper().splitlines())
    assert {path for path, node in made.walk() if not isinstance(node, Directory)} == {
        made.spelled(parent) + slash + name
        for path, node in new.walk()
        if not isinstance(node, Directory)
        for parent, slash, name in [path.rpartition(b"/")]
    }
