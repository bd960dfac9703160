"""`du`, `gc` and `fsck` of a room of unpacked layers."""

import json
import os

import pytest

from oci_layers import snapshot
from oci_layers.cli.output import human_bytes
from tests.cli.conftest import changed


def test_du_lists_images_and_containers(run, room):
    with changed(room):
        pass
    usage = snapshot.du(room)
    size, box = human_bytes(usage.images[0].size), human_bytes(usage.containers[0].size)
    ran = run("du", room.place)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["IMAGE", "SIZE", "ALONE", "SHARED"],
        ["lighthouse", *size.split(), *size.split(), "0", "B"],
        [],
        ["CONTAINER", "SIZE", "IMAGE"],
        ["box", *box.split(), "lighthouse"],
        [],
        ["on", "disk", *human_bytes(usage.total).split(), "5", "layers"],
    ]


def test_du_in_json(run, room):
    usage = snapshot.du(room)
    size = usage.images[0].size
    assert json.loads(run("du", room.place, "--format", "json").out) == {
        "room": room.place,
        "images": [{"name": "lighthouse", "size": size, "alone": size, "shared": 0}],
        "containers": [],
        "layers": 5,
        "total": usage.total,
    }


def test_gc_deletes_what_nothing_needs_after_the_grace_period(run, room):
    chain = [str(layer.chain_id) for layer in room.stack("lighthouse")]
    assert run("gc", room.place, "--grace", "0").out == "deleted 0 layers, 0 B; kept 5 layers\n"
    room.remove_image("lighthouse")
    assert run("gc", room.place).out == "deleted 0 layers, 0 B; kept 5 layers\n"
    ran = run("gc", room.place, "--grace", "0", "--dry-run", "--format", "json")
    value = {"room": room.place, "dry_run": True, "layers": chain, "leftovers": [], "bytes": 321, "kept": 0}
    assert json.loads(ran.out) == value
    ran = run("gc", room.place, "--grace", "0", "--dry-run")
    assert ran.out == "would delete 5 layers, 321 B; kept 0 layers\n"
    ran = run("gc", room.place, "--grace", "0", "--all")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "".join(f"delete  {each}\n" for each in chain) + "deleted 5 layers, 321 B; kept 0 layers\n"
    assert run("gc", room.place, "--grace", "0").out == "deleted 0 layers, 0 B; kept 0 layers\n"


def test_gc_deletes_what_killed_writers_left(run, room):
    left = f"{room.place}/tmp/left"
    os.mkdir(left)
    os.utime(left, (0, 0))
    assert run("gc", room.place, "--all").out == (
        "delete  tmp/left\ndeleted 0 layers and 1 leftover of killed writers, 0 B; kept 5 layers\n"
    )
    assert os.listdir(f"{room.place}/tmp") == []


def test_fsck_of_a_good_room(run, room):
    ran = run("fsck", room.place, "--progress", "plain")
    assert (ran.code, ran.out) == (0, "5 layers compared: ok\n")
    assert ran.err.splitlines()[-1] == "comparing: 5 of 5 layers done"
    value = json.loads(run("fsck", room.place, "--format", "json").out)
    assert value == {"room": room.place, "findings": [], "layers": 5, "leftovers": 0, "ok": True}


def test_fsck_says_5_where_bytes_are_others(run, room):
    layer = room.stack("lighthouse")[-2]
    file = f"{layer.path}/etc/motd"
    found = os.stat(file)
    with open(file, "r+") as opened:
        opened.write("DARK")
    os.utime(file, ns=(0, found.st_mtime_ns))
    ran = run("fsck", room.place)
    assert (ran.code, ran.err) == (5, "")
    line = f"corrupt  layer {layer.chain_id}: /etc/motd: its bytes are not those of the layer"
    assert ran.out.splitlines() == [line, "5 layers compared: 1 error"]
    (finding,) = json.loads(run("fsck", room.place, "--format", "json").out)["findings"]
    assert finding == {
        "kind": "corrupt",
        "chain_id": str(layer.chain_id),
        "path": "/etc/motd",
        "message": "its bytes are not those of the layer",
    }


def test_fsck_says_1_where_something_is_missing(run, room):
    os.unlink(f"{room.place}/oci-layers-room")
    assert run("fsck", room.place).code != 0
    with open(f"{room.place}/oci-layers-room", "w") as file:
        file.write('{"version": 1}\n')
    layer = room.stack("lighthouse")[-2]
    os.unlink(f"{layer.path}/etc/motd")
    os.mkdir(f"{room.place}/tmp/left")
    ran = run("fsck", room.place)
    assert ran.code == 1
    assert f"missing  layer {layer.chain_id}: /etc/motd: not there" in ran.out.splitlines()
    assert ran.err == "oci-layers: 1 leftover in tmp/ and trash/; gc deletes what killed writers left\n"


def test_a_record_that_cannot_be_read_has_no_path(run, room):
    (name,) = os.listdir(f"{room.place}/images")
    with open(f"{room.place}/images/{name}", "w") as file:
        file.write("x")
    ran = run("fsck", room.place, "--format", "json")
    (finding,) = json.loads(ran.out)["findings"]
    assert (ran.code, finding["kind"], finding["chain_id"], finding["path"]) == (1, "damaged", None, None)
    ran = run("gc", room.place, "--grace", "0")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        (["du"], ["--ref", "x"]),
        (["du"], ["--bars"]),
        (["gc"], ["--explain", "0" * 12]),
        (["gc"], ["--allow-missing"]),
        (["fsck"], ["--repair", "x"]),
        (["fsck"], ["--quarantine"]),
        (["fsck"], ["--threads", "1"]),
    ],
)
def test_options_for_layouts_are_refused(run, room, verb, option):
    ran = run(*verb, room.place, *option)
    assert (ran.code, ran.out) == (2, "")
    line = f"oci-layers {verb[0]}: error: {option[0]} is for layouts, and {room.place} is a room"
    assert ran.err.splitlines()[-1] == line
