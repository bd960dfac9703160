"""`diff`: what differs between images, layers and directories, as a user types it."""

import base64
import gzip
import json
import os
import subprocess
import sys

import pytest

from oci_layers import diff
from tests.cli.conftest import changed
from tests.support import docker
from tests.support.layers import MTIME, Built, d, f, fifo, ln, opq, sym, tar, wh
from tests.support.layers import image as make_image
from tests.support.trees import merged
from tests.support.uppers import write_upper

TIME = MTIME - MTIME % 10**9
LOWER = tar(
    d("bin/", mtime_ns=TIME),
    f("bin/sh", "#!", mode=0o755, mtime_ns=TIME),
    d("etc/", mtime_ns=TIME),
    f("etc/motd", "The lamp is dark.\n", mtime_ns=TIME),
    f("etc/old", "x" * 1500, mtime_ns=TIME),
    sym("sbin", "bin", mtime_ns=TIME),
)
UPPER = tar(
    f("bin/sh", "#!", mode=0o4755, uid=1, gid=2, mtime_ns=TIME, xattrs={b"user.k": b"v"}),
    ln("bin/ash", "bin/sh", mtime_ns=TIME),
    f("etc/motd", "The lamp is lit.\nKeep off.", mtime_ns=TIME + 10**9),
    wh("etc/old"),
    sym("sbin", "usr/bin", mtime_ns=TIME),
    fifo("pipe", mtime_ns=TIME),
    f("e\x1b[31m\n", "x", mtime_ns=TIME),
    d("new/", mtime_ns=TIME),
)
LINES = [
    "A         -  /bin/ash  (hard link to /bin/sh)",
    "C         -  /bin/sh  (mode 0755 -> 4755, owner 0:0 -> 1:2, xattrs +user.k)",
    "A      +1 B  /e\\x1b[31m\\x0a",
    "C      +8 B  /etc/motd  (content 18 B -> 26 B, mtime)",
    "D   -1.5 kB  /etc/old",
    "A         -  /new/",
    "A         -  /pipe  (fifo)",
    "C         -  /sbin -> usr/bin  (was -> bin)",
    "4 added, 3 changed, 1 removed: -1.5 kB",
]


@pytest.fixture
def two(tmp_path):
    """An image of two layers."""
    return make_image(tmp_path / "two", LOWER, UPPER)


@pytest.fixture
def one(tmp_path):
    """An image of the lower layer alone."""
    return make_image(tmp_path / "one", LOWER)


def test_two_images(run, one, two):
    ran = run("diff", one, two)
    assert (ran.code, ran.out.splitlines(), ran.err) == (1, LINES, "")
    ran = run("diff", one, one)
    assert (ran.code, ran.out, ran.err) == (0, "no differences\n", "")
    ran = run("diff", two, one)
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "1 added, 3 changed, 4 removed: +1.5 kB")


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["--layer", "1"], LINES),
        (["--layers", "1.."], LINES),
        (["--layers", "1..2"], LINES),
        (["--layers", "2.."], ["no differences"]),
        (["--layers", "0..1", "--path", "bin"], ["A         -  /bin/", "A      +2 B  /bin/sh", "2 added: +2 B"]),
    ],
)
def test_an_image_after_some_of_its_layers(run, two, arguments, lines):
    ran = run("diff", two, *arguments)
    assert (ran.code, ran.out.splitlines(), ran.err) == (int(lines != ["no differences"]), lines, "")


def test_some_layers_of_two_images(run, one, two):
    assert run("diff", one, two, "--layers", "..1").code == 0
    assert run("diff", two, one, "--layers", "1..").code == 0


def test_an_image_and_a_directory(run, one, tmp_path):
    directory = tmp_path / "root"
    assert run("unpack", "--no-same-owner", one, directory).code == 0
    who = ["--ignore", "owner"]
    assert run("diff", one, directory, *who).code == 0
    (directory / "etc" / "motd").chmod(0o600)
    ran = run("diff", one, directory, *who)
    assert (ran.code, ran.out.splitlines()[0]) == (1, "C         -  /etc/motd  (mode 0644 -> 0600)")
    ran = run("diff", one, directory, "--ignore", "owner,mode")
    assert (ran.code, ran.out) == (0, "no differences\n")
    os.utime(directory / "etc", (5, 5))
    ran = run("diff", directory, one, "--ignore", "owner", "--ignore", "mode")
    assert ran.out.splitlines()[0] == "C         -  /etc/  (mtime 1970-01-01 00:00:05 -> 2023-11-14 22:13:20)"


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_two_layers_differ_in_what_they_remove(run, tmp_path, packed):
    lower, upper = tmp_path / "a.tar", tmp_path / "b"
    lower.write_bytes(packed(tar(d("d/"), wh("d/x"), d("e/"))))
    upper.write_bytes(packed(tar(d("d/"), f("d/x", "x"), d("e/"), opq("e"))))
    ran = run("diff", lower, upper)
    assert (ran.code, ran.out.splitlines()) == (
        1,
        [
            "C      +1 B  /d/x  (whiteout -> file)",
            "C         -  /e/  (+opaque)",
            "2 changed: +1 B",
        ],
    )
    ran = run("diff", lower, lower)
    assert (ran.code, ran.out) == (0, "no differences\n")


