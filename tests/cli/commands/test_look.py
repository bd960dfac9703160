"""`ls`, `cat` and `tree`: looking inside an image, as a user types it."""

import base64
import json

import pytest

from oci_layers.cli.output import long_line
from oci_layers.tree import File
from tests.store.test_archive import fed
from tests.support import docker
from tests.support.layers import MTIME, d, f, ln, opq, tar, wh
from tests.support.layers import image as make_image

NAMES = ["bad\\xe9", "bin", "caf\u00e9", "e\\x1b[31m\\x0a", "etc", "loop", "null", "pipe", "sbin"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], NAMES),
        (["/"], NAMES),
        (["etc"], ["new", "os-release"]),
        (["/etc/"], ["new", "os-release"]),
        (["sbin"], ["ash", "bash", "sh"]),
        (["sbin/sh"], ["sh"]),
        (["loop"], None),
        (["null"], ["null"]),
        (["-R", "etc"], ["/etc/new", "/etc/os-release"]),
        (["-R", "sbin"], ["/bin/ash", "/bin/bash", "/bin/sh"]),
        (["-R", "etc/new"], ["/etc/new"]),
    ],
)
def test_ls_lists_names_escaped(run, image, arguments, lines):
    ran = run("ls", image, *arguments)
    if lines is None:
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "oci-layers: error: loop: more than 40 links to follow, perhaps a loop\n"
    else:
        assert (ran.code, ran.out.splitlines(), ran.err) == (0, lines, "")


def test_ls_long_shows_mode_owner_size_time_and_target(run, image):
    assert run("ls", "-l", image).out.splitlines() == [
        "-rw-r--r--  1     0     0          1 2023-11-14 22:13 bad\\xe9",
        "drwxr-xr-x  2     0     0          0 2023-11-14 22:13 bin",
        "-rw-r--r--  1     0     0          1 2023-11-14 22:13 caf\u00e9",
        "-rw-r--r--  1     0     0          1 2023-11-14 22:13 e\\x1b[31m\\x0a",
        "drwxr-xr-x  2     0     0          0 2023-11-14 22:13 etc",
        "lrwxrwxrwx  1     0     0          0 2023-11-14 22:13 loop -> loop",
        "crw-rw-rw-  1     0     0        1,3 2023-11-14 22:13 null",
        "prw-r--r--  1     0     0          0 2023-11-14 22:13 pipe",
        "lrwxrwxrwx  1     0     0          0 2023-11-14 22:13 sbin -> bin",
    ]
    assert run("ls", "-lR", image, "/bin/sh").out == "-rwsr-xr-x  2     1     2          2 2023-11-14 22:13 /bin/sh\n"


def test_ls_as_json_has_stable_keys(run, image):
    common = {"uid": 0, "gid": 0, "mtime_ns": MTIME, "layer": 0}
    expected = [
        {
            "path": "/bad\\xe9",
            "path_base64": base64.b64encode(b"/bad\xe9").decode(),
            "type": "file",
            "mode": "0644",
            **common,
            "size": 1,
            "nlink": 1,
        },
        {"path": "/bin", "type": "directory", "mode": "0755", **common},
        {
            "path": "/caf\u00e9",
            "type": "file",
            "mode": "0644",
            **common,
            "size": 1,
            "xattrs": {"user.k": base64.b64encode(b"v").decode()},
            "nlink": 1,
        },
        {"path": "/e\x1b[31m\n", "type": "file", "mode": "0644", **common, "size": 1, "nlink": 1},
        {"path": "/etc", "type": "directory", "mode": "0755", **common},
        {"path": "/loop", "type": "symlink", "mode": "0777", **common, "target": "loop", "nlink": 1},
        {"path": "/null", "type": "char", "mode": "0666", **common, "device": [1, 3], "nlink": 1},
        {"path": "/pipe", "type": "fifo", "mode": "0644", **common, "nlink": 1},
        {"path": "/sbin", "type": "symlink", "mode": "0777", **common, "target": "bin", "nlink": 1},
    ]
    as_json, as_lines = run("ls", "--format", "json", image), run("ls", "--format", "jsonl", image)
    assert json.loads(as_json.out) == expected
    assert [json.loads(line) for line in as_lines.out.splitlines()] == expected
    assert [list(row) for row in json.loads(as_json.out)] == [list(row) for row in expected]
    assert "\x1b" not in as_json.out + as_lines.out


