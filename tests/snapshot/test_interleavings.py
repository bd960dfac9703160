"""Garbage collection beside the users of a room, their system calls interleaved in every order that many seeds give.

Whatever the order, all that has a name in the end is whole. That these runs can fail is shown by running them with
parts of the garbage collection taken out.
"""

import importlib
import os
import shutil
import subprocess

import pytest

from oci_layers.disk import scan
from oci_layers.errors import PlaceMissingError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.directory import RoomDirectory
from oci_layers.snapshot.fsck import fsck
from oci_layers.snapshot.gc import gc
from oci_layers.tree import dump
from tests.support.layers import d, f, ln, tar
from tests.support.rooms import image_of
from tests.support.scheduler import Scheduler

module = importlib.import_module("oci_layers.snapshot.gc")  # The name is that of its function in the package.
SEEDS = 500
FEW = 100
"""The number of seeds in a run that is not to take long."""
OLD = -3600.0
"""A grace period for which everything is old, so that leases and locks alone keep it."""
BASE, MIDDLE, TOP, OTHER = tar(d("a"), f("a/x", "1" * 100)), tar(f("b", "2")), tar(ln("c", "a/x")), tar(f("o", "3"))
IMAGES = {"low": [BASE], "high": [BASE, MIDDLE, TOP], "other": [BASE, OTHER], "new": [BASE, MIDDLE, OTHER]}
pytestmark = pytest.mark.root


class RoomScheduler(Scheduler):
    """Gives directories the time of its clock, too, when names in them change."""

    def _call(self, number, name, call, arguments):
        result = super()._call(number, name, call, arguments)
        parents = {"make_directory": arguments[1:2], "open_new_file": arguments[1:2], "rename": arguments[1::2]}
        for fd in parents.get(name, ()):
            os.utime(fd, ns=(self._now, self._now))
        return result


def unpacks(name):
    def unpack(opened, _):
        with image_of(*IMAGES[name], name=name) as image:
            snapshot = opened.unpack(image)
            assert dump(opened.tree(snapshot)) == dump(image.tree())

    return unpack


def makes_a_container(opened, _):
    opened.create_container("high", "web")
    opened.remove_image("high")
    assert len(opened.container_files("web").tree()) == 5


def opens_a_container(opened, pause):
    with opened.container("high", presenters=["detached"]) as container:
        opened.remove_image("high")
        pause()
        assert dump(container.tree()) == dump(scan(container.fd))


def looks(opened, pause):
    with opened.view("high", presenters=["detached"]) as view:
        opened.remove_image("high")
        pause()
        assert len(scan(view.fd)) == 5


def removes(opened, _):
    opened.remove_image("other")


USERS = {
    "unpacks what is there": unpacks("high"),
    "unpacks what nothing has any more": unpacks("other"),
    "unpacks what shares layers": unpacks("new"),
    "makes a container": makes_a_container,
    "opens a container": opens_a_container,
    "looks": looks,
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A room with two images, and layers that nothing has."""
    directory = tmp_path_factory.mktemp("prepared") / "room"
    with Snapshots(directory, sync=False) as opened:
        for name in ("low", "high", "other"):
            with image_of(*IMAGES[name], name=name) as image:
                opened.unpack(image)
        opened.remove_image("other")
    return directory


class Run:
    """One run of a seed: which users, beside one collection or two."""

    def __init__(self, seed, prepared, directory):
        self.scheduler = RoomScheduler(seed)
        chance = self.scheduler.chance
        self.users = chance.sample(sorted(USERS), chance.choice([1, 1, 2]))
        self.collections = 1 if len(self.users) == 2 else chance.choice([1, 2])
        self.latest = chance.choice([1, 100, 400])
        self.directory = directory
        subprocess.run(["cp", "-a", prepared, directory], check=True)  # With its links.

    def pause(self):
        """Wait for a while, so that the others are at any point of their work."""
        self.scheduler.idle(len(self.scheduler.trace) + self.scheduler.chance.randrange(self.latest))

    def use(self, name):
        self.pause()
        with Snapshots(self.directory, sync=False) as opened:
            USERS[name](opened, self.pause)

    def collect(self):
        self.pause()
        with Snapshots(self.directory, sync=False) as opened:
            gc(opened, grace=OLD)

    def go(self):
        """Run; return what is wrong in the end."""
        users = [lambda name=name: self.use(name) for name in self.users]
        results = self.scheduler.run(*users, *[self.collect] * self.collections)
        names = [*self.users, *["gc"] * self.collections]
        wrong = [
            f"{name}: {result!r}"
            for name, result in zip(names, results, strict=True)
            # Two users remove one image: one of them finds it gone.
            if result is not None and not (len(self.users) == 2 and isinstance(result, PlaceMissingError))
        ]
        with Snapshots(self.directory, sync=False) as opened:
            checked = fsck(opened)
            wrong += [str(each) for each in checked.findings]
            if "low" not in {each.name for each in opened.images()}:
                wrong.append("a name is lost")
            if wrong:
                return wrong
            gc(opened, grace=OLD)
            kept = {layer.chain_id for layer in opened.layers.all()}
            chains = [each.chain_id for each in (*opened.images(), *opened.containers())]
            if kept != {layer.chain_id for chain in chains for layer in opened.layers.stack(chain)}:
                wrong.append("layers that nothing needs are left")
        return wrong


def outcomes(seeds, prepared, tmp_path):
    """Yield each seed with its run and what is wrong after it."""
    for seed in seeds:
        run = Run(seed, prepared, tmp_path / "run")
        yield seed, run, run.go()
        shutil.rmtree(tmp_path / "run")


def check(seeds, prepared, tmp_path):
    done = set()
    for seed, run, wrong in outcomes(seeds, prepared, tmp_path):
        assert wrong == [], f"seed {seed}: {run.users}"
        done |= {*run.users, run.collections}
    return done


def test_nothing_that_has_a_name_is_lost_in_some_interleavings(prepared, tmp_path):
    assert check(range(FEW, FEW + 6), prepared, tmp_path)


@pytest.mark.thorough
def test_nothing_that_has_a_name_is_lost_in_a_hundred_interleavings(prepared, tmp_path):
    assert check(range(FEW), prepared, tmp_path) == {*USERS, 1, 2}


@pytest.mark.slow
def test_nothing_that_has_a_name_is_lost_in_all_interleavings(prepared, tmp_path):
    assert check(range(FEW, SEEDS + FEW), prepared, tmp_path) == {*USERS, 1, 2}


BREAKAGES = {
    "leases are not looked at": ("_leases", lambda self: []),
    "layers in use are not looked at": ("_is_used", lambda self, layer, keep_from: False),
    "containers without a name are not looked at": ("_is_locked", lambda self, *names: False),
}


@pytest.mark.thorough
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_collection_without_one_of_its_parts_loses_something(prepared, tmp_path, monkeypatch, breakage):
    name, replacement = BREAKAGES[breakage]
    monkeypatch.setattr(module._Collection, name, replacement)
    assert any(wrong for _, _, wrong in outcomes(range(SEEDS), prepared, tmp_path))


@pytest.mark.thorough
def test_a_collection_without_the_lock_of_the_room_loses_something(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(RoomDirectory, "exclusive", RoomDirectory.shared)
    assert any(wrong for _, _, wrong in outcomes(range(SEEDS), prepared, tmp_path))
