"""`copy` with the names of places: they are opened and closed, and a copy that fails leaves no trace."""

import os
from pathlib import Path

import pytest

from oci_layers import Layout, copy
from oci_layers.errors import (
    BlobMissingError,
    IntegrityError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    StoreError,
    UnsupportedError,
)
from oci_layers.store.place import open_repository
from tests.support.sharing import store as make_store


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "store")


def listed(name):
    """The names and digests of the entries of a place."""
    repository, _ = open_repository(name)
    try:
        entries = repository.entries()
        key = "org.opencontainers.image.ref.name"
        return [(entry.annotations.get(key), str(entry.digest)) for entry in entries]
    finally:
        repository.close()


def test_references_in_names_are_the_references(store, tmp_path):
    copied = copy(f"oci:{store.directory}:high", f"oci-archive:{tmp_path / 'a.tar'}:new")
    assert listed(tmp_path / "a.tar") == [("new", store.digest("high"))]
    assert (copied.blobs, copied.present) == (5, 0)
    copied = copy(tmp_path / "a.tar", tmp_path / "layout", "new", target_ref="newer")
    assert listed(tmp_path / "layout") == [("newer", store.digest("high"))]
    assert [each.annotations["org.opencontainers.image.ref.name"] for each in copied.entries] == ["newer"]


def test_a_name_and_an_opened_place_go_together(store, tmp_path):
    with Layout.create(tmp_path / "layout") as layout:
        copy(f"oci:{store.directory}:low", layout)
        copy(layout, tmp_path / "b.tar", "low", fsync="never")
        assert len(layout.entries()) == 1  # It is still open.
    assert listed(tmp_path / "b.tar") == [("low", store.digest("low"))]


def test_two_references_that_differ_are_refused(store, tmp_path):
    for arguments, options in (
        ((f"oci:{store.directory}:low", tmp_path / "x", "high"), {}),
        ((f"oci:{store.directory}:low", f"oci:{tmp_path / 'x'}:a"), {"target_ref": "b"}),
    ):
        with pytest.raises(NameFormatError) as caught:
            copy(*arguments, **options)
        assert (caught.value.what, caught.value.text) == ("reference", options.get("target_ref", "high"))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("ref", "options", "error"),
    [
        ("", {}, ReferenceMissingError),
        (":none", {}, ReferenceMissingError),
        (":low", {"platforms": ["linux/s390x"]}, ReferenceMissingError),
        ("", {"everything": True, "target_ref": "x"}, StoreError),
        (":low", {"platforms": ["linux"]}, NameFormatError),
        ("/none", {}, PlaceMissingError),
    ],
)
@pytest.mark.parametrize("target", ["new", "new.tar"])
def test_a_wrong_name_leaves_no_trace(store, tmp_path, ref, options, error, target):
    with pytest.raises(error):
        copy(f"oci:{store.directory}{ref}", tmp_path / target, **options)
    assert os.listdir(tmp_path) == ["store"]


def test_errors_name_the_place_that_they_are_about(store, tmp_path):
    with pytest.raises(ReferenceMissingError) as missing:
        copy(f"oci:{store.directory}:none", tmp_path / "new")
    assert missing.value.__notes__ == [str(store.directory)]
    with pytest.raises(UnsupportedError) as unsupported:
        copy(f"oci:{store.directory}:low", tmp_path / "new.tar.gz")
    assert unsupported.value.__notes__ == [str(tmp_path / "new.tar.gz")]


@pytest.mark.parametrize(
    ("damage", "error"), [(lambda path: path.write_bytes(b"x"), IntegrityError), (Path.unlink, BlobMissingError)]
)
def test_an_archive_of_which_a_blob_is_damaged_or_missing_does_not_appear(store, tmp_path, damage, error):
    damage(store.path(store.layer("high", 1)))
    with pytest.raises(error) as caught:
        copy(f"oci:{store.directory}", tmp_path / "new.tar", everything=True)
    assert str(store.directory) in caught.value.__notes__
    assert os.listdir(tmp_path) == ["store"]


def test_an_archive_that_is_interrupted_after_its_first_image_does_not_appear(store, tmp_path):
    def stop(progress):
        if progress.layers == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(f"oci:{store.directory}", tmp_path / "new.tar", everything=True, progress=stop)
    assert os.listdir(tmp_path) == ["store"]


def test_an_image_of_several_names_is_copied_by_its_digest(store, tmp_path):
    with Layout.open(store.directory) as layout:
        layout.tag("other", layout.resolve("low"))
    copied = copy(f"oci:{store.directory}@{store.digest('low')}", tmp_path / "new", target_ref="x")
    assert [str(each.digest) for each in copied.entries] == [store.digest("low")]
    assert listed(tmp_path / "new") == [("x", store.digest("low"))]


def test_links_to_blobs_are_followed_where_that_is_asked_for(store, tmp_path):
    blob = store.path(store.layer("low", 0))
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        copy(f"oci:{store.directory}:low", tmp_path / "new")
    assert copy(f"oci:{store.directory}:low", tmp_path / "new", blob_links=True).entries