def test_a_layer_and_an_image_and_a_layer_on_stdin(run, one, tmp_path):
    layer = tmp_path / "layer.tar.gz"
    layer.write_bytes(gzip.compress(LOWER))
    assert run("diff", layer, one, "--compare", "always").code == 0
    command = [sys.executable, "-m", "oci_layers", "diff", "-", one]
    ran = subprocess.run(command, input=gzip.compress(LOWER), capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"no differences\n", b"")


def test_an_archive_is_an_image_whatever_its_name(run, one, tmp_path):
    archive = tmp_path / "layer.tar"
    docker.archive(archive, docker.classic(LOWER))
    assert run("diff", archive, one).code == 0


def test_contents_as_unified_diffs_of_text(run, one, two):
    ran = run("diff", one, two, "--content", "--path", "etc/motd")
    assert ran.out.splitlines() == [
        "C      +8 B  /etc/motd  (content 18 B -> 26 B, mtime)",
        "    @@ -1 +1,2 @@",
        "    -The lamp is dark.",
        "    +The lamp is lit.",
        "    +Keep off.",
        "    \\ No newline at end of file",
        "1 changed: +8 B",
    ]


@pytest.mark.parametrize("data", [b"\0", b"\xe9", b"x" * (1 << 17) + b"x"])
def test_what_is_no_short_text_has_no_unified_diff(run, tmp_path, data):
    a, b = (make_image(tmp_path / name, tar(f("x", each))) for name, each in (("a", b"short\n"), ("b", data)))
    assert len(run("diff", a, b, "--content", "--compare", "always").out.splitlines()) == 2


def test_lines_cannot_write_to_the_terminal(run, tmp_path):
    a, b = (make_image(tmp_path / name, tar(f("x", each))) for name, each in (("a", ""), ("b", "\x1b[2J\n")))
    assert run("diff", a, b, "--content").out.splitlines()[2] == "    +\\x1b[2J"


def test_json_has_stable_keys(run, one, two):
    ran = run("diff", one, two, "--format", "json", "--path", "etc", "--path", "/sbin", "--content")
    common = {"mode": "0644", "uid": 0, "gid": 0}
    old = {"type": "file", **common, "mtime_ns": TIME, "layer": 0, "size": 18, "nlink": 1}
    changes = [
        {
            "path": "/etc/motd",
            "change": "changed",
            "what": ["content", "mtime"],
            "bytes": 8,
            "old": old,
            "new": old | {"mtime_ns": TIME + 10**9, "layer": 1, "size": 26},
            "diff": [
                "@@ -1 +1,2 @@",
                "-The lamp is dark.",
                "+The lamp is lit.",
                "+Keep off.",
                "\\ No newline at end of file",
            ],
        },
        {
            "path": "/etc/old",
            "change": "removed",
            "what": [],
            "bytes": -1500,
            "old": old | {"size": 1500},
            "new": None,
            "diff": ["@@ -1 +0,0 @@", "-" + "x" * 1500, "\\ No newline at end of file"],
        },
        {
            "path": "/sbin",
            "change": "changed",
            "what": ["target"],
            "bytes": 0,
            "old": {**old, "type": "symlink", "mode": "0777", "target": "bin"},
            "new": {**old, "type": "symlink", "mode": "0777", "target": "usr/bin", "layer": 1},
            "diff": [],
        },
    ]
    for each in changes[2]["old"], changes[2]["new"]:
        del each["size"]
    assert json.loads(ran.out) == {
        "a": one,
        "b": two,
        "changes": changes,
        "totals": {"added": 0, "changed": 2, "removed": 1, "bytes": -1492},
    }


