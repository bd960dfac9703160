"""An image layout in a directory: a marker, an index, blobs, and nothing that a hostile one can make us touch."""

import contextlib
import errno
import json
import os
import stat

import attrs
import pytest

from oci_layers import Platform, check_image, open_image, system
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    IntegrityError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    StoreError,
)
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.select import host_platform
from oci_layers.testing.images import listed, put_index, put_manifest
from oci_layers.testing.streams import read_all
from tests.support.layers import Built, f, image, tar
from tests.support.process import USER, as_user, ended, outcome, start

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


# Made, and written to. The contract of a repository is the suite that `test_suites` runs.

MARKER = '{"imageLayoutVersion":"1.0.0"}'
NO_IMAGE = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}


def files(directory):
    """Return the files and directories below a directory, without those of writers at work."""
    return sorted(str(each.relative_to(directory)) for each in directory.rglob("*") if each.name != "ingest")


def is_empty_layout(directory):
    return (
        files(directory) == ["blobs", "index.json", "oci-layout"]
        and (directory / "oci-layout").read_text() == MARKER
        and json.loads((directory / "index.json").read_text()) == NO_IMAGE
    )


@pytest.mark.parametrize("fsync", ["always", "commit", "never"])
@pytest.mark.parametrize("name", ["layout", "above/layout", "a/b/c/"])
def test_a_layout_is_made_with_the_directories_above_it(tmp_path, name, fsync):
    with Layout.create(tmp_path / name, fsync=fsync) as layout:
        assert (layout.place, layout.entries()) == (str(tmp_path / name), [])
        assert is_empty_layout(tmp_path / name)
    with Layout.open(tmp_path / name) as layout:
        assert layout.entries() == []


def test_a_layout_is_made_in_the_current_directory_and_through_a_link(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Layout.create(tmp_path / "link").close()
    assert is_empty_layout(tmp_path / "real")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Layout.create(".").close()
    Layout.create("below").close()
    assert is_empty_layout(tmp_path / "here/below")
    Layout.open(".").close()


def test_a_layout_that_exists_is_opened_only_where_that_is_asked_for(tmp_path):
    with Layout.create(tmp_path) as layout:
        layout.tag("a", put_manifest(layout, "a"))
    with pytest.raises(StoreError) as raised:
        Layout.create(tmp_path)
    assert (raised.value.place, raised.value.reason) == (str(tmp_path), "a layout exists there already")
    with Layout.create(tmp_path, exist_ok=True) as layout:
        assert [name for name, _ in listed(layout)] == ["a"]


def test_a_layout_that_exists_is_checked_where_it_is_opened(tmp_path):
    Layout.create(tmp_path).close()
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
    with pytest.raises(DocumentError) as raised:
        Layout.create(tmp_path, exist_ok=True)
    assert raised.value.pointer == "/imageLayoutVersion"


@pytest.mark.parametrize("exist_ok", [False, True])
@pytest.mark.parametrize(
    "left", [[], ["ingest"], ["ingest", "blobs"], ["ingest", "blobs", "index.json"], ["index.json.lock"]]
)
def test_an_interrupted_call_is_repeated(tmp_path, left, exist_ok):
    for name in left:
        if "." in name:
            (tmp_path / name).write_text(json.dumps(NO_IMAGE))
        else:
            (tmp_path / name).mkdir()
    Layout.create(tmp_path, exist_ok=exist_ok).close()
    (tmp_path / "index.json.lock").unlink(missing_ok=True)
    assert is_empty_layout(tmp_path)


@pytest.mark.parametrize("foreign", ["README", ".git", "é", "manifest.json"])
def test_a_directory_with_other_files_is_left_as_it_is(tmp_path, foreign):
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(StoreError) as raised:
        Layout.create(tmp_path, exist_ok=True)
    assert raised.value.reason == f"not a layout, and not empty: it has {foreign}"
    assert files(tmp_path) == [foreign]


def test_a_file_that_only_has_the_name_of_an_index_makes_no_layout(tmp_path):
    (tmp_path / "index.json").write_text('{"title": "of a web page"}')
    with pytest.raises(DocumentError) as raised:
        Layout.create(tmp_path)
    assert [each.pointer for each in raised.value.problems] == ["/schemaVersion", "/manifests"]
    assert not (tmp_path / "oci-layout").exists()
    assert (tmp_path / "index.json").read_text() == '{"title": "of a web page"}'


@pytest.mark.parametrize("name", ["file", "file/below", "file/below/more"])
def test_a_layout_is_not_made_in_place_of_a_file(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError) as raised:
        Layout.create(tmp_path / name)
    assert (raised.value.place, raised.value.reason) == (str(tmp_path / name), "it is a file, not a directory")
    assert (tmp_path / "file").read_text() == "mine"


def test_several_processes_make_a_layout_at_once(tmp_path):
    def make(number):
        with Layout.create(tmp_path / "a/layout", exist_ok=True, fsync="never") as layout:
            layout.tag(f"{number}", put_manifest(layout, f"{number}"))

    children = [start(lambda number=number: make(number)) for number in range(4)]
    assert [ended(child) for child in children] == [0] * 4
    with Layout.open(tmp_path / "a/layout") as layout:
        assert {name for name, _ in listed(layout)} == {"0", "1", "2", "3"}


def test_opening_a_layout_writes_nothing(tmp_path):
    directory = image(tmp_path, LAYER)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    with Layout.open(directory) as layout:
        layout.entries()
        layout.resolve("t")
        assert {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)} == before
        assert not (tmp_path / "ingest").exists()


