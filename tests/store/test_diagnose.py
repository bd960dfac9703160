"""A place that is not what its name says, or no image: one line that says what it is and what to do."""

import json

import pytest

from oci_layers import check_image, open_image
from oci_layers.errors import StoreError, UnsupportedError
from tests.store.test_open import layout_entries
from tests.support import docker
from tests.support.layers import Built, d, f, image, sym, tar

LAYER = tar(f("a", "a"))
OLD = [d("1/"), f("1/VERSION", "1.0"), f("1/json", "{}"), f("1/layer.tar", LAYER), f("repositories", "{}")]
SKOPEO = [f("version", "Directory Transport Version: 1.1\n"), f("manifest.json", '{"schemaVersion": 2}')]
ROOT = [d("etc/"), f("etc/hostname", "box"), f("usr/bin/true", "")]
MARKER, LIST = "there is no file oci-layout", "there is no file manifest.json"
NEITHER = f"no OCI layout and no Docker archive: {MARKER} and no file manifest.json"
A_FILE, A_DIRECTORY = "it is a file, not a directory", "it is a directory, not a file"
NOT_LAYOUT, NOT_DOCKER = f"not an OCI image layout: {MARKER}", f"not a Docker archive: {LIST}"
OLD_DOCKER = (
    "it is an archive of Docker before 1.10, which current programs do not read; "
    "save the image again with a later Docker"
)
SKOPEO_DIR = "it is what skopeo writes as dir:"
ROOT_FS = "it holds a root file system (etc, usr) and no image; `docker import` makes an image of a tar"


@pytest.fixture
def places(tmp_path):
    """Archives and directories of many kinds, by name."""
    layout = layout_entries(image(tmp_path / "oci", LAYER))
    kinds = {
        "layout": layout,
        "docker": docker.classic(LAYER),
        "old": OLD,
        "skopeo": SKOPEO,
        "root": ROOT,
        "other": [f("x", "x")],
        "links": [*ROOT, sym("oci-layout", "loop"), sym("loop", "loop"), sym("manifest.json", "nowhere")],
        "number": [f("manifest.json", "7"), f("x", "x")],
    }
    for kind, entries in kinds.items():
        docker.archive(tmp_path / f"{kind}.tar", entries)
        for entry in entries:
            path = tmp_path / f"{kind}.dir" / entry.name.decode()
            if entry.type == b"0":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"".join(entry.chunks()))
    (tmp_path / "text").write_text("text " * 1000)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("oci-archive:{}/docker.tar", f"{NOT_LAYOUT}; it is a Docker archive, write docker-archive:{{}}/docker.tar"),
        ("docker-archive:{}/layout.tar", f"{NOT_DOCKER}; it is an OCI image layout, write oci-archive:{{}}/layout.tar"),
        ("oci:{}/layout.tar", f"{A_FILE}; it is an OCI image layout, write oci-archive:{{}}/layout.tar"),
        ("oci:{}/docker.tar", f"{A_FILE}; it is a Docker archive, write docker-archive:{{}}/docker.tar"),
        ("oci:{}/other.tar", f"{A_FILE}; write oci-archive:{{}}/other.tar"),
        ("oci:{}/text", "it is a file, neither a directory nor a tar archive"),
        ("oci-archive:{}/layout.dir", f"{A_DIRECTORY}; it is an OCI image layout, write oci:{{}}/layout.dir"),
        ("docker-archive:{}/other.dir", f"{A_DIRECTORY}; write oci:{{}}/other.dir"),
        (
            "docker-archive:{}/docker.dir",
            f"{A_DIRECTORY}; it is a Docker archive that was unpacked, pack it: tar -cf FILE -C {{}}/docker.dir .",
        ),
        (
            "{}/docker.dir",
            f"{NOT_LAYOUT}; it is a Docker archive that was unpacked, pack it: tar -cf FILE -C {{}}/docker.dir .",
        ),
        (
            "{}/skopeo.dir",
            f"{NOT_LAYOUT}; {SKOPEO_DIR}, convert it: skopeo copy dir:{{}}/skopeo.dir oci:LAYOUT",
        ),
        (
            "oci-archive:{}/skopeo.tar",
            f"{NOT_LAYOUT}; {SKOPEO_DIR}, packed; unpack it and convert it: skopeo copy dir:DIR oci:LAYOUT",
        ),
        ("{}/old.tar", f"{NEITHER}; {OLD_DOCKER}"),
        ("docker-archive:{}/old.tar", f"{NOT_DOCKER}; {OLD_DOCKER}"),
        ("{}/old.dir", f"{NOT_LAYOUT}; {OLD_DOCKER}"),
        ("{}/root.tar", f"{NEITHER}; {ROOT_FS}"),
        ("oci-archive:{}/root.tar", f"{NOT_LAYOUT}; {ROOT_FS}"),
        ("{}/root.dir", f"{NOT_LAYOUT}; {ROOT_FS}"),
        ("docker-archive:{}/links.tar", f"{NOT_DOCKER}; {ROOT_FS}"),
        ("{}/other.tar", NEITHER),
        ("{}/other.dir", NOT_LAYOUT),
        ("{}/number.dir", NOT_LAYOUT),
    ],
)
def test_a_place_of_another_kind_says_what_it_is_and_what_to_do(places, name, reason):
    for function in (open_image, check_image):
        with pytest.raises(StoreError) as raised:
            function(name.replace("{}", str(places)))
        assert raised.value.reason == reason.replace("{}", str(places))
        assert raised.value.place == name.replace("{}", str(places)).rpartition(":")[2]


@pytest.mark.parametrize("syntax", ["json", "prettyjws"])
@pytest.mark.parametrize("ref", [None, "t", "digest"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_manifest_of_dockers_first_schema_is_called_that(tmp_path, syntax, ref, nested):
    built = Built.of(tmp_path)
    media_type = f"application/vnd.docker.distribution.manifest.v1+{syntax}"
    entry = built.put(b'{"schemaVersion": 1}', media_type)
    if nested:
        index = {"schemaVersion": 2, "manifests": [entry]}
        entry = built.put(json.dumps(index).encode(), "application/vnd.oci.image.index.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "t"}
    built.index["manifests"] = [entry]
    directory = built.write()
    with pytest.raises(UnsupportedError) as raised:
        open_image(directory, ref=entry["digest"] if ref == "digest" else ref)
    assert (raised.value.what, raised.value.value) == ("image manifest", media_type)
    assert raised.value.hint.startswith("Docker image manifest version 2, schema 1 is not supported; convert ")
    assert check_image(directory).ok
