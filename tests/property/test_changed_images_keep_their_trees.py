"""Laws of images that are made of others.

Squash keeps the tree, whichever layers it takes, and the tree after k layers is that of k layers squashed. A rebase
onto the same base changes nothing, and one there and back neither. What is appended as `diff(a, b)` makes b of a. The
same image is the same bytes each time. Paths that are left out of every layer are in none.
"""

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from oci_layers import verify_image
from oci_layers.build import NewLayer, drop_layer, edit, rebase, scratch, squash, strip_paths
from oci_layers.errors import LayerError, OCIError
from oci_layers.layer import diff
from oci_layers.store import MemoryRepository
from tests.support.edits import edited, edits
from tests.support.layers import tar
from tests.support.stacks import portable_stacks, stacks
from tests.support.trees import merged
from tests.support.values import EXACT, rewritten, stack, tars_of, tree_of

histories = st.none() | st.lists(
    st.fixed_dictionaries({}, optional={"created_by": st.sampled_from("ab"), "empty_layer": st.booleans()}), max_size=6
)


def tars(entries):
    """The layers of a stack that can be merged."""
    found = [tar(*layer) for layer in entries]
    try:
        merged(*found)
    except LayerError:
        assume(False)
    return found


def assert_whole(image):
    """Every blob is what it should be, and the history tells of each layer, or is as it was."""
    checked = verify_image(image.blobs, [image.descriptor])
    assert checked.ok, checked.findings


@given(stacks() | portable_stacks(), st.data(), histories)
def test_a_squashed_image_has_the_same_tree(entries, data, history):
    layers = tars(entries)
    top = data.draw(st.integers(0, len(layers)))
    with stack(*layers, history=history) as image:
        new = rewritten(squash(image, top=top, keep_empty=data.draw(st.booleans())))
        assert tree_of(new) == merged(*layers)
        assert_whole(new)
        lower = len(layers) - top if top > 1 else len(layers)
        assert tars_of(new)[:lower] == layers[:lower]
        told = [
            entry for entry in json.loads(new.config_document.raw).get("history") or () if not entry.get("empty_layer")
        ]
        assert not told or top < 2 or len(told) == len(new.layers)


@given(stacks(), st.data())
def test_the_tree_after_some_layers_is_that_of_these_squashed(entries, data):
    layers = tars(entries)
    count = data.draw(st.integers(0, len(layers)))
    with stack(*layers) as image, stack(*layers[:count]) as lower, rewritten(squash(lower, keep_empty=True)) as new:
        assert image.tree(count) == new.tree()


@given(portable_stacks(), st.data(), histories, histories)
def test_a_rebase_onto_the_same_base_changes_nothing_and_back_again_neither(entries, data, history, others):
    layers = [tar(*each) for each in entries]
    count = data.draw(st.integers(0, len(layers)))
    base, image = stack(*layers[:count], history=history), stack(*layers, history=history)
    assert rebase(image, base, base).put(MemoryRepository().blobs).digest == image.descriptor.digest
    other = stack(*(tar(*each) for each in data.draw(portable_stacks())), history=others)
    there = rewritten(rebase(image, base, other))
    assert tars_of(there) == [*tars_of(other), *layers[count:]]
    assert_whole(there)
    back = rewritten(rebase(there, other, base))
    assert tars_of(back) == layers


@given(stacks(), edits)
def test_what_is_appended_as_a_difference_makes_the_other_tree(entries, steps):
    layers = tars(entries)
    old = merged(*layers)
    new = edited(old, steps)
    with stack(*layers) as image:
        layer = NewLayer.from_changes(lambda: diff(old, new, content="always"), options=EXACT)
        made = edit(image).append(layer, keep_empty=False)
        written = rewritten(made)
        assert tree_of(written) == new
        assert rewritten(made).descriptor == written.descriptor
        assert (len(written.layers) == len(layers)) == (old == new)


@given(stacks(), histories)
def test_the_same_image_is_the_same_bytes(entries, history):
    layers = tars(entries)
    with stack(*layers, history=history) as image, stack(*layers, history=history) as again:
        assert edit(image).put(MemoryRepository().blobs).digest == image.descriptor.digest
        digests = {squash(each).put(MemoryRepository().blobs).digest for each in (image, image, again)}
        assert len(digests) == 1
        new = scratch("linux/amd64").append(*image.layers).configure(env={"A": "1"})
        assert new.put(MemoryRepository().blobs) == new.put(MemoryRepository().blobs)


@given(portable_stacks(), st.data())
def test_paths_that_are_left_out_are_in_no_layer(entries, data):
    layers = [tar(*each) for each in entries]
    with stack(*layers) as image:
        names = sorted({entry.name.strip(b"/") for layer in image.layers for entry in layer.entries()} - {b"", b"."})
        names = [name for name in names if b".wh." not in name]
        assume(names)
        path = data.draw(st.sampled_from(names))
        parent, slash, base = path.rpartition(b"/")
        marker = parent + slash + b".wh." + base
        try:
            new = rewritten(strip_paths(image, [path], keep_empty=True))
        except OCIError:
            assume(False)  # A link of another layer leads to it.
    for layer in new.layers:
        for entry in layer.entries():
            assert entry.name.strip(b"/") != path
            assert not entry.name.startswith(path + b"/")
    for index, (old, one) in enumerate(zip(layers, tars_of(new), strict=True)):
        # A layer with an entry of the path, or with a whiteout of it.
        assert (old == one) or path in layers[index] or marker in layers[index]
    assert_whole(new)


@given(portable_stacks(), st.data(), histories)
def test_a_dropped_layer_is_the_only_one_that_is_lost(entries, data, history):
    layers = [tar(*each) for each in entries]
    index = data.draw(st.integers(0, len(layers) - 1))
    new = rewritten(drop_layer(stack(*layers, history=history), index))
    assert tars_of(new) == layers[:index] + layers[index + 1 :]
    assert_whole(new)
