"""`unpack`: the merged file system at DEST, and DEST as it was when anything goes wrong."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from oci_layers import open_image, scan
from oci_layers.cli.main import main
from oci_layers.image.subset import select_paths
from tests.support.layers import Built, d, digest, f, tar, wh
from tests.support.layers import image as make_image
from tests.support.listing import listing
from tests.support.process import as_user, shared_directory
from tests.support.scripts import unmeasured


def test_unpack_makes_the_tree_and_says_so(run, image, tmp_path):
    ran = run("unpack", image, tmp_path / "out")
    assert (ran.code, ran.out) == (0, "2 layers, 7 files, 12 B, every digest verified\n")
    assert ran.err == "oci-layers: warnings: 1 duplicate, 1 nothing-hidden (--format json lists them)\n"
    with open_image(image) as opened:
        assert scan(tmp_path / "out") == opened.tree()


def test_the_report_as_json_has_stable_keys(run, image, built, tmp_path):
    ran = run("unpack", image, tmp_path / "out", "--format", "json")
    value = json.loads(ran.out)
    for layer in value["layers"]:
        assert layer.pop("seconds") >= 0
    assert list(value) == ["image", "digest", "entries", "files", "bytes", "layers", "skipped", "findings", "leftovers"]
    assert value == {
        "image": image,
        "digest": built.index["manifests"][0]["digest"],
        "entries": 18,
        "files": 7,
        "bytes": 12,
        "layers": [
            {"layer": number, "digest": layer["descriptor"]["digest"], "diff_id": digest(layer["plain"])}
            for number, layer in enumerate(built.layers)
        ],
        "skipped": {"totals": {}, "items": []},
        "findings": {
            "totals": {"duplicate": 1, "nothing-hidden": 1},
            "items": [
                {"rule": "duplicate", "severity": "error", "path": "/etc/new", "layer": 1, "message": ""},
                {"rule": "nothing-hidden", "severity": "warning", "path": "/nothing", "layer": 1, "message": ""},
            ],
        },
        "leftovers": [],
    }


def test_a_part_is_asked_for_path_by_path(run, image, tmp_path):
    ran = run("unpack", image, tmp_path / "out", "--path", "/etc", "--path", "sbin/sh")
    assert (ran.code, ran.out) == (0, "2 paths, 3 files, 9 B, every digest verified\n")
    assert ran.err == "oci-layers: warnings: 1 duplicate, 1 nothing-hidden (--format json lists them)\n"
    with open_image(image) as opened:
        assert scan(tmp_path / "out") == select_paths(opened.tree(), [b"etc", b"bin/sh"])
    ran = run("unpack", image, tmp_path / "other", "--path", "etc/passwd")
    assert (ran.code, ran.err) == (3, "oci-layers: error: etc/passwd: no such file or directory\n")
    assert not (tmp_path / "other").exists()


@pytest.mark.root
@pytest.mark.parametrize(
    ("arguments", "owners"),
    [
        ([], {"": (0, 0), "bin": (0, 0), "bin/sh": (1, 2)}),
        (["--owner", "5"], {"": (5, 5), "bin": (5, 5), "bin/sh": (5, 5)}),
        (["--owner", "5:6"], {"": (5, 6), "bin": (5, 6), "bin/sh": (5, 6)}),
        (["--no-same-owner"], {"": (0, 0), "bin": (0, 0), "bin/sh": (0, 0)}),
        (
            ["--uid-map", "0:1000:1", "--uid-map", "1:2000", "--gid-map", "0:3000:10"],
            {"": (1000, 3000), "bin": (1000, 3000), "bin/sh": (2000, 3002)},
        ),
    ],
)
def test_owners_are_those_of_the_image_unless_told_otherwise(run, image, tmp_path, arguments, owners):
    assert run("unpack", image, tmp_path / "out", *arguments).code == 0
    rows = listing(tmp_path / "out")
    assert {path: rows[path.encode()]["owner"] for path in owners} == owners


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--owner", "root"], "oci-layers: error: owner 'root': expected UID[:GID], numbers"),
        (["--owner", "1:2:3"], "oci-layers: error: owner '1:2:3': expected UID[:GID], numbers"),
        (["--uid-map", "1"], "oci-layers: error: id map '1': expected CONTAINER:HOST[:SIZE], three numbers"),
        (
            ["--owner", "1", "--no-same-owner"],
            "oci-layers unpack: error: --owner, --no-same-owner and the maps exclude each other",
        ),
        (
            ["--owner", "1", "--gid-map", "0:0:1"],
            "oci-layers unpack: error: --owner, --no-same-owner and the maps exclude each other",
        ),
        (["--progress", "loud"], None),
        (["--policy", "none"], None),
    ],
)
def test_options_that_make_no_sense_are_a_usage_error_before_anything_is_read(run, tmp_path, arguments, line):
    ran = run("unpack", "oci:/none", tmp_path / "out", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert line in {None, ran.err.splitlines()[-1]}


@pytest.mark.root
def test_a_map_that_does_not_have_an_owner_fails_and_undoes(run, image, tmp_path):
    ran = run("unpack", image, tmp_path / "out", "--uid-map", "0:1000:1")
    assert ran.code in {1, 2}
    assert ran.err.endswith("uid '1': the image uses it and the uid map does not have it\n")
    assert sorted(os.listdir(tmp_path)) == ["image"]


def test_a_dest_that_is_not_empty_is_refused(run, image, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    before = listing(tmp_path / "out")
    for arguments in ([], ["--in-place"]):
        ran = run("unpack", image, tmp_path / "out", *arguments)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"oci-layers: error: {tmp_path}/out: the directory is not empty\n"
    assert listing(tmp_path / "out") == before


def test_in_place_builds_inside_dest(run, image, tmp_path):
    (tmp_path / "out").mkdir()
    inode = os.stat(tmp_path / "out").st_ino
    assert run("unpack", image, tmp_path / "out", "--in-place", "--sync").code == 0
    assert os.stat(tmp_path / "out").st_ino == inode
    with open_image(image) as opened:
        assert scan(tmp_path / "out") == opened.tree()


def test_what_cannot_be_set_is_one_line_and_exit_4_if_all_must_be(run, tmp_path):
    directory = make_image(tmp_path / "image", tar(f("a", xattrs={b"no-such-namespace.x": b"y"})))
    ran = run("unpack", directory, tmp_path / "out")
    assert (ran.code, ran.err) == (0, "oci-layers: not set: 1 xattr (--format json lists them)\n")
    ran = run("unpack", directory, tmp_path / "strict", "--strict-metadata")
    assert (ran.code, ran.err) == (4, "oci-layers: error: not permitted to set all metadata: 1 xattr\n")
    assert sorted(os.listdir(tmp_path)) == ["image", "out"]


@pytest.mark.parametrize("in_place", [[], ["--in-place"]])
def test_a_damaged_layer_is_exit_5_and_dest_is_as_it_was(run, built, tmp_path, in_place):
    (tmp_path / "out").mkdir(mode=0o700)
    before = listing(tmp_path / "out")
    blob = built.layers[1]["blob"]
    built.layers[1]["blob"] = blob[:-1] + bytes([blob[-1] ^ 1])
    descriptor = built.layers[1]["descriptor"]
    ran = run("unpack", built.write(), tmp_path / "out", *in_place)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == (
        f"oci-layers: error: layer 1 ({descriptor['digest']}): digest is {digest(built.layers[1]['blob'])}\n"
    )
    assert listing(tmp_path / "out") == before


def test_a_missing_layer_is_exit_3(run, built, tmp_path):
    directory = built.write()
    missing = built.layers[1]["descriptor"]["digest"]
    (tmp_path / "image" / "blobs" / missing.replace(":", "/")).unlink()
    ran = run("unpack", directory, tmp_path / "out")
    assert (ran.code, ran.err) == (
        3,
        f"oci-layers: error: layer 1 ({missing}): blob {missing} is missing\n",
    )


@pytest.mark.root
@pytest.mark.parametrize(
    ("dest", "line"),
    [
        ("locked/out", "its parent directory cannot be written (Permission denied)"),
        ("hidden/out", "Permission denied"),
    ],
)
def test_a_place_that_the_user_may_not_write_is_exit_4(dest, line):
    with shared_directory() as place:
        directory = make_image(place / "image", tar(f("a")))
        (place / "locked").mkdir(mode=0o755)
        (place / "hidden").mkdir(mode=0o700)

        def unpack():
            printed = io.StringIO()
            with contextlib.redirect_stderr(printed):
                return main(["unpack", directory, f"{place}/{dest}"]), printed.getvalue()

        code, printed = as_user(unpack)
    assert code == 4
    assert re.fullmatch(f"oci-layers: error: [^\n]*out: {re.escape(line)}\n", printed)


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and /proc")
@pytest.mark.parametrize("in_place", [[], ["--in-place"]])
def test_ctrl_c_is_exit_130_and_dest_is_as_it_was(tmp_path, in_place):
    layers = [tar(*(d(f"d{n}/") for n in range(500)), *(f(f"d{n}/{k}", "x") for n in range(500) for k in range(60)))]
    directory = Built.of(tmp_path / "image", *layers, compression="").write()
    out = tmp_path / "out"
    out.mkdir(mode=0o750)
    before = listing(out)
    command = [sys.executable, "-m", "oci_layers", "unpack", directory, str(out), "--progress", "none", *in_place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=unmeasured())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        building = [out] if in_place else list(tmp_path.glob(".out.oci-layers-*"))
        if building and any(building[0].glob("d*")):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    printed = process.communicate(timeout=60)
    assert (process.returncode, *printed) == (130, b"", b"")
    assert listing(out) == before
    assert sorted(os.listdir(tmp_path)) == ["image", "out"]


def test_what_a_killed_run_left_is_named_and_stays(run, image, tmp_path):
    left = tmp_path / ".out\x1b.oci-layers-0123abcd"
    (left / "etc").mkdir(parents=True)
    line = f"oci-layers: left by an interrupted run: {tmp_path}/.out\\x1b.oci-layers-0123abcd; remove it with rm -r\n"
    ran = run("unpack", image, tmp_path / "out\x1b")
    assert ran.code == 0
    assert ran.err.endswith(line)
    ran = run("unpack", image, tmp_path / "out\x1b/..", "--in-place")
    assert (ran.code, left.is_dir()) == (1, True)
    (tmp_path / "out\x1b").rename(tmp_path / "other")
    ran = run("unpack", image, tmp_path / "out\x1b", "--format", "json")
    assert json.loads(ran.out)["leftovers"] == [{"path": str(left)}]


@pytest.mark.parametrize("threads", ["1", "2", "3", "4"])
def test_the_number_of_threads_changes_nothing(run, tmp_path, threads):
    directory = make_image(tmp_path / "image", tar(f("a", "1"), f("b", "2")), tar(wh("a")))
    ran = run("unpack", directory, tmp_path / "out", "--threads", threads)
    assert (ran.code, ran.out) == (0, "2 layers, 1 file, 1 B, every digest verified\n")


@pytest.mark.parametrize("threads", ["0", "5", "-1", "two", ""])
def test_another_number_of_threads_is_a_usage_error(run, tmp_path, threads):
    ran = run("unpack", "image", tmp_path / "out", f"--threads={threads}")
    assert ran.code == 2
    assert f"{threads!r} is not a number from 1 to 4" in ran.err
