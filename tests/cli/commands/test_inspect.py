"""`inspect`: the documents of an image, for people, for programs, and as they are."""

import json

import pytest

from oci_layers.cli.output import human_bytes
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from tests.support.layers import Built, digest


def test_inspect_shows_what_is_there_and_escapes_it(run, image, built):
    ran = run("inspect", image)
    first, second = built.config["rootfs"]["diff_ids"]
    sizes = [layer["descriptor"]["size"] for layer in built.layers]
    digests = [layer["descriptor"]["digest"] for layer in built.layers]
    config = built.manifest["config"]
    assert ran.out.splitlines() == [
        "ref         t",
        f"digest      {built.index['manifests'][0]['digest']}",
        f"media type  {OCI_MANIFEST}",
        f"config      {config['digest']}  {human_bytes(config['size'])}  {OCI_CONFIG}",
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
        f"layer 0     digest   {digests[0]}  {sizes[0]} B  {OCI_LAYER}+gzip",
        f"            diff_id  {first}",
        "            made by  first",
        f"layer 1     digest   {digests[1]}  {sizes[1]} B  {OCI_LAYER}+gzip",
        f"            diff_id  {second}",
        "            made by  second\\x1b[1m",
    ]
    assert (ran.code, ran.err) == (0, "")


def test_inspect_leaves_out_what_is_not_there(run, tmp_path):
    built = Built.of(tmp_path, b"")
    built.config["architecture"], built.config["variant"] = "arm", "v7"
    directory = built.write()
    size = built.layers[0]["descriptor"]["size"]
    config = built.manifest["config"]
    assert run("inspect", directory).out.splitlines() == [
        "ref         t",
        f"digest      {built.index['manifests'][0]['digest']}",
        f"media type  {OCI_MANIFEST}",
        f"config      {config['digest']}  {human_bytes(config['size'])}  {OCI_CONFIG}",
        "platform    linux/arm/v7",
        f"layer 0     digest   {built.layers[0]['descriptor']['digest']}  {size} B  {OCI_LAYER}+gzip",
        f"            diff_id  {digest(b'')}",
    ]


def test_inspect_as_json_has_the_documents_and_the_chain(run, image, built):
    ran = run("inspect", image, "--format", "json")
    value = json.loads(ran.out)
    assert list(value) == ["name", "refs", "index", "platforms", "digest", "media_type", "manifest", "config", "layers"]
    assert (value["refs"], value["index"], value["platforms"]) == (["t"], None, ["linux/amd64"])
    first = built.layers[0]["descriptor"]
    assert value["layers"][0] == {
        "layer": 0,
        "digest": first["digest"],
        "diff_id": built.config["rootfs"]["diff_ids"][0],
        "chain_id": built.config["rootfs"]["diff_ids"][0],
        "size": first["size"],
        "media_type": first["mediaType"],
        "created_by": "first",
    }
    assert value["name"] == image
    assert value["digest"] == built.index["manifests"][0]["digest"]
    assert value["media_type"] == "application/vnd.oci.image.manifest.v1+json"
    assert value["manifest"] == built.manifest
    assert value["config"] == built.config
    assert "\x1b" not in ran.out


def test_raw_is_the_very_bytes(run, image, built):
    assert digest(run("inspect", image, "--raw").out.encode()) == built.index["manifests"][0]["digest"]
    assert digest(run("inspect", image, "--raw", "--config").out.encode()) == built.manifest["config"]["digest"]


EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
def artifact(tmp_path):
    """An artifact of two files, and its layout."""
    built = Built.of(tmp_path)
    built.manifest |= {"artifactType": "application/vnd.example+type", "annotations": {"note\x1b": "n"}}
    built.manifest["config"] = built.put(b"{}", EMPTY)
    title = {"annotations": {"org.opencontainers.image.title": "a\x1b.txt"}}
    built.manifest["layers"] = [built.put(b"text", "text/plain") | title, built.put(b"more", "text/html")]
    return built, built.write()


def test_inspect_shows_the_manifest_of_an_artifact(run, artifact):
    built, directory = artifact
    ran = run("inspect", directory)
    assert ran.out.splitlines() == [
        f"digest      {built.index['manifests'][0]['digest']}",
        "media type  application/vnd.oci.image.manifest.v1+json",
        "artifact    application/vnd.example+type",
        f"config      {digest(b'{}')}  2 B  {EMPTY}",
        "annotation  note\\x1b=n",
        f"layer 0     {digest(b'text')}  4 B  text/plain  a\\x1b.txt",
        f"layer 1     {digest(b'more')}  4 B  text/html",
    ]
    assert (ran.code, ran.err) == (0, "")
    value = json.loads(run("inspect", directory, "--format", "json").out)
    assert list(value) == ["name", "refs", "index", "platforms", "digest", "media_type", "manifest", "config", "layers"]
    assert (value["manifest"], value["config"], value["layers"]) == (built.manifest, None, [])
    assert json.loads(run("inspect", "--raw", directory).out) == built.manifest


def test_an_artifact_of_the_type_of_its_config_is_called_by_that(run, tmp_path):
    built = Built.of(tmp_path)
    built.manifest["config"] = built.put(b"x", "application/vnd.example.config")
    assert "artifact    application/vnd.example.config\n" in run("inspect", built.write()).out


@pytest.mark.parametrize("arguments", [["ls"], ["inspect", "--raw", "--config"]])
def test_an_artifact_has_no_files_and_no_config(run, artifact, arguments):
    _, directory = artifact
    ran = run(*arguments, directory)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"oci-layers: error: {directory}: unsupported config media type: {EMPTY} (this is an artifact, not an image)\n"
    )


def test_a_config_that_is_malformed_is_named(run, tmp_path):
    built = Built.of(tmp_path)
    built.config["config"] = {"User": 7}
    directory = built.write()
    ran = run("inspect", f"oci:{directory}:t")
    config = built.manifest["config"]
    problem = "/config/User: must be a string, not an integer"
    assert ran.err == (
        f"oci-layers: error: oci:{directory}:t: config {config['digest']}: {config['mediaType']}: {problem}\n"
    )
    assert ran.code == 1


def test_inspect_shows_the_other_platforms_ports_and_volumes(run, tmp_path):
    built = Built.of(tmp_path, b"")
    built.config["config"] = {
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "true"]},
    }
    built.ref = None
    built.write()
    entry = built.index["manifests"].pop()
    other = built.put(json.dumps(built.manifest | {"annotations": {"x.y": "z"}}).encode(), OCI_MANIFEST)
    entries = [
        entry | {"platform": {"os": "linux", "architecture": "amd64"}},
        other | {"platform": {"os": "linux", "architecture": "arm64"}},
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    nested = built.put(json.dumps(index).encode(), OCI_INDEX)
    built.index["manifests"] = [nested | {"annotations": {"org.opencontainers.image.ref.name": "both"}}]
    lines = run("inspect", built.write(), "--platform", "linux/amd64").out.splitlines()
    assert lines[:3] == ["ref         both", f"index       {nested['digest']}", f"digest      {entry['digest']}"]
    assert lines[5:] == [
        "platform    linux/amd64",
        "also for    linux/arm64",
        "ports       80/tcp, 53/udp",
        "volumes     /data",
        "stop signal SIGINT",
        "healthcheck CMD true",
        *lines[-2:],
    ]
