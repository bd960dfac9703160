"""`containers`: what a room has, what it takes, and where it is mounted or open."""

import json
import os
import time

import pytest

from tests.cli.conftest import changed

HEAD = ["NAME", "IMAGE", "MANIFEST", "CREATED", "SIZE", "USE"]


def rows(ran):
    assert (ran.code, ran.err) == (0, "")
    return [line.split() for line in ran.out.splitlines()]


def test_there_is_none_at_first(run, room):
    assert rows(run("containers")) == [HEAD]
    assert run("containers", "--format", "json").out == "[]\n"
    assert run("containers", "--format", "jsonl").out == ""


@pytest.mark.root
def test_they_are_listed_with_their_use(run, room, point):
    with changed(room, "one"):
        pass
    room.create_container("lighthouse", "two")
    run("mount", "lighthouse", point, "--name", "three")
    with room.open_container("two"):
        found = rows(run("containers"))
        values = json.loads(run("containers", "--format", "json").out)
    digest = str(room.image("lighthouse").manifest)
    assert found[0] == HEAD
    assert [each[:3] for each in found[1:]] == [[name, "lighthouse", digest[:19]] for name in ("one", "three", "two")]
    assert [each[6:] for each in found[1:]] == [["-"], ["at", str(point)], ["open"]]
    assert [(each["name"], each["path"], each["in_use"]) for each in values] == [
        ("one", None, False),
        ("three", str(point), False),
        ("two", None, True),
    ]
    assert values[0]["size"] > values[2]["size"] >= 0


def test_json_has_every_field_and_jsonl_a_line_each(run, room):
    record = room.create_container("lighthouse", "box")
    (value,) = json.loads(run("containers", "--format", "json").out)
    size = value.pop("size")
    assert size == os.stat(f"{room.place}/containers/box/fs").st_blocks * 512
    assert value == {
        "name": "box",
        "image": "lighthouse",
        "digest": str(record.manifest),
        "chain_id": str(record.chain_id),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created_ns // 10**9)),
        "path": None,
        "in_use": False,
        "presenter": None,
    }
    assert json.loads(run("containers", "--format", "jsonl").out) == value | {"size": size}


def test_without_a_room_it_is_exit_3_and_with_none_exit_1(run, room_place, tmp_path):
    ran = run("containers")
    hint = "`oci-layers snapshot` makes one, --room names another"
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {room_place}: no such room; {hint}\n")
    ran = run("containers", "--room", tmp_path)
    assert (ran.code, ran.err) == (
        1,
        f"oci-layers: error: {tmp_path}: not a room: there is no file oci-layers-room\n",
    )
    assert os.listdir(tmp_path) == []