def test_ls_of_nothing_as_json_is_an_empty_list(run, tmp_path):
    directory = make_image(tmp_path)
    assert run("ls", directory, "--format", "json").out == "[]\n"
    assert run("ls", directory, "--format", "jsonl").out == ""
    assert run("ls", directory).out == ""


@pytest.mark.parametrize("verb", ["ls", "tree", "cat"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none", "no such file or directory"),
        ("etc/none", "no such file or directory"),
        ("etc/new/x", "not a directory"),
        ("sbin/none", "no such file or directory; through the link /sbin it is /bin/none"),
        ("esc\x1b[2J", "no such file or directory"),
    ],
)
def test_a_path_that_is_not_there_is_exit_3_and_one_escaped_line(run, image, verb, path, reason):
    ran = run(verb, image, path)
    shown = path.replace("\x1b", "\\x1b")
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {shown}: {reason}\n")


@pytest.mark.parametrize("verb", ["ls", "tree", "cat"])
def test_a_path_that_climbs_is_refused(run, image, verb):
    ran = run(verb, image, "../x")
    reason = "the name climbs above the root of the image"
    assert (ran.code, ran.out, ran.err) == (1, "", f"oci-layers: error: ../x: {reason}\n")


@pytest.mark.parametrize(("path", "reason"), [("etc", "is a directory"), ("pipe", "not a regular file")])
def test_cat_refuses_what_is_no_file(run, image, path, reason):
    ran = run("cat", image, path)
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {path}: {reason}\n")


def test_cat_prints_the_bytes_of_a_file(run, tmp_path):
    data = bytes(range(256)) * 5000
    directory = make_image(tmp_path, tar(f("data", data), f("empty")))
    ran = run("cat", directory, "/data")
    assert (ran.code, ran.out.encode(errors="surrogateescape"), ran.err) == (0, data, "")
    assert run("cat", directory, "empty").out == ""


def test_cat_follows_links_inside_the_root(run, image):
    assert run("cat", image, "sbin/ash").out == "#!"


def test_tree_draws_what_there_is(run, image):
    ran = run("tree", image)
    assert ran.out.splitlines() == [
        "/",
        "├── bad\\xe9",
        "├── bin",
        "│   ├── ash -> bash",
        "│   ├── bash",
        "│   └── sh",
        "├── caf\u00e9",
        "├── e\\x1b[31m\\x0a",
        "├── etc",
        "│   ├── new",
        "│   └── os-release",
        "├── loop -> loop",
        "├── null",
        "├── pipe",
        "└── sbin -> bin",
        "",
        "2 directories, 12 files",
    ]


def test_tree_of_a_part_starts_there(run, image, tmp_path):
    lines = run("tree", image, "etc").out.splitlines()
    assert lines == ["/etc", "├── new", "└── os-release", "", "0 directories, 2 files"]
    assert run("tree", image, "etc/new").out.splitlines() == ["/etc/new", "", "0 directories, 0 files"]
    directory = make_image(tmp_path / "one", tar(f("a/b")))
    assert run("tree", directory).out.splitlines() == ["/", "└── a", "    └── b", "", "1 directory, 1 file"]


def test_tree_as_json_is_that_of_ls(run, image):
    for style in ("json", "jsonl"):
        assert run("tree", image, "--format", style).out == run("ls", "-R", image, "--format", style).out


@pytest.mark.parametrize(
    ("mtime_ns", "shown"),
    [(-1, "1969-12-31 23:59"), (2**61, "2043-01-25 23:56"), (10**30, str(10**21)), (-(10**30), str(-(10**21)))],
)
def test_a_time_that_no_calendar_has_is_shown_as_seconds(mtime_ns, shown):
    assert long_line("name", File(0o644, 0, 0, mtime_ns), 1) == f"-rw-r--r--  1     0     0          0 {shown} name"


