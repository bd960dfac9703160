"""Stores that are damaged, hostile, or none: found, or refused with one typed error, and nothing else is touched."""

import contextlib
import errno
import json
import os

import attrs
import pytest

import oci_layers
from oci_layers import Limits, open_image, system
from oci_layers.blob.store import read_verified
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    IntegrityError,
    LimitError,
    NameFormatError,
    OCIError,
    PlaceMissingError,
    StoreError,
)
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from oci_layers.store.copy import copy
from oci_layers.store.du import du
from oci_layers.store.fsck import fsck
from oci_layers.store.gc import gc
from oci_layers.store.graph import Graph
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from tests.support.canary import Canaries
from tests.support.examples import some
from tests.support.layers import Built, d, f, tar
from tests.support.process import as_user, shared_directory
from tests.support.stores import age, blob, digests, flipped, index_of, layout, look, manifest, multi, path_of

# Tampering: each blob in turn.


def image(directory):
    """An image of three layers, which is unpacked; return its layout and the files of its blobs."""
    built = Built.of(directory, tar(d("a"), f("a/x", "one")), tar(f("a/y", "two")), tar(f("b", "three" * 100)))
    return built.write(), sorted((directory / "blobs/sha256").iterdir())


WAYS = {
    "flipped": flipped,
    "first bit": lambda data: flipped(data, 0),
    "last bit": lambda data: flipped(data, -1 % len(data)),
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(5))
def test_a_blob_that_was_tampered_with_is_found_by_whatever_reads_it_and_by_a_check(tmp_path, way, number):
    """Opening, the tree, unpacking, copying and reading by descriptor: none of them takes it for the right one."""
    directory, files = image(tmp_path / "image")
    file = files[number]
    file.write_bytes(WAYS[way](file.read_bytes()))
    for job in (
        lambda opened: opened.tree(),
        lambda opened: opened.unpack(tmp_path / "dest"),
        lambda opened: [list(layer.entries()) for layer in opened.layers],
    ):
        with pytest.raises(IntegrityError), open_image(directory) as opened:  # whichever raises it
            job(opened)
    assert not (tmp_path / "dest").exists()
    with Layout.open(directory) as place:
        with pytest.raises(IntegrityError):
            copy(place, MemoryRepository())
        (entry,) = place.entries()
        graph = Graph(place.blobs, Limits())
        descriptors = {visit.descriptor.digest: visit.descriptor for visit in graph.below(entry)}
        digest = Digest(f"sha256:{file.name}")
        if digest in descriptors:
            with pytest.raises(IntegrityError):
                read_verified(place.blobs, descriptors[digest], limit="document_bytes", allowed=1 << 20)
        findings = [each for each in fsck(place).findings if each.severity == "error"]
        assert [(each.digest, each.refs) for each in findings if each.digest == digest] == [(digest, ("t",))]
        assert not oci_layers.check_image(directory).ok


