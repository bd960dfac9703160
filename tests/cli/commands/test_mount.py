"""`mount`: an image at a directory, to be read or written."""

import json
import os

import pytest

from oci_layers import open_image
from tests.cli.conftest import LIGHTHOUSE

pytestmark = pytest.mark.root


def test_an_image_of_the_room_is_mounted_until_it_is_unmounted(run, room, point):
    ran = run("mount", "lighthouse", point)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{point}  lighthouse  read-only  mounted\n"
    assert (point / "etc" / "motd").read_text() == "The lamp is lit. Keep two miles off.\n"
    with pytest.raises(OSError, match="Read-only"):
        (point / "x").touch()
    assert run("umount", point).code == 0
    assert os.listdir(point) == []


def test_a_name_in_the_room_has_any_form(run, room, point):
    run("snapshot", LIGHTHOUSE, "--as", "app:1")
    ran = run("mount", "app:1", point)
    assert (ran.code, ran.out) == (0, f"{point}  app:1  read-only  mounted\n")


def test_an_image_of_another_place_is_unpacked_first(run, room_place, point):
    ran = run("mount", LIGHTHOUSE, point, "--format", "json")
    with open_image(LIGHTHOUSE) as image:
        digest, chain_id = str(image.descriptor.digest), str(image.layers[-1].chain_id)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "room": str(room_place),
        "image": LIGHTHOUSE,
        "digest": digest,
        "chain_id": chain_id,
        "container": None,
        "path": str(point),
        "presenter": "mounted",
        "refused": [],
    }
    assert (point / "etc" / "motd").exists()


def test_with_a_name_it_is_written_and_kept(run, room, point):
    ran = run("mount", "lighthouse", point, "--name", "box")
    assert (ran.code, ran.out, ran.err) == (0, f"{point}  lighthouse  container box  mounted\n", "")
    (point / "etc" / "note").write_text("gone fishing")
    (point / "etc" / "motd").unlink()
    run("umount", point)
    assert run("mount", "lighthouse", point, "--name", "box").code == 0
    assert sorted(os.listdir(point / "etc")) == ["note", "os-release"]
    assert json.loads(run("umount", point, "--format", "json").out)["container"] == "box"
    assert run("mount", LIGHTHOUSE, point, "--name", "box").code == 0  # The same image by another name.


def test_a_container_that_is_mounted_or_open_is_refused(run, room, point, tmp_path):
    run("mount", "lighthouse", point, "--name", "box")
    (tmp_path / "other").mkdir()
    ran = run("mount", "lighthouse", tmp_path / "other", "--name", "box")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"oci-layers: error: {room.place}: container box is mounted at {point}\n"
    run("umount", point)
    with room.open_container("box"):
        ran = run("mount", "lighthouse", point, "--name", "box")
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {room.place}: container box is in use\n")


def test_a_container_is_of_one_image(run, room, point, tmp_path, image):
    run("snapshot", image, "--as", "other")
    room.create_container("lighthouse", "box")
    ran = run("mount", "other", point, "--name", "box")
    manifests = {each.name: each.manifest for each in room.images()}
    line = f"container box is over lighthouse ({manifests['lighthouse']}), not {manifests['other']}"
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {room.place}: {line}\n")
    assert not os.path.ismount(point)


def test_nothing_is_mounted_over_a_mount_of_the_room(run, room, point):
    run("mount", "lighthouse", point)
    for more in ([], ["--name", "box"]):
        ran = run("mount", "lighthouse", point, *more)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"oci-layers: error: {point}: {room.place} has something mounted there already\n"
    assert room.containers() == []


def test_what_stepped_down_is_a_line_each(run, room, point, monkeypatch):
    from oci_layers.snapshot import presenter

    def refuse(*_):
        raise OSError(95, "Not supported", "\x1b")

    mounted = presenter._TABLE["mounted"]
    monkeypatch.setitem(presenter._TABLE, "mounted", (True, refuse))
    monkeypatch.setitem(presenter._TABLE, "fuse", mounted)
    ran = run("mount", "lighthouse", point)
    assert (ran.code, ran.out) == (0, f"{point}  lighthouse  read-only  fuse\n")
    assert ran.err == "oci-layers: not shown by mounted: ENOTSUP: Not supported (\\x1b)\n"
    run("umount", point)
    monkeypatch.setitem(presenter._TABLE, "fuse", (True, refuse))
    ran = run("mount", "lighthouse", point)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("oci-layers: error: the layers cannot be shown as one directory: mounted: ENOTSUP")


def test_what_is_not_permitted_is_exit_4(run, room, point, monkeypatch):
    from oci_layers.snapshot import presenter

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted", "fsopen")

    for name in ("mounted", "fuse"):
        monkeypatch.setitem(presenter._TABLE, name, (True, refuse))
    monkeypatch.setattr(presenter, "_refusals", {})
    assert run("mount", "lighthouse", point).code == 4


@pytest.mark.parametrize(
    ("image", "line"),
    [
        ("none", "none: no such file or directory, and no image of ROOM"),
        ("none:1", "none:1: no image of ROOM; unsupported transport: none"),
        ("oci:none", "none: no such directory"),
    ],
)
def test_an_unknown_image_is_exit_3(run, room, point, image, line):
    ran = run("mount", image, point)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"oci-layers: error: {line.replace('ROOM', room.place)}")
    assert ran.err.count("\n") == 1


def test_a_directory_that_does_not_exist_is_exit_3(run, room, tmp_path):
    ran = run("mount", "lighthouse", tmp_path / "none")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path}/none: no such directory\n")
    (tmp_path / "file").touch()
    assert run("mount", "lighthouse", tmp_path / "file").code == 3


def test_a_name_that_no_container_has_is_exit_2(run, room, point):
    ran = run("mount", "lighthouse", point, "--name", "../x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("oci-layers: error: container name '../x': letters")


def test_an_empty_name_is_exit_2(run, room, point):
    ran = run("mount", "lighthouse", point, "--name", "")
    assert (ran.code, ran.out, room.mounts()) == (2, "", [])
    assert ran.err.endswith("error: --name is empty\n")
