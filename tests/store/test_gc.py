"""What garbage collection deletes, and all that it does not."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest

from oci_layers import Limits, system
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    IntegrityError,
    LimitError,
    OCIError,
    StoreError,
)
from oci_layers.spec.codec import dumps
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_LAYER, OCI_MANIFEST
from oci_layers.store import gc as module
from oci_layers.store.gc import abandoned, gc
from oci_layers.store.layout import Layout
from oci_layers.store.mark import Reason
from tests.support.process import IS_ROOT, as_user, shared_directory
from tests.support.stores import (
    HOUR,
    NOT_THERE,
    UNKNOWN,
    age,
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
    path_of,
    shared_images,
    signature,
)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "layout"


@pytest.fixture
def place(directory):
    with layout(directory) as made:
        yield made


def deleted(collected):
    return {Digest(each) for each, _ in collected.deleted}


def collect(place, **options):
    """Make all blobs old, and collect; return what is left and what was deleted."""
    age(place.place)
    collected = gc(place, **options)
    return digests(place.own_blobs), deleted(collected)


def test_an_empty_layout_has_nothing_to_delete(place):
    collected = gc(place)
    assert (collected.deleted, collected.leftovers, collected.kept, collected.bytes) == ((), (), 0, 0)


def test_what_no_entry_leads_to_is_deleted_and_everything_else_is_kept(place):
    shared_images(place, 5)
    index, _ = multi(place.blobs, "linux/amd64", "linux/arm64")
    place.tag("all", index)
    used = digests(place.blobs)
    orphans = {blob(place.blobs, b"orphan %d" % each).digest for each in range(3)} | {
        manifest(place.blobs, b"unused", config=config(place.blobs, author="unused")).digest,
        Digest.of(b"unused"),
    }
    unused = digests(place.blobs) - used
    assert orphans < unused
    assert collect(place) == (used, unused)
    assert collect(place) == (used, set())


def test_the_result_counts_blobs_and_bytes(place):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    kept = sum(path_of(place.place, each).stat().st_size for each in digests(place.blobs))
    one, two = sorted((blob(place.blobs, b"x" * 70), blob(place.blobs, b"y" * 30)), key=lambda each: each.digest)
    age(place.place)
    collected = gc(place)
    assert collected.deleted == tuple((str(each.digest), each.size) for each in (one, two))
    assert (collected.bytes, collected.kept, collected.kept_bytes, collected.missing) == (100, 3, kept, ())


def test_an_image_without_a_name_is_kept_until_it_is_no_entry(place):
    image = manifest(place.blobs, b"layer")
    place.tag(None, image)
    assert collect(place)[1] == set()
    place.untag(str(image.digest))
    assert collect(place)[0] == set()


def test_what_an_untagged_image_shares_with_another_is_kept(place):
    one, two = shared_images(place, 2)
    place.untag("image-0")
    left, gone = collect(place)
    assert one.digest in gone
    assert {two.digest, Digest.of(b"base"), Digest.of(b"pair 0"), Digest.of(b"own 1")} < left
    assert Digest.of(b"own 0") in gone


def test_each_document_is_deleted_before_what_it_refers_to(place):
    index, images = multi(place.blobs, "linux/amd64", "linux/arm64", "linux/s390x")
    outer = index_of(place.blobs, index, images[1])
    signed = signature(place.blobs, outer)
    age(place.place)
    order = [Digest(each) for each, _ in gc(place).deleted]
    chain = [signed.digest, outer.digest, index.digest, images[1].digest, Digest.of(b"layer for linux/arm64")]
    assert [each for each in order if each in chain] == chain
    assert order.index(Digest.of(b"base")) > max(order.index(image.digest) for image in images)


# What keeps a blob.


def test_content_of_unknown_types_keeps_what_it_mentions(place):
    leaf, other = blob(place.blobs, b"leaf", "application/x"), blob(place.blobs, b"in a field")
    inner = document(place.blobs, UNKNOWN, parts=[leaf])
    place.tag("t", document(place.blobs, UNKNOWN, anything={"digest": str(inner.digest)}))
    place.tag("u", manifest(place.blobs, b"layer", **{"x-future": [other]}))
    assert collect(place)[1] == set()


def test_annotations_keep_nothing(place):
    base = manifest(place.blobs, b"base", config=config(place.blobs, author="base"))
    about = {"org.opencontainers.image.base.digest": str(base.digest)}
    place.tag("t", manifest(place.blobs, b"layer", annotations=about))
    assert base.digest in collect(place)[1]


def test_referrers_of_what_is_kept_are_kept_and_theirs_too(place):
    image, other = manifest(place.blobs, b"layer"), manifest(place.blobs, b"other")
    signed = signature(place.blobs, image)
    about = signature(place.blobs, signed, b"about the signature")
    unrelated = signature(place.blobs, other, b"about another")
    place.tag("t", image)
    age(place.place)
    collected = gc(place)
    assert {unrelated.digest, other.digest} < deleted(collected)
    assert {image.digest, signed.digest, about.digest, Digest.of(b"about the signature")} < digests(place.blobs)
    assert collected.marks.path(str(Digest.of(b"about the signature"))) == [
        (str(Digest.of(b"about the signature")), Reason("field", str(about.digest), "layers")),
        (str(about.digest), Reason("referrer", str(signed.digest))),
        (str(signed.digest), Reason("referrer", str(image.digest))),
        (str(image.digest), Reason("entry", None, "t")),
    ]


def test_a_referrer_of_a_manifest_in_an_index_is_kept(place):
    index, images = multi(place.blobs, "linux/amd64", "linux/arm64")
    signature(place.blobs, images[1])
    place.tag("t", index)
    assert collect(place)[1] == set()


def test_the_subject_of_an_entry_is_kept(place):
    image = manifest(place.blobs, b"layer")
    place.tag("signature", signature(place.blobs, image))
    assert collect(place)[1] == set()


def test_a_manifest_that_an_image_calls_a_layer_keeps_its_own(place):
    victim = manifest(place.blobs, b"precious")
    place.tag("a", manifest(place.blobs, attrs.evolve(victim, media_type=OCI_LAYER)))
    place.tag("b", victim)
    assert collect(place)[1] == set()


@pytest.mark.parametrize(("seconds", "stays"), [(HOUR - 60, True), (HOUR + 60, False)])
def test_what_is_younger_than_the_grace_period_is_kept(place, seconds, stays):
    young = blob(place.blobs, b"young")
    age(place.place, seconds, young)
    collected = gc(place, grace=HOUR)
    assert deleted(collected) == (set() if stays else {young.digest})
    assert collected.marks.path(str(young.digest)) == ([(str(young.digest), Reason("new"))] if stays else [])


@pytest.mark.parametrize("seconds", [float("inf"), 1e300])
def test_in_an_endless_grace_period_everything_is_kept(place, seconds):
    old = blob(place.blobs, b"old")
    os.utime(path_of(place.place, old.digest), (0, 0))
    assert deleted(gc(place, grace=seconds)) == set()


def test_what_a_young_blob_leads_to_is_kept_however_old(place):
    image = manifest(place.blobs, b"layer")
    index = index_of(place.blobs, image)
    age(place.place)
    place.blobs.reuse_blob(index)
    assert deleted(gc(place)) == set()
    assert digests(place.blobs) == {
        index.digest,
        image.digest,
        Digest.of(b"layer"),
        config(place.blobs, created="2020-01-01T00:00:00Z").digest,
    }


def test_a_referrer_of_a_young_blob_is_kept(place):
    image = manifest(place.blobs, b"layer")
    signature(place.blobs, image)
    age(place.place)
    place.blobs.reuse_blob(image)
    assert deleted(gc(place)) == set()


def test_a_young_document_that_is_damaged_keeps_itself(place):
    image = manifest(place.blobs, b"layer")
    age(place.place)
    path_of(place.place, image).write_bytes(b"{")
    left = collect_only(place)
    assert left == {image.digest}


def collect_only(place, **options):
    gc(place, **options)
    return digests(place.own_blobs)


def test_a_blob_from_the_future_is_kept(place):
    age(place.place, -HOUR, blob(place.blobs, b"tomorrow"))
    assert deleted(gc(place, grace=0)) == set()


def test_whatever_is_stored_or_reused_under_a_lease_is_kept(place):
    old = blob(place.blobs, b"old")
    age(place.place)
    with place.lease():
        new = blob(place.blobs, b"new")
        assert place.blobs.reuse_blob(old)
        time.sleep(0.02)
        assert deleted(gc(place, grace=0)) == set()
    time.sleep(0.02)
    assert deleted(gc(place, grace=0)) == {old.digest, new.digest}


def test_a_lease_keeps_nothing_from_before_it_began(place):
    old = blob(place.blobs, b"old")
    age(place.place)
    with place.lease():
        assert deleted(gc(place, grace=0)) == {old.digest}


def test_the_oldest_of_several_leases_counts(place, directory):
    with place.lease(), Layout.open(directory) as other:
        between = blob(place.blobs, b"between")
        time.sleep(0.02)
        with other.lease():
            time.sleep(0.02)
            assert deleted(gc(place, grace=0)) == set()
    time.sleep(0.02)
    assert deleted(gc(place, grace=0)) == {between.digest}


def test_a_lease_keeps_everything_after_the_clock_was_set_back(place, directory):
    with place.lease():
        (lease,) = (directory / "ingest").glob("lease-*")
        later = time.time() + 2 * HOUR
        os.utime(lease, (later, later))
        blob(place.blobs, b"stored after that")
        age(place.place)
        assert deleted(gc(place)) == set()


def test_a_lease_is_held_though_others_look_whether_it_is(place, directory, monkeypatch):
    """Whoever looks takes its lock for a moment; the lease waits, and has it then."""
    real, looked = system.open_new_file, []

    def look_after(name, parent, mode=0o600):
        fd = real(name, parent, mode)
        if name.startswith(b"lease-"):
            watcher = system.open_regular_file(name, parent)
            assert system.lock(watcher, wait=False)
            looked.append(os.fdopen(watcher))
        return fd

    real_lock = system.lock

    def lock(fd, *, wait, shared=False):
        if wait and looked:
            looked.pop().close()
        taken = real_lock(fd, wait=wait, shared=shared)
        if looked:
            looked.pop().close()
        return taken

    monkeypatch.setattr(system, "open_new_file", look_after)
    monkeypatch.setattr(system, "lock", lock)
    with place.lease():
        blob(place.blobs, b"new")
        time.sleep(0.02)
        assert abandoned(place) == []
        assert deleted(gc(place, grace=0)) == set()


def test_the_lease_of_a_process_that_was_killed_keeps_nothing(place, directory):
    script = (
        "import sys, io\n"
        "from oci_layers.store.layout import Layout\n"
        "from oci_layers.spec.descriptor import Descriptor\n"
        "layout = Layout.open(sys.argv[1], fsync='never')\n"
        "held = layout.lease(); held.__enter__()\n"
        "layout.blobs.put_blob(io.BytesIO(b'new'), Descriptor.of(b'new', media_type='text/plain'))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.02)
        assert deleted(gc(place, grace=0)) == set()
        child.kill()
        child.wait()
        time.sleep(0.02)
        collected = gc(place, grace=0)
    assert deleted(collected) == {Digest.of(b"new")}
    (lease,) = os.listdir(directory / "ingest")
    age(directory, 61)
    assert gc(place, grace=0).leftovers == ((lease, 0),)
    assert os.listdir(directory / "ingest") == []


# What keeps it from deleting anything at all.


def wrong(place, how):
    """Make an entry that cannot be read, and return the limits and error for it; `good` is another entry."""
    image = manifest(place.blobs, b"root")
    place.tag("bad", image)
    file = path_of(place.place, image)
    limits = Limits()
    match how:
        case "missing":
            file.unlink()
            return limits, BlobMissingError
        case "corrupt":
            file.write_bytes(flipped(file.read_bytes()))
            return limits, IntegrityError
        case "cut":
            os.truncate(file, 10)
            return limits, IntegrityError
        case "malformed":
            place.tag("bad", blob(place.blobs, b'{"schemaVersion":2', OCI_MANIFEST))
            return limits, DocumentError
        case "too large":
            place.tag("bad", manifest(place.blobs, annotations={"x": "x" * 2000}))
            return Limits(document_bytes=1500), LimitError
        case "too deep":
            place.tag("bad", document(place.blobs, OCI_MANIFEST, x=[[[[[[1]]]]]]))
            return Limits(json_depth=5), LimitError
        case "link":
            file.rename(f"{place.place}/elsewhere")
            file.symlink_to(f"{place.place}/elsewhere")
            return limits, StoreError
        case "directory":
            file.unlink()
            file.mkdir()
            return limits, StoreError
        case "pipe":
            file.unlink()
            os.mkfifo(file)
            return limits, StoreError
        case "index empty":
            index = b""
        case "index cut":
            index = (Path(place.place) / "index.json").read_bytes()[:-3]
        case "index of nothing":
            index = b"{}"
        case "marker":
            (Path(place.place) / "oci-layout").write_text('{"imageLayoutVersion":"2.0.0"}')
            return limits, DocumentError
        case _:
            raise AssertionError(how)
    (Path(place.place) / "index.json").write_bytes(index)
    return limits, DocumentError


WRONG = ["missing", "corrupt", "cut", "malformed", "too large", "too deep", "link", "directory", "pipe"]
WRONG += ["index empty", "index cut", "index of nothing", "marker"]


@pytest.mark.parametrize("how", WRONG)
def test_nothing_is_deleted_when_anything_in_use_cannot_be_read(place, how):
    limits, error = wrong(place, how)
    orphan = blob(place.blobs, b"orphan")
    age(place.place)
    before = look(f"{place.place}/blobs")
    with pytest.raises(error):
        gc(place, limits=limits)
    assert look(f"{place.place}/blobs") == before
    assert place.blobs.has_blob(orphan.digest)
    assert os.listdir(f"{place.place}/ingest") == []


@pytest.mark.parametrize(
    "call", ["open_regular_file", "pread", "fstat", "lstat", "list_names", "open_directory", "lock"]
)
def test_nothing_is_deleted_when_the_system_fails(place, monkeypatch, call):
    """At whichever call before the sweep; the error comes through."""
    place.tag("t", manifest(place.blobs, b"layer"))
    blob(place.blobs, b"orphan")
    age(place.place)
    before = look(f"{place.place}/blobs")
    real, unlink = getattr(system, call), system.unlink
    at, calls = 0, 0

    def fault(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(errno.EIO, "input/output error")
        return real(*arguments, **options)

    class SweepBegins(Exception):  # noqa: N818  # no error
        pass

    def sweep(name, parent):
        if len(name) == 64:
            raise SweepBegins
        unlink(name, parent)

    monkeypatch.setattr(system, call, fault)
    monkeypatch.setattr(system, "unlink", sweep)
    outcomes = set()
    while SweepBegins not in outcomes:
        at, calls = at + 1, 0
        with pytest.raises((OSError, SweepBegins)) as raised:
            gc(place)
        outcomes.add(raised.type)
        assert getattr(raised.value, "errno", errno.EIO) == errno.EIO
    assert at > 1
    monkeypatch.undo()
    assert look(f"{place.place}/blobs") == before


def test_an_image_that_others_remove_and_delete_while_it_is_marked_is_not_missing(place, directory, monkeypatch):
    gone, kept = manifest(place.blobs, b"gone"), manifest(place.blobs, b"kept")
    place.tag("t", gone)
    add_index = module.Marks.add_index

    def late(marks, raw):
        monkeypatch.setattr(module.Marks, "add_index", add_index)
        with Layout.open(directory) as other:
            other.tag("t", kept)
            other.own_blobs.delete_blob(gone.digest)
        add_index(marks, raw)

    age(directory)
    monkeypatch.setattr(module.Marks, "add_index", late)
    assert deleted(gc(place)) == {Digest.of(b"gone")}
    assert kept.digest in digests(place.own_blobs)


def test_a_document_in_use_that_is_missing_may_be_allowed(place):
    lost = Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=5)
    image = manifest(place.blobs, b"layer")
    place.tag("t", index_of(place.blobs, image, lost))
    orphan = blob(place.blobs, b"orphan")
    age(place.place)
    with pytest.raises(BlobMissingError) as raised:
        gc(place)
    assert raised.value.digest == str(NOT_THERE)
    collected = gc(place, allow_missing=True)
    assert (deleted(collected), collected.missing) == ({orphan.digest}, (str(NOT_THERE),))


def test_one_that_is_damaged_is_never_allowed(place):
    image = manifest(place.blobs, b"layer")
    place.tag("t", image)
    path_of(place.place, image).write_bytes(b"{}")
    with pytest.raises(IntegrityError):
        collect(place, allow_missing=True)


def test_a_document_that_only_a_fallback_has_keeps_what_it_refers_to_here(place, tmp_path, directory):
    image = manifest(place.blobs, b"layer")
    with layout(tmp_path / "other") as other:
        manifest(other.blobs, b"layer")
        place.tag("t", image)
        path_of(directory, image).unlink()
        orphan = blob(place.blobs, b"orphan")
        with Layout.open(directory, fallback=[other.blobs]) as opened:
            left, gone = collect(opened)
    assert gone == {orphan.digest}
    assert Digest.of(b"layer") in left


def test_a_store_whose_blobs_others_may_use_is_refused(tmp_path):
    (tmp_path / "shared").mkdir()
    with layout(tmp_path / "one", shared_blobs=tmp_path / "shared") as place:
        orphan = blob(place.blobs, b"orphan")
        with pytest.raises(StoreError) as raised:
            gc(place, grace=0)
        assert raised.value.place == str(tmp_path / "one")
        assert raised.value.reason == "its blobs are in a directory that other layouts may use, too"
        assert place.blobs.has_blob(orphan.digest)


def test_a_store_without_locks_is_refused(place, monkeypatch):
    orphan = blob(place.blobs, b"orphan")
    age(place.place)
    monkeypatch.setattr(system, "lock", lambda fd, *, wait, shared=False: None)
    with pytest.raises(StoreError) as raised:
        gc(place)
    assert raised.value.place == place.place
    assert raised.value.reason == "its file system has no locks, so nothing can be deleted safely"
    assert place.blobs.has_blob(orphan.digest)
    assert sorted(os.listdir(place.place)) == ["blobs", "index.json", "ingest", "oci-layout"]


def test_blobs_that_links_lead_to_are_not_deleted(place, tmp_path, directory):
    orphan = blob(place.blobs, b"orphan")
    age(place.place)
    (directory / "blobs/sha256").rename(tmp_path / "elsewhere")
    (directory / "blobs/sha256").symlink_to("../../elsewhere")
    with Layout.open(directory, blob_links=True) as opened, pytest.raises(StoreError) as raised:
        gc(opened)
    assert raised.value.reason == "sha256 is not a directory, or is a link"
    assert (tmp_path / "elsewhere" / orphan.digest.encoded).read_bytes() == b"orphan"


# A dry run.


def test_a_dry_run_says_what_would_be_deleted_and_writes_nothing(place, directory):
    shared_images(place, 3)
    place.untag("image-1")
    manifest(place.blobs, b"orphan")
    (directory / "ingest/left").write_bytes(b"left")
    age(directory)
    before = look(directory)
    planned = gc(place, dry_run=True)
    assert look(directory) == before
    done = gc(place)
    assert (planned.deleted, planned.leftovers, planned.kept) == (done.deleted, done.leftovers, done.kept)
    assert planned.bytes == done.bytes > 0


def test_a_dry_run_does_not_need_to_write():
    def collected(name):
        with Layout.open(name) as opened:
            with pytest.raises(PermissionError):
                gc(opened)
            return gc(opened, dry_run=True).deleted

    with shared_directory() as place:
        with layout(place / "layout") as made:
            orphan = blob(made.blobs, b"orphan")
        age(place / "layout")
        if not IS_ROOT:
            (place / "layout/ingest").chmod(0o555)
        before = look(place / "layout")
        found = as_user(lambda: collected(str(place / "layout")))
        assert look(place / "layout") == before
        (place / "layout/ingest").chmod(0o755)
    assert found == ((str(orphan.digest), 6),)


def test_a_dry_run_works_where_there_are_no_locks(place, monkeypatch):
    orphan = blob(place.blobs, b"orphan")
    age(place.place)
    monkeypatch.setattr(system, "lock", lambda fd, *, wait, shared=False: None)
    assert deleted(gc(place, dry_run=True)) == {orphan.digest}


# What killed writers left.


def test_what_killed_writers_left_is_removed_once_it_is_old(place, directory):
    for name, data in (("old", b"old one"), ("young", b"")):
        (directory / "ingest" / name).write_bytes(data)
    age(directory)
    os.utime(directory / "ingest/young")
    collected = gc(place)
    assert collected.leftovers == (("old", 7),)
    assert collected.bytes == 7
    assert os.listdir(directory / "ingest") == ["young"]


def test_without_a_grace_period_what_is_younger_than_a_minute_is_still_kept(place, directory):
    (directory / "ingest/left").write_bytes(b"left")
    age(directory, 50)
    assert gc(place, grace=0).leftovers == ()
    age(directory, 70)
    assert gc(place, grace=0).leftovers == (("left", 4),)


def test_what_a_writer_has_locked_is_kept_however_old(place, directory):
    descriptor = Descriptor.of(b"new", media_type="text/plain")
    with place.own_blobs.ingest(descriptor) as writer:
        writer.write(b"ne")
        age(directory)
        assert gc(place).leftovers == ()
        writer.write(b"w")
        writer.commit()
    assert place.blobs.has_blob(descriptor.digest)


def test_a_writer_that_waits_for_long_may_end_while_leftovers_are_removed(place, directory, monkeypatch):
    """Listed as left behind, then continued: it is looked at again before it is removed."""
    descriptor = Descriptor.of(b"new", media_type="text/plain")
    with place.own_blobs.ingest(descriptor, resume=True) as writer:
        writer.write(b"ne")
    age(directory)
    real, resumed = module.abandoned, []

    def and_resume(*arguments, **options):
        found = real(*arguments, **options)
        resumed.append(place.own_blobs.ingest(descriptor, resume=True))
        return found

    monkeypatch.setattr(module, "abandoned", and_resume)
    assert gc(place).leftovers == ()
    with resumed[0] as writer:
        assert writer.offset == 2
        writer.write(b"w")
        writer.commit()


def test_what_is_no_file_in_the_directory_of_writers_is_left_alone(place, directory, tmp_path):
    (tmp_path / "outside").write_bytes(b"outside")
    (directory / "ingest/link").symlink_to(tmp_path / "outside")
    (directory / "ingest/directory").mkdir()
    os.mkfifo(directory / "ingest/pipe")
    age(directory)
    before = look(tmp_path)
    assert gc(place).leftovers == ()
    after = look(tmp_path)
    assert after.keys() == before.keys()


def test_files_that_are_no_blobs_are_left_alone(place, directory):
    for name in ("README", "f" * 63, "F" * 64, ".tmp"):
        (directory / "blobs/sha256").mkdir(exist_ok=True)
        (directory / "blobs/sha256" / name).write_bytes(b"x")
    (directory / "blobs/md5").mkdir()
    (directory / "blobs/md5" / ("0" * 32)).write_bytes(b"x")
    age(directory)
    before = look(directory / "blobs")
    assert deleted(gc(place)) == set()
    assert look(directory / "blobs") == before


# While others write.


def before_the_sweep(monkeypatch, action):
    """Do something after marking and before anything is deleted."""
    real = Layout.sync_index

    def and_then(self):
        real(self)
        action()

    monkeypatch.setattr(Layout, "sync_index", and_then)


@pytest.mark.parametrize("what", ["manifest", "index"])
def test_an_old_orphan_that_is_tagged_meanwhile_is_kept_whole(place, directory, monkeypatch, what):
    image = manifest(place.blobs, b"layer")
    signed = signature(place.blobs, image)
    top = index_of(place.blobs, image) if what == "index" else image
    age(directory)
    before_the_sweep(monkeypatch, lambda: place.tag("t", top))
    collected = gc(place)
    assert deleted(collected) == set()
    assert signed.digest in digests(place.blobs)
    assert collected.marks.path(str(top.digest)) == [(str(top.digest), Reason("entry", None, "t"))]


def test_an_old_orphan_that_is_tagged_in_the_midst_of_the_sweep_is_whole(place, directory, monkeypatch):
    """In a batch after the first: whatever exists then still has all that it refers to."""
    monkeypatch.setattr(module, "_BATCH", 1)
    index, _ = multi(place.blobs, *(f"linux/{each}" for each in ("amd64", "arm64", "s390x", "arm", "riscv64")))
    outer = [index_of(place.blobs, index, annotations={"number": str(each)}) for each in range(4)]
    age(directory)
    tagged = []

    def tag_what_is_there():
        for each in outer:
            with contextlib.suppress(BlobMissingError):
                place.tag(str(each.digest.encoded[:9]), each)
                tagged.append(each)

    swept = []
    real = system.lock

    def lock(fd, *, wait, shared=False):
        if wait and not shared and system.is_directory(system.fstat(fd).st_mode):
            swept.append(fd)
            if len(swept) == 3:
                tag_what_is_there()
        return real(fd, wait=wait, shared=shared)

    monkeypatch.setattr(system, "lock", lock)
    gone = deleted(gc(place))
    assert len(gone) == 2
    assert len(tagged) == 2
    assert gone == {each.digest for each in outer} - {each.digest for each in tagged}


def test_an_old_document_that_is_reused_meanwhile_keeps_what_it_leads_to(place, directory, monkeypatch):
    image = manifest(place.blobs, b"layer")
    orphan = blob(place.blobs, b"orphan")
    age(directory)

    def reuse():
        assert place.blobs.reuse_blob(image)

    before_the_sweep(monkeypatch, reuse)
    assert deleted(gc(place)) == {orphan.digest}
    assert Digest.of(b"layer") in digests(place.blobs)


def test_an_old_blob_that_is_put_again_meanwhile_is_kept(place, directory, monkeypatch):
    orphan = blob(place.blobs, b"orphan")
    age(directory)
    before_the_sweep(monkeypatch, lambda: blob(place.blobs, b"orphan"))
    assert deleted(gc(place)) == set()
    assert place.blobs.has_blob(orphan.digest)


def test_an_old_blob_that_is_deleted_meanwhile_is_not_counted(place, directory, monkeypatch):
    one, two = blob(place.blobs, b"one"), blob(place.blobs, b"two")
    age(directory)
    before_the_sweep(monkeypatch, lambda: place.own_blobs.delete_blob(one.digest))
    assert deleted(gc(place)) == {two.digest}


def test_an_index_that_becomes_unreadable_meanwhile_ends_the_sweep(place, directory, monkeypatch):
    orphan = blob(place.blobs, b"orphan")
    age(directory)
    for raw in (
        b"",
        b"{}",
        dumps({"schemaVersion": 2, "manifests": [{"mediaType": OCI_MANIFEST, "size": 1, "digest": str(NOT_THERE)}]}),
    ):
        good = (directory / "index.json").read_bytes()
        with monkeypatch.context() as patch:
            before_the_sweep(patch, lambda raw=raw: (directory / "index.json").write_bytes(raw))
            with pytest.raises(OCIError):
                gc(place)
        (directory / "index.json").write_bytes(good)
        assert place.blobs.has_blob(orphan.digest)


def test_what_is_deleted_and_tagged_by_others_in_between_is_told_to_them(place, directory):
    """A writer that asks for a blob that is gone is told so, and stores it again."""
    image = manifest(place.blobs, b"layer")
    age(directory)
    gc(place)
    assert not place.blobs.reuse_blob(image)
    with pytest.raises(BlobMissingError):
        place.tag("t", image)


def test_the_index_is_synced_before_anything_is_deleted(directory, monkeypatch):
    calls = []
    with layout(directory, fsync="commit") as place:
        blob(place.blobs, b"orphan")
        age(directory)
        for call in ("fdatasync", "fsync", "unlink"):
            real = getattr(system, call)
            monkeypatch.setattr(system, call, lambda *a, call=call, real=real: (calls.append(call), real(*a))[1])
        gc(place)
    assert calls[:3] == ["fdatasync", "fsync", "unlink"]


# Progress, and size.


def test_progress_counts_blobs_while_marking_and_while_deleting(place, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 2)
    place.tag("t", manifest(place.blobs, b"layer"))
    for each in range(5):
        blob(place.blobs, b"orphan %d" % each)
    age(place.place)
    seen = []
    gc(place, progress=seen.append)
    assert [(each.layer, each.layers, each.done, each.total) for each in seen] == [
        (0, 2, 0, 8),
        (1, 2, 2, 5),
        (1, 2, 4, 5),
        (1, 2, 5, 5),
    ]


@pytest.mark.parametrize("at", [1, 2])
def test_an_exception_of_the_callback_ends_the_work_and_leaves_the_store_usable(place, monkeypatch, at):
    monkeypatch.setattr(module, "_BATCH", 1)
    place.tag("t", manifest(place.blobs, b"layer"))
    used = digests(place.blobs)
    for each in range(3):
        blob(place.blobs, b"orphan %d" % each)
    age(place.place)
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gc(place, progress=stop)
    assert len(digests(place.blobs)) == len(used) + 3 - (at - 1)
    assert os.listdir(f"{place.place}/ingest") == []
    gc(place)
    assert digests(place.blobs) == used


def test_many_batches_delete_all(place):
    place.tag("t", manifest(place.blobs, b"layer"))
    used = digests(place.blobs)
    for each in range(600):
        blob(place.blobs, b"orphan %d" % each)
    left, gone = collect(place)
    assert (left, len(gone)) == (used, 600)


def test_a_layout_that_is_none_is_an_error(tmp_path):
    with contextlib.closing(Layout(tmp_path)) as place, pytest.raises(StoreError):
        gc(place)
    assert os.listdir(tmp_path) == []


def test_an_index_with_ten_thousand_entries_is_marked(place, directory):
    image = manifest(place.blobs, b"layer")
    raw = json.loads((directory / "index.json").read_bytes())
    entry = {"mediaType": OCI_MANIFEST, "digest": str(image.digest), "size": image.size}
    names = [{"org.opencontainers.image.ref.name": f"v{each}"} for each in range(10_000)]
    raw["manifests"] = [entry | {"annotations": each} for each in names]
    (directory / "index.json").write_text(json.dumps(raw))
    orphan = blob(place.blobs, b"orphan")
    assert collect(place)[1] == {orphan.digest}