def test_each_bit_of_a_small_store_is_found_by_a_check_and_by_a_copy(tmp_path):
    with layout(tmp_path / "layout") as place:
        place.tag("t", manifest(place.blobs, b"layer", b"other"))
        for digest in digests(place.blobs):
            file = path_of(place.place, digest)
            data = file.read_bytes()
            bits = range(0, len(data) * 8, 7 if len(data) > 9 else 1)
            for bit in some(bits, every=4 if len(data) > 9 else 1):
                bad = bytearray(data)
                bad[bit // 8] ^= 1 << bit % 8
                file.write_bytes(bad)
                assert digest in {each.digest for each in fsck(place, threads=1).findings}
                with pytest.raises(IntegrityError):
                    copy(place, MemoryRepository(), threads=1)
            file.write_bytes(data)
        assert fsck(place).findings == ()


# Names and digests that look like paths.


@pytest.fixture
def canaries(place):
    made = Canaries(place, "store", "image")
    yield made
    made.check()


NAMES = [
    "../../x",
    "../canary/secret",
    "/etc/passwd",
    "..",
    ".",
    "a/../../../canary",
    "~",
    "$(touch x)",
    "x;y",
    "\\..\\x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_reaches_no_file(canaries, place, name):
    with layout(place / "store") as store:
        entry = manifest(store.blobs, b"layer")
        store.tag(name, entry)
        assert store.resolve(name).digest == entry.digest
        assert copy(store, store, name, target_ref=f"{name}2").entries[0].digest == entry.digest
        store.move(name, f"{name}3")
        store.untag(f"{name}3")
        with pytest.raises(OCIError):
            store.resolve(name)
        age(place / "store")
        gc(store)
        assert fsck(store).ok
    assert sorted(os.listdir(place / "store")) == ["blobs", "index.json", "ingest", "oci-layout"]


HEX = "0" * 64
DIGESTS = [
    "sha256:../../../canary/secret",
    f"sha256:../../{HEX}",
    "../canary:secret",
    "..:secret",
    "sha256:" + "/" * 64,
    "sha256:" + "." * 64,
    f"SHA256:{HEX}",
    f"sha256:{HEX[:-1]}",
    f"sha256:{HEX}\n",
    f"sha256:{HEX}\0",
    f"blobs/sha256:{HEX}",
    "sha256:",
    ":",
    "",
    "canary:secret",
    "canary:..=..",
    f"sha256+b64:{HEX}",
]


@pytest.mark.parametrize("digest", DIGESTS)
def test_a_digest_reaches_no_file(canaries, place, digest):
    """In the index, in a manifest, or given by a caller: it is refused, or no path is made of it."""
    with layout(place / "store") as store:
        entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 20}
        inner = blob(store.blobs, json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(), OCI_INDEX)
        store.tag("inner", inner)
        jobs = [
            lambda: copy(store, MemoryRepository(), "inner"),
            lambda: open_image(f"oci:{place}/store:inner"),
            lambda: Descriptor(media_type=OCI_LAYER, digest=Digest(digest), size=1),
            lambda: store.blobs.open_blob(Digest(digest)),
            lambda: store.own_blobs.quarantine(Digest(digest), None),
        ]
        for job in jobs[:-1]:
            with contextlib.suppress(OCIError):
                job()
        fsck(store, quarantine=True)
        with contextlib.suppress(OCIError):
            gc(store, grace=0)
        with contextlib.suppress(OCIError):
            du(store)
        raw = json.loads((place / "store/index.json").read_bytes())
        raw["manifests"].append(entry)
        (place / "store/index.json").write_text(json.dumps(raw))
        for job in (lambda: copy(store, MemoryRepository(), digest), lambda: gc(store, grace=0), lambda: du(store)):
            with contextlib.suppress(OCIError):
                job()
        fsck(store, quarantine=True)
    assert sorted(os.listdir(place / "store")) == ["blobs", "index.json", "ingest", "oci-layout"]


@pytest.mark.parametrize("digest", ["canary:secret", "md5:" + "0" * 32, f"sha256+b64:{HEX}"])
def test_a_digest_of_an_unknown_algorithm_is_no_path_in_any_call(canaries, place, digest):
    descriptor = Descriptor(media_type=OCI_LAYER, digest=Digest(digest), size=6)
    with layout(place / "store") as store:
        with pytest.raises(BlobMissingError):
            store.blobs.open_blob(descriptor.digest)
        assert not store.blobs.has_blob(descriptor.digest)
        assert not store.blobs.reuse_blob(descriptor)
        with pytest.raises(OCIError):
            store.own_blobs.ingest(descriptor)
        store.own_blobs.delete_blob(descriptor.digest)
        with pytest.raises(BlobMissingError):
            store.tag("t", descriptor)


# Links inside a layout.


LINKS = ["blobs", "blobs/sha256", "blob", "index.json", "oci-layout", "ingest", "quarantine", "manifest"]


def linked(place, what):
    """Make a store, move a part of it outside, and leave a link."""
    with layout(place / "store") as store:
        entry = manifest(store.blobs, b"layer")
        store.tag("t", entry)
        blob(store.blobs, b"orphan")
    inside = {
        "blob": path_of(place / "store", Digest.of(b"layer")),
        "manifest": path_of(place / "store", entry),
        "quarantine": place / "store/quarantine",
    }.get(what, place / "store" / what)
    age(place / "store")
    if what == "quarantine":
        (place / "image").mkdir()
    else:
        inside.rename(place / "image")
    inside.symlink_to(place / "image")


def contents(directory):
    return {path: data for path, (*_, data) in look(directory).items()}


def mend(store):
    source = MemoryRepository()
    source.tag("t", manifest(source.blobs, b"layer"))
    fsck(store, repair_from=[source.blobs], quarantine=True)


def damage_first(store):
    """Damage the orphan, where it can be reached, so that there is something to move away."""
    file = path_of(store.place, Digest.of(b"orphan"))
    if not file.resolve().is_relative_to(os.path.realpath(store.place)):
        return
    file.write_bytes(b"bad")
    fsck(store, quarantine=True)


def copied_into(store):
    source = MemoryRepository()
    source.tag("u", manifest(source.blobs, b"layer", b"new"))
    copy(source, store)


def leased(store):
    with store.lease():
        blob(store.blobs, b"leased")


JOBS = {
    "put": lambda store: blob(store.blobs, b"new"),
    "put again": lambda store: blob(store.blobs, b"layer"),
    "reuse": lambda store: store.blobs.reuse_blob(Descriptor.of(b"layer", media_type=OCI_LAYER)),
    "delete": lambda store: store.own_blobs.delete_blob(Digest.of(b"layer")),
    "tag": lambda store: store.tag("u", blob(store.blobs, b"{}", OCI_MANIFEST)),
    "move": lambda store: store.move("t", "u"),
    "untag": lambda store: store.untag("t"),
    "gc": lambda store: gc(store, grace=0),
    "fsck": fsck,
    "repair": mend,
    "quarantine": damage_first,
    "du": du,
    "copy in": copied_into,
    "copy out": lambda store: copy(store, MemoryRepository(), "t"),
    "lease": leased,
    "create": lambda store: Layout.create(store.place, exist_ok=True).close(),
}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("what", some(LINKS, every=3))
def test_links_in_a_layout_are_not_followed_out_of_it(place, what, job):
    """Nothing outside is written or removed, whether the job is done, refused, or finds something wrong."""
    canaries = Canaries(place, "store")
    linked(place, what)
    before = look(place / "image")
    with contextlib.closing(Layout(place / "store", fsync="commit")) as store, contextlib.suppress(OCIError):
        JOBS[job](store)
    assert look(place / "image") == before
    canaries.check()


@pytest.mark.parametrize("what", ["blobs", "blobs/sha256", "blob", "manifest", "index.json"])
def test_links_in_a_layout_are_not_read_either(place, what):
    """What they lead to would be right, and is not taken."""
    linked(place, what)
    with contextlib.closing(Layout(place / "store")) as store:
        with pytest.raises(StoreError):
            copy(store, MemoryRepository(), "t")
        if what != "blob":  # Of a layer only the directory is looked at.
            with pytest.raises(StoreError):
                gc(store, grace=0)


@pytest.mark.parametrize(
    "job", ["put again", "reuse", "delete", "gc", "repair", "quarantine", "tag", "move", "copy in"]
)
@pytest.mark.parametrize("what", ["blobs", "blobs/sha256", "blob", "manifest"])
def test_where_links_are_followed_for_reading_no_content_is_written_or_removed_through_them(place, what, job):
    canaries = Canaries(place, "store")
    linked(place, what)
    files = contents(place / "image")
    with (
        contextlib.closing(Layout(place / "store", blob_links=True, fsync="commit")) as store,
        contextlib.suppress(OCIError),
    ):
        JOBS[job](store)
    assert contents(place / "image") == files
    canaries.check()


# What is no store, or a bad one.


def written(name, data):
    def make(directory):
        (directory / name).unlink()
        (directory / name).write_bytes(data)

    return make


def replaced(name, how):
    def make(directory):
        (directory / name).unlink()
        {"directory": (directory / name).mkdir, "pipe": lambda: os.mkfifo(directory / name)}[how]()

    return make


def removed(name):
    return lambda directory: (directory / name).unlink()


def cut(name):
    return lambda directory: os.truncate(directory / name, 20)


def huge(name):
    return lambda directory: os.truncate(directory / name, 1 << 40)


MARKER = b'{"imageLayoutVersion":"%s"}'
NOT_A_FILE = "is not a regular file"
BAD = {
    "no marker": (removed("oci-layout"), StoreError, "there is no file oci-layout"),
    "no index": (removed("index.json"), StoreError, "there is no file index.json"),
    "wrong version": (written("oci-layout", MARKER % b"2.0.0"), DocumentError, "/imageLayoutVersion"),
    "marker empty": (written("oci-layout", b""), DocumentError, "JSON"),
    "marker a list": (written("oci-layout", b"[]"), DocumentError, "object"),
    "marker cut": (cut("oci-layout"), DocumentError, "JSON"),
    "marker huge": (huge("oci-layout"), LimitError, "document_bytes"),
    "marker a directory": (replaced("oci-layout", "directory"), StoreError, NOT_A_FILE),
    "marker a pipe": (replaced("oci-layout", "pipe"), StoreError, NOT_A_FILE),
    "index empty": (written("index.json", b""), DocumentError, "JSON"),
    "index cut": (cut("index.json"), DocumentError, "JSON"),
    "index huge": (huge("index.json"), LimitError, "document_bytes"),
    "index a directory": (replaced("index.json", "directory"), StoreError, NOT_A_FILE),
    "index a pipe": (replaced("index.json", "pipe"), StoreError, NOT_A_FILE),
    "index null": (written("index.json", b"null"), DocumentError, "object"),
    "index no object": (written("index.json", b"7"), DocumentError, "object"),
    "index of nothing": (written("index.json", b"{}"), DocumentError, "/manifests"),
    "index binary": (written("index.json", bytes(range(256))), DocumentError, ""),
    "index in UTF-16": (written("index.json", "{}".encode("utf-16")), DocumentError, ""),
    "index nested deep": (written("index.json", b"[" * 5000), OCIError, ""),
    "index with a key twice": (written("index.json", b'{"manifests":[],"manifests":[]}'), DocumentError, "manifests"),
    "index with a bad digest": (
        written("index.json", b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1,"digest":"sha256:x"}]}'),
        OCIError,
        "digest",
    ),
    "index with a negative size": (
        written(
            "index.json",
            b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":-1,"digest":"sha256:%s"}]}' % HEX.encode(),
        ),
        DocumentError,
        "/manifests/0/size",
    ),
}
CALLS = {
    "open": lambda directory: Layout.open(directory).close(),
    "create": lambda directory: Layout.create(directory, exist_ok=True).close(),
    "open_image": lambda directory: open_image(f"oci:{directory}"),
    "copy from": lambda directory: copy(f"oci:{directory}", MemoryRepository()),
    "copy to": lambda directory: copy(filled(), f"oci:{directory}"),
    "gc": lambda directory: on_layout(directory, lambda store: gc(store, grace=0)),
}


