"""After a power cut, whatever of the unsynced changes is lost, a store has what it promised, and no blob in part."""

import contextlib
import io
import itertools
import os
import random
import shutil

import pytest

from oci_layers.errors import IntegrityError
from oci_layers.store.gc import gc
from oci_layers.store.layout import Layout
from tests.support.operations import (
    BLOB,
    DATA,
    NEW,
    OLD,
    OTHER,
    PIECES,
    Source,
    assert_blobs_are_whole,
    content,
    filled,
)
from tests.support.power import Journal, PowerCutError, states, survey

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SAMPLES = 2000 if DEEP else 300
EXHAUSTIVE = 12 if DEEP else 10


def index_of(directory):
    return (directory / "index.json").read_bytes()


def put_all(journal, layout, image, *, promise):
    for descriptor, data in image.blobs.items():
        layout.blobs.put_blob(io.BytesIO(data), descriptor)
        if promise:
            journal.acknowledge(descriptor)


def put_and_tag(journal, directory, fsync):
    with Layout.open(directory, fsync=fsync) as layout:
        put_all(journal, layout, OTHER, promise=fsync == "always")
        layout.tag("other", OTHER.manifest)
        journal.acknowledge(*OTHER.blobs, index=index_of(directory))


def tag_twice(journal, directory, fsync):
    with Layout.open(directory, fsync=fsync) as layout:
        layout.tag("old", NEW.manifest)
        journal.acknowledge(index=index_of(directory))
        layout.move("old", "new")
        journal.acknowledge(index=index_of(directory))
        layout.untag("new")
        journal.acknowledge(index=index_of(directory))


def resume(journal, directory, fsync):
    with Layout.open(directory, fsync=fsync) as layout:
        with layout.blobs.ingest(BLOB, resume=True) as writer:
            writer.write(PIECES[0])
            writer.write(PIECES[1])
        layout.blobs.put_blob(Source(DATA), BLOB)
        if fsync == "always":
            journal.acknowledge(BLOB)


def mend(journal, directory, fsync):
    """Put blobs that exist: they are replaced."""
    with Layout.open(directory, fsync=fsync) as layout:
        put_all(journal, layout, OLD, promise=False)
        journal.acknowledge(*OLD.blobs, index=index_of(directory))


def reuse_of_others(journal, directory, fsync):
    """Use blobs that another process has just put, and not synced all of."""
    with Layout.open(directory, fsync="commit") as other:
        put_all(journal, other, OTHER, promise=False)
    with Layout.open(directory, fsync=fsync) as layout:
        for descriptor in OTHER.blobs:
            assert layout.blobs.reuse_blob(descriptor)
            if fsync == "always":
                journal.acknowledge(descriptor)
        layout.tag("other", OTHER.manifest)
        journal.acknowledge(*OTHER.blobs, index=index_of(directory))


def tag_of_others(journal, directory, fsync):
    """Tag an image that another process has put, and write over what it tagged."""
    with Layout.open(directory, fsync="commit") as other:
        put_all(journal, other, OTHER, promise=False)
    with Layout.open(directory, fsync=fsync) as layout:
        layout.tag("other", OTHER.manifest)
        journal.acknowledge(*OTHER.blobs, index=index_of(directory))


def after_gc(journal, directory, fsync):
    with Layout.open(directory, fsync=fsync) as layout:
        put_all(journal, layout, OTHER, promise=False)
        layout.tag("old", OTHER.manifest)
        layout.untag("old")
        layout.tag("new", NEW.manifest)
        journal.acknowledge(*NEW.blobs, index=index_of(directory))
        gc(layout, grace=-3600)
        put_all(journal, layout, OTHER, promise=fsync == "always")
        layout.tag("other", OTHER.manifest)
        journal.acknowledge(*OTHER.blobs, index=index_of(directory))


SCENARIOS = {
    each.__name__: each for each in (put_and_tag, tag_twice, resume, mend, reuse_of_others, tag_of_others, after_gc)
}


def recorded(directory, scenario, fsync, ignored=()):
    filled(directory)
    journal = Journal(directory, ignored)
    with journal.recording():
        scenario(journal, directory, fsync)
    return journal


