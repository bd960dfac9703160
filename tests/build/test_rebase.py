"""An image onto another base."""

import json

import pytest

from oci_layers import open_image, verify_image
from oci_layers.build import drop_layer, edit, rebase
from oci_layers.errors import (
    BaseMismatchError,
    BlobMissingError,
    LayerMissingError,
    ReferenceMissingError,
    UnsupportedError,
)
from oci_layers.spec.annotations import BASE_DIGEST, BASE_NAME
from oci_layers.spec.mediatype import DOCKER_LAYER_GZIP, OCI_LAYER_GZIP
from oci_layers.store import MemoryRepository
from tests.support.layers import f, tar, wh
from tests.support.trees import merged
from tests.support.values import rewritten, says, stack, tree_of

OLD = tar(f("os", "1")), tar(f("lib", "1"))
NEW = tar(f("os", "2")), tar(f("lib", "2")), tar(f("fix", "3"))
OWN = tar(f("app", "1")), tar(wh("lib"), f("app", "2"))


def steps(*said):
    """A history: names of what made a layer, or of another step after a "-"."""
    return [
        {"created_by": each[1:], "empty_layer": True} if each.startswith("-") else {"created_by": each} for each in said
    ]


ROWS = {
    "all have one": (
        steps("-arg", "os1", "lib1", "-env", "-cmd"),
        steps("-arg", "os1", "lib1", "-env", "-cmd", "-user", "app1", "app2", "-cmd"),
        steps("os2", "lib2", "fix", "-cmd2"),
        ["os2", "lib2", "fix", "-cmd2", "-user", "app1", "app2", "-cmd"],
    ),
    "the image has none": (steps("os1", "lib1", "-cmd"), None, steps("o", "l", "f"), ["o", "l", "f", "", ""]),
    "the new base has none": (
        steps("os1", "lib1", "-cmd"),
        steps("os1", "lib1", "-cmd", "app1", "app2"),
        None,
        ["", "", "", "app1", "app2"],
    ),
    "none has one": (None, None, None, []),
    "the old base has none": (None, steps("os1", "lib1", "app1", "app2"), steps("o"), ["", "", "o", "app1", "app2"]),
    "only the upper layers have one": (None, steps("app1", "app2"), None, ["", "", "", "app1", "app2"]),
    "the base's last step is another's, too": (
        steps("os1", "lib1"),
        steps("os1", "lib1", "-env", "app1", "app2"),
        steps("o", "l", "f"),
        ["o", "l", "f", "-env", "app1", "app2"],
    ),
}


@pytest.mark.parametrize(("old", "own", "new", "after"), ROWS.values(), ids=ROWS)
def test_layers_and_history_of_the_base_are_replaced_and_the_others_kept(old, own, new, after):
    image = stack(*OLD, *OWN, history=own, config={"config": {"Env": ["A=1"]}})
    rebased = rewritten(rebase(image, stack(*OLD, history=old), stack(*NEW, history=new)))
    assert tree_of(rebased) == merged(*NEW, *OWN)
    assert [each.diff_id for each in rebased.layers[3:]] == [each.diff_id for each in image.layers[2:]]
    assert [each.descriptor for each in rebased.layers[3:]] == [each.descriptor for each in image.layers[2:]]
    assert says(rebased) == after
    assert rebased.config.config.env == ("A=1",)
    assert not verify_image(rebased.blobs, [rebased.descriptor]).findings


@pytest.mark.parametrize("history", [None, steps("os1", "lib1", "-env", "app1", "app2")])
def test_onto_the_same_base_nothing_changes(history):
    base = stack(*OLD, history=None if history is None else history[:3])
    image = stack(*OLD, *OWN, history=history, dumps=lambda value: json.dumps(value, indent=1))
    assert rebase(image, base, base).put(MemoryRepository().blobs).digest == image.descriptor.digest
    there = rewritten(rebase(image, base, stack(*NEW)))
    assert rewritten(rebase(there, stack(*NEW), base)).layers[0].descriptor == image.layers[0].descriptor


