"""`why`: which layers touched a path, as text and JSON, with exit code 3 for a path that no layer has."""

import json

import pytest

from tests.support.layers import MTIME, Built, d, f, opq, sym, tar, wh

LAYERS = (
    tar(
        d("etc/"),
        f("etc/a", "11"),
        f("etc/b\udce9", "x"),
        f("dir/x"),
        f("dir/y"),
        sym("link", "etc"),
        sym("out", "none"),
    ),
    tar(f("etc/a", "22", mode=0o600), f("dir/y"), sym("etc/l", "a")),
    tar(wh("etc/b\udce9"), opq("dir"), f("etc/l")),
    tar(f("dir"), sym("etc/l", "a")),
)


@pytest.fixture
def name(tmp_path):
    built = Built.of(tmp_path / "image", *LAYERS)
    built.config["history"] = [{"created_by": f"step {number} \x1b[2J"} for number in range(4)]
    return built.write()


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        (
            "/etc/a",
            [
                "/etc/a",
                "layer 0  added                  step 0 \\x1b[2J",
                "layer 1  changed content, mode  step 1 \\x1b[2J",
                "-rw-------  1     0     0          2 2023-11-14 22:13 /etc/a",
            ],
        ),
        (
            "link/b\udce9",
            [
                "/link/b\\xe9 is /etc/b\\xe9, by the link /link",
                "layer 0  added                                step 0 \\x1b[2J",
                "layer 2  removed by a whiteout of /etc/b\\xe9  step 2 \\x1b[2J",
            ],
        ),
        (
            "dir/y",
            [
                "/dir/y",
                "layer 0  added                      step 0 \\x1b[2J",
                "layer 1  repeated, the same         step 1 \\x1b[2J",
                "layer 2  removed, as /dir is opaque  step 2 \\x1b[2J",
            ],
        ),
        (
            "dir",
            [
                "/dir",
                "layer 0  added                      step 0 \\x1b[2J",
                "layer 3  changed type, mode, mtime  step 3 \\x1b[2J",
                "-rw-r--r--  1     0     0          0 2023-11-14 22:13 /dir",
            ],
        ),
        (
            "etc/l",
            [
                "/etc/l",
                "layer 1  added               step 1 \\x1b[2J",
                "layer 2  changed type, mode  step 2 \\x1b[2J",
                "layer 3  changed type, mode  step 3 \\x1b[2J",
                "lrwxrwxrwx  1     0     0          0 2023-11-14 22:13 /etc/l -> a",
                "",
                "/etc/l is /etc/a, by the link /etc/l",
                "layer 0  added                  step 0 \\x1b[2J",
                "layer 1  changed content, mode  step 1 \\x1b[2J",
                "-rw-------  1     0     0          2 2023-11-14 22:13 /etc/a",
            ],
        ),
        (
            "out",
            [
                "/out",
                "layer 0  added  step 0 \\x1b[2J",
                "lrwxrwxrwx  1     0     0          0 2023-11-14 22:13 /out -> none",
            ],
        ),
    ],
)
def test_each_layer_that_touched_the_path_has_a_line(run, name, path, lines):
    ran = run("why", name, path)
    assert (ran.code, ran.err) == (0, "")
    assert [" ".join(line.split()) for line in ran.out.splitlines()] == [" ".join(line.split()) for line in lines]


def test_a_parent_that_becomes_a_file_hides_what_was_in_it(run, tmp_path):
    name = Built.of(tmp_path / "image", tar(f("a/x")), tar(f("a"))).write()
    assert run("why", name, "a/x").out.splitlines()[-1] == "layer 1  hidden, as /a is no directory any more"


def test_json_has_stable_keys(run, name):
    value = json.loads(run("why", name, "/link/a", "--format", "json").out)
    touches = value.pop("touches")
    assert value == {"path": "/link/a", "resolved": "/etc/a", "links": [{"path": "/link"}], "leads_to": None}
    assert touches[1].pop("digest").startswith("sha256:")
    assert touches[1] == {
        "layer": 1,
        "what": "changed",
        "aspects": ["content", "mode"],
        "marker": None,
        "by": None,
        "node": {
            "path": "/etc/a",
            "type": "file",
            "mode": "0600",
            "uid": 0,
            "gid": 0,
            "mtime_ns": MTIME,
            "layer": 1,
            "size": 2,
        },
        "created_by": "step 1 \x1b[2J",
    }
    value = json.loads(run("why", name, "/etc/l", "--format", "json").out)
    assert value["leads_to"]["resolved"] == "/etc/a"
    value = json.loads(run("why", name, "/dir/x", "--format", "json").out)
    assert (value["touches"][1]["marker"], value["touches"][1]["by"]) == ("opaque", "/dir")
    value = json.loads(run("why", name, "/etc/b\udce9", "--format", "json").out)
    assert value["touches"][1]["by_base64"] == "L2V0Yy9i6Q=="


@pytest.mark.parametrize("path", ["/none", "etc/a/b", "out/x"])
def test_a_path_that_no_layer_has_is_not_found(run, name, path):
    ran = run("why", name, path)
    assert (ran.code, ran.out, ran.err) == (3, "", f"oci-layers: error: {path.lstrip('/')}: no layer has it\n")