def filled():
    made = MemoryRepository()
    made.tag("t", manifest(made.blobs, b"layer"))
    return made


def on_layout(directory, job):
    with contextlib.closing(Layout(directory)) as store:
        job(store)


# A layout without a marker is one whose making was interrupted: `create` goes on with it.
PAIRS = [(bad, call) for bad in BAD for call in CALLS if bad != "no marker" or call not in {"create", "copy to"}]


@pytest.mark.parametrize(("bad", "call"), PAIRS)
def test_a_store_that_is_none_or_bad_is_one_typed_error_and_nothing_is_written(tmp_path, bad, call):
    change, error, message = BAD[bad]
    with layout(tmp_path / "layout") as made:
        made.tag("t", manifest(made.blobs, b"layer"))
        blob(made.blobs, b"orphan")
    age(tmp_path / "layout")
    change(tmp_path / "layout")
    before = stat_of(tmp_path)
    with pytest.raises(error) as raised:
        CALLS[call](tmp_path / "layout")
    assert message in str(raised.value)
    assert stat_of(tmp_path) == before


def stat_of(directory):
    """What `look` returns, without contents: one is huge."""
    paths = [directory, *sorted(directory.rglob("*"))]
    return {str(path): ((found := path.lstat()).st_mode, found.st_size, found.st_mtime_ns) for path in paths}


