"""What a check of a store finds: all that is wrong, and nothing else."""

import contextlib
import errno
import os
import random
import tempfile
import threading
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers import Limits, system
from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import StoreError
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_LAYER, OCI_MANIFEST, OCI_NONDISTRIBUTABLE_LAYER
from oci_layers.store.copy import copy
from oci_layers.store.fsck import StoreFinding, fsck
from oci_layers.store.graph import Graph
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from tests.support.stores import (
    NOT_THERE,
    UNKNOWN,
    blob,
    config,
    digests,
    document,
    flipped,
    index_of,
    layout,
    look,
    manifest,
    multi,
    on,
    path_of,
    shared_images,
    signature,
)

AMD64, ARM64 = "linux/amd64", "linux/arm64"


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "layout"


@pytest.fixture
def place(directory):
    with layout(directory) as made:
        yield made


def found(checked):
    """The findings in short, by path."""
    return {(each.kind, each.severity, each.path) for each in checked.findings}


def name(digest):
    return f"blobs/{str(getattr(digest, 'digest', digest)).replace(':', '/')}"


def only(checked):
    (finding,) = checked.findings
    return finding


# A store that is whole.


def test_a_store_that_is_whole_has_no_findings(place):
    shared_images(place, 4)
    index, images = multi(place.blobs, AMD64, ARM64)
    place.tag("all", index)
    place.tag(None, images[0])
    place.tag("thing", document(place.blobs, UNKNOWN, uses=blob(place.blobs, b"leaf")))
    signature(place.blobs, index)
    checked = fsck(place)
    assert (checked.findings, checked.ok, checked.quarantined) == ((), True, ())
    assert checked.blobs == len(digests(place.blobs))
    assert checked.bytes == sum(path_of(place.place, each).stat().st_size for each in digests(place.blobs))


def test_a_check_writes_nothing(place, directory):
    shared_images(place, 3)
    path_of(directory, Digest.of(b"base")).write_bytes(b"bad")
    (directory / "blobs/sha256/foreign").touch()
    (directory / "ingest/left").touch()
    before = look(directory)
    assert len(fsck(place).findings) == 3
    assert look(directory) == before


def test_what_may_be_absent_is_no_finding(place):
    foreign = Descriptor.of(b"foreign", media_type=OCI_NONDISTRIBUTABLE_LAYER)
    place.tag("t", manifest(place.blobs, foreign, EMPTY_DESCRIPTOR, config=EMPTY_DESCRIPTOR))
    place.tag("u", manifest(place.blobs, subject=Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=7)))
    assert fsck(place).findings == ()


def test_files_at_the_top_that_the_layout_does_not_know_are_no_findings(place, directory):
    (directory / "README").write_text("mine")
    (directory / "quarantine").mkdir()
    (directory / "quarantine/x").write_text("damaged")
    assert fsck(place).findings == ()


def test_a_writer_that_is_at_work_and_a_lease_leave_no_leftovers(place):
    place.tag("t", manifest(place.blobs, b"layer"))
    with place.lease(), place.own_blobs.ingest() as writer:
        writer.write(b"half")
        blob(place.blobs, b"not referred to yet")
        assert fsck(place).findings == ()
        writer.commit()


def test_an_image_that_others_remove_and_delete_meanwhile_is_not_missing(place, directory, monkeypatch):
    gone, kept = manifest(place.blobs, b"gone"), manifest(place.blobs, b"kept")
    place.tag("t", gone)
    below = Graph.below

    def late(*arguments):
        monkeypatch.undo()
        with Layout.open(directory) as other:
            other.tag("t", kept)
            other.own_blobs.delete_blob(gone.digest)
            other.own_blobs.delete_blob(Digest.of(b"gone"))
        return below(*arguments)

    monkeypatch.setattr(Graph, "below", late)
    assert fsck(place).findings == ()
    place.own_blobs.delete_blob(kept.digest)
    assert ("missing", "error", name(kept)) in found(fsck(place))


# Damage.


def flip(file):
    file.write_bytes(flipped(file.read_bytes()))


def cut(file):
    os.truncate(file, file.stat().st_size - 1)


def extend(file):
    with open(file, "ab") as opened:
        opened.write(b"x")


def empty(file):
    os.truncate(file, 0)


