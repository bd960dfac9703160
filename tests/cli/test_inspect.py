"""`inspect`: the documents of an image, for people, for programs, and as they are."""

import json

from tests.support.layers import Built, digest


def test_inspect_shows_what_is_there_and_escapes_it(run, image, built):
    ran = run("inspect", image)
    first, second = built.config["rootfs"]["diff_ids"]
    sizes = [layer["descriptor"]["size"] for layer in built.layers]
    assert ran.out.splitlines() == [
        f"digest      {built.index['manifests'][0]['digest']}",
        "platform    linux/amd64",
        "created     2024-01-01T00:00:00Z",
        "author      me\\x1b[2J",
        "user        1",
        "workdir     /w",
        "entrypoint  /bin/sh -c",
        "cmd         x",
        "env         A=b",
        "env         C=d",
        "label       k=v",
        "annotation  note=n",
        f"layer 0     {first}  {sizes[0]} B  first",
        f"layer 1     {second}  {sizes[1]} B  second\\x1b[1m",
    ]
    assert (ran.code, ran.err) == (0, "")


def test_inspect_leaves_out_what_is_not_there(run, tmp_path):
    built = Built.of(tmp_path, b"")
    built.config["architecture"], built.config["variant"] = "arm", "v7"
    directory = built.write()
    size = built.layers[0]["descriptor"]["size"]
    assert run("inspect", directory).out.splitlines() == [
        f"digest      {built.index['manifests'][0]['digest']}",
        "platform    linux/arm/v7",
        f"layer 0     {digest(b'')}  {size} B",
    ]


def test_inspect_as_json_has_the_documents_and_the_chain(run, image, built):
    ran = run("inspect", image, "--format", "json")
    value = json.loads(ran.out)
    assert list(value) == ["name", "digest", "media_type", "manifest", "config", "chain_ids"]
    assert value["name"] == image
    assert value["digest"] == built.index["manifests"][0]["digest"]
    assert value["media_type"] == "application/vnd.oci.image.manifest.v1+json"
    assert value["manifest"] == built.manifest
    assert value["config"] == built.config
    assert value["chain_ids"][0] == built.config["rootfs"]["diff_ids"][0]
    assert "\x1b" not in ran.out


def test_raw_is_the_very_bytes(run, image, built):
    assert digest(run("inspect", image, "--raw").out.encode()) == built.index["manifests"][0]["digest"]
    assert digest(run("inspect", image, "--raw", "--config").out.encode()) == built.manifest["config"]["digest"]


def test_an_artifact_has_a_raw_manifest_only(run, tmp_path):
    built = Built.of(tmp_path)
    built.manifest["config"] = built.put(b"{}", "application/vnd.oci.empty.v1+json")
    directory = built.write()
    assert json.loads(run("inspect", "--raw", directory).out) == built.manifest
    ran = run("inspect", directory)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "oci-layers: error: unsupported config media type: application/vnd.oci.empty.v1+json "
        "(this is an artifact, not an image)\n"
    )
