"""A name to its repository: what is there is opened, what is not is made, and every refusal says why."""

import contextlib
import io
import os
import pathlib

import pytest

from oci_layers import Limits, check_image
from oci_layers.blob.store import read_verified
from oci_layers.errors import (
    DocumentError,
    LimitError,
    NameFormatError,
    PlaceMissingError,
    StoreError,
    TarFormatError,
    UnsupportedError,
)
from oci_layers.spec.mediatype import DOCKER_MANIFEST, OCI_MANIFEST
from oci_layers.store.archive_writer import ArchiveWriter
from oci_layers.store.layout import Layout
from oci_layers.store.place import create_repository, open_repository
from tests.store.test_archive import fed
from tests.store.test_archive_writer import Source
from tests.store.test_open import layout_entries
from tests.support import docker
from tests.support.layers import Built, d, f, image, tar

LAYER = tar(f("a", "a"))


@pytest.fixture
def places(tmp_path):
    """The same image in every kind of place."""
    directory = image(tmp_path / "layout", LAYER)
    oci = docker.archive(tmp_path / "oci.tar", layout_entries(directory))
    classic = docker.archive(tmp_path / "docker.tar", docker.classic(LAYER))
    both = docker.archive(tmp_path / "both.tar", docker.modern(("app", "1", [LAYER])))
    return {"oci": directory, "oci-archive": oci, "docker-archive": classic, "both": both}


@pytest.mark.parametrize(
    ("kind", "name", "ref", "media_type"),
    [
        ("oci", "{}", None, OCI_MANIFEST),
        ("oci", "oci:{}", None, OCI_MANIFEST),
        ("oci", "oci:{}:t", "t", OCI_MANIFEST),
        ("oci-archive", "{}", None, OCI_MANIFEST),
        ("oci-archive", "oci-archive:{}:t", "t", OCI_MANIFEST),
        ("docker-archive", "{}", None, DOCKER_MANIFEST),
        ("docker-archive", "docker-archive:{}:app:1", "app:1", DOCKER_MANIFEST),
        ("docker-archive", "docker-archive:{}:@0", "@0", DOCKER_MANIFEST),
        ("both", "{}", None, OCI_MANIFEST),
        ("both", "oci-archive:{}:app:1", "app:1", OCI_MANIFEST),
        ("both", "docker-archive:{}", None, DOCKER_MANIFEST),
    ],
)
def test_any_place_is_opened_with_the_reference_of_its_name(places, kind, name, ref, media_type):
    repository, found = open_repository(name.format(places[kind]))
    with contextlib.closing(repository):
        assert (repository.place, found) == (places[kind], ref)
        (entry,) = repository.entries(found)
        assert entry.media_type == media_type
        assert read_verified(repository.blobs, entry, limit="", allowed=1 << 20)


def test_a_path_is_a_bare_name(places):
    for kind in places:
        repository, ref = open_repository(pathlib.Path(places[kind]))
        repository.close()
        assert (repository.place, ref) == (places[kind], None)


def test_an_archive_is_opened_from_a_pipe(places, tmp_path):
    for name, kind in (("-", "docker-archive"), ("oci-archive:-:t", "oci-archive")):
        with fed(pathlib.Path(places[kind]).read_bytes()):
            repository, ref = open_repository(name, temporary_directory=tmp_path)
            with contextlib.closing(repository):
                assert len(repository.entries(ref)) == 1


def test_a_place_that_holds_no_images_is_refused_and_nothing_stays_open(tmp_path, places):
    (tmp_path / "text").write_text("no archive " * 100)
    (tmp_path / "empty").mkdir()
    plain = docker.archive(tmp_path / "plain.tar", [d("a/")])
    bad = docker.archive(tmp_path / "bad.tar", [f("oci-layout", "{}"), f("index.json", "{}")])
    before = len(os.listdir("/proc/self/fd"))
    for name, error in (
        (f"{tmp_path}/none", PlaceMissingError),
        (f"oci:{tmp_path}/empty", StoreError),
        (f"{tmp_path}/empty", StoreError),
        (f"oci:{places['oci-archive']}", StoreError),
        (f"oci-archive:{places['oci']}", StoreError),
        (f"docker-archive:{places['oci-archive']}", StoreError),
        (plain, StoreError),
        (f"{tmp_path}/text", TarFormatError),
        (bad, DocumentError),
        ("docker-daemon:alpine", UnsupportedError),
        ("oci:", NameFormatError),
    ):
        with pytest.raises(error):
            open_repository(name)
    with pytest.raises(LimitError) as raised:
        open_repository(places["oci"], limits=Limits(document_bytes=5))
    assert places["oci"] in raised.value.__notes__
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_to_blobs_are_followed_if_asked_for(tmp_path, places):
    index = tmp_path / "layout/index.json"
    index.rename(tmp_path / "elsewhere")
    index.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        open_repository(places["oci"])
    repository, _ = open_repository(places["oci"], blob_links=True)
    with contextlib.closing(repository):
        assert len(repository.entries()) == 1