@pytest.mark.parametrize("how", [flip, cut, extend, empty])
@pytest.mark.parametrize("what", ["layer", "config", "manifest", "orphan"])
def test_a_blob_that_is_damaged_is_corrupt_and_breaks_the_images_that_need_it(place, directory, how, what):
    own = config(place.blobs)
    image = manifest(place.blobs, b"layer", config=own)
    place.tag("a", image)
    place.tag("b", index_of(place.blobs, image))
    orphan = blob(place.blobs, b"orphan")
    digest = {"layer": Digest.of(b"layer"), "config": own.digest, "manifest": image.digest, "orphan": orphan.digest}[
        what
    ]
    how(path_of(directory, digest))
    data = path_of(directory, digest).read_bytes()
    (finding,) = [each for each in fsck(place).findings if each.severity != "note"]
    assert finding == StoreFinding(
        kind="corrupt",
        severity="error",
        path=name(digest),
        message=f"has the digest {Digest.of(data)}",
        digest=digest,
        refs=() if what == "orphan" else ("a", "b"),
        size=len(data),
    )
    assert not fsck(place).ok


def test_a_blob_with_the_bytes_of_another_is_misnamed(place, directory):
    own, layer = config(place.blobs), blob(place.blobs, b"layer")
    image = manifest(place.blobs, layer, config=own)
    place.tag("t", image)
    path_of(directory, own).rename(path_of(directory, layer))
    findings = {each.kind: each for each in fsck(place).findings}
    assert findings.keys() == {"misnamed", "missing"}
    assert (findings["misnamed"].digest, findings["misnamed"].message) == (
        layer.digest,
        f"has the bytes of {own.digest}",
    )
    assert (findings["missing"].digest, findings["missing"].message) == (
        own.digest,
        f"/config of {image.digest} refers to it",
    )
    assert {each.refs for each in findings.values()} == {("t",)}


def test_the_bytes_of_another_blob_are_misnamed_though_nothing_needs_that(place, directory):
    blob(place.blobs, b"other")
    layer = blob(place.blobs, b"layer")
    place.tag("t", manifest(place.blobs, layer))
    path_of(directory, layer).write_bytes(b"other")
    assert {each.kind for each in fsck(place).findings} == {"misnamed", "orphan"}


@pytest.mark.parametrize("what", ["layer", "config"])
def test_a_blob_that_is_deleted_is_missing(place, directory, what):
    own = config(place.blobs)
    image = manifest(place.blobs, b"layer", config=own)
    place.tag("t", image)
    place.tag("u", index_of(place.blobs, image))
    digest, pointer = {"layer": (Digest.of(b"layer"), "/layers/0"), "config": (own.digest, "/config")}[what]
    path_of(directory, digest).unlink()
    assert only(fsck(place)) == StoreFinding(
        kind="missing",
        severity="error",
        path=name(digest),
        message=f"{pointer} of {image.digest} refers to it",
        digest=digest,
        refs=("t", "u"),
    )


def test_an_entry_of_the_layout_that_is_deleted_is_missing(place, directory):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    path_of(directory, image).unlink()
    finding = next(each for each in fsck(place).findings if each.severity == "error")
    assert (finding.kind, finding.digest, finding.message) == (
        "missing",
        image.digest,
        "/manifests/0 of index.json refers to it",
    )


def test_a_manifest_that_only_an_index_lists_may_be_elsewhere(place, directory):
    index, images = multi(place.blobs, AMD64, ARM64)
    place.tag("t", index)
    path_of(directory, images[1]).unlink()
    checked = fsck(place)
    finding = checked.findings[0]
    assert (finding.kind, finding.severity, finding.digest, finding.refs) == (
        "missing",
        "warning",
        images[1].digest,
        ("t",),
    )
    assert checked.ok
    place.tag("u", images[0])
    path_of(directory, images[0]).unlink()
    assert not fsck(place).ok


def test_a_size_that_a_document_gives_wrong_is_found_beside_the_right_one(place):
    layer = blob(place.blobs, b"layer")
    wrong = attrs.evolve(layer, size=7)
    for layers in ([wrong, layer], [layer, wrong]):
        image = manifest(place.blobs, *layers)
        place.tag("t", image)
        at = layers.index(wrong)
        assert [each for each in fsck(place).findings if each.severity == "error"] == [
            StoreFinding(
                kind="size",
                severity="error",
                path=name(layer),
                message=f"has 5 bytes, /layers/{at} of {image.digest} says 7",
                digest=layer.digest,
                refs=("t",),
                size=5,
            )
        ]


