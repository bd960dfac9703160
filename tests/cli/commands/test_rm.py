"""`rm`: containers and images are removed from a room, or what containers changed."""

import json

import pytest

from oci_layers import snapshot
from tests.cli.conftest import changed


def names(room):
    return [each.name for each in room.containers()], [each.name for each in room.images()]


def test_containers_are_removed(run, room):
    for name in ("one", "two", "three"):
        room.create_container("lighthouse", name)
    ran = run("rm", "one", "two", "one")
    assert (ran.code, ran.out, ran.err) == (0, "one  removed\ntwo  removed\n", "")
    assert names(room) == (["three"], ["lighthouse"])
    ran = run("rm", "three", "--format", "json")
    assert json.loads(ran.out) == {"room": room.place, "removed": [{"kind": "container", "name": "three"}]}
    assert names(room) == ([], ["lighthouse"])


def test_an_image_is_removed_and_its_layers_are_collected_when_no_container_needs_them(run, room):
    room.create_container("lighthouse", "box")
    ran = run("rm", "--image", "lighthouse")
    assert (ran.code, ran.out) == (0, "lighthouse  removed\n")
    assert names(room) == (["box"], [])
    assert snapshot.gc(room, grace=0).kept == 5
    run("rm", "box")
    assert run("gc", room.place, "--grace", "0").out == "deleted 5 layers, 321 B; kept 0 layers\n"


def test_a_reset_throws_away_what_was_written(run, room):
    with changed(room):
        pass
    assert list(room.container_files("box").changes())
    ran = run("rm", "--reset", "box")
    assert (ran.code, ran.out, ran.err) == (0, "box  reset\n", "")
    assert not list(room.container_files("box").changes())
    ran = run("rm", "--reset", "box", "--format", "json")
    assert json.loads(ran.out) == {"room": room.place, "reset": [{"kind": "container", "name": "box"}]}


def test_if_one_does_not_exist_nothing_is_removed(run, room):
    room.create_container("lighthouse", "box")
    ran = run("rm", "box", "none")
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {room.place}: it has no container none\n")
    ran = run("rm", "--image", "lighthouse", "none")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"oci-layers: error: {room.place}: it has no image 'none'")
    assert names(room) == (["box"], ["lighthouse"])


@pytest.mark.parametrize("reset", [[], ["--reset"]])
def test_what_is_in_use_stays(run, room, reset):
    with changed(room):
        ran = run("rm", "box", *reset)
        assert (ran.code, ran.err) == (1, f"oci-layers: error: {room.place}: container box is in use\n")
    assert list(room.container_files("box").changes())


@pytest.mark.root
def test_what_is_mounted_stays(run, room, point):
    run("mount", "lighthouse", point, "--name", "box")
    ran = run("rm", "box")
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {room.place}: container box is mounted at {point}\n")
    assert names(room) == (["box"], ["lighthouse"])


def test_an_image_cannot_be_reset(run, room):
    ran = run("rm", "--image", "--reset", "lighthouse")
    assert (ran.code, ran.err.splitlines()[-1]) == (2, "oci-layers rm: error: --reset is for containers")
