"""`refs`: every entry of an index, in a table and as JSON."""

import json

import pytest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def test_a_table_has_a_line_for_each_entry_named_or_not(run, store):
    index = json.loads((store.directory / "index.json").read_text())
    index["manifests"][0]["platform"] = {"os": "linux", "architecture": "arm64"}
    index["manifests"][1]["annotations"] = {"org.opencontainers.image.ref.name": "e\x1b"}
    (store.directory / "index.json").write_text(json.dumps(index))
    ran = run("refs", store.directory)
    assert ran.out.splitlines() == [
        f"REF    PLATFORM     {'DIGEST':<71}  MEDIA TYPE",
        f"low    linux/arm64  {store.digest('low')}  {MANIFEST}",
        f"e\\x1b  -            {store.digest('high')}  {MANIFEST}",
        f"-      -            {store.digest(None)}  {MANIFEST}",
    ]
    assert (ran.code, ran.err) == (0, "")


def test_json_is_a_list_with_stable_keys(run, store):
    ran = run("refs", f"oci:{store.directory}:high", "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out) == [
        {
            "ref": "high",
            "platform": None,
            "digest": store.digest("high"),
            "media_type": MANIFEST,
            "artifact_type": None,
            "size": store.entry("high")["size"],
            "annotations": {"org.opencontainers.image.ref.name": "high"},
        }
    ]
    lines = run("refs", store.directory, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["ref"] for line in lines] == ["low", "high", None]


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("oci:{}:none", 3, "{}: no image 'none'; there are: low, high, {unnamed}"),
        ("oci:{}/none", 3, "{}/none: no such directory"),
        ("oci:{}/blobs", 1, "{}/blobs: not an OCI image layout: there is no file oci-layout"),
    ],
)
def test_errors_are_one_line(run, store, name, code, line):
    ran = run("refs", name.format(store.directory))
    line = line.format(store.directory, unnamed=store.digest(None))
    assert (ran.code, ran.out, ran.err) == (code, "", f"oci-layers: error: {line}\n")