def test_what_is_no_layout_is_not_opened(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PlaceMissingError):
        Layout.open(tmp_path / "absent")
    with pytest.raises(StoreError) as raised:
        Layout.open(tmp_path)
    assert raised.value.reason == "not an OCI image layout: there is no file oci-layout"
    del raised
    Layout.create(tmp_path / "layout").close()
    with pytest.raises(PlaceMissingError):
        Layout.open(tmp_path / "layout", shared_blobs=tmp_path / "absent")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def layout(tmp_path):
    with Layout.create(tmp_path / "layout", fsync="never") as made:
        yield made


def test_an_image_is_resolved_by_name_or_digest_or_because_it_is_the_only_one(layout):
    first, second = put_manifest(layout, "1"), put_manifest(layout, "2")
    layout.tag("a", first)
    assert {layout.resolve(ref).digest for ref in ("a", str(first.digest), None)} == {first.digest}
    layout.tag("b", second)
    assert layout.resolve("b").digest == second.digest
    for ref, known in ((None, ("a", "b")), ("c", ("a", "b")), ("sha256:" + 64 * "0", ("a", "b"))):
        with pytest.raises(ReferenceMissingError) as raised:
            layout.resolve(ref)
        assert (raised.value.name, raised.value.known) == (ref or "", known)


def test_the_only_image_needs_no_name(layout):
    image = put_manifest(layout, "a")
    layout.tag(None, image)
    assert layout.resolve() == image
    # Several names of one image are one image.
    for name in ("a", "b"):
        layout.tag(name, image)
    assert layout.resolve().digest == image.digest


def test_an_empty_layout_has_no_image(layout):
    with pytest.raises(ReferenceMissingError) as raised:
        layout.resolve()
    assert (raised.value.name, raised.value.known, str(raised.value)) == ("", (), "there is no image")


AMD64, ARM64, ARM = (Platform.parse(f"linux/{name}") for name in ("amd64", "arm64", "arm/v7"))


def with_platform(layout, platform):
    return attrs.evolve(put_manifest(layout, str(platform)), platform=platform)


def test_a_platform_is_looked_for_in_indexes_and_without_one_an_index_is_itself(layout):
    images = [with_platform(layout, each) for each in (AMD64, ARM64)]
    inner = put_index(layout, *images)
    outer = put_index(layout, inner, with_platform(layout, ARM))
    layout.tag("a", outer)
    assert layout.resolve("a").digest == outer.digest
    assert layout.resolve(str(inner.digest)).digest == inner.digest
    for wanted, platform in (("linux/amd64", AMD64), (ARM64, ARM64), ("linux/arm/v7", ARM), ("linux/arm", ARM)):
        found = layout.resolve("a", platform=wanted)
        assert (found.digest, str(found.platform)) == (with_platform(layout, platform).digest, str(platform))
    assert layout.resolve(str(inner.digest), platform="linux/arm64").digest == images[1].digest
    assert layout.resolve(str(images[1].digest)).digest == images[1].digest
    with pytest.raises(ReferenceMissingError) as raised:
        layout.resolve("a", platform="linux/s390x")
    assert (raised.value.what, raised.value.name) == ("platform", "linux/s390x")
    assert raised.value.known == ("linux/amd64", "linux/arm64", "linux/arm/v7")


def test_of_several_entries_with_a_name_the_platform_decides(layout):
    images = [with_platform(layout, each) for each in (AMD64, ARM64)]
    layout.tag("a", *images)
    for each in images:
        assert layout.resolve("a", platform=each.platform).digest == each.digest
    assert layout.resolve("a").digest == layout.resolve("a", platform=host_platform()).digest