def test_hard_links_show_how_many_names_there_are_and_the_first(run, image):
    rows = [json.loads(line) for line in run("ls", image, "bin", "--format", "jsonl").out.splitlines()]
    links = {row["path"]: (row["nlink"], row.get("link_to")) for row in rows}
    assert links == {"/bin/ash": (1, None), "/bin/bash": (2, None), "/bin/sh": (2, "/bin/bash")}


def test_a_layer_alone_shows_what_it_does(run, tmp_path):
    lower = tar(d("a/"), f("a/b", "x"), f("c"))
    upper = tar(wh("a/b"), opq("a"), ln("a/l", "c"), f("a/\x1b", "yy"), f("other"))
    directory = make_image(tmp_path, lower, upper)
    assert run("ls", directory, "--layer", "1", "a").out.splitlines() == [
        "/a/b (removed)",
        "/a (emptied of what lower layers have)",
        "/a/l (hard link to /c)",
        "/a/\\x1b",
    ]
    assert run("ls", directory, "--layer", "1", "-l", "/").out.splitlines()[3:] == [
        "-rw-r--r--  1     0     0          2 2023-11-14 22:13 /a/\\x1b",
        "-rw-r--r--  1     0     0          0 2023-11-14 22:13 /other",
    ]
    rows = json.loads(run("ls", directory, "--layer", "1", "--format", "json").out)
    assert rows[:3] == [
        {"path": "/a/b", "type": "whiteout", "layer": 1},
        {"path": "/a", "type": "opaque", "layer": 1},
        {"path": "/a/l", "type": "hardlink", "link_to": "/c", "layer": 1},
    ]
    assert [(row["path"], row["type"]) for row in rows[3:]] == [("/a/\x1b", "file"), ("/other", "file")]
    lines = run("ls", directory, "--layer", "1", "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == rows
    ran = run("ls", directory, "--layer", "2")
    assert (ran.code, ran.out) == (2, "")
    assert "the layers are 0 to 1" in ran.err


def test_cat_prints_files_in_the_order_of_the_arguments(run, image):
    assert run("cat", image, "etc/new", "sbin/ash", "/etc/os-release", "etc/new").out == "nn#!ID=x\nnn"
    ran = run("cat", image, "etc/none", "etc/new", "gone/x")
    assert (ran.code, ran.out) == (3, "")
    assert "etc/none" in ran.err
    assert "gone/x" in ran.err
    assert ran.err.count("\n") == 1


def test_cat_of_more_than_is_held_in_memory_reads_it_from_a_file(run, image, monkeypatch):
    monkeypatch.setattr("oci_layers.cli.commands.cat._HELD", 1)
    assert run("cat", image, "etc/new", "bin/sh", "etc/new").out == "nn#!nn"
    assert run("cat", image, "--limit", "plain_bytes=1", "etc/new").code == 1


@pytest.mark.parametrize("arguments", [["ls"], ["tree"], ["cat", "etc/new"]])
def test_progress_is_shown_where_it_is_asked_for(run, image, arguments):
    ran = run(arguments[0], image, *arguments[1:], "--progress", "plain")
    assert ran.code == 0
    assert ran.err.startswith("layer 1 of 2: ")
    assert run(arguments[0], image, *arguments[1:]).err == ""


def test_temporary_files_go_where_they_are_told_to(run, image, monkeypatch, tmp_path):
    monkeypatch.setattr("oci_layers.cli.commands.cat._HELD", 1)
    ran = run("cat", image, "etc/new", "--temporary-directory", tmp_path / "none")
    assert ran.code == 1
    assert f"{tmp_path}/none" in ran.err


@pytest.mark.parametrize("name", ["-", "docker-archive:-", "docker-archive:-:app:1", "/dev/stdin"])
def test_an_archive_comes_through_standard_input(run, name):
    with fed(tar(*docker.classic(tar(f("a", "text"))))):
        ran = run("cat", name, "a")
    assert (ran.code, ran.out, ran.err) == (0, "text", "")
    with fed(b"no archive" * 100):
        ran = run("ls", name)
    assert (ran.code, ran.out) == (1, "")
    assert "not a valid tar archive" in ran.err