def test_json_lines_have_one_change_each_and_no_layer_where_there_is_none(run, tmp_path):
    a, b = tmp_path / "a.tar", tmp_path / "b.tar"
    a.write_bytes(tar())
    b.write_bytes(tar(d("./", mtime_ns=0), f("bad\udce9", "x")))
    (row,) = map(json.loads, run("diff", a, b, "--format", "jsonl").out.splitlines())
    assert row == {
        "path": "/bad\\xe9",
        "path_base64": base64.b64encode(b"/bad\xe9").decode(),
        "change": "added",
        "what": [],
        "bytes": 1,
        "old": None,
        "new": {"type": "file", "mode": "0644", "uid": 0, "gid": 0, "mtime_ns": MTIME, "size": 1, "nlink": 1},
    }


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["{one}"], 2, "B may be left out only with --layer or --layers"),
        (["{one}", "{one}", "--layer", "0"], 2, "--layer goes without B and --layers"),
        (["{tmp}/t", "{tmp}/t", "--layers", "1.."], 2, "--layer and --layers are for images"),
        (["-", "-"], 2, "only one of A and B can be on stdin"),
        (["{one}", "--layer", "1"], 2, "number of layers '2': {one} has 1 layer"),
        (["{one}", "--layer", "-1"], 2, "layer '-1': 0 is the lowest"),
        (["{one}", "--layers", "1"], 2, "range of layers '1': expected M..N, such as 2..3"),
        (["{one}", "{one}", "--ignore", "color"], 2, "attribute to ignore 'color': there are mtime, "),
        (["{one}", "{tmp}/none"], 3, "{tmp}/none: no such file or directory"),
        (["{one}", "dir:x"], 1, "unsupported transport: dir (directories of skopeo's are not read; "),
        (["{one}", "{tmp}/f"], 1, "{tmp}/f: not a valid tar archive at byte 148: the checksum of the header is wrong"),
        (["{one}", "{tmp}/empty"], 1, "it is empty"),
    ],
)
def test_errors_are_one_line(run, one, tmp_path, arguments, code, line):
    (tmp_path / "f").write_bytes(b"no tar" * 200)
    (tmp_path / "t").write_bytes(LOWER)
    (tmp_path / "empty").touch()
    places = {"one": one, "tmp": str(tmp_path)}
    ran = run("diff", *(each.format(**places) for each in arguments))
    assert (ran.code, ran.out) == (code, "")
    assert line.format(**places) in ran.err.splitlines()[-1]


def test_progress_is_on_stderr(run, one, two):
    ran = run("diff", one, two, "--progress", "plain")
    assert ran.out.splitlines() == LINES
    assert ran.err.splitlines()[-1].startswith("layer 2 of 2: ")


def test_a_layer_that_both_images_have_is_read_once(run, one, two):
    built = Built.of(two, LOWER, UPPER)
    (base,) = [each["descriptor"]["digest"] for each in built.layers[:1]]
    os.unlink(os.path.join(two, "blobs", *base.split(":")))
    assert run("diff", one, two).out.splitlines() == LINES


@pytest.mark.root
def test_of_an_upper_directory_what_it_changes_is_shown(run, one, two, tmp_path):
    write_upper(tmp_path / "up", diff(merged(LOWER), merged(LOWER, UPPER)))
    ran = run("diff", one, tmp_path / "up", "--overlay-upper")
    assert (ran.code, ran.out.splitlines()) == (1, LINES)


def test_an_upper_directory_is_a_directory(run, one, two):
    assert "--overlay-upper expects a directory" in run("diff", one, two, "--overlay-upper").err
    assert "--userxattr goes with --overlay-upper" in run("diff", one, two, "--userxattr").err


def test_a_container_is_compared_with_its_image_or_anything_else(run, room):
    with changed(room):
        lines = run("diff", "container:box").out.splitlines()
        assert [line.split()[0] + line.split()[-1] for line in lines if "/etc/" in line and "mtime" not in line] == [
            "D/etc/motd",
            "A/etc/note",
        ]
        assert lines[-1] == "1 added, 1 changed, 1 removed: -24 B"
        assert run("diff", "tests/data/image", "container:box").out.splitlines() == lines
        assert run("diff", "container:box", "container:box").out == "no differences\n"
    ran = run(
        "diff", "container:box", "tests/data/image", "--room", room.place, "--format", "json", "--path", "etc/motd"
    )
    (value,) = json.loads(ran.out)["changes"]
    assert (ran.code, value["change"], value["path"]) == (1, "added", "/etc/motd")


def test_a_container_has_no_layers_and_may_be_unknown(run, room):
    room.create_container("lighthouse", "box")
    assert run("diff", "container:box").code == 0
    for option in (["--layer", "1"], ["--layers", "1..2"]):
        ran = run("diff", "container:box", *option)
        line = "oci-layers diff: error: --layer and --layers are for images"
        assert (ran.code, ran.err.splitlines()[-1]) == (2, line)
    ran = run("diff", "container:none")
    assert (ran.code, ran.err) == (3, f"oci-layers: error: {room.place}: it has no container none\n")
