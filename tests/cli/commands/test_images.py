"""`images`: what a place holds, in a table and as JSON."""

import json

from tests.support.layers import Built, f, tar


def test_a_table_has_a_line_for_each_name(run, tmp_path):
    built = Built.of(tmp_path, tar(f("a", "x")), ref="a\x1b")
    directory = built.write()
    entry = built.index["manifests"][0]
    built.index["manifests"].append(entry | {"annotations": {"org.opencontainers.image.ref.name": "bb"}})
    ran = run("images", built.write())
    size = entry["size"] + built.manifest["config"]["size"] + built.manifest["layers"][0]["size"]
    assert ran.out.splitlines() == [
        "REF    PLATFORM     LAYERS   SIZE  DIGEST",
        f"a\\x1b  linux/amd64       1  {size} B  {entry['digest']}",
        f"bb     linux/amd64       1  {size} B  {entry['digest']}",
    ]
    assert (ran.code, ran.err) == (0, "")
    assert run("images", f"oci:{directory}:none").code == 3


def test_artifacts_are_listed_on_request_and_json_has_everything(run, tmp_path):
    built = Built.of(tmp_path, ref=None)
    built.manifest["config"] = built.put(b"{}", "application/vnd.x")
    directory = built.write()
    ran = run("images", directory)
    assert (ran.code, ran.out.splitlines()) == (0, ["REF  PLATFORM  LAYERS  SIZE  DIGEST"])
    assert ran.err == "oci-layers: 1 more: artifacts and attestations (--all lists them)\n"
    assert "application/vnd.x" in run("images", directory, "--all").out
    entry = built.index["manifests"][0]
    assert json.loads(run("images", directory, "--all", "--format", "json").out) == [
        {
            "refs": [],
            "platform": None,
            "artifact_type": "application/vnd.x",
            "digest": entry["digest"],
            "media_type": entry["mediaType"],
            "index": None,
            "layers": 0,
            "size": entry["size"] + 2,
            "error": None,
        }
    ]


def test_what_cannot_be_read_is_shown_with_the_reason(run, tmp_path):
    built = Built.of(tmp_path, ref="gone")
    built.write()
    entry = built.index["manifests"][0]
    (tmp_path / "blobs" / entry["digest"].replace(":", "/")).unlink()
    lines = run("images", tmp_path).out.splitlines()
    assert lines[1] == f"gone  -              -     -  {entry['digest']}  (blob {entry['digest']} is missing)"