def test_the_platform_of_the_config_counts_where_no_entry_says_one(tmp_path):
    with Layout.open(image(tmp_path, LAYER)) as layout:
        found = layout.resolve("t")
        assert layout.resolve("t", platform="linux/amd64") == found
        with pytest.raises(ReferenceMissingError) as raised:
            layout.resolve("t", platform="linux/arm64")
    assert (raised.value.what, raised.value.known) == ("platform", ("linux/amd64",))


def test_an_artifact_is_for_any_platform(layout):
    artifact = put_manifest(layout, "a")
    layout.tag("a", artifact)
    assert layout.resolve("a", platform="linux/arm64").digest == artifact.digest


def test_a_moved_image_has_its_new_name_alone(layout):
    images = {name: put_manifest(layout, name) for name in "abc"}
    for name, each in images.items():
        layout.tag(name, each)
    layout.move("c", "a")
    assert listed(layout) == [("b", images["b"].digest), ("a", images["c"].digest)]
    with pytest.raises(ReferenceMissingError) as raised:
        layout.move("c", "d")
    assert (raised.value.name, raised.value.known) == ("c", ("b", "a"))
    with pytest.raises(NameFormatError):
        layout.move("b", "sha256:0")
    assert listed(layout) == [("b", images["b"].digest), ("a", images["c"].digest)]