@pytest.mark.parametrize("fsync", ["always", "commit"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_promised_survives_a_power_cut(tmp_path, name, fsync):
    journal = recorded(tmp_path / "store", SCENARIOS[name], fsync)
    problems, count = survey(journal, samples=SAMPLES, exhaustive=EXHAUSTIVE)
    assert problems == {}
    assert count >= 180


def created(journal, directory, fsync):
    with Layout.create(directory, exist_ok=True, fsync=fsync) as layout:
        journal.acknowledge(index=index_of(directory))
        layout.blobs.put_blob(io.BytesIO(DATA), BLOB)
        if fsync == "always":
            journal.acknowledge(BLOB)
        put_all(journal, layout, OTHER, promise=False)
        layout.tag("other", OTHER.manifest)
        journal.acknowledge(*OTHER.blobs, index=index_of(directory))


@pytest.mark.parametrize("fsync", ["always", "commit"])
def test_a_new_store_survives_a_power_cut(tmp_path, fsync):
    journal = Journal(tmp_path)
    with journal.recording():
        created(journal, tmp_path / "above/store", fsync)
    problems, count = survey(journal, samples=SAMPLES, exhaustive=EXHAUSTIVE, store="above/store/")
    assert problems == {}
    assert count > 300


@pytest.mark.parametrize("stop", range(50))
def test_a_store_that_was_created_in_two_attempts_survives_a_power_cut(tmp_path, stop):
    journal = Journal(tmp_path)
    with contextlib.suppress(PowerCutError), journal.recording(stop):
        Layout.create(tmp_path / "above/store").close()
    with journal.recording(), Layout.create(tmp_path / "above/store", exist_ok=True) as layout:
        journal.acknowledge(index=index_of(tmp_path / "above/store"))
        layout.blobs.put_blob(io.BytesIO(DATA), BLOB)
        journal.acknowledge(BLOB, index=index_of(tmp_path / "above/store"))
    problems, _ = survey(journal, samples=SAMPLES if DEEP else 20, exhaustive=4, store="above/store/")
    assert problems == {}


@pytest.mark.parametrize(
    ("fsync", "ignored", "broken"),
    [
        ("always", "file", {"blob", "index"}),
        ("always", "directory", {"lost", "index", "image"}),
        ("commit", "file", {"blob", "index"}),
        ("commit", "directory", {"lost", "index", "image"}),
        ("never", "nothing", {"blob", "lost", "index", "image"}),
    ],
)
def test_a_store_that_does_not_sync_breaks_its_promises(tmp_path, fsync, ignored, broken):
    """The model can fail: it finds what a missing sync loses."""
    journal = recorded(tmp_path / "store", put_and_tag, fsync, {ignored})
    assert set(survey(journal, samples=SAMPLES, exhaustive=6)[0]) == broken


def test_every_sync_of_a_file_is_needed_and_most_of_directories(tmp_path):
    needless = []
    for number in itertools.count():
        journal = Journal(tmp_path, {number})
        with journal.recording():
            created(journal, tmp_path / "above/store", "commit")
        shutil.rmtree(tmp_path / "above")
        if number >= len(journal.syncs):
            break
        if not survey(journal, samples=20, exhaustive=4, store="above/store/")[0]:
            needless.append(journal.syncs[number])
    assert len(needless) <= 6
    assert set(needless) == {"directory"}  # Those that were there, and those synced again.
    assert number > 15


def recover(directory):
    """Do all over again; what was collected of a blob may turn out to be lost only when it is complete."""
    with Layout.create(directory / "above/store", exist_ok=True) as layout:
        with contextlib.suppress(IntegrityError):
            layout.blobs.put_blob(Source(DATA), BLOB)
        layout.blobs.put_blob(Source(DATA), BLOB)
        for descriptor, data in OTHER.blobs.items():
            layout.blobs.put_blob(io.BytesIO(data), descriptor)
        layout.tag("other", OTHER.manifest)
        layout.move("other", "again")
        assert layout.entries("again")[0].digest == OTHER.manifest.digest


def created_and_resumed(journal, directory):
    with Layout.create(directory / "above/store") as layout:
        with layout.blobs.ingest(BLOB, resume=True) as writer:
            writer.write(PIECES[0])
        with layout.blobs.ingest(BLOB, resume=True) as writer:
            writer.write(PIECES[1])
            writer.write(PIECES[2])
            writer.commit()
        layout.tag("blob", BLOB)


def test_a_store_goes_on_after_a_power_cut_from_wherever_it_was(tmp_path):
    (tmp_path / "recorded").mkdir()
    journal = Journal(tmp_path / "recorded")
    with journal.recording():
        created_and_resumed(journal, tmp_path / "recorded")
    chosen = random.Random(1)
    for number in range(2000 if DEEP else 150):
        at = chosen.randrange(len(journal.changes) + 1)
        several = itertools.islice(states(journal, at, samples=50), 500)
        state = chosen.choice(list(several))
        directory = tmp_path / str(number)
        state.write(directory)
        recover(directory)
        assert_blobs_are_whole(content(directory))
        shutil.rmtree(directory)
