"""The one way in: any place by its name, a bare path by what is there, and nothing left open when it fails."""

import gc
import os
import pathlib

import pytest

from oci_layers import Platform, open_image
from oci_layers.errors import NameFormatError, OCIError, PlaceMissingError, StoreError, TarFormatError, UnsupportedError
from oci_layers.limits import Limits
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


def test_a_place_that_is_neither_file_nor_directory_is_an_error_of_the_system(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in (f"oci-archive:{tmp_path}/pipe", tmp_path / "pipe", f"docker-archive:{tmp_path}"):
        with pytest.raises(OSError, match="not a regular file"):
            open_image(name)


def test_an_artifact_is_opened_and_held_against_no_platform(tmp_path):
    built = Built.of(tmp_path)
    built.manifest["config"] = built.put(b"{}", "application/vnd.oci.empty.v1+json")
    directory = built.write()
    with open_image(directory) as opened:
        assert opened.manifest.layers == ()
    with pytest.raises(UnsupportedError):
        open_image(directory, platform="linux/amd64")


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