@pytest.mark.parametrize(
    ("name", "kind", "ref"),
    [
        ("oci:new", Layout, None),
        ("oci:new.tar:app:1", Layout, "app:1"),
        ("new", Layout, None),
        ("a/b/new", Layout, None),
        ("new/", Layout, None),
        ("oci:-", Layout, None),
        (pathlib.Path("-"), Layout, None),
        (pathlib.Path("oci:new"), Layout, None),
        ("new.tar", ArchiveWriter, None),
        ("oci-archive:new", ArchiveWriter, None),
        ("oci-archive:new.tar:t", ArchiveWriter, "t"),
        ("docker-archive:new.tar.gz:me/app:1", ArchiveWriter, "me/app:1"),
    ],
)
def test_a_place_that_is_not_there_is_made_as_its_name_says(tmp_path, monkeypatch, name, kind, ref):
    monkeypatch.chdir(tmp_path)
    repository, found = create_repository(name)
    assert (type(repository), found) == (kind, ref)
    repository.tag(found or "t", Source(LAYER).put(repository))
    repository.close()
    made = pathlib.Path(repository.place)
    assert check_image(made).ok
    assert made.is_dir() == (kind is Layout)


def test_docker_is_in_the_name(tmp_path):
    for transport, expected in (("oci-archive", False), ("docker-archive", True)):
        with create_repository(f"{transport}:{tmp_path}/{transport}.tar")[0] as repository:
            assert repository.is_docker == expected


def test_a_layout_that_exists_is_written_to_and_an_archive_is_not(tmp_path, places):
    (tmp_path / "empty").mkdir()
    directory = Built.of(tmp_path / "with.tar", LAYER).write()
    for name in (places["oci"], f"oci:{places['oci']}", directory, f"{tmp_path}/empty"):
        repository, _ = create_repository(name)
        with contextlib.closing(repository):
            repository.tag("new", Source(LAYER, author="me").put(repository))
        assert len(repository_entries(name)) == (1 if "empty" in name else 2)
    (tmp_path / "file").write_bytes(b"mine")
    for name in (places["oci-archive"], f"docker-archive:{places['docker-archive']}", f"{tmp_path}/file"):
        with pytest.raises(StoreError) as raised:
            create_repository(name)
        assert raised.value.reason == "it exists, and an archive that exists is not changed"
    for name in (f"oci-archive:{places['oci']}", f"docker-archive:{tmp_path}/empty"):
        with pytest.raises(StoreError) as raised:
            create_repository(name)
        assert raised.value.reason == "it is a directory, not a file"
    with pytest.raises(StoreError):
        create_repository(f"oci:{tmp_path}")


def repository_entries(name):
    repository, _ = open_repository(name)
    with contextlib.closing(repository):
        return repository.entries()


def test_a_name_that_asks_for_a_compressed_archive_is_refused(tmp_path):
    for suffix in ("tar.gz", "tgz", "tar.zst"):
        with pytest.raises(UnsupportedError) as raised:
            create_repository(tmp_path / f"a.{suffix}")
        assert (raised.value.what, raised.value.value) == ("archive", f"{tmp_path}/a.{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["-", "oci-archive:-:t", "docker-archive:-:app:1", "/dev/stdout"])
def test_standard_output_is_an_archive(tmp_path, name):
    saved = os.dup(1)
    fd = os.open(tmp_path / "out.tar", os.O_CREAT | os.O_WRONLY)
    os.dup2(fd, 1)
    try:
        repository, ref = create_repository(name)
        repository.tag(ref, Source(LAYER).put(repository))
        repository.close()
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(fd)
    assert check_image(tmp_path / "out.tar").ok
    assert [bool(each.annotations) for each in repository_entries(tmp_path / "out.tar")] == [ref is not None]


def test_a_device_or_a_pipe_is_an_archive(tmp_path):
    repository, _ = create_repository("/dev/null")
    repository.close()
    os.mkfifo(tmp_path / "pipe")
    keeper = os.open(tmp_path / "pipe", os.O_RDWR)
    repository, _ = create_repository(tmp_path / "pipe")
    assert isinstance(repository, ArchiveWriter)
    repository.close()
    os.close(keeper)


@pytest.mark.parametrize(("fsync", "syncs"), [("always", True), ("commit", True), ("never", False)])
@pytest.mark.parametrize("name", ["oci:{}/new", "oci-archive:{}/new"])
def test_what_is_written_is_synced_unless_it_is_not_to_be(tmp_path, monkeypatch, name, fsync, syncs):
    calls = []
    monkeypatch.setattr("oci_layers.system.fsync", calls.append)
    repository, _ = create_repository(name.format(tmp_path), fsync=fsync)
    with contextlib.closing(repository):
        for data, descriptor in Source(LAYER).blobs:
            repository.blobs.put_blob(io.BytesIO(data), descriptor)
        repository.tag("t", descriptor)
    assert bool(calls) == syncs


def test_limits_are_passed_on(tmp_path, places):
    with pytest.raises(LimitError):
        create_repository(places["oci"], limits=Limits(document_bytes=5))
    repository, _ = create_repository(f"oci-archive:{tmp_path}/new.tar", limits=Limits(document_bytes=5))
    with contextlib.closing(repository), pytest.raises(LimitError):
        repository.tag("t", Source(LAYER).put(repository))
