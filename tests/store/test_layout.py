"""An image layout in a directory: a marker, an index, blobs, and nothing that a hostile one can make us touch."""

import contextlib
import errno
import json
import os

import pytest

from oci_layers import Limits, check_image, open_image, system
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    IntegrityError,
    LimitError,
    PlaceMissingError,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.store.layout import Layout
from tests.support.layers import Built, f, image, tar

LAYER = tar(f("a", "a"))
CLOSED = "closed"


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
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(PlaceMissingError) as raised:
            Layout(tmp_path / name)
        assert (raised.value.place, raised.value.reason) == (f"{tmp_path}/{name}", "no such directory")


def test_a_directory_without_a_marker_or_an_index_is_no_layout(tmp_path):
    error = refused(StoreError, tmp_path)
    assert (error.place, error.reason) == (str(tmp_path), "not an OCI image layout: there is no file oci-layout")
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    assert refused(StoreError, tmp_path).reason == "not a complete OCI image layout: there is no file index.json"
    (tmp_path / "oci-layout").rename(tmp_path / "index.json")
    assert refused(StoreError, tmp_path).reason == "not an OCI image layout: there is no file oci-layout"


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
    assert error.__notes__ == ["oci-layout", directory]


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


ODD = "is not a regular file"
ODD_LINK = (
    f"{ODD}, or is reached through a link; "
    "links are followed with blob_links=True, in the command with --policy lenient or --profile lenient"
)


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
    assert (error.place, error.reason) == (directory, f"{name} {ODD_LINK if kind == 'link' else ODD}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_blob_that_is_no_regular_file_is_refused_without_being_touched(tmp_path, kind):
    built = Built.of(tmp_path, LAYER)
    directory = built.write()
    digest = built.index["manifests"][0]["digest"]
    replaced(tmp_path / "blobs" / digest.replace(":", "/"), kind)
    error = refused(StoreError, directory)
    assert (error.place, error.reason) == (directory, f"blob {digest} {ODD_LINK if kind == 'link' else ODD}")


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


@pytest.fixture
def linked(tmp_path):
    """A layout as Bazel's rules_oci writes it: all of its files are links to files elsewhere."""
    built = Built.of(tmp_path / "real", LAYER)
    built.write()
    for path in sorted((tmp_path / "real").rglob("*")):
        name = tmp_path / "linked" / path.relative_to(tmp_path / "real")
        if path.is_file():
            name.parent.mkdir(parents=True, exist_ok=True)
            name.symlink_to(path)
    return built, tmp_path / "linked"


def test_links_are_followed_where_the_caller_asks_for_it(linked):
    _, directory = linked
    assert refused(StoreError, directory).reason == f"oci-layout {ODD_LINK}"
    with pytest.raises(StoreError):
        check_image(directory)
    with open_image(directory, blob_links=True) as opened:
        assert (opened.root / "a").read_text() == "a"
    assert check_image(directory, blob_links=True).ok


def test_what_a_link_leads_to_is_held_to_its_digest_and_a_regular_file(linked, tmp_path):
    built, directory = linked
    blob = directory / "blobs" / built.layers[0]["descriptor"]["digest"].replace(":", "/")
    replaced(blob, "link")
    with open_image(directory, blob_links=True) as opened, pytest.raises(IntegrityError):
        opened.tree()
    (flaw,) = [flaw for flaw in check_image(directory, blob_links=True).findings if flaw.severity == "error"]
    assert flaw.rule == "DSC-08"
    os.mkfifo(tmp_path / "pipe")
    blob.unlink()
    blob.symlink_to(tmp_path / "pipe")
    with open_image(directory, blob_links=True) as opened, pytest.raises(StoreError) as raised:
        opened.tree()
    assert raised.value.reason == f"blob {built.layers[0]['descriptor']['digest']} {ODD}"


def test_a_directory_of_blobs_may_be_a_link_where_links_are_followed(tmp_path):
    directory = image(tmp_path / "layout", LAYER)
    (tmp_path / "layout" / "blobs").rename(tmp_path / "elsewhere")
    (tmp_path / "layout" / "blobs").symlink_to("../elsewhere")
    errors = [flaw for flaw in check_image(directory).findings if flaw.severity == "error"]
    assert [flaw.rule for flaw in errors] == ["LAY-01", "LAY-05"]
    assert errors[1].message == f"{directory}: blob {errors[1].location.digest} {ODD_LINK}"
    assert check_image(directory, blob_links=True).ok


def test_a_layout_that_is_closed_while_it_is_read_is_an_error(tmp_path):
    layer = tar(*(f(f"{number}", "x" * 5000) for number in range(1000)))
    directory = image(tmp_path, layer, compression="")
    opened = open_image(directory, threads=1)
    entries = opened.layers[0].entries()
    next(entries)
    opened.close()
    with pytest.raises(StoreError) as raised:
        list(entries)
    assert (raised.value.place, raised.value.reason) == (directory, CLOSED)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_layout_that_is_not_closed_warns_and_is_closed_when_it_is_collected(tmp_path):
    directory = image(tmp_path, LAYER)
    before = len(os.listdir("/proc/self/fd"))
    opened = open_image(directory)
    with pytest.warns(ResourceWarning, match=f"^unclosed {directory}$"):
        del opened
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_tree_keeps_the_place_of_an_image_that_was_not_closed(tmp_path):
    """Contents are where the tree says as long as there is a tree; the warning comes when that goes, too."""
    root = open_image(image(tmp_path, LAYER)).root
    assert (root / "a").read_text() == "a"
    with pytest.warns(ResourceWarning):
        del root


@pytest.mark.parametrize("call", ["open_regular_file", "open_directory"])
def test_an_error_of_the_system_comes_through(tmp_path, monkeypatch, call):
    def fault(*arguments, **options):
        raise OSError(errno.EIO, "input/output error")

    with contextlib.closing(Layout(image(tmp_path, LAYER))) as files:
        monkeypatch.setattr(system, call, fault)
        with pytest.raises(OSError, match="input/output error"):
            files.open_file("index.json") if call == "open_regular_file" else files.has_directory("blobs")


def test_a_layout_that_is_closed_gives_nothing_more(tmp_path):
    files = Layout(image(tmp_path, LAYER))
    files.close()
    files.close()
    with pytest.raises(StoreError) as raised:
        files.open_file("index.json")
    assert (raised.value.place, raised.value.reason) == (str(tmp_path), CLOSED)
