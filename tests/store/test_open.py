"""The one way in: any place by its name, a bare path by what is there, and nothing left open when it fails."""

import gc
import os
import pathlib

import pytest

from oci_layers import Platform, check_image, open_image
from oci_layers.errors import (
    DocumentError,
    NameFormatError,
    OCIError,
    PlaceMissingError,
    Problem,
    ReferenceMissingError,
    StoreError,
    TarFormatError,
    UnsupportedError,
)
from oci_layers.limits import Limits
from oci_layers.store.fsck import fsck
from oci_layers.store.layout import Layout
from tests.support import docker
from tests.support.layers import Built, d, f, image, tar

LAYER = tar(f("a", "a"))


def layout_entries(directory):
    """The files of a layout as entries of an archive."""
    top = pathlib.Path(directory)
    return [f(str(path.relative_to(top)), path.read_bytes()) for path in sorted(top.rglob("*")) if path.is_file()]


@pytest.fixture
def places(tmp_path):
    """The same image in every kind of place, by the name of it."""
    directory = image(tmp_path / "layout", LAYER)
    oci = docker.archive(tmp_path / "oci.tar", layout_entries(directory))
    classic = docker.archive(tmp_path / "docker.tar", docker.classic(LAYER))
    both = docker.archive(tmp_path / "both.tar", docker.modern(("app", "1", [LAYER])))
    return {"oci": directory, "oci-archive": oci, "docker-archive": classic, "both": both}


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("oci", "oci:{}", "application/vnd.oci.image.manifest.v1+json"),
        ("oci", "{}", "application/vnd.oci.image.manifest.v1+json"),
        ("oci-archive", "oci-archive:{}", "application/vnd.oci.image.manifest.v1+json"),
        ("oci-archive", "{}", "application/vnd.oci.image.manifest.v1+json"),
        ("docker-archive", "docker-archive:{}", "application/vnd.docker.distribution.manifest.v2+json"),
        ("docker-archive", "{}", "application/vnd.docker.distribution.manifest.v2+json"),
        ("both", "docker-archive:{}", "application/vnd.docker.distribution.manifest.v2+json"),
        ("both", "oci-archive:{}", "application/vnd.oci.image.manifest.v1+json"),
        ("both", "{}", "application/vnd.oci.image.manifest.v1+json"),
    ],
)
def test_any_place_is_opened_by_its_transport_or_told_by_its_content(places, kind, name, media_type):
    with open_image(name.format(places[kind])) as opened:
        assert opened.descriptor.media_type == media_type
        assert (opened.root / "a").read_text() == "a"
        assert opened.name == name.format(places[kind])


