"""Several layers become one, and the tree stays the same."""

import json

import pytest

from oci_layers import verify_image
from oci_layers.build import drop_layer, rebase, squash
from oci_layers.errors import BaseMismatchError, LayerMissingError
from oci_layers.spec import Digest
from oci_layers.store import MemoryRepository
from tests.support.layers import d, f, ln, opq, sym, tar, wh
from tests.support.trees import merged
from tests.support.values import rewritten, says, stack, tars_of, tree_of

NOW = 1_700_000_000 * 10**9
LAYERS = (
    tar(d("a/"), f("a/b", "1", mtime_ns=NOW), f("a/c", "keep"), ln("a/d", "a/c"), sym("s", "a")),
    tar(f("a/b", "2", mtime_ns=NOW), wh("s"), f("n", "new")),
    tar(d("a/"), opq("a"), f("a/e", "5"), wh("n")),
    tar(d("n/", 0o700), f("n/x", "x", xattrs={b"user.k": b"v"})),
)
HISTORY = [
    {"created_by": "base", "author": "Ida"},
    {"created_by": "one", "created": "2024-01-31T12:00:00Z", "author": "Ida"},
    {"created_by": "env", "empty_layer": True, "x": 1},
    {"comment": "two", "author": "Ida"},
    {"created_by": "three", "created": "2024-02-01T12:00:00Z", "author": "Ida"},
    {"created_by": "cmd", "empty_layer": True},
]


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize(("top", "layers"), [(None, 1), (0, 4), (1, 4), (2, 3), (3, 2), (4, 1)])
def test_the_tree_stays_the_same_and_the_lower_layers_are_shared(compression, top, layers):
    image = stack(*LAYERS, compression=compression)
    with image, rewritten(squash(image, top=top)) as new:
        assert tree_of(new) == merged(*LAYERS)
        assert len(new.layers) == layers
        shared = [layer.descriptor for layer in image.layers[: layers - 1]]
        assert [layer.descriptor for layer in new.layers[: layers - 1]] == shared
        assert verify_image(new.blobs, [new.descriptor]).ok
        made = len(new.layers) - 1 if layers < len(LAYERS) else None
        assert [each for each in new.lint() if each.location.layer == made and each.severity != "note"] == []
        assert (new.descriptor.digest == image.descriptor.digest) == (top in {0, 1})


def test_what_is_above_a_base_is_squashed():
    image, base = stack(*LAYERS), stack(*LAYERS[:2])
    with image:
        ids = [str(layer.diff_id) for layer in base.layers]
        descriptors = {rewritten(squash(image, base=each)).descriptor.digest for each in (base, ids)}
        assert descriptors == {rewritten(squash(image, top=2)).descriptor.digest}
        assert squash(image, base=image).put(MemoryRepository().blobs).digest == image.descriptor.digest


def test_only_what_is_visible_is_written():
    with stack(*LAYERS) as image:
        names = [entry.name for entry in rewritten(squash(image)).layers[0].entries()]
    assert names == [b"./", b"a/", b"a/e", b"n/", b"n/x"]
    with stack(*LAYERS) as image:
        names = [entry.name for entry in rewritten(squash(image, top=3)).layers[1].entries()]
    assert names == [b"./", b".wh.s", b"a/", b"a/.wh.b", b"a/.wh.c", b"a/.wh.d", b"a/e", b"n/", b"n/x"]


def test_a_file_rewritten_with_the_same_size_and_time_has_its_new_content():
    lower = tar(d("./"), f("a", "1", mtime_ns=NOW), f("b", "1", mtime_ns=NOW))
    with stack(lower, tar(f("a", "2", mtime_ns=NOW)), tar(f("b", "1", mtime_ns=NOW))) as image:
        image.tree()
        new = rewritten(squash(image, top=2))
    assert [entry.name for entry in new.layers[1].entries()] == [b"./", b"a"]


def test_history_entries_become_one_that_lists_them():
    with stack(*LAYERS, history=HISTORY) as image:
        new = rewritten(squash(image, top=3))
        entries = json.loads(new.config_document.raw)["history"]
        one = {
            "created": "2024-02-01T12:00:00Z",
            "author": "Ida",
            "comment": "3 layers squashed: one; two; three",
        }
        assert entries == [HISTORY[0], HISTORY[2], one, HISTORY[5]]
        timed = json.loads(rewritten(squash(image, created=0)).config_document.raw)
    assert timed["history"][1]["created"] == timed["created"] == "1970-01-01T00:00:00Z"


def test_an_image_without_a_history_has_none_afterwards():
    with stack(*LAYERS) as image:
        assert "history" not in json.loads(rewritten(squash(image)).config_document.raw)
    with stack(*LAYERS, history=HISTORY[:1]) as image:
        assert says(rewritten(squash(image, top=2))) == ["", "", ""]


@pytest.mark.parametrize("keep", [False, True])
def test_layers_that_change_nothing_together_leave_one_or_none(keep):
    lower = tar(d("./"), f("a", "1"))
    history = [{"created_by": each} for each in "abc"]
    with stack(lower, tar(f("b")), tar(wh("b")), history=history) as image:
        new = rewritten(squash(image, top=2, keep_empty=keep))
        assert tree_of(new) == merged(lower)
        assert len(new.layers) == 1 + keep
        assert [entry.empty_layer for entry in new.config.history] == [False, not keep]
        assert not verify_image(new.blobs, [new.descriptor]).findings


@pytest.mark.parametrize("top", [-1, 5])
def test_a_number_of_layers_that_there_is_not_is_refused(top):
    with pytest.raises(LayerMissingError) as caught:
        squash(stack(*LAYERS), top=top)
    assert (caught.value.number, caught.value.count) == (top, 4)


def test_a_base_that_is_not_below_is_refused():
    image = stack(*LAYERS)
    ids = [str(layer.diff_id) for layer in image.layers]
    for base in (stack(*LAYERS[1:]), stack(*LAYERS, tar(f("z"))), [Digest.of(b"")]):
        with pytest.raises(BaseMismatchError) as caught:
            squash(image, base=base)
        assert caught.value.actual == tuple(ids)
    with pytest.raises(ValueError, match="only one"):
        squash(image, base=image, top=1)


def test_three_hundred_layers_become_one():
    tars = [tar(f(f"{number % 7}", str(number))) for number in range(300)]
    with stack(*tars) as image:
        new = rewritten(squash(image))
    assert tree_of(new) == merged(*tars)
    assert len(tars_of(new)) == 1


def test_one_that_was_squashed_is_rebased_and_loses_a_layer():
    with stack(*LAYERS) as image, rewritten(squash(image, base=stack(LAYERS[0]))) as new:
        assert len(rebase(new, stack(LAYERS[0]), stack(LAYERS[0], LAYERS[1])).layers) == 3
        assert tree_of(rewritten(drop_layer(new, 1))) == merged(LAYERS[0])