@pytest.mark.parametrize("bad", BAD)
def test_a_check_of_a_bad_store_has_a_finding_and_writes_nothing(tmp_path, bad):
    change, _, _ = BAD[bad]
    with layout(tmp_path / "layout") as store:
        store.tag("t", manifest(store.blobs, b"layer"))
        change(tmp_path / "layout")
        before = stat_of(tmp_path)
        checked = fsck(store)
        assert [each.kind for each in checked.findings if each.severity == "error"] == ["malformed"]
        assert checked.findings[0].path == ("oci-layout" if "marker" in bad or bad == "wrong version" else "index.json")
        assert not checked.ok
        assert stat_of(tmp_path) == before


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
@pytest.mark.parametrize("call", [call for call in CALLS if call not in {"create", "copy to"}])
def test_a_place_that_is_no_layout_is_one_typed_error_and_nothing_is_written(tmp_path, name, call):
    (tmp_path / "file").write_bytes(b"file")
    (tmp_path / "empty").mkdir()
    before = look(tmp_path)
    with pytest.raises(PlaceMissingError if name == "absent" else OCIError):
        CALLS[call](tmp_path / name)
    assert look(tmp_path) == before


@pytest.mark.parametrize("call", ["open", "open_image", "copy from"])
def test_a_pipe_as_a_place_is_refused_and_not_waited_for(tmp_path, call):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OCIError):
        CALLS[call](tmp_path / "pipe")


