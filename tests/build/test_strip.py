"""Paths out of every layer."""

import pytest

from oci_layers import verify_image
from oci_layers.build import strip_paths
from oci_layers.errors import LinkError, PathError, PathMissingError
from oci_layers.tar import GLOBAL
from oci_layers.tree import dump
from tests.support.layers import d, entry, f, ln, opq, sym, tar, wh
from tests.support.trees import merged
from tests.support.values import rewritten, says, stack, tars_of, tree_of

KEY = "secret key"
HISTORY = [{"created_by": "a"}, {"created_by": "-e", "empty_layer": True}, {"created_by": "b"}, {"created_by": "c"}]


def names(image):
    return [[each.name for each in layer.entries()] for layer in image.layers]


def test_a_path_is_in_no_layer_afterwards_and_layers_without_it_are_shared():
    tars = tar(d("k/"), f("k/a", KEY), f("x", "1")), tar(f("y", "2")), tar(wh("k/a"), f("z", "3"))
    image = stack(*tars, history=HISTORY)
    new = rewritten(strip_paths(image, ["/k/a"]))
    assert names(new) == [[b"k/", b"x"], [b"y"], [b"z"]]
    assert new.layers[1].descriptor == image.layers[1].descriptor
    assert not any(KEY.encode() in each for each in tars_of(new))
    assert says(new) == says(image)
    assert tree_of(new) == tree_of(image)
    assert verify_image(new.blobs, [new.descriptor]).ok


def test_all_below_a_path_and_its_markers_are_left_out():
    tars = tar(d("k/"), f("k/a"), f("ka")), tar(opq("k"), f("k/b/c"), wh("k/d")), tar(wh("k"), f("x"))
    assert names(rewritten(strip_paths(stack(*tars), [b"k"]))) == [[b"ka"], [b"x"]]


@pytest.mark.parametrize(
    ("keep", "layers", "told"), [(False, 2, ["a", "--e", "-b", "c"]), (True, 3, ["a", "--e", "b", "c"])]
)
def test_a_layer_that_nothing_is_left_of_is_left_out_or_kept(keep, layers, told):
    image = stack(tar(f("x")), tar(f("k")), tar(f("y")), history=HISTORY)
    new = rewritten(strip_paths(image, ["k"], keep_empty=keep))
    assert (len(new.layers), says(new)) == (layers, told)
    assert verify_image(new.blobs, [new.descriptor]).ok


def test_what_else_is_in_the_layer_stays_as_it_is():
    rest = (
        entry("g", GLOBAL, pax={b"comment": b"c"}, mode=0, mtime_ns=0),
        f("long" * 40, "x" * 1000, xattrs={b"user.k": b"v"}, pax={b"SCHILY.x": b"1"}, uname=b"u"),
        sym("s", "k"),
        wh("other"),
    )
    new = rewritten(strip_paths(stack(tar(rest[0], f("k", KEY), *rest[1:])), ["k"]))
    assert tars_of(new) == [tar(*(entry_again(each) for each in rest))]


def entry_again(made):
    """The entry as it is read: a tar can be written once of each."""
    if made.size:
        return f("long" * 40, "x" * 1000, xattrs={b"user.k": b"v"}, pax={b"SCHILY.x": b"1"}, uname=b"u")
    return made


def test_the_first_link_that_stays_gets_the_content():
    tars = tar(f("k/a", KEY, 0o600, uid=5), ln("b", "k/a"), ln("k/c", "k/a"), ln("d", "k/c"), ln("e", "b"), f("z", "z"))
    new = rewritten(strip_paths(stack(tars), ["k"]))
    assert names(new) == [[b"b", b"d", b"e", b"z"]]
    expected = tar(f("b", KEY, 0o600, uid=5), ln("d", "b"), ln("e", "b"), f("z", "z"))
    assert dump(tree_of(new)) == dump(merged(expected))
    only = rewritten(strip_paths(stack(tar(f("a", "1"), ln("k", "a"), ln("b", "k"))), ["k"]))
    assert dump(tree_of(only)) == dump(merged(tar(f("a", "1"), ln("b", "a"))))


def test_a_link_to_what_another_layer_has_is_refused():
    with pytest.raises(LinkError) as caught:
        strip_paths(stack(tar(f("k")), tar(ln("b", "k"))), ["k"])
    assert caught.value.path == b"b"
    assert caught.value.__notes__ == [f"layer 1 ({stack(tar(f('k')), tar(ln('b', 'k'))).layers[1].descriptor.digest})"]


def test_a_path_that_no_layer_has_is_missing():
    image = stack(tar(f("a"), f("c")))
    with pytest.raises(PathMissingError) as caught:
        strip_paths(image, ["a", "b", "d"])
    assert (caught.value.path, caught.value.reason) == (b"b", "in no layer; d: in no layer")
    with pytest.raises(PathError):
        strip_paths(image, ["/"])
    assert rewritten(strip_paths(image, [])).descriptor.digest == image.descriptor.digest
