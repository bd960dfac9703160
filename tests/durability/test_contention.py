"""Several processes and threads write at once, and some are killed: nothing is lost, and nothing else is there."""

import io
import os
import random
import signal
import threading
import time

import pytest

from oci_layers import Descriptor
from oci_layers.spec.annotations import REF_NAME
from oci_layers.store.layout import Layout
from tests.support.examples import examples
from tests.support.operations import LAYER, OLD, assert_blobs_are_whole, content, filled, leftovers
from tests.support.process import ended, start

DATA = [f"blob {number} ".encode() * 50 for number in range(32)]
BLOBS = [Descriptor.of(data, media_type=LAYER) for data in DATA]
PROCESSES = 8


def names_of(layout):
    return {each.annotations[REF_NAME]: each.digest for each in layout.entries()}


def put_all(directory, who, times):
    chosen = random.Random(who)
    with Layout.open(directory, fsync="never") as layout:
        for _ in range(times):
            number = chosen.randrange(len(BLOBS))
            layout.blobs.put_blob(io.BytesIO(DATA[number]), BLOBS[number])


def tag_all(directory, who, times):
    with Layout.open(directory, fsync="never") as layout:
        for number in range(times):
            layout.tag(f"{who}-{number}", BLOBS[number % len(BLOBS)])


def in_processes(function, directory, times):
    children = [start(lambda: function(directory, who, times)) for who in range(PROCESSES)]  # noqa: B023  # forked now
    assert [ended(child) for child in children] == [0] * PROCESSES


def in_threads(function, directory, times):
    errors = []

    def work(who):
        try:
            function(directory, who, times)
        except Exception as error:  # noqa: BLE001  # whichever it is, the test fails with it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("several", [in_processes, in_threads])
def test_writers_of_the_same_blobs_do_not_disturb_each_other(tmp_path, several):
    Layout.create(tmp_path / "store").close()
    several(put_all, tmp_path / "store", 250)
    assert_blobs_are_whole(content(tmp_path / "store"))
    with Layout.open(tmp_path / "store") as layout:
        assert set(layout.blobs.iter_blobs()) == {each.digest for each in BLOBS}
    assert leftovers(tmp_path / "store") == set()


@pytest.mark.parametrize("times", [40, pytest.param(250, marks=pytest.mark.slow)])
@pytest.mark.parametrize("several", [in_processes, in_threads])
def test_no_name_that_is_given_is_lost(tmp_path, several, times):
    Layout.create(tmp_path / "store").close()
    put_all(tmp_path / "store", 0, 1000)
    several(tag_all, tmp_path / "store", times)
    with Layout.open(tmp_path / "store") as layout:
        assert names_of(layout) == {
            f"{who}-{number}": BLOBS[number % len(BLOBS)].digest for who in range(PROCESSES) for number in range(times)
        }
    assert leftovers(tmp_path / "store") == set()


def create_and_tag(directory, who, times):
    with Layout.create(directory, exist_ok=True, fsync="never") as layout:
        layout.blobs.put_blob(io.BytesIO(DATA[who]), BLOBS[who])
        layout.tag(f"{who}", BLOBS[who])


def test_a_store_may_be_created_by_several_processes_at_once(tmp_path):
    for attempt in range(5):
        in_processes(create_and_tag, tmp_path / f"above{attempt}/store", 1)
        with Layout.open(tmp_path / f"above{attempt}/store") as layout:
            assert names_of(layout) == {f"{who}": BLOBS[who].digest for who in range(PROCESSES)}


def resume(directory, who, times):
    with Layout.open(directory, fsync="never") as layout:
        for number in range(times):
            with layout.blobs.ingest(BLOBS[number], resume=True) as writer:
                at = writer.offset
                writer.write(DATA[number][at : at + 50])
                if who % 2:
                    continue
                writer.write(DATA[number][writer.offset :])
                writer.commit()


@pytest.mark.parametrize("several", [in_processes, in_threads])
def test_writers_that_continue_the_same_blobs_do_not_mix_them(tmp_path, several):
    Layout.create(tmp_path / "store").close()
    several(resume, tmp_path / "store", len(BLOBS))
    assert_blobs_are_whole(content(tmp_path / "store"))
    with Layout.open(tmp_path / "store") as layout:
        assert set(layout.blobs.iter_blobs()) == {each.digest for each in BLOBS}
    assert {each for each in leftovers(tmp_path / "store") if "sha256-" not in each} == set()


def write_until_killed(directory, who, pipe, fsync):
    """Put a blob and name it, over and over; say so when it is done."""
    with Layout.open(directory, fsync=fsync) as layout:
        for number in range(10**6):
            data = f"{who} {number} {time.monotonic_ns()} ".encode() * 100
            blob = Descriptor.of(data, media_type=LAYER)
            layout.blobs.put_blob(io.BytesIO(data), blob)
            layout.tag(f"{who}-{number % 4}", blob)
            os.write(pipe, f"{who}-{number % 4} {number} {blob.digest}\n".encode())


def killed_after(seconds, directory, fsync):
    """Return {name: digest} as acknowledged last, of four writers that are killed after some time."""
    reader, writer = os.pipe()
    children = [start(lambda: write_until_killed(directory, who, writer, fsync)) for who in range(4)]  # noqa: B023
    os.close(writer)
    time.sleep(seconds)
    for child in children:
        os.kill(child, signal.SIGKILL)
    with open(reader) as pipe:
        lines = pipe.read().splitlines()
    assert [ended(child) for child in children] == [-signal.SIGKILL] * 4
    return lines


@pytest.mark.parametrize("stores", [examples(dev=1, ci=2), pytest.param(40, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there_after_a_kill_at_any_time(tmp_path, stores):
    """Each store is written to by four processes that are killed, several times."""
    rounds = examples(dev=12, ci=25)
    chosen = random.Random(5)
    acknowledged = 0
    for number in range(stores):
        directory = tmp_path / str(number)
        filled(directory)
        names = {"old": str(OLD.manifest.digest)}
        blobs = {str(each.digest) for each in OLD.blobs}
        for _ in range(rounds):
            fsync = chosen.choice(("always", "commit", "never"))
            lines = killed_after(chosen.uniform(0.002, 0.03), directory, fsync)
            acknowledged += len(lines)
            names = check(directory, lines, names, blobs)
    assert acknowledged > 2 * stores * rounds


def check(directory, lines, names, blobs):
    """Check a store after a kill; return its {name: digest}. `names` are those before; `blobs` gets what is said."""
    assert_blobs_are_whole(content(directory))
    with Layout.open(directory) as layout:
        found = {name: str(digest) for name, digest in names_of(layout).items()}
        there = {str(each) for each in layout.blobs.iter_blobs()}
    said = {}
    for line in lines:
        name, _, digest = line.split()
        said.setdefault(name, []).append(digest)
        blobs.add(digest)
    assert there >= blobs
    assert set(found.values()) <= there
    assert found.keys() >= names.keys()
    for name, digests in said.items():
        # It is the last one that was acknowledged, or one that was given after it and not acknowledged.
        assert found[name] not in {*digests[:-1], names.get(name)}
    return found
