"""A layout in front of a place."""

import pytest

import oci_layers as oci
from oci_layers.errors import ReferenceMissingError, StoreError
from oci_layers.spec.digest import Digest
from oci_layers.store import Layout, MemoryRepository, ReferrerSource
from oci_layers.store.registry import RegistryRepository
from tests.store.test_registry import DIGEST, IMAGE, asked, filled, model_of
from tests.support.registries import remote, session


def test_an_image_is_read_once(tmp_path):
    source = MemoryRepository()
    oci.copy(IMAGE, source)
    with oci.Cached(source, tmp_path / "cache") as cached, oci.open_image(cached, ref="lighthouse") as image:
        names = [path for path, _ in image.tree().walk()]
        assert cached.place == source.place
        assert cached.entries() == source.entries()
    for digest in list(source.blobs.iter_blobs()):
        source.blobs.delete_blob(digest)
    with oci.Cached(source, tmp_path / "cache") as cached, oci.open_image(cached, ref="lighthouse") as image:
        assert [path for path, _ in image.tree().walk()] == names
        with pytest.raises(ReferenceMissingError):
            cached.entries("nothing")
        assert not isinstance(cached, ReferrerSource)
    with Layout.open(tmp_path / "cache") as layout:
        assert layout.entries() == []
        assert oci.fsck(layout).ok


def test_a_directory_that_is_no_layout_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError):
        oci.Cached(MemoryRepository(), tmp_path)


def test_what_the_place_can_do_it_can_do_still(tmp_path):
    repository = filled()
    with oci.Cached(repository, tmp_path / "cache") as cached:
        assert isinstance(cached, ReferrerSource)
        assert cached.referrers(cached.entries("v1")[0].digest) == []
        cached.blobs.interrupt()
    assert model_of(repository).interrupted == 1
    with pytest.raises(StoreError, match="closed"):
        cached.blobs.open_blob(Digest.of(b""))
    with oci.Cached(MemoryRepository(), tmp_path / "cache") as cached:
        cached.blobs.interrupt()


def test_a_session_keeps_what_is_read_of_its_registries(tmp_path):
    model = model_of(filled())
    names = (":v1", f"@{DIGEST}", ":v1")
    logs = []
    for ref in names:
        model.log.clear()
        shared = session(model, cache=tmp_path / "cache")
        with shared, oci.open_image(f"docker://registry.example/a/b{ref}", session=shared) as image:
            assert len(image.tree()) == 19
        model.closed = False
        logs.append([(method, url.removeprefix("a/b/").partition(":")[0]) for method, url in asked(model)])
    first, by_digest, again = logs
    assert ("GET", "blobs/sha256") in first
    assert first.count(("HEAD", "manifests/v1")) == 1
    assert by_digest == [("GET", "manifests/sha256")]
    assert again == [("HEAD", "manifests/v1")]
    with Layout.open(tmp_path / "cache") as layout:
        assert oci.fsck(layout).ok


def test_a_tag_that_is_not_there_is_not_there(tmp_path):
    repository = filled()
    shared = session(model_of(repository), cache=tmp_path / "cache")
    missing = pytest.raises(ReferenceMissingError, match="there are: v1")
    with RegistryRepository("registry.example/a/b", session=shared) as cached, missing:
        cached.entries("v2")


def test_what_is_written_goes_to_the_registry(tmp_path):
    target = remote()
    shared = session(model_of(target), cache=tmp_path / "cache")
    with RegistryRepository("registry.example/x", session=shared) as cached:
        assert oci.copy(IMAGE, cached, target_ref="v1").blobs == 7
    assert len(model_of(target).repository("x").blobs) == 6
