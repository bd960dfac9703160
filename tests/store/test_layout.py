"""An image layout in a directory: a marker, an index, blobs, and nothing that a hostile one can make us touch."""

import json
import os

import pytest

from oci_layers import Limits, open_image
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    LimitError,
    PlaceMissingError,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.store.layout import LayoutDirectory
from tests.support.layers import Built, f, image, tar

LAYER = tar(f("a", "a"))


def refused(error, directory, name="oci:{}", **options):
    with pytest.raises(error) as raised:
        open_image(name.format(directory), **options)
    return raised.value


def test_a_layout_is_opened_by_name_and_by_path(tmp_path):
    directory = image(tmp_path / "layout", LAYER)
    for name in (f"oci:{directory}", f"oci:{directory}:t", directory, tmp_path / "layout", f"{directory}/"):
        with open_image(name) as opened:
            assert (opened.root / "a").read_text() == "a"
            assert opened.name == str(name)


def test_a_layout_may_be_reached_through_a_link(tmp_path):
    image(tmp_path / "layout", LAYER)
    (tmp_path / "link").symlink_to("layout")
    with open_image(f"oci:{tmp_path}/link") as opened:
        assert len(opened.tree()) == 2


def test_files_that_the_layout_does_not_know_are_no_error(tmp_path):
    directory = image(tmp_path, LAYER)
    (tmp_path / "README").write_text("mine")
    (tmp_path / "blobs" / "sha256" / "junk").write_text("junk")
    (tmp_path / "blobs" / "md5").mkdir()
    with open_image(directory) as opened:
        assert len(opened.tree()) == 2


def test_a_directory_that_is_not_there_is_a_missing_place(tmp_path):
    error = refused(PlaceMissingError, tmp_path / "none")
    assert (error.place, error.reason) == (f"{tmp_path}/none", "no such directory")
    (tmp_path / "file").write_text("")
    assert refused(PlaceMissingError, tmp_path / "file").reason == "no such directory"


def test_a_directory_without_a_marker_or_an_index_is_no_layout(tmp_path):
    error = refused(StoreError, tmp_path)
    assert (error.place, error.reason) == (str(tmp_path), "not an OCI image layout: there is no file oci-layout")
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    assert refused(StoreError, tmp_path).reason == "not a complete OCI image layout: there is no file index.json"


@pytest.mark.parametrize(
    ("marker", "pointer"),
    [
        ('{"imageLayoutVersion":"2.0.0"}', "/imageLayoutVersion"),
        ("{}", "/imageLayoutVersion"),
        ("[]", ""),
        ("", ""),
    ],
)
def test_a_marker_that_is_malformed_is_refused(tmp_path, marker, pointer):
    directory = image(tmp_path, LAYER)
    (tmp_path / "oci-layout").write_text(marker)
    error = refused(DocumentError, directory)
    assert error.pointer == pointer
    assert error.__notes__ == [directory]


def test_an_index_that_is_malformed_is_refused(tmp_path):
    directory = image(tmp_path, LAYER)
    (tmp_path / "index.json").write_text('{"schemaVersion": 2, "manifests": {}}')
    assert refused(DocumentError, directory).pointer == "/manifests"


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_files_at_the_top_that_are_too_large_are_not_read(tmp_path, name):
    directory = image(tmp_path, LAYER)
    with open(tmp_path / name, "ab") as file:
        file.truncate(5_000_000)
    error = refused(LimitError, directory)
    assert (error.limit, error.allowed) == ("document_bytes", Limits().document_bytes)


def replaced(path, kind):
    path.unlink()
    match kind:
        case "link":
            path.symlink_to("/etc/passwd")
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_a_file_at_the_top_that_is_no_regular_file_is_refused_without_being_touched(tmp_path, kind, name):
    directory = image(tmp_path, LAYER)
    replaced(tmp_path / name, kind)
    error = refused(StoreError, directory)
    assert (error.place, error.reason) == (directory, f"{name} is not a regular file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_blob_that_is_no_regular_file_is_refused_without_being_touched(tmp_path, kind):
    built = Built.of(tmp_path, LAYER)
    directory = built.write()
    digest = built.index["manifests"][0]["digest"]
    replaced(tmp_path / "blobs" / digest.replace(":", "/"), kind)
    error = refused(StoreError, directory)
    assert error.place == directory
    assert error.reason.startswith(f"blob {digest} is not a regular file")


def test_a_blobs_directory_that_is_a_link_is_not_followed(tmp_path):
    directory = image(tmp_path / "layout", LAYER)
    (tmp_path / "layout" / "blobs").rename(tmp_path / "elsewhere")
    (tmp_path / "layout" / "blobs").symlink_to("../elsewhere")
    with pytest.raises((BlobMissingError, StoreError)):
        open_image(directory)


def test_a_digest_of_an_algorithm_without_a_fixed_form_is_no_path(tmp_path):
    built = Built.of(tmp_path, LAYER)
    directory = built.write()
    index = json.loads((tmp_path / "index.json").read_text())
    index["manifests"][0]["digest"] = "example+thing:abc"
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert refused(BlobMissingError, directory).digest == "example+thing:abc"


def test_references_are_refused_with_those_there_are_and_the_place(tmp_path):
    directory = image(tmp_path, LAYER)
    error = refused(ReferenceMissingError, directory, "oci:{}:other")
    assert (error.name, error.known, error.__notes__) == ("other", ("t",), [directory])


def test_a_layout_that_is_closed_gives_nothing_more(tmp_path):
    files = LayoutDirectory(image(tmp_path, LAYER))
    files.close()
    files.close()
    with pytest.raises(StoreError) as raised:
        files.open_file("index.json")
    assert raised.value.place == str(tmp_path)
