"""`umount`: what `mount` mounted is unmounted."""

import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.root


def test_a_mount_is_gone_and_the_room_knows(run, room, point):
    run("mount", "lighthouse", point)
    assert [each.path for each in room.mounts()] == [str(point)]
    ran = run("umount", point)
    assert (ran.code, ran.out, ran.err) == (0, f"{point}  unmounted\n", "")
    assert not os.path.ismount(point)
    assert room.mounts() == []


def test_json_says_what_it_was(run, room, point):
    run("mount", "lighthouse", point, "--name", "box")
    ran = run("umount", os.path.relpath(point), "--format", "json")
    chain_id = str(room.image("lighthouse").chain_id)
    assert json.loads(ran.out) == {
        "room": room.place,
        "path": str(point),
        "chain_id": chain_id,
        "container": "box",
    }


def test_an_open_file_does_not_keep_the_directory(run, room, point):
    run("mount", "lighthouse", point)
    with open(point / "etc" / "motd") as file:
        assert run("umount", point).code == 0
        assert not os.path.ismount(point)
        assert file.read() == "The lamp is lit. Keep two miles off.\n"


def test_what_the_room_did_not_mount_is_left(run, room, point):
    line = f"oci-layers: error: {point}: nothing of {room.place} is mounted there\n"
    assert (run("umount", point).code, run("umount", point).err) == (3, line)
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    assert (run("umount", point).code, run("umount", point).err) == (3, line)
    assert os.path.ismount(point)
