"""Stacks that are higher than a mount takes: the lowest layers as one directory."""

import os

import pytest

from oci_layers.disk import scan
from oci_layers.snapshot import fsck, gc
from oci_layers.snapshot.overlay import MOST_LOWERS
from oci_layers.tree import dump
from tests.support.layers import f, ln, tar, wh
from tests.support.rooms import image_of, room

pytestmark = pytest.mark.root


def layers(count):
    made = [tar(f(f"d{n % 40}/f{n}", str(n))) for n in range(count)]
    made[count - 50] = tar(wh("d3"), f("d4/x", xattrs={b"user.overlay.x": b"1"}), ln("d5/y", "d5/f5"))
    return made


@pytest.mark.parametrize("count", [60, *(pytest.param(n, marks=pytest.mark.thorough) for n in (500, 501, 700))])
def test_any_number_of_layers_is_shown(place, count):
    with image_of(*layers(count)) as image, room(str(place / "room")) as opened:
        opened.unpack(image)
        for _ in range(2):
            with opened.container("app") as box:
                assert box.presenter == "detached"
                assert dump(scan(box.fd)) == dump(image.tree())
        merged = os.listdir(place / "room" / "merged" / "sha256") if count > MOST_LOWERS else []
        assert len(merged) == (count > MOST_LOWERS)
        assert fsck(opened).ok
        assert gc(opened, grace=0).leftovers == ()
        opened.remove_image("app")
        collected = gc(opened, grace=-3600)
        assert len(collected.layers) == count
        assert collected.leftovers == tuple(f"merged/sha256/{name}" for name in merged)
        assert not merged or os.listdir(place / "room" / "merged" / "sha256") == []


def test_an_image_without_layers_is_an_empty_directory(place):
    with image_of() as image, room(str(place / "room")) as opened:
        assert opened.unpack(image).chain_id is None
        with opened.view("app") as view:
            assert os.listdir(view.fd) == []
        with opened.container("app") as box:
            os.mkdir("new", dir_fd=box.fd)
            assert [change.path for change in box.changes()][-1] == b"new"
