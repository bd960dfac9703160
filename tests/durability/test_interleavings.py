"""Garbage collection beside writers, their system calls interleaved in every order that a few hundred seeds give.

Whatever the order, all that has a name in the end is whole. That these runs can fail is shown by running them with
parts of the garbage collection taken out.
"""

import os
import shutil

import pytest

from oci_layers import Limits, system
from oci_layers.errors import BlobMissingError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_LAYER
from oci_layers.store import gc as module
from oci_layers.store.copy import copy
from oci_layers.store.fsck import fsck
from oci_layers.store.gc import gc
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.plan import Plan
from tests.support.scheduler import Deadlock, Scheduler
from tests.support.stores import HOUR, age, blob, config, index_of, layout, manifest, signature

SEEDS = 500
FEW = 100
"""The number of seeds in a run that is not to take long."""


class Images:
    """An image that has a name, and others that have none and are old, in a store in which all of them are."""

    def __init__(self, place):
        blobs = place.blobs
        self.kept = manifest(blobs, b"shared", b"of the kept one")
        self.orphan = manifest(blobs, b"shared", b"old layer", config=config(blobs, author="orphan"))
        self.index = index_of(blobs, self.orphan, manifest(blobs, b"other layer", config=config(blobs, author="other")))
        self.signature = signature(blobs, self.orphan)
        for number in range(3):
            blob(blobs, b"unused %d" % number)
        place.tag("kept", self.kept)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A store, its images, and a repository in memory with all of them."""
    directory = tmp_path_factory.mktemp("prepared") / "layout"
    source = MemoryRepository()
    with layout(directory) as place:
        Images(source)
        images = Images(place)
        source.tag("orphan", images.orphan)
        source.tag("index", images.index)
        new = manifest(source.blobs, b"shared", b"old layer", b"new layer", config=config(source.blobs, author="new"))
        source.tag("new", new)
    age(directory)
    return directory, images, source


def push(place, source, entry, name):
    """Store an image as a program does that asks for each blob whether it is there, children first; then name it."""
    for planned in (each for root in Plan(source.blobs, Limits(), [entry]).roots for each in root.walk()):
        if not place.blobs.reuse_blob(planned.descriptor):
            place.blobs.put_blob(source.blobs.open_blob(planned.descriptor.digest), planned.descriptor)
    place.tag(name, entry)


def entry_of(source, name):
    (entry,) = source.entries(name)
    return entry


def copied(place, source, ref, target_ref, **options):
    copy(source, place, ref, target_ref=target_ref, threads=1, **options)


WRITERS = {
    "stores an old image again": lambda place, images, source: push(place, source, entry_of(source, "orphan"), "a"),
    "stores an old index again": lambda place, images, source: push(place, source, entry_of(source, "index"), "b"),
    "stores an image of old layers": lambda place, images, source: push(place, source, entry_of(source, "new"), "c"),
    "copies": lambda place, images, source: copied(place, source, "new", "d"),
    "copies with referrers": lambda place, images, source: copied(place, source, "index", "e", referrers=True),
    "renames": lambda place, images, source: place.move("kept", "f"),
}
CARELESS = {
    "names an old image": lambda place, images, source: place.tag("g", images.orphan),
    "names an old index": lambda place, images, source: place.tag("h", images.index),
    "reuses an old index and names it": lambda place, images, source: (
        place.blobs.reuse_blob(images.index) and place.tag("i", images.index)
    ),
}
"""Writers that say nothing of the blobs below: the name may be refused, but what it has is whole."""


class Run:
    """One run of a seed: which writers, with a lease or within the grace period, beside one collection or two."""

    def __init__(self, seed, prepared, directory):
        template, self.images, self.source = prepared
        self.scheduler = Scheduler(seed)
        chance = self.scheduler.chance
        self.has_lease = chance.random() < 0.5
        self.batch = chance.choice([1, 2, 256])
        self.writers = chance.sample(sorted(WRITERS | CARELESS), chance.choice([1, 1, 2]))
        self.collections = 1 if len(self.writers) == 2 else chance.choice([1, 2])
        self.latest = chance.choice([1, 100, 400])
        self.directory = directory
        shutil.copytree(template, directory)

    def begin(self):
        """Wait for a while, so that the others are at any point of their work."""
        self.scheduler.idle(self.scheduler.chance.randrange(self.latest))

    def write(self, name):
        self.begin()
        action = (WRITERS | CARELESS)[name]
        with Layout.open(self.directory, fsync="never") as place:
            if self.has_lease:
                with place.lease():
                    return action(place, self.images, self.source)
            return action(place, self.images, self.source)

    def collect(self):
        self.begin()
        with Layout.open(self.directory, fsync="never") as place:
            gc(place, grace=0 if self.has_lease else HOUR)

    def go(self):
        """Run; return what is wrong in the end."""
        functions = [lambda name=name: self.write(name) for name in self.writers]
        results = self.scheduler.run(*functions, *[self.collect] * self.collections)
        wrong = [
            f"{name}: {result!r}"
            for name, result in zip([*self.writers, *["gc"] * self.collections], results, strict=True)
            if isinstance(result, BaseException) and not (name in CARELESS and isinstance(result, BlobMissingError))
        ]
        with Layout.open(self.directory, fsync="never") as place:
            names = {each.annotations["org.opencontainers.image.ref.name"] for each in place.entries()}
            if not names & {"kept", "f"}:
                wrong.append("a name is lost")
            findings = [each for each in fsck(place, threads=1).findings if each.severity != "note"]
            wrong += [f"{each.path}: {each.kind} {each.refs}" for each in findings]
            wrong += [f"a leftover: {each.path}" for each in fsck(place, threads=1).findings if each.kind == "leftover"]
        return wrong


def outcomes(seeds, prepared, tmp_path, monkeypatch):
    """Yield each seed with its run and what is wrong after it."""
    for seed in seeds:
        directory = tmp_path / "run"
        run = Run(seed, prepared, directory)
        monkeypatch.setattr(module, "_BATCH", run.batch)
        yield seed, run, run.go()
        shutil.rmtree(directory)


def check(seeds, prepared, tmp_path, monkeypatch):
    done = set()
    for seed, run, wrong in outcomes(seeds, prepared, tmp_path, monkeypatch):
        assert wrong == [], f"seed {seed}: {run.writers}, lease {run.has_lease}, batches of {run.batch}"
        done |= {*run.writers, run.has_lease, run.collections}
    assert done == {*WRITERS, *CARELESS, True, False, 2}


def test_nothing_that_has_a_name_is_lost_in_a_hundred_interleavings(prepared, tmp_path, monkeypatch):
    check(range(FEW), prepared, tmp_path, monkeypatch)


@pytest.mark.slow
def test_nothing_that_has_a_name_is_lost_in_all_interleavings(prepared, tmp_path, monkeypatch):
    check(range(FEW, SEEDS + FEW), prepared, tmp_path, monkeypatch)


def without_second_look(self, text, root):
    digest = Digest(text)
    with self._layout.own_blobs.open_algorithm(digest.algorithm, root) as directory:
        system.unlink(digest.encoded.encode(), directory)
    return True


BREAKAGES = {
    "the time of a blob is not looked at again": ("_delete", without_second_look),
    "leases are not looked at": ("_leases", lambda self, now: [1 << 63]),
    "a changed index is not read again": ("_mark_changes", lambda self: None),
    "children are deleted before their parents": ("_parents_first", lambda self, unused: unused[::-1]),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_collection_without_one_of_its_parts_loses_something(prepared, tmp_path, monkeypatch, breakage):
    name, replacement = BREAKAGES[breakage]
    monkeypatch.setattr(module._Collection, name, replacement)
    assert any(wrong for _, _, wrong in outcomes(range(SEEDS), prepared, tmp_path, monkeypatch))


# The scheduler itself.


def test_a_seed_gives_the_same_order_again(prepared, tmp_path, monkeypatch):
    traces = [run.scheduler.trace for _, run, _ in outcomes([7, 7, 8], prepared, tmp_path, monkeypatch)]
    assert traces[0] == traces[1] != traces[2]
    assert {thread for thread, _ in traces[0]} >= {0, 1}


def test_a_lock_is_waited_for_and_two_that_wait_for_each_other_are_a_deadlock(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    def lock(first, second):
        one, two = (system.open_root(str(tmp_path / name)) for name in (first, second))
        try:
            system.lock(one, wait=True)
            system.fstat(one)
            system.lock(two, wait=True)
            return "both"
        finally:
            os.close(one)
            os.close(two)

    for seed in range(20):
        assert Scheduler(seed).run(*[lambda: lock("a", "b")] * 3) == ["both"] * 3
    kinds = set()
    for seed in range(40):
        kinds |= {type(result) for result in Scheduler(seed).run(lambda: lock("a", "b"), lambda: lock("b", "a"))}
    assert kinds == {str, Deadlock}


def test_what_a_function_returns_or_raises_is_its_result():
    def fail():
        raise ValueError("no")

    results = Scheduler(0).run(lambda: 7, fail)
    assert results[0] == 7
    assert repr(results[1]) == "ValueError('no')"


def test_the_layer_that_is_shared_is_old_and_in_use(prepared):
    directory, images, _ = prepared
    shared = Descriptor.of(b"shared", media_type=OCI_LAYER)
    with Layout.open(directory) as place:
        collected = gc(place, dry_run=True)
    deleted = {each for each, _ in collected.deleted}
    assert str(shared.digest) not in deleted
    assert {str(each.digest) for each in (images.orphan, images.index, images.signature)} <= deleted