def test_a_path_object_is_a_bare_path_whatever_it_looks_like(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image(tmp_path / "oci:x", LAYER)
    with open_image(pathlib.Path("oci:x")) as opened:
        assert len(opened.tree()) == 2


@pytest.mark.parametrize("platform", ["linux/amd64", Platform(os="linux", architecture="amd64")])
def test_the_platform_is_text_or_a_platform(places, platform):
    for place in places.values():
        with open_image(place, platform=platform) as opened:
            assert opened.config.architecture == "amd64"
        with pytest.raises(LookupError):
            open_image(place, platform="linux/s390x")


def test_a_platform_that_is_none_is_refused(places):
    with pytest.raises(NameFormatError) as raised:
        open_image(places["oci"], platform="linux")
    assert (raised.value.what, raised.value.text) == ("platform", "linux")


@pytest.mark.parametrize("transport", ["oci:", "oci-archive:", "docker-archive:", ""])
def test_a_place_that_is_not_there_is_missing_whatever_it_was_to_be(tmp_path, transport):
    with pytest.raises(PlaceMissingError) as raised:
        open_image(f"{transport}{tmp_path}/none")
    assert raised.value.place == f"{tmp_path}/none"


def test_a_file_that_is_nothing_of_all_that_is_called_that(tmp_path):
    (tmp_path / "text").write_text("no archive " * 100)
    with pytest.raises(TarFormatError) as raised:
        open_image(tmp_path / "text")
    assert f"{tmp_path}/text" in raised.value.__notes__
    plain = docker.archive(tmp_path / "plain.tar", [d("a/"), f("a/x", "x")])
    for transport, file in (("", "oci-layout"), ("oci-archive:", "oci-layout"), ("docker-archive:", "manifest.json")):
        with pytest.raises(StoreError) as raised:
            open_image(f"{transport}{plain}")
        assert raised.value.place == plain
        assert f"there is no file {file}" in raised.value.reason


def test_a_place_that_is_neither_file_nor_directory_nor_pipe_is_an_error_of_the_system():
    for name in ("oci-archive:/dev/null", "/dev/zero", "oci:/dev/null"):
        with pytest.raises(OSError, match=r"^.Errno 22. not a regular file and not a pipe"):
            open_image(name)


def test_a_pipe_is_no_directory(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError) as raised:
        open_image(f"oci:{tmp_path}/pipe")
    expected = f"it is a pipe, not a directory; write oci-archive:{tmp_path}/pipe"
    assert (raised.value.place, raised.value.reason) == (f"{tmp_path}/pipe", expected)


@pytest.mark.parametrize("name", [pathlib.Path("-"), "./-", "oci-archive:./-"])
def test_a_file_that_is_called_as_standard_input_is_has_other_names(places, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    os.rename(places["oci-archive"], "-")
    with open_image(name) as opened:
        assert (opened.root / "a").read_text() == "a"


def test_a_directory_has_any_name(tmp_path, monkeypatch):
    image(tmp_path / "-", LAYER)
    monkeypatch.chdir(tmp_path)
    with open_image("oci:-:t") as opened:
        assert (opened.root / "a").read_text() == "a"


def test_an_artifact_is_opened_and_held_against_no_platform(tmp_path):
    built = Built.of(tmp_path)
    built.manifest["config"] = built.put(b"{}", "application/vnd.oci.empty.v1+json")
    directory = built.write()
    with open_image(directory) as opened:
        assert opened.manifest.layers == ()
    with pytest.raises(UnsupportedError):
        open_image(directory, platform="linux/amd64")


@pytest.mark.parametrize("wrong", ["a\0b", "a\ud800"])
def test_a_name_that_no_file_can_have_is_malformed(places, wrong):
    for name, options in (
        (wrong, {}),
        (f"oci:{wrong}", {}),
        (pathlib.Path(wrong), {}),
        (places["oci"], {"ref": wrong}),
        (places["docker-archive"], {"ref": wrong}),
        (places["oci"], {"platform": f"linux/{wrong}"}),
        (places["oci"], {"platform": f"windows({wrong})/amd64"}),
    ):
        for function in (open_image, check_image):
            with pytest.raises(NameFormatError) as raised:
                function(name, **options)
            assert wrong in raised.value.text


def test_a_path_may_be_bytes(places):
    class Path:
        def __fspath__(self):
            return os.fsencode(places["oci"])

    with open_image(Path()) as opened:
        assert opened.name == places["oci"]


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_an_image_of_a_layout_is_opened_by_its_digest(places, kind):
    with open_image(f"{kind}:{places[kind]}") as opened:
        digest = str(opened.descriptor.digest)
    with open_image(f"{kind}:{places[kind]}@{digest}") as opened:
        assert str(opened.descriptor.digest) == digest
    with pytest.raises(ReferenceMissingError) as raised:
        open_image(f"{kind}:{places[kind]}@sha256:{'0' * 64}")
    assert (raised.value.name, raised.value.known) == ("sha256:" + "0" * 64, ("t",))


def hybrid(tmp_path, *, layers=(), listed=(LAYER,), **fields):
    """What Docker 25.0.0 wrote: a layout that lists no layers, and a Docker archive that does, in one."""
    built = Built.of(tmp_path / "hybrid", *layers, compression="")
    built.config["rootfs"]["diff_ids"] = [docker.digest(each) for each in listed]
    built.config.update(fields)
    directory = built.write()
    blobs = {f"blobs/sha256/{docker.hexdigest(each)}": each for each in listed}
    config = "blobs/" + built.manifest["config"]["digest"].replace(":", "/")
    entries = [*layout_entries(directory), *map(f, blobs, blobs.values())]
    return docker.archive(tmp_path / "hybrid.tar", [*entries, docker.listing((config, ["app:1"], list(blobs)))])


def test_a_layout_without_layers_has_those_of_the_docker_archive_that_it_is_too(tmp_path):
    """DSV-05: the bare path of such an archive works; who says that it is a layout gets what the layout says."""
    file = hybrid(tmp_path)
    for name, ref in ((file, None), (file, "t"), (f"docker-archive:{file}", None)):
        with open_image(name, ref=ref, platform="linux/amd64") as opened:
            assert (opened.root / "a").read_text() == "a"
    with pytest.raises(ReferenceMissingError):
        open_image(file, platform="linux/arm64")
    with open_image(f"oci-archive:{file}") as opened, pytest.raises(DocumentError) as raised:
        opened.tree()
    assert raised.value.problems == (Problem("/rootfs/diff_ids", "1 diff_ids for the manifest's 0 layers"),)


def test_a_layout_without_layers_whose_config_has_none_either_is_an_image_without_layers(tmp_path):
    with open_image(hybrid(tmp_path, listed=())) as opened:
        assert opened.descriptor.media_type == "application/vnd.oci.image.manifest.v1+json"
        assert opened.layers == ()


def test_a_layout_without_layers_that_the_docker_archive_does_not_know_is_what_it_is(tmp_path):
    directory = image(tmp_path / "layout")
    entries = [*layout_entries(directory), *docker.classic(LAYER)]
    with open_image(docker.archive(tmp_path / "a.tar", entries)) as opened:
        assert opened.layers == ()


def test_a_config_that_is_malformed_is_named_with_its_image(tmp_path):
    built = Built.of(tmp_path, LAYER)
    built.config["config"] = {"User": 7}
    directory = built.write()
    config = built.manifest["config"]["digest"]
    with open_image(f"oci:{directory}:t") as opened, pytest.raises(DocumentError) as raised:
        opened.tree()
    assert raised.value.__notes__ == [f"config {config}", f"oci:{directory}:t"]
    with pytest.raises(DocumentError) as raised:
        open_image(directory, platform="linux/amd64")
    assert raised.value.__notes__ == [f"config {config}", directory]


def test_a_config_of_dockers_that_is_malformed_is_named_with_its_archive(tmp_path):
    raw = docker.config(LAYER, config={"User": 7})
    entries = [f("c.json", raw), f("layer.tar", LAYER), docker.listing(("c.json", ["app:1"], ["layer.tar"]))]
    file = docker.archive(tmp_path / "a.tar", entries)
    with pytest.raises(DocumentError) as raised:
        open_image(file)
    assert raised.value.__notes__ == [f"config c.json ({docker.digest(raw)})", file]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_stays_open_after_a_failure_or_after_the_end(places, tmp_path):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for place in places.values():
        for options in ({"ref": "none"}, {"platform": "linux/s390x"}, {"limits": Limits(document_bytes=1)}):
            with pytest.raises(OCIError):
                open_image(place, **options)
        with open_image(place) as opened:
            assert (opened.root / "a").read_text() == "a"
    (tmp_path / "text").write_text("no archive " * 100)
    with pytest.raises(TarFormatError):
        open_image(tmp_path / "text")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_an_error_names_the_file_that_it_is_about(tmp_path, name):
    directory = image(tmp_path / "image", tar(f("a", "1")))
    (tmp_path / "image" / name).write_text("[]")
    with pytest.raises(DocumentError) as raised:
        open_image(directory)
    assert raised.value.__notes__ == [name, str(directory)]


def test_an_image_is_opened_in_a_repository_that_stays_open(tmp_path):
    directory = image(tmp_path / "layout", tar(f("a", "a")))
    with Layout.open(directory) as layout:
        for ref in (None, "t", str(layout.resolve().digest)):
            with open_image(layout, ref=ref) as opened:
                assert (opened.root / "a").read_text() == "a"
                assert opened.name == ":".join(filter(None, (str(directory), ref)))
        with pytest.raises(ReferenceMissingError) as raised:
            open_image(layout, ref="none")
        assert (raised.value.name, raised.value.known) == ("none", ("t",))
        with pytest.raises(ReferenceMissingError):
            open_image(layout, platform="plan9/386")


def test_a_blob_that_a_layout_lacks_is_read_from_another_store(tmp_path):
    directory = image(tmp_path / "layout", tar(f("a", "a")))
    other = image(tmp_path / "other", tar(f("a", "a")))
    for file in (tmp_path / "layout/blobs/sha256").iterdir():
        file.unlink()
    with Layout.open(other) as fallback, Layout.open(directory, fallback=[fallback.blobs]) as layout:
        with open_image(layout, ref="t") as opened:
            assert (opened.root / "a").read_text() == "a"
        assert fsck(layout).findings == ()
