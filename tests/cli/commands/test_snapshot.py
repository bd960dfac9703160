"""`snapshot`: the layers of an image are unpacked once."""

import json

from oci_layers import Snapshots, open_image, snapshot
from tests.cli.conftest import LIGHTHOUSE
from tests.support.layers import digest


def chain_ids():
    with open_image(LIGHTHOUSE) as image:
        return image.descriptor.digest, [str(layer.chain_id) for layer in image.layers]


def test_layers_are_unpacked_and_then_there(run, room_place):
    manifest, chain = chain_ids()
    ran = run("snapshot", LIGHTHOUSE)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"{LIGHTHOUSE}  {manifest}",
        f"layer 0  unpacked  254 B  11 files  {chain[0][:19]}",
        f"layer 1  unpacked   37 B    1 file  {chain[1][:19]}",
        f"layer 2  unpacked    0 B   0 files  {chain[2][:19]}",
        f"layer 3  unpacked   11 B    1 file  {chain[3][:19]}",
        f"layer 4  unpacked   19 B    1 file  {chain[4][:19]}",
        "5 layers unpacked, 321 B",
    ]
    again = run("snapshot", LIGHTHOUSE, "--as", "lighthouse")
    assert (again.code, again.err) == (0, "")
    lines = again.out.splitlines()
    assert lines[0] == f"lighthouse  {manifest}"
    assert lines[1] == f"layer 0  there  254 B  11 files  {chain[0][:19]}"
    assert lines[-1] == "0 layers unpacked, 0 B; 5 layers there already, 321 B"
    with Snapshots(room_place) as room:
        assert [each.name for each in room.images()] == [LIGHTHOUSE, "lighthouse"]


def test_json_has_every_layer(run, tmp_path):
    manifest, chain = chain_ids()
    ran = run("snapshot", LIGHTHOUSE, "--room", tmp_path / "other", "--as", "x", "--format", "json")
    assert (ran.code, ran.err) == (0, "")
    value = json.loads(ran.out)
    layers = value.pop("layers")
    assert value == {
        "room": str(tmp_path / "other"),
        "image": "x",
        "digest": str(manifest),
        "chain_id": chain[-1],
        "unpacked": 5,
        "saved": 0,
        "skipped": {"totals": {}, "items": []},
        "findings": {"totals": {}, "items": []},
    }
    with open_image(LIGHTHOUSE) as image:
        diff_ids = [str(layer.diff_id) for layer in image.layers]
    assert layers[0] == {
        "layer": 0,
        "unpacked": True,
        "chain_id": chain[0],
        "diff_id": diff_ids[0],
        "files": 11,
        "bytes": 254,
    }
    assert [each["diff_id"] for each in layers] == diff_ids


def test_a_layer_of_another_image_is_there(run, room, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("a")
    assert run("append", LIGHTHOUSE, tmp_path / "files", "-o", f"oci:{tmp_path}/more:2").code == 0
    lines = run("snapshot", f"oci:{tmp_path}/more:2").out.splitlines()
    assert [line.split()[2] for line in lines[1:-1]] == ["there"] * 5 + ["unpacked"]
    assert lines[-1] == "1 layer unpacked, 1 B; 5 layers there already, 321 B"


def test_progress_is_on_stderr(run, room_place):
    ran = run("snapshot", LIGHTHOUSE, "--progress", "plain")
    assert ran.err.splitlines()[-1] == "layer 5 of 5: 1.3 kB of 1.3 kB done"


def test_a_layer_with_another_digest_is_exit_5_and_what_came_before_stays(run, room_place, built):
    built.config["rootfs"]["diff_ids"][1] = digest(b"another")
    directory = built.write()
    ran = run("snapshot", directory)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("oci-layers: error: ")
    assert ran.err.count("\n") == 1
    with Snapshots(room_place) as room:
        assert room.images() == []
        assert snapshot.fsck(room).layers == 1
        assert snapshot.fsck(room).leftovers == 0


def test_what_cannot_be_opened_is_one_line(run, room_place, tmp_path):
    ran = run("snapshot", tmp_path / "none")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path}/none: no such file or directory\n")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").touch()
    ran = run("snapshot", LIGHTHOUSE, "--room", tmp_path / "files")
    assert (ran.code, ran.err) == (1, f"oci-layers: error: {tmp_path}/files: not a room, and not empty: it has a\n")
    ran = run("snapshot", LIGHTHOUSE, "--room", tmp_path / "a" / "b")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {tmp_path}/a/b: its parent directory does not exist\n")