def test_a_wrong_size_of_a_manifest_is_found_and_its_layers_are_not_orphans(place, directory):
    image = manifest(place.blobs, b"layer")
    place.tag("right", image)
    place.tag("wrong", index_of(place.blobs, attrs.evolve(image, size=image.size + 1)))
    path_of(directory, Digest.of(b"layer")).unlink()
    assert {(each.kind, each.refs) for each in fsck(place).findings} == {
        ("missing", ("right",)),
        ("size", ("right", "wrong")),
    }


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"schemaVersion":2,"manifests":[]}', b"\xff"])
def test_a_document_in_use_that_is_none_is_malformed(place, raw):
    bad = blob(place.blobs, raw, OCI_MANIFEST)
    place.tag("t", bad)
    finding = only(fsck(place))
    assert (finding.kind, finding.severity, finding.path, finding.digest, finding.refs) == (
        "malformed",
        "error",
        name(bad),
        bad.digest,
        ("t",),
    )
    assert finding.message.startswith(f"{OCI_MANIFEST}: ")


def test_a_document_that_exceeds_a_limit_is_malformed(place):
    place.tag("t", manifest(place.blobs, annotations={"x": "x" * 3000}))
    finding = only(fsck(place, limits=Limits(document_bytes=2000)))
    assert finding.kind == "malformed"
    assert "limit document_bytes is 2000" in finding.message


def test_indexes_that_are_nested_too_deep_are_malformed_and_other_images_are_checked(place, directory):
    image = deep = manifest(place.blobs, b"layer")
    for _ in range(18):
        deep = index_of(place.blobs, deep)
    other = manifest(place.blobs, b"other")
    place.tag("deep", deep)
    place.tag("other", other)
    path_of(directory, Digest.of(b"other")).unlink()
    findings = {each.kind: each for each in fsck(place).findings}
    assert findings.keys() == {"malformed", "missing"}
    assert findings["malformed"].refs == ("deep",)
    assert findings["missing"].refs == ("other",)
    assert image.digest in digests(place.blobs)


def test_an_embedded_document_that_is_not_its_digest_is_malformed(place):
    image = manifest(place.blobs, b"layer")
    place.tag("t", index_of(place.blobs, attrs.evolve(image, data=b"x" * image.size)))
    finding = only(fsck(place, limits=Limits()))
    assert (finding.kind, finding.digest) == ("malformed", image.digest)
    assert "digest is sha256:" in finding.message


def test_a_damaged_document_of_a_fallback_is_found(place, directory):
    other = MemoryBlobs()
    image = manifest(other, b"layer")
    manifest(place.blobs, b"layer")
    place.tag("t", image)
    path_of(directory, image).unlink()
    other._blobs[image.digest] = b"x" * image.size
    with Layout.open(directory, fallback=[other]) as opened:
        assert [(each.kind, each.digest) for each in fsck(opened).findings if each.severity == "error"] == [
            ("malformed", image.digest)
        ]


@pytest.mark.parametrize("what", ["named oci-layout", "layout"])
@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("index.json", None, "not a complete OCI image layout: there is no file index.json"),
        ("index.json", b"", "not a JSON document"),
        ("index.json", b"{}", "is required"),
        ("index.json", b"x" * 5_000_000, "limit document_bytes"),
        ("oci-layout", None, "not an OCI image layout: there is no file oci-layout"),
        ("oci-layout", b"", "not a JSON document"),
        ("oci-layout", b'{"imageLayoutVersion":"2.0.0"}', "/imageLayoutVersion"),
        ("oci-layout", b"x" * 5_000_000, "limit document_bytes"),
    ],
)
def test_an_index_or_a_marker_that_is_none_is_malformed_whatever_the_directory_is_called(
    tmp_path, what, file, change, message
):
    directory = tmp_path / what
    with layout(directory) as place:
        place.tag("t", manifest(place.blobs, b"layer"))
        (directory / file).unlink()
        if change is not None:
            (directory / file).write_bytes(change)
        path_of(directory, Digest.of(b"layer")).write_bytes(b"bad")
        checked = fsck(place)
    errors = {each.kind: each for each in checked.findings}
    assert errors.keys() == {"malformed", "corrupt"}
    assert errors["malformed"].path == file
    if "JSON" not in message:
        assert message in errors["malformed"].message
    assert errors["corrupt"].refs == ()


# What is of no use.


def test_what_no_image_refers_to_is_an_orphan(place):
    place.tag("t", manifest(place.blobs, b"layer"))
    orphan = blob(place.blobs, b"orphan")
    checked = fsck(place)
    assert only(checked) == StoreFinding(
        kind="orphan",
        severity="note",
        path=name(orphan),
        message="no image refers to it",
        digest=orphan.digest,
        size=6,
    )
    assert checked.ok