def test_a_base_that_is_not_below_is_refused():
    image = stack(*OLD, *OWN)
    for base in (stack(*NEW), stack(*OLD, *OWN, *NEW), stack(OLD[1])):
        with pytest.raises(BaseMismatchError) as caught:
            rebase(image, base, stack(*NEW))
        assert caught.value.expected == tuple(str(layer.diff_id) for layer in base.layers)


def test_a_base_for_another_platform_is_refused():
    with pytest.raises(UnsupportedError) as caught:
        rebase(stack(*OLD, *OWN), stack(*OLD), rewritten(edit(stack(*NEW)).configure(platform="linux/arm64")))
    assert (caught.value.what, caught.value.value) == ("base for another platform", "linux/arm64")


def test_an_image_is_put_on_an_empty_base_and_on_itself():
    nothing = stack(config={"config": {}})
    image = stack(*OWN)
    assert tree_of(rewritten(rebase(image, nothing, stack(*OLD)))) == merged(*OLD, *OWN)
    assert tree_of(rewritten(rebase(image, image, stack(*OLD)))) == merged(*OLD)


def test_the_base_is_found_by_its_annotation():
    old = stack(*OLD, history=steps("os1", "lib1"))
    said = {BASE_DIGEST: str(old.descriptor.digest), BASE_NAME: "os:1"}
    image = stack(*OLD, *OWN, manifest={"annotations": said})
    place = MemoryRepository()
    edit(old).write(place, "old")
    edit(stack(*NEW)).write(place, "new")
    new = open_image(place, ref="new")
    rebased = rewritten(rebase(image, None, new, name="os:2"))
    assert tree_of(rebased) == merged(*NEW, *OWN)
    assert rebased.manifest.annotations == {BASE_DIGEST: str(new.descriptor.digest), BASE_NAME: "os:2"}
    with pytest.raises(BlobMissingError) as caught:
        rebase(image, None, stack(*NEW))
    assert caught.value.digest == said[BASE_DIGEST]
    with pytest.raises(ReferenceMissingError) as unnamed:
        rebase(stack(*OLD, *OWN), None, new)
    assert BASE_DIGEST in str(unnamed.value)


def test_layers_of_a_base_of_another_family_get_the_types_of_the_image():
    rebased = rewritten(rebase(stack(*OLD, *OWN), stack(*OLD), stack(*NEW, docker=True)))
    assert {layer.media_type for layer in rebased.manifest.layers} == {OCI_LAYER_GZIP}
    rebased = rewritten(rebase(stack(*OLD, *OWN, docker=True), stack(*OLD), stack(*NEW)))
    assert {layer.media_type for layer in rebased.manifest.layers} == {DOCKER_LAYER_GZIP}


def test_the_version_of_windows_is_that_of_the_base():
    def windows(*tars, version):
        return stack(*tars, config={"os.version": version})

    new = rebase(
        windows(*OLD, *OWN, version="10.0.1"), windows(*OLD, version="10.0.1"), windows(*NEW, version="10.0.2")
    )
    assert rewritten(new).config.os_version == "10.0.2"


def test_of_a_base_that_is_gone_the_diff_ids_are_enough():
    image, base = stack(*OLD, *OWN), stack(*OLD)
    by_image = rewritten(rebase(image, base, stack(*NEW)))
    assert rewritten(rebase(image, base.config.rootfs.diff_ids, stack(*NEW))).descriptor == by_image.descriptor


def test_a_layer_is_dropped_with_its_entry():
    image = stack(*OLD, *OWN, history=steps("os1", "-env", "lib1", "app1", "app2", "-cmd"))
    dropped = rewritten(drop_layer(image, 1))
    assert tree_of(dropped) == merged(OLD[0], *OWN)
    assert says(dropped) == ["os1", "-env", "app1", "app2", "-cmd"]
    assert says(rewritten(drop_layer(stack(*OLD), 0))) == []
    several = rewritten(drop_layer(image, 3, 0))
    assert (tree_of(several), says(several)) == (merged(OLD[1], OWN[0]), ["-env", "lib1", "app1", "-cmd"])
    assert rewritten(drop_layer(image)).descriptor.digest == image.descriptor.digest
    for index in (-1, 4):
        with pytest.raises(LayerMissingError) as caught:
            drop_layer(image, 0, index)
        assert (caught.value.number, caught.value.count) == (index, 4)
