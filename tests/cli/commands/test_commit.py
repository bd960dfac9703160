"""`commit`: what a container changed is a layer on its image."""

import json

import pytest

from oci_layers import Snapshots, open_image
from tests.cli.conftest import LIGHTHOUSE, changed


@pytest.fixture
def box(run, room_place):
    """The name of a container over the image where it is, in which files were changed."""
    run("snapshot", LIGHTHOUSE)
    with (
        Snapshots(room_place, sync=False) as room,
        room.container(LIGHTHOUSE, name="box") as made,
        open(f"{made.path}/etc/note", "w") as file,
    ):
        file.write("gone fishing\n")
    return "box"


def test_the_changes_are_one_layer_on_the_shared_ones(run, box, tmp_path):
    ran = run("commit", box, f"oci:{tmp_path}/out:2", "--comment", "tea", "--created", "0")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[2] for line in lines[1:-1]] == ["shared"] * 5 + ["new"]
    assert lines[-2].endswith("commit box")
    with open_image(f"oci:{tmp_path}/out:2") as image, open_image(LIGHTHOUSE) as base:
        assert [each.descriptor for each in image.layers[:5]] == [each.descriptor for each in base.layers]
        names = [entry.name for entry in image.layers[5].entries() if entry.name != b"./"]
        assert names == [b"etc/", b"etc/note"]
        assert (image.root / "etc" / "note").read_text() == "gone fishing\n"
        assert (image.layers[5].history.created_by, image.layers[5].history.comment) == ("commit box", "tea")


def test_what_was_removed_is_a_whiteout(run, room, tmp_path):
    with changed(room):
        pass
    ran = run("commit", "box", f"{tmp_path}/out.tar", "--base", LIGHTHOUSE, "--created-by", "me", "--format", "json")
    value = json.loads(ran.out)
    assert (ran.code, value["target"], value["layers"][5]["created_by"]) == (0, f"{tmp_path}/out.tar", "me")
    with open_image(f"{tmp_path}/out.tar") as image:
        names = [entry.name for entry in image.layers[5].entries() if entry.name != b"./"]
        assert names == [b"etc/", b"etc/.wh.motd", b"etc/note"]


@pytest.mark.root
def test_a_container_may_be_mounted_meanwhile(run, room, point, tmp_path):
    run("mount", LIGHTHOUSE, point, "--name", "box")
    (point / "new").write_text("new")
    assert run("commit", "box", f"oci:{tmp_path}/out").code == 0
    with open_image(f"oci:{tmp_path}/out") as image:
        assert (image.root / "new").read_text() == "new"


def test_a_base_that_is_not_found_is_to_be_named(run, room, tmp_path):
    room.create_container("lighthouse", "box")
    ran = run("commit", "box", f"oci:{tmp_path}/out")
    line = (
        "the image of container box, to be named with --base, cannot be opened: lighthouse: no such file or directory"
    )
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {line}\n")
    assert not (tmp_path / "out").exists()


def test_another_base_is_refused(run, room, image, tmp_path):
    record = room.create_container("lighthouse", "box")
    with open_image(image) as other:
        actual = other.descriptor.digest
    ran = run("commit", "box", f"oci:{tmp_path}/out", "--base", image)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (f"oci-layers: error: {image}: is {actual}, container box is over {record.manifest} (--base)\n")
    assert not (tmp_path / "out").exists()


def test_an_unknown_container_is_exit_3(run, room, tmp_path):
    ran = run("commit", "none", f"oci:{tmp_path}/out")
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {room.place}: it has no container none\n")