def test_files_that_are_no_blobs_are_foreign(place, directory):
    place.tag("t", manifest(place.blobs, b"layer"))
    for path in ("blobs/README", "blobs/sha256/readme", "blobs/sha256/" + "F" * 64, "blobs/md5/x"):
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).touch()
    (directory / "blobs/sha256" / ("0" * 64)).symlink_to("/etc/passwd")
    (directory / "blobs/sha256" / ("1" * 64)).mkdir()
    os.mkfifo(directory / "blobs/sha256" / ("2" * 64))
    (directory / "blobs/sha512").symlink_to("/etc")
    names = [
        "README",
        "md5",
        "sha256/readme",
        "sha512",
        f"sha256/{'F' * 64}",
        *(f"sha256/{each * 64}" for each in "012"),
    ]
    checked = fsck(place)
    assert found(checked) == {("foreign", "note", f"blobs/{each}") for each in names}
    assert {each.message for each in checked.findings} == {"is no blob"}


def test_what_a_killed_writer_left_is_a_leftover(place, directory):
    (directory / "ingest/left").write_bytes(b"left")
    assert only(fsck(place)) == StoreFinding(
        kind="leftover",
        severity="note",
        path="ingest/left",
        message="was left by a writer that did not finish",
        size=4,
    )


@pytest.mark.parametrize("kind", ["link", "directory", "pipe"])
@pytest.mark.parametrize("what", ["layer", "manifest"])
def test_a_blob_that_is_no_regular_file_is_missing(place, directory, tmp_path, kind, what):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    digest = Digest.of(b"layer") if what == "layer" else image.digest
    file = path_of(directory, digest)
    file.rename(tmp_path / "elsewhere")
    {"link": lambda: file.symlink_to(tmp_path / "elsewhere"), "directory": file.mkdir, "pipe": lambda: os.mkfifo(file)}[
        kind
    ]()
    checked = fsck(place)
    assert {("missing", "error", name(digest)), ("foreign", "note", name(digest))} <= found(checked)
    assert {each.refs for each in checked.findings if each.severity == "error"} == {("t",)}


@pytest.mark.parametrize("link", ["blobs", "ingest"])
def test_a_directory_of_the_store_that_is_a_link_is_an_error(place, directory, tmp_path, link):
    (directory / link).rename(tmp_path / "elsewhere")
    (directory / link).symlink_to(tmp_path / "elsewhere")
    with Layout.open(directory) as opened, pytest.raises(StoreError) as raised:
        fsck(opened)
    assert raised.value.reason == f"{link} is not a directory, or is a link"


def test_a_digest_that_cannot_be_computed_here_is_not_checked(place, directory):
    with contextlib.suppress(ImportError):
        import blake3  # noqa: F401

        pytest.skip("blake3 is installed")
    (directory / "blobs/blake3").mkdir()
    (directory / "blobs/blake3" / ("0" * 64)).touch()
    finding = next(each for each in fsck(place).findings if each.kind == "unchecked")
    assert (finding.severity, finding.digest) == ("warning", Digest("blake3:" + "0" * 64))
    assert "blake3" in finding.message


# Files that cannot be read.


def failing(monkeypatch, call, digest, error=errno.EIO):
    """Let a call on the file of a blob fail."""
    real_open, real = system.open_regular_file, getattr(system, call)
    bad = set()

    def opened(path, *arguments, **options):
        mine = (os.fsencode(path) if isinstance(path, str) else path) == digest.encoded.encode()
        if mine and call == "open_regular_file":
            raise OSError(error, os.strerror(error))
        fd = real_open(path, *arguments, **options)
        (bad.add if mine else bad.discard)(fd)
        return fd

    def fail(fd, *arguments):
        if fd in bad:
            raise OSError(error, os.strerror(error))
        return real(fd, *arguments)

    if call != "open_regular_file":
        monkeypatch.setattr(system, call, fail)
    monkeypatch.setattr(system, "open_regular_file", opened)


@pytest.mark.parametrize("call", ["open_regular_file", "pread"])
@pytest.mark.parametrize("what", ["layer", "config", "manifest", "index", "orphan", "orphan document"])
def test_a_blob_that_cannot_be_read_is_corrupt_and_the_others_are_checked(place, directory, monkeypatch, call, what):
    own = config(place.blobs)
    image = manifest(place.blobs, b"layer", config=own)
    index = index_of(place.blobs, image)
    place.tag("t", index)
    place.tag("other", manifest(place.blobs, b"other"))
    path_of(directory, Digest.of(b"other")).write_bytes(b"bad")
    digest = {
        "layer": Digest.of(b"layer"),
        "config": own.digest,
        "manifest": image.digest,
        "index": index.digest,
        "orphan": blob(place.blobs, b"orphan").digest,
        "orphan document": document(place.blobs, UNKNOWN, a=1).digest,
    }[what]
    failing(monkeypatch, call, digest)
    errors = {each.digest: each for each in fsck(place).findings if each.severity == "error"}
    assert errors.keys() == {digest, Digest.of(b"other")}
    assert errors[digest].kind == "corrupt"
    assert os.strerror(errno.EIO) in errors[digest].message
    assert errors[digest].refs == (() if "orphan" in what else ("t",))


