"""`layers`: what each layer did, as a table, as bars, by path and as JSON."""

import json

from tests.support.layers import Built, d, digest, f, image, ln, opq, tar, wh

LAYERS = (
    tar(d("etc/"), f("etc/a", "a" * 6000), f("etc/b", "b" * 2000), f("bad\udce9", "x")),
    tar(f("etc/a", "aa"), wh("etc/b"), ln("link", "etc/a")),
)
HEAD = "LAYER SIZE PLAIN SHARE ADDED CHANGED REMOVED WASTED"


def built(tmp_path):
    made = Built.of(tmp_path / "image", *LAYERS, compression="")
    made.config["history"] = [
        {"created_by": "/bin/sh -c #(nop) ADD  file:1\x1b[2J in /"},
        {"created_by": "CMD", "empty_layer": True},
        {"created_by": "RUN " + "x" * 100, "created": "2024-01-01T00:00:00Z", "comment": "c"},
    ]
    return made


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_table_has_a_row_for_each_layer_and_the_totals_below(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    ran = run("layers", built(tmp_path).write())
    assert (ran.code, ran.err) == (0, "")
    assert words(ran.out) == [
        f"{HEAD} MADE BY",
        "0 15.9 kB 15.9 kB 76 % 4 0 0 8.0 kB ADD file:1\\x1b[2J in /",
        f"1 5.1 kB 5.1 kB 24 % 1 1 1 0 B RUN {'x' * 25}...",
        "",
        "2 layers, 21.0 kB stored, 21.0 kB plain; 8.0 kB of files, 8.0 kB wasted (100 %)",
    ]
    assert all(len(line) < 100 for line in ran.out.splitlines())


def test_bars_show_the_size_of_each_layer_and_what_is_wasted(run, tmp_path):
    name = built(tmp_path).write()
    head, low, high, *_ = run("layers", name, "--bars").out.splitlines()
    assert "  █ visible ░ wasted  " in head
    assert "  " + "█" * 10 + "░" * 10 + "  ADD" in low
    assert "  ███████   " in high
    assert "█" not in run("layers", name).out
    assert "█" not in run("layers", name, "--no-bars").out


def test_paths_lists_what_each_layer_added_changed_and_removed(run, tmp_path):
    ran = run("layers", built(tmp_path).write(), "--paths")
    assert ran.out.splitlines()[-11:] == [
        "",
        "layer 0",
        "A /bad\\xe9",
        "A /etc",
        "A /etc/a",
        "A /etc/b",
        "",
        "layer 1",
        "C /etc/a",
        "D /etc/b",
        "A /link",
    ]


def test_json_has_everything(run, tmp_path):
    made = built(tmp_path)
    name = made.write()
    value = json.loads(run("layers", name, "--format", "json", "--paths").out)
    layers = value.pop("layers")
    sizes = [len(layer["plain"]) for layer in made.layers]
    assert value == {
        "image": name,
        "digest": made.index["manifests"][0]["digest"],
        "size": sum(sizes),
        "plain_size": sum(sizes),
        "content_bytes": 8003,
        "visible_bytes": 3,
        "wasted_bytes": 8000,
    }
    assert layers[1] == {
        "layer": 1,
        "digest": digest(LAYERS[1]),
        "diff_id": digest(LAYERS[1]),
        "media_type": "application/vnd.oci.image.layer.v1.tar",
        "size": sizes[1],
        "plain_size": sizes[1],
        "content_bytes": 2,
        "visible_bytes": 2,
        "wasted_bytes": 0,
        "repeated_bytes": 0,
        "entries": 3,
        "added": {"count": 1, "bytes": 0, "paths": [{"path": "/link"}]},
        "changed": {"count": 1, "bytes": 2, "paths": [{"path": "/etc/a"}]},
        "removed": {"count": 1, "bytes": 2000, "paths": [{"path": "/etc/b"}]},
        "hidden": {"count": 2, "bytes": 8000},
        "created": "2024-01-01T00:00:00Z",
        "created_by": "RUN " + "x" * 100,
        "comment": "c",
    }
    assert layers[0]["added"]["paths"][0] == {"path": "/bad\\xe9", "path_base64": "L2JhZOk="}
    plain = json.loads(run("layers", name, "--format", "json").out)["layers"][0]
    assert plain["added"] == {"count": 4, "bytes": 8001}


def test_without_history_no_line_is_invented(run, tmp_path):
    made = built(tmp_path)
    del made.config["history"]
    name = made.write()
    assert words(run("layers", name).out)[1] == "0 15.9 kB 15.9 kB 76 % 4 0 0 8.0 kB"
    assert [each["created_by"] for each in json.loads(run("layers", name, "--format", "json").out)["layers"]] == [
        None
    ] * 2


def test_an_image_without_layers_has_an_empty_table(run, tmp_path):
    ran = run("layers", image(tmp_path / "empty"), "--bars")
    assert (ran.code, words(ran.out)[-1]) == (0, "0 layers, 0 B stored, 0 B plain; 0 B of files, 0 B wasted (0 %)")


def test_a_policy_and_progress_are_those_of_the_other_verbs(run, tmp_path):
    name = image(tmp_path / "image", tar(f("a"), f("a")), tar(opq("")))
    ran = run("layers", name, "--policy", "strict")
    assert (ran.code, ran.out) == (1, "")
    ran = run("layers", name, "--progress", "plain")
    assert (ran.code, ran.err.splitlines()[-1].startswith("layer 2 of 2: ")) == (0, True)
