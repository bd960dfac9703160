"""After a power cut, whatever of the unsynced changes is lost, a room opens, its layers are whole, and it goes on."""

import itertools
import random
import shutil

import pytest

from oci_layers.errors import OCIError
from oci_layers.snapshot import Snapshots
from tests.support.examples import examples
from tests.support.operations import Operation
from tests.support.power import Journal, states
from tests.support.room_operations import (
    BASE,
    OPERATIONS,
    TOP,
    assert_is_sound,
    assert_is_swept,
    content,
    unpack,
    with_image,
)

PROMISED = ("make", "unpack", "unpack what shares layers", "replace an image", "create a container", "commit")
"""The operations of which nothing is lost once they have returned."""
pytestmark = pytest.mark.root


def recorded(operation, directory, ignored=()):
    """Run an operation on a room in a directory; return the journal of that."""
    directory.mkdir()
    operation.prepare(directory / "room")
    journal = Journal(directory, ignored)
    with journal.recording():
        operation.run(directory / "room")
    return journal


def held(directory):
    """Return what a room holds, without empty directories of its own, which are made when they are needed."""
    found = content(directory)
    own = {"containers", "images", "layers", "layers/sha256", "merged", "mounts"}
    empty = {path for path in own if not any(each.startswith(f"{path}/") for each in found)}
    return {path: what for path, what in found.items() if path not in empty}


def chosen(journal, count, seed=1):
    """Return states that power cuts may leave, at any point, each with the number of changes before it."""
    dice = random.Random(seed)
    for _ in range(count):
        at = dice.randrange(len(journal.changes) + 1)
        several = states(journal, at, samples=8, exhaustive=4)
        yield at, dice.choice(list(itertools.islice(several, 300)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_room_goes_on_after_a_power_cut_from_wherever_it_was(tmp_path, name):
    operation = OPERATIONS[name]
    journal = recorded(operation, tmp_path / "recorded")
    new = held(tmp_path / "recorded/room")
    for at, state in chosen(journal, examples(dev=4, ci=40)):
        state.write(tmp_path / "cut")
        directory = tmp_path / "cut/room"
        assert_is_sound(directory)
        if name in PROMISED and at == len(journal.changes):
            assert held(directory) == new
        operation.again(directory)
        assert held(directory) == new, at
        assert_is_sound(directory)
        assert_is_swept(directory)
        shutil.rmtree(tmp_path / "cut")


@pytest.mark.parametrize("name", PROMISED)
def test_what_was_done_is_there_after_a_power_cut(tmp_path, name):
    journal = recorded(OPERATIONS[name], tmp_path / "recorded")
    new = held(tmp_path / "recorded/room")
    for state in itertools.islice(
        states(journal, len(journal.changes), samples=50, exhaustive=6), examples(dev=5, ci=50)
    ):
        state.write(tmp_path / "cut")
        assert held(tmp_path / "cut/room") == new
        shutil.rmtree(tmp_path / "cut")


def loses(journal, directory, new):
    """Return whether some power cut leaves a room that is damaged, or not all that was promised."""
    ends = ((len(journal.changes), each) for each in states(journal, len(journal.changes), samples=20, exhaustive=3))
    for at, state in itertools.chain(ends, chosen(journal, 300)):
        state.write(directory)
        try:
            assert_is_sound(directory / "room")
            if at == len(journal.changes):
                assert held(directory / "room") == new
        except (AssertionError, OCIError, OSError):
            return True
        finally:
            shutil.rmtree(directory)
    return False


@pytest.mark.thorough
def test_the_sync_of_a_layer_and_that_of_each_record_are_needed(tmp_path):
    """The model can fail: it finds what each missing sync loses, but for those of directories that are synced again."""
    operation = Operation(lambda _: None, lambda directory: unpack(directory, "old", BASE, TOP, sync=True), 0)
    needless = []
    for number in itertools.count():
        journal = recorded(operation, tmp_path / "recorded", {number})
        new = held(tmp_path / "recorded/room")
        shutil.rmtree(tmp_path / "recorded")
        if number >= len(journal.syncs):
            break
        if not loses(journal, tmp_path / "cut", new):
            needless.append(journal.syncs[number])
    assert journal.syncs.count("everything") == 2
    assert journal.syncs.count("file") == 4  # The marker, the records of two layers, that of the image.
    assert set(needless) <= {"directory"}
    assert len(needless) <= 4


def test_a_room_that_does_not_sync_loses_what_it_has(tmp_path):
    (tmp_path / "recorded").mkdir()
    with_image(tmp_path / "recorded/room")
    journal = Journal(tmp_path / "recorded")
    with journal.recording(), Snapshots(tmp_path / "recorded/room", sync=False) as opened:
        opened.create_container("old", "web")
    assert journal.syncs == []
    assert loses(journal, tmp_path / "cut", held(tmp_path / "recorded/room"))