@pytest.mark.parametrize("call", ["open_regular_file", "pread"])
@pytest.mark.parametrize("what", ["layer", "manifest"])
def test_a_blob_that_cannot_be_read_is_repaired(place, directory, monkeypatch, call, what):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    other = MemoryRepository()
    copy(place, other)
    digest = Digest.of(b"layer") if what == "layer" else image.digest
    data = path_of(directory, digest).read_bytes()
    with monkeypatch.context() as patch:
        failing(patch, call, digest)
        checked = fsck(place, repair_from=[other.blobs])
    assert [each.kind for each in checked.findings] == ["corrupt"]
    assert (directory / checked.quarantined[0]).read_bytes() == data
    assert fsck(place).findings == ()


def test_an_index_that_cannot_be_read_is_an_error_of_the_system(place, monkeypatch):
    real = system.open_regular_file

    def fail(path, *arguments, **options):
        if path == b"index.json":
            raise OSError(errno.EIO, "input/output error")
        return real(path, *arguments, **options)

    monkeypatch.setattr(system, "open_regular_file", fail)
    with pytest.raises(OSError, match="input/output error") as raised:
        fsck(place)
    assert raised.value.filename == place.place


# Repair.


@pytest.fixture
def other(place):
    """A store with everything of the first one."""
    shared_images(place, 3)
    index, _ = multi(place.blobs, AMD64, ARM64)
    place.tag("all", index)
    made = MemoryRepository("other")
    copy(place, made, everything=True)
    return made


def test_every_blob_that_is_damaged_or_missing_is_repaired_from_another_store(place, directory, other):
    good = look_at_blobs(directory)
    hows = [flip, cut, extend, empty, lambda file: file.unlink()]
    for at, file in enumerate(sorted(good)):
        hows[at % len(hows)](file)
    checked = fsck(place, repair_from=[other.blobs])
    assert checked.ok
    assert {each.kind for each in checked.findings} == {"corrupt", "missing"}
    assert all(each.repaired for each in checked.findings)
    assert look_at_blobs(directory) == good
    assert fsck(place).findings == ()


def look_at_blobs(directory):
    return {file: file.read_bytes() for file in Path(directory).glob("blobs/*/*")}


def test_a_document_is_repaired_with_all_that_it_leads_to(place, directory, other):
    """What a missing index refers to is known once it is there again."""
    good = look_at_blobs(directory)
    for file in good:
        file.unlink()
    checked = fsck(place, repair_from=[other.blobs])
    assert checked.ok
    assert {each.digest for each in checked.findings} == digests(other.blobs)
    assert look_at_blobs(directory) == good


def test_nothing_that_is_damaged_is_lost(place, directory, other):
    """Its bytes are found in the quarantine, whatever was there before, and however often."""
    lost = []
    for turn in range(3):
        for at, file in enumerate(sorted(look_at_blobs(directory))):
            file.write_bytes(b"damaged %d in turn %d" % (at, turn))
            lost.append(file.read_bytes())
        checked = fsck(place, repair_from=[other.blobs])
        assert checked.ok
        assert len(checked.quarantined) == len(checked.findings) == len(look_at_blobs(directory))
        assert all((directory / each).is_file() for each in checked.quarantined)
    assert sorted(file.read_bytes() for file in (directory / "quarantine").iterdir()) == sorted(lost)


def test_a_quarantine_alone_moves_damaged_files_and_says_what_is_missing_then(place, directory):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    orphan = blob(place.blobs, b"orphan")
    for each in (Digest.of(b"layer"), orphan.digest):
        path_of(directory, each).write_bytes(b"bad")
    checked = fsck(place, quarantine=True)
    findings = {each.digest: each for each in checked.findings}
    assert (findings[orphan.digest].repaired, findings[Digest.of(b"layer")].repaired) == (True, False)
    assert not checked.ok
    assert set(checked.quarantined) == {f"quarantine/sha256-{each.encoded}" for each in findings}
    assert not place.blobs.has_blob(Digest.of(b"layer"))
    assert [(each.kind, each.digest) for each in fsck(place).findings] == [("missing", Digest.of(b"layer"))]