def test_a_store_that_one_may_not_write_is_read_and_refuses_the_rest():
    def jobs(name):
        refused = []
        with Layout.open(name) as store:
            copy(store, MemoryRepository())
            assert fsck(store).ok
            assert du(store).total > 0
            gc(store, dry_run=True)
            for job in ("put", "tag", "move", "untag", "gc", "lease", "copy in"):
                with pytest.raises(PermissionError) as raised:
                    JOBS[job](store)
                refused.append((raised.value.filename, raised.value.__notes__[-1]))
            assert not store.blobs.reuse_blob(Descriptor.of(b"layer", media_type=OCI_LAYER))
        return refused

    with shared_directory() as place:
        with layout(place / "store") as store:
            store.tag("t", manifest(store.blobs, b"layer"))
        for path in [place / "store", *(place / "store").rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = look(place / "store")
        refused = as_user(lambda: jobs(str(place / "store")))
        assert look(place / "store") == before
        assert {filename for filename, _ in refused} == {str(place / "store")}
        for path in [place / "store", *(place / "store").rglob("*")]:
            path.chmod(0o755)


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE])
@pytest.mark.parametrize("call", ["open", "open_image", "copy from", "gc"])
def test_an_index_that_cannot_be_read_is_an_error_of_the_system_with_the_place(tmp_path, monkeypatch, error, call):
    with layout(tmp_path / "layout") as made:
        made.tag("t", manifest(made.blobs, b"layer"))
    before = look(tmp_path)
    real = system.open_regular_file

    def fail(name, *arguments, **options):
        if name == b"index.json":
            raise OSError(error, os.strerror(error))
        return real(name, *arguments, **options)

    monkeypatch.setattr(system, "open_regular_file", fail)
    with pytest.raises(OSError, match=os.strerror(error)) as raised:
        CALLS[call](tmp_path / "layout")
    assert raised.value.filename == str(tmp_path / "layout")
    assert look(tmp_path) == before


@pytest.mark.thorough
def test_ten_thousand_names_are_listed_resolved_and_changed(tmp_path):
    with layout(tmp_path / "layout") as store:
        entry = manifest(store.blobs, b"layer")
        raw = json.loads((tmp_path / "layout/index.json").read_bytes())
        plain = {"mediaType": OCI_MANIFEST, "digest": str(entry.digest), "size": entry.size}
        names = ({"org.opencontainers.image.ref.name": f"v{each}"} for each in range(10_000))
        raw["manifests"] = [plain | {"annotations": each} for each in names]
        (tmp_path / "layout/index.json").write_text(json.dumps(raw))
        assert len(store.entries()) == 10_000
        assert store.resolve("v9999").digest == entry.digest
        store.tag("new", entry)
        store.move("v5000", "moved")
        store.untag("v1")
        assert len(store.entries()) == 10_000
        assert fsck(store).ok
        assert [len(image.refs) for image in du(store).images] == [10_000]


def test_an_index_that_lists_itself_by_a_wrong_digest_is_no_endless_loop(tmp_path):
    """A cycle cannot be made of right digests; one of wrong ones is refused where it begins."""
    with layout(tmp_path / "layout") as store:
        index, _ = multi(store.blobs, "linux/amd64")
        loop = index_of(store.blobs, index)
        file = path_of(tmp_path / "layout", index)
        file.write_bytes(path_of(tmp_path / "layout", loop).read_bytes())
        store.tag("loop", attrs.evolve(loop))
        with pytest.raises(IntegrityError):
            copy(store, MemoryRepository())
        with pytest.raises(IntegrityError):
            gc(store, grace=0)
        assert {"misnamed"} == {each.kind for each in fsck(store).findings if each.severity == "error"}


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "a\nb", f"sha256:{HEX}"])
def test_what_cannot_be_a_name_is_refused_and_the_index_is_as_it_was(tmp_path, name):
    with layout(tmp_path / "layout") as store:
        entry = manifest(store.blobs, b"layer")
        store.tag("t", entry)
        before = (tmp_path / "layout/index.json").read_bytes()
        for change in (lambda: store.tag(name, entry), lambda: store.move("t", name)):
            with pytest.raises(NameFormatError):
                change()
        assert (tmp_path / "layout/index.json").read_bytes() == before
