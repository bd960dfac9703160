"""Layers are found in several rooms, the first of which is written to."""

import os

import pytest

from oci_layers.errors import PlaceMissingError, StoreError
from oci_layers.limits import Limits
from oci_layers.snapshot import Snapshots
from oci_layers.tree import dump
from tests.support.layers import d, f, ln, tar, wh
from tests.support.rooms import image_of, room, seen, unpacked

BASE, MIDDLE, TOP = tar(d("a"), f("a/x", "1" * 5000), f("y")), tar(ln("z", "a/x"), wh("y")), tar(f("t", "3" * 100))
pytestmark = pytest.mark.root


def everything(place):
    return {
        os.path.join(top, name): os.lstat(os.path.join(top, name)).st_ctime_ns
        for top, directories, files in os.walk(place)
        for name in (*directories, *files)
    }


def test_layers_of_a_read_only_room_are_used_and_it_is_never_written():
    with unpacked(BASE, MIDDLE, name="below") as (below, _), image_of(BASE, MIDDLE, TOP) as image:
        before = everything(below.place)
        with room(read_only=[below.place]) as opened:
            snapshot = opened.unpack(image)
            assert snapshot.unpacked == (image.layers[2].chain_id,)
            assert [layer.room.is_read_only for layer in opened.stack(snapshot)] == [False, True, True]
            with opened.view(snapshot) as view, opened.container(snapshot) as container:
                assert seen(view.fd) == seen(container.fd) == dump(image.tree()) == dump(opened.tree(snapshot))
                os.unlink("a/x", dir_fd=container.fd)
                assert len(list(container.changes())) > 0
            with image_of(BASE, name="lowest") as lowest:
                assert opened.unpack(lowest).unpacked == ()
            with opened.view("lowest") as view:
                assert "/a/x" in seen(view.fd)
        assert everything(below.place) == before


def test_a_layer_that_is_missing_is_named():
    with unpacked(BASE, MIDDLE) as (opened, snapshot):
        bottom = opened.stack(snapshot)[1]
        os.rename(os.path.dirname(bottom.path), f"{opened.place}/trash/x")
        with Snapshots(opened.place, sync=False) as fresh:
            for use in (fresh.stack, fresh.tree, fresh.view, fresh.container):
                with pytest.raises(StoreError, match=f"layer {bottom.chain_id} is missing; unpack the image again"):
                    use("app")
            with image_of(BASE, MIDDLE) as image:
                assert fresh.unpack(image).unpacked == (bottom.chain_id,)
            assert len(fresh.stack("app")) == 2


def test_names_that_are_no_digests_are_no_layers():
    with unpacked(BASE) as (opened, _):
        os.mkdir(f"{opened.place}/layers/sha256/other")
        os.makedirs(f"{opened.place}/layers/odd!/x")
        assert len(list(opened.layers.all())) == 1


def test_a_chain_without_an_end_is_refused():
    with image_of(BASE, MIDDLE, TOP) as image, room() as opened:
        opened.unpack(image)
        with (
            Snapshots(opened.place, sync=False, limits=Limits(layers=2)) as few,
            pytest.raises(StoreError, match="there are too many layers below it"),
        ):
            few.stack("app")


def test_a_layer_says_what_it_is():
    with image_of(BASE, MIDDLE) as image, room() as opened:
        snapshot = opened.unpack(image)
        top, bottom = opened.stack(snapshot)
        assert (top.record.diff_id, top.record.parent) == (image.layers[1].diff_id, bottom.chain_id)
        assert (bottom.record.files, bottom.record.bytes, bottom.record.parent) == (2, 5000, None)
        assert (bottom.record.same_owner, dict(bottom.record.skipped)) == (True, {})
        assert top.place == f"layer {top.chain_id} of {opened.place}"
        assert opened.image("app").chain_id == top.chain_id
        with pytest.raises(PlaceMissingError):
            opened.image("other")