def test_a_damaged_layer_that_need_not_be_there_is_repaired_by_moving_it_away(place, directory):
    layer = blob(place.blobs, b"foreign", OCI_NONDISTRIBUTABLE_LAYER)
    place.tag("t", manifest(place.blobs, layer))
    path_of(directory, layer).write_bytes(b"bad")
    assert only(fsck(place, quarantine=True)).repaired
    assert fsck(place).findings == ()


def test_orphans_and_foreign_files_are_not_touched_by_a_repair(place, directory, other):
    orphan = blob(place.blobs, b"orphan")
    (directory / "blobs/sha256/foreign").touch()
    (directory / "ingest/left").touch()
    before = look(directory)
    checked = fsck(place, repair_from=[other.blobs], quarantine=True)
    assert {each.kind for each in checked.findings} == {"orphan", "foreign", "leftover"}
    assert look(directory) == before
    assert place.blobs.has_blob(orphan.digest)


@pytest.mark.parametrize("kind", ["link", "directory", "pipe"])
def test_what_is_no_regular_file_is_moved_away_and_repaired(place, directory, other, tmp_path, kind):
    file = path_of(directory, Digest.of(b"base"))
    file.rename(tmp_path / "elsewhere")
    match kind:
        case "link":
            file.symlink_to(tmp_path / "elsewhere")
        case "directory":
            file.mkdir()
            (file / "inside").write_bytes(b"kept")
        case "pipe":
            os.mkfifo(file)
    checked = fsck(place, repair_from=[other.blobs])
    assert only(checked).kind == "missing"
    assert only(checked).repaired
    assert len(checked.quarantined) == 1
    assert file.read_bytes() == b"base"
    moved = directory / checked.quarantined[0]
    if kind == "directory":
        assert (moved / "inside").read_bytes() == b"kept"
    assert (moved.is_symlink(), moved.is_dir(), moved.is_fifo()) == (
        kind == "link",
        kind == "directory",
        kind == "pipe",
    )
    assert (tmp_path / "elsewhere").read_bytes() == b"base"


class Wrong:
    """A store whose blobs are wrong in some way."""

    def __init__(self, blobs, how):
        self.blobs = blobs
        self.how = how

    def open_blob(self, digest):
        if self.how == "fails to open":
            raise OSError(errno.EIO, "input/output error")
        stream = self.blobs.open_blob(digest)
        data = stream.read(1 << 20)
        match self.how:
            case "flipped":
                data = flipped(data)
            case "cut":
                data = data[:-1]
            case "longer":
                data += b"x"
            case "is closed":
                raise StoreError("other", "closed")
        return Stream(data, OSError(errno.EIO, "input/output error") if self.how == "fails to read" else None)