def test_changes_keep_what_this_library_does_not_know(layout, tmp_path):
    raw = {"x": [1.5, {"y": None}], **NO_IMAGE, "annotations": {"b": "1", "a": "2"}}
    (tmp_path / "layout/index.json").write_text(json.dumps(raw, indent=3))
    first, second = put_manifest(layout, "1"), put_manifest(layout, "2")
    layout.tag("a", first)
    layout.tag("b", second)
    layout.move("a", "c")
    layout.untag("b")
    found = json.loads((tmp_path / "layout/index.json").read_text())
    assert list(found) == list(raw)
    assert found == raw | {"manifests": [found["manifests"][0]]}
    assert found["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "c"}


def test_a_malformed_index_is_left_as_it_is(layout, tmp_path):
    image = put_manifest(layout, "a")
    (tmp_path / "layout/index.json").write_text('{"schemaVersion": 2, "manifests": [{}]}')
    for change in (
        lambda: layout.tag("a", image),
        lambda: layout.untag("a"),
        lambda: layout.move("a", "b"),
        layout.entries,
        layout.index,
        lambda: layout.resolve("a"),
    ):
        with pytest.raises(DocumentError) as raised:
            change()
        assert raised.value.pointer.startswith("/manifests/0")
    assert (tmp_path / "layout/index.json").read_text() == '{"schemaVersion": 2, "manifests": [{}]}'


def test_each_call_reads_what_others_have_written(layout, tmp_path):
    with Layout.open(tmp_path / "layout") as other:
        other.tag("a", put_manifest(other, "a"))
        assert listed(layout) == listed(other) != []
        layout.untag("a")
        assert other.entries() == []


def test_an_index_that_is_replaced_is_another_file(layout, tmp_path):
    """A reader that has the old one open reads it to its end."""
    image = put_manifest(layout, "a")
    with (tmp_path / "layout/index.json").open("rb") as old:
        layout.tag("a", image)
        assert json.load(old) == NO_IMAGE
    assert (tmp_path / "layout/ingest").is_dir()
    assert os.listdir(tmp_path / "layout/ingest") == []


def test_blobs_are_shared_by_layouts_as_skopeo_shares_them(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    with (
        Layout.create(tmp_path / "first", shared_blobs=shared) as first,
        Layout.create(tmp_path / "second", shared_blobs=shared) as second,
    ):
        image = put_manifest(first, "a")
        assert (shared / "sha256" / image.digest.encoded).is_file()
        second.tag("a", image)
        assert first.entries() == []
        assert read_all(second.blobs.open_blob(image.digest)) == read_all(first.blobs.open_blob(image.digest))
    assert files(tmp_path / "second") == ["blobs", "index.json", "oci-layout"]
    with Layout.open(tmp_path / "second") as alone, pytest.raises(BlobMissingError):
        alone.blobs.open_blob(image.digest)


def test_blobs_that_are_missing_are_read_where_the_caller_says(layout, tmp_path):
    elsewhere = MemoryRepository()
    image = put_manifest(elsewhere, "a")
    with Layout.open(tmp_path / "layout", fallback=[MemoryRepository().blobs, elsewhere.blobs]) as opened:
        assert read_all(opened.blobs.open_blob(image.digest)) == read_all(elsewhere.blobs.open_blob(image.digest))
        opened.tag("a", image)
        assert opened.resolve("a").digest == image.digest
        own = put_manifest(opened, "b")
        assert not elsewhere.blobs.has_blob(own.digest)
    with pytest.raises(BlobMissingError):
        layout.tag("b", image)


def written(directory):
    """Return what an ordinary user gets who writes to a layout, and whether it can be read."""
    with Layout.open(directory) as layout:
        readable = [name for name, _ in listed(layout)]
        found = [
            outcome(put_manifest, layout, "another"),
            outcome(layout.tag, "b", layout.resolve("a")),
            outcome(layout.untag, "a"),
            outcome(layout.lease().__enter__),
        ]
        reused = layout.blobs.reuse_blob(layout.resolve("a"))
    return readable, [kind for kind, _ in found], [str(directory) in text for _, text in found], reused


@pytest.mark.root
def test_a_store_that_one_may_only_read_is_read(place):
    with Layout.create(place / "layout") as layout:
        layout.tag("a", put_manifest(layout, "a"))
    for each in [place / "layout", *(place / "layout").rglob("*")]:
        os.chown(each, 0, 0)
    assert as_user(lambda: written(place / "layout")) == (["a"], ["PermissionError"] * 4, [True] * 4, False)


@pytest.mark.root
def test_root_writes_in_the_name_of_the_owner(place):
    as_user(lambda: Layout.create(place / "layout").close())
    with Layout.open(place / "layout") as layout:
        layout.tag("a", put_manifest(layout, "a"))
        with layout.lease():
            pass
    owners = {each.stat().st_uid for each in [place / "layout", *(place / "layout").rglob("*")]}
    assert owners == {USER}

    def write():
        with Layout.open(place / "layout") as layout:
            layout.tag("b", put_manifest(layout, "b"))
            return [name for name, _ in listed(layout)]

    assert as_user(write) == ["a", "b"]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_others_may_read_a_store_as_far_as_the_umask_lets_them(tmp_path, umask):
    old = os.umask(umask)
    try:
        with Layout.create(tmp_path / "above/layout") as layout:
            layout.tag("a", put_manifest(layout, "a"))
    finally:
        os.umask(old)
    found = {
        (each.is_dir(), stat.S_IMODE(each.stat().st_mode))
        for each in (tmp_path / "above", *tmp_path.rglob("above/**/*"))
    }
    assert found == {(True, 0o777 & ~umask), (True, 0o755 & ~umask), (False, 0o644 & ~umask)}


def test_a_closed_layout_is_read_and_written_no_more(layout):
    image = put_manifest(layout, "a")
    reader = layout.blobs.open_blob(image.digest)
    layout.close()
    layout.close()
    for call in (
        layout.entries,
        layout.resolve,
        layout.index,
        lambda: layout.tag("a", image),
        lambda: layout.untag("a"),
        lambda: layout.move("a", "b"),
        lambda: layout.lease().__enter__(),
        lambda: layout.has_directory("blobs"),
        lambda: layout.blobs.open_blob(image.digest),
        lambda: put_manifest(layout, "b"),
        lambda: layout.blobs.reuse_blob(image),
        lambda: list(layout.blobs.iter_blobs()),
        lambda: reader.read(1),
    ):
        with pytest.raises(StoreError) as raised:
            call()
        assert (raised.value.place, raised.value.reason) == (layout.place, CLOSED)


@pytest.mark.parametrize("name", ["index.json", "oci-layout", "ingest", "blobs", "blobs/sha256"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    """Whatever the links of an untrusted layout lead to is neither read nor changed."""
    directory = tmp_path / "layout"
    with Layout.create(directory) as layout:
        layout.tag("a", put_manifest(layout, "a"))
    (directory / name).rename(tmp_path / "elsewhere")
    (directory / name).symlink_to(tmp_path / "elsewhere")

    def state():
        found = [tmp_path / "elsewhere", *(tmp_path / "elsewhere").rglob("*")]
        return {each.name: each.read_bytes() if each.is_file() else None for each in found}

    before = state()
    with Layout(directory) as layout:
        for call in (
            lambda: put_manifest(layout, "b"),
            lambda: layout.tag("b", layout.resolve("a")),
            lambda: layout.untag("a"),
            lambda: layout.lease().__enter__(),
        ):
            with contextlib.suppress(StoreError, BlobMissingError, OSError):
                call()
    assert state() == before


@pytest.mark.parametrize(("name", "reason"), [("", "it is empty"), ("a\0b", "it has a NUL byte")])
def test_a_name_that_is_no_directory_is_refused(name, reason):
    for call in (Layout.open, Layout.create):
        with pytest.raises(NameFormatError) as raised:
            call(name)
        assert raised.value.reason == reason