class Stream:
    def __init__(self, data, error):
        self.data = data
        self.error = error

    def read(self, size):
        if self.error is not None and len(self.data) < 3:
            raise self.error
        size = min(size, max(1, len(self.data) // 2))
        data, self.data = self.data[:size], self.data[size:]
        return data

    def skip(self, size):
        self.data = self.data[size:]
        return size

    def close(self):
        pass


@pytest.mark.parametrize("how", ["flipped", "cut", "longer", "is closed", "fails to open", "fails to read", "lacks it"])
@pytest.mark.parametrize("second", [False, True])
def test_a_store_that_is_damaged_too_repairs_nothing_and_the_next_one_is_asked(place, directory, other, how, second):
    digest = Digest.of(b"base")
    path_of(directory, digest).write_bytes(b"bad")
    sources = [MemoryBlobs() if how == "lacks it" else Wrong(other.blobs, how)] + [other.blobs] * second
    checked = fsck(place, repair_from=sources)
    assert only(checked).repaired is second
    assert place.blobs.has_blob(digest) is second
    assert os.listdir(directory / "ingest") == []
    if second:
        assert path_of(directory, digest).read_bytes() == b"base"


def test_what_an_interrupted_writer_left_damaged_does_not_spoil_a_repair(place, directory, other, tmp_path):
    descriptor = Descriptor.of(b"base", media_type=OCI_LAYER)
    path_of(directory, descriptor).unlink()
    with place.own_blobs.ingest(descriptor, resume=True) as writer:
        writer.write(b"bax")
    with layout(tmp_path / "other") as good:
        copy(other, good, everything=True)
        checked = fsck(place, repair_from=[good.blobs])
    assert checked.ok
    assert path_of(directory, descriptor).read_bytes() == b"base"


def test_a_store_that_has_nothing_of_its_blobs_is_repaired(place, directory, other):
    good = look_at_blobs(directory)
    for file in good:
        file.unlink()
    (directory / "blobs/sha256").rmdir()
    (directory / "blobs").rmdir()
    assert fsck(place, repair_from=[other.blobs]).ok
    assert look_at_blobs(directory) == good


def test_a_store_that_cannot_be_written_is_not_repaired_and_says_so(place, directory, other, monkeypatch):
    path_of(directory, Digest.of(b"base")).unlink()

    def full(*arguments):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(system, "write_at", full)
    with pytest.raises(OSError, match="no space left on device"):
        fsck(place, repair_from=[other.blobs])


def test_what_another_process_has_mended_meanwhile_is_not_moved_away(place, directory, other, monkeypatch):
    digest = Digest.of(b"base")
    path_of(directory, digest).write_bytes(b"bad!")
    real = DirectoryBlobs.quarantine

    def mended_first(self, *arguments):
        blob(place.blobs, b"base")
        return real(self, *arguments)

    monkeypatch.setattr(DirectoryBlobs, "quarantine", mended_first)
    checked = fsck(place, quarantine=True)
    assert checked.quarantined == ()
    assert path_of(directory, digest).read_bytes() == b"base"


# Threads, progress, and others at work.


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_findings_are_the_same_for_any_number_of_threads(place, directory, threads):
    shared_images(place, 5)
    for at, file in enumerate(sorted(look_at_blobs(directory))):
        [flip, cut, Path.unlink, extend][at % 4](file)
    assert fsck(place, threads=threads) == fsck(place, threads=1)


def test_findings_are_ordered_by_severity_and_path(place, directory):
    shared_images(place, 4)
    for each in (b"base", b"own 0", b"own 1"):
        path_of(directory, Digest.of(each)).write_bytes(b"bad")
    (directory / "blobs/sha256/foreign").touch()
    (directory / "blobs/a").touch()
    order = [(("error", "warning", "note").index(each.severity), each.path) for each in fsck(place).findings]
    assert order == sorted(order)
    assert len(order) == 5


def test_progress_counts_bytes_in_the_callers_thread_and_its_exception_ends_the_check(place, other):
    seen = []
    checked = fsck(place, progress=lambda progress: seen.append((progress, threading.get_ident())))
    assert {ident for _, ident in seen} == {threading.get_ident()}
    assert {(each.total, each.layers) for each, _ in seen} == {(checked.bytes, checked.blobs)}
    assert seen[-1][0].done == checked.bytes

    def stop(progress):
        raise KeyboardInterrupt

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            fsck(place, progress=stop, threads=threads)


def test_a_blob_that_is_deleted_while_it_is_checked_is_missing_only_if_it_is_needed(place, directory, monkeypatch):
    place.tag("t", manifest(place.blobs, b"layer"))
    orphan = blob(place.blobs, b"orphan")
    real = DirectoryBlobs.statuses

    def then_delete(self):
        rows = list(real(self))
        for each in (orphan.digest, Digest.of(b"layer")):
            path_of(directory, each).unlink(missing_ok=True)
        return iter(rows)

    monkeypatch.setattr(DirectoryBlobs, "statuses", then_delete)
    assert [(each.kind, each.digest) for each in fsck(place).findings] == [("missing", Digest.of(b"layer"))]


def test_writers_at_work_cause_no_findings_but_notes(place):
    """Of what they have not named yet."""
    stop = threading.Event()
    failed = []

    def write(number):
        try:
            with Layout.open(place.place, fsync="never") as own:
                for turn in range(10_000):
                    if stop.is_set():
                        return
                    source = MemoryRepository()
                    source.tag(f"{number}-{turn % 5}", manifest(source.blobs, b"%d %d" % (number, turn), b"shared"))
                    copy(source, own, threads=1)
        except BaseException as error:  # noqa: BLE001  # shown below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(15):
            assert [each for each in fsck(place).findings if each.severity != "note"] == []
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


# Every kind of damage to every file, and none to many stores.


def of_two_hundred(place):
    """Fill a store with 200 blobs; return their digests by level: leaves, manifests, indexes."""
    images = shared_images(place, 30)
    indexes = []
    for number in range(2):
        images += (below := [manifest(place.blobs, b"%d %d" % (number, each)) for each in range(8)])
        indexes.append(index_of(place.blobs, *below))
        place.tag(f"index-{number}", indexes[-1])
    images.append(manifest(place.blobs, *(b"rest %d" % each for each in range(58))))
    place.tag("rest", images[-1])
    documents = [each.digest for each in images], [each.digest for each in indexes]
    return [sorted(digests(place.blobs) - {*documents[0], *documents[1]}), *documents]


def damage(how, file, other, chance):
    """Damage a file in one of the ways."""
    data = file.read_bytes()
    match how:
        case "flipped":
            at = chance.randrange(len(data))
            file.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        case "cut":
            file.write_bytes(data[: chance.randrange(len(data))])
        case "longer":
            file.write_bytes(data + chance.randbytes(chance.randrange(1, 9)))
        case "another's bytes":
            file.write_bytes(other)
        case "renamed":
            file.rename(file.with_name(f"{chance.getrandbits(256):064x}"))
        case "deleted":
            file.unlink()


HOWS = ["flipped", "cut", "longer", "another's bytes", "renamed", "deleted"]


@pytest.mark.thorough
@pytest.mark.parametrize("turn", range(len(HOWS)))
def test_every_kind_of_damage_to_every_file_of_a_store_is_found(place, directory, turn):
    """All files of one level at once, since what a damaged document refers to is not known."""
    levels = of_two_hundred(place)
    assert (len(digests(place.blobs)), fsck(place).findings) == (200, ())
    good = look_at_blobs(directory)
    known = {Digest.of(data) for data in good.values()}
    chance = random.Random(turn)
    for level in levels:
        for at, digest in enumerate(level):
            other = chance.choice([data for file, data in good.items() if file.name != digest.encoded])
            damage(HOWS[(at + turn) % len(HOWS)], path_of(directory, digest), other, chance)
        expected = dict.fromkeys(level, "missing")
        for file, data in look_at_blobs(directory).items():
            if good.get(file) != data:
                # A bit makes `own 2` of `own 3`.
                expected[Digest(f"sha256:{file.name}")] = "misnamed" if Digest.of(data) in known else "corrupt"
        checked = fsck(place)
        assert {each.digest: each.kind for each in checked.findings if each.kind != "orphan"} == expected
        assert all(each.refs for each in checked.findings if each.digest in level)
        for file in look_at_blobs(directory):
            file.unlink()
        for file, data in good.items():
            file.write_bytes(data)
    assert fsck(place).findings == ()


@pytest.mark.parametrize("where", ["blobs", "blobs/sha256", "blobs/sha512", "blobs/md5"])
@pytest.mark.parametrize("text", ["README", ".tmp", "f" * 63, "F" * 64, "f" * 65, "f" * 63 + "g", "sha256:x", "\n"])
def test_a_foreign_file_is_found_wherever_it_is(place, directory, where, text):
    (directory / where).mkdir(exist_ok=True, parents=True)
    (directory / where / text).write_bytes(b"foreign")
    expected = f"{where}/{text}" if where != "blobs/md5" else where
    assert found(fsck(place)) == {("foreign", "note", expected)}


@pytest.mark.thorough
@pytest.mark.parametrize("file", ["index.json", "oci-layout"])
def test_an_index_or_a_marker_that_is_cut_anywhere_or_gone_is_found(place, directory, file):
    shared_images(place, 2)
    data = (directory / file).read_bytes()
    for size in range(len(data)):
        (directory / file).write_bytes(data[:size])
        assert ("malformed", "error", file) in found(fsck(place, threads=1))
    (directory / file).unlink()
    assert ("malformed", "error", file) in found(fsck(place))


@pytest.mark.thorough
def test_a_bit_of_a_digest_or_a_size_in_the_index_is_found(place, directory):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    raw = (directory / "index.json").read_bytes()
    said = {str(image.digest).encode(): 7, b'"size":%d' % image.size: 7}
    for text, skip in said.items():
        start = raw.index(text)
        for at in range(start + skip, start + len(text)):
            for bit in range(7):
                (directory / "index.json").write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
                assert not fsck(place, threads=1).ok


IMAGES = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=5)


@given(IMAGES, st.lists(st.sets(st.integers(0, 4)), max_size=3), st.lists(st.integers(0, 7), max_size=4))
def test_a_store_that_was_written_by_this_library_has_no_errors(images, groups, gone):
    with tempfile.TemporaryDirectory() as directory, layout(Path(directory, "layout")) as place:
        made = [manifest(place.blobs, *(b"layer %d" % each for each in layers)) for layers in images]
        made += [index_of(place.blobs, *(made[at] for at in sorted(group) if at < len(images))) for group in groups]
        for at, each in enumerate(made):
            place.tag(f"name-{at}", on(AMD64, each))
            if at % 3 == 0:
                signature(place.blobs, each, b"%d" % at)
        for at in gone:
            if at < len(made) and any(f"name-{at}" in each.annotations.values() for each in place.entries()):
                place.untag(f"name-{at}")
        checked = fsck(place, threads=1)
        assert {each.severity for each in checked.findings} <= {"note"}
        assert {each.kind for each in checked.findings} <= {"orphan"}
