"""Unpacking: each layer once, whatever images and processes want it; whole, or not there."""

import io
import itertools
import os
import signal
import tarfile
import threading
import time

import pytest

from oci_layers.errors import IntegrityError, UnsupportedError
from oci_layers.snapshot import Snapshots
from oci_layers.snapshot.fsck import fsck
from oci_layers.tree import dump
from tests.support.faults import calls_of, intercepted
from tests.support.layers import d, f, ln, tar, wh
from tests.support.process import ended, start
from tests.support.rooms import image_of, room, seen

LOW, MIDDLE, TOP, OTHER = (
    tar(d("a"), f("a/x", "1" * 100), ln("b", "a/x")),
    tar(f("a/y", "2" * 5000)),
    tar(wh("b")),
    tar(f("c", "3")),
)
pytestmark = pytest.mark.root


def writes(operation):
    """The names of the files that an operation makes."""
    made = []

    def hook(number, name, call, arguments):
        if name in {"open_new_file", "make_directory"}:
            made.append(arguments[0])
        return call()

    with intercepted(hook):
        operation()
    return made


def test_layers_that_two_images_share_are_unpacked_once():
    with (
        image_of(LOW, MIDDLE, TOP, name="one") as one,
        image_of(LOW, MIDDLE, OTHER, name="two") as two,
        room() as opened,
    ):
        first = opened.unpack(one)
        assert len(first.unpacked) == 3
        made = []
        made += writes(lambda: made.append(opened.unpack(two)))
        second, *files = made
        assert second.unpacked == (two.layers[2].chain_id,)
        assert {b"x", b"y", b"b"}.isdisjoint(files)
        assert b"c" in files
        with opened.view(first) as left, opened.view(second) as right:
            assert seen(left.fd) == dump(one.tree())
            assert seen(right.fd) == dump(two.tree())
        paths = [[layer.path for layer in opened.stack(each)] for each in (first, second)]
        assert paths[0][1:] == paths[1][1:]
        inodes = {os.stat(f"{path}/a/y").st_ino for stack in paths for path in stack if os.path.exists(f"{path}/a/y")}
        assert len(inodes) == 1


def test_an_image_that_is_there_is_not_read():
    with image_of(LOW, MIDDLE) as image, room() as opened:
        opened.unpack(image)
        with image_of(LOW, MIDDLE, name="again") as again:
            real, read = again.blobs.open_blob, []
            again.blobs.open_blob = lambda digest, *_: (read.append(digest), real(digest))[1]
            snapshot = opened.unpack(again)
        assert snapshot.unpacked == ()
        assert read == [again.manifest.config.digest]
        assert [each.name for each in opened.images()] == ["again", "app"]


def test_a_layer_is_read_from_what_was_unpacked_of_those_below():
    """Only the new layer's blob is opened."""
    with image_of(LOW, MIDDLE) as image, room() as opened:
        opened.unpack(image)
        with image_of(LOW, MIDDLE, tar(ln("z", "a/y"))) as more:
            real, read = more.blobs.open_blob, []
            more.blobs.open_blob = lambda digest, *_: (read.append(digest), real(digest))[1]
            snapshot = opened.unpack(more)
            assert read == [more.manifest.config.digest, more.layers[2].descriptor.digest]
            with opened.view(snapshot) as view:
                assert seen(view.fd) == dump(more.tree())


# Several processes.


def unpack_in(directory):
    """Unpack the image into a room; write to its log which layers this process wrote."""
    with image_of(LOW, MIDDLE, TOP) as image, Snapshots(directory, sync=False) as opened:
        snapshot = opened.unpack(image)
        with open(f"{directory}.log", "a", encoding="ascii") as log:
            log.writelines(f"{each}\n" for each in snapshot.unpacked)
        assert dump(opened.tree(snapshot)) == dump(image.tree())


def assert_is_whole(directory):
    with image_of(LOW, MIDDLE, TOP) as image, Snapshots(directory, sync=False) as opened:
        assert [layer.chain_id for layer in opened.stack("app")] == [layer.chain_id for layer in image.layers][::-1]
        checked = fsck(opened)
        assert (checked.findings, checked.leftovers) == ((), 0)
        with opened.view("app") as view:
            assert seen(view.fd) == dump(image.tree())


@pytest.mark.parametrize("processes", [2, 8])
def test_each_layer_is_written_by_one_of_several_processes(tmp_path, processes):
    directory = tmp_path / "room"
    children = [start(lambda: unpack_in(directory)) for _ in range(processes)]
    assert [ended(child) for child in children] == [0] * processes
    assert_is_whole(directory)
    written = (tmp_path / "room.log").read_text().split()
    with image_of(LOW, MIDDLE, TOP) as image:
        assert sorted(written) == sorted(str(layer.chain_id) for layer in image.layers)


def paused_at(operation, number, ready):
    """Run an operation that stops for good at its system call of that number, and says so."""

    def hook(each, name, call, arguments):
        if each == number:
            os.write(ready, b"1")
            signal.pause()
        return call()

    with intercepted(hook):
        operation()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_writer_that_is_killed_is_taken_over(tmp_path, layer):
    calls = calls_of(lambda: unpack_in(tmp_path / "other"))
    naming = [number for number, name in enumerate(calls) if name == "rename"][layer]
    reader, ready = os.pipe()
    writer = start(lambda: paused_at(lambda: unpack_in(tmp_path / "room"), naming, ready))
    try:
        assert os.read(reader, 1) == b"1"
        waiting = start(lambda: unpack_in(tmp_path / "room"))
        time.sleep(0.05)
        assert os.waitpid(waiting, os.WNOHANG) == (0, 0)
    finally:
        os.kill(writer, signal.SIGKILL)
        assert ended(writer) == -signal.SIGKILL
        os.close(reader)
        os.close(ready)
    assert ended(waiting) == 0
    assert_is_whole(tmp_path / "room")


def test_threads_with_a_room_each_unpack_at_once(tmp_path):
    threads = [threading.Thread(target=unpack_in, args=[tmp_path / "room"]) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert_is_whole(tmp_path / "room")


# What is refused.


def test_an_image_for_windows_is_refused():
    with image_of(LOW, os_="windows") as image, room() as opened:
        with pytest.raises(UnsupportedError, match="a room holds images for Linux"):
            opened.unpack(image)
        assert opened.images() == []


def test_a_damaged_layer_leaves_those_below_it_and_nothing_else():
    with image_of(LOW, MIDDLE, TOP) as image, room() as opened:
        real = image.blobs.open_blob
        bad = image.layers[1].descriptor.digest
        image.blobs.open_blob = lambda digest, *rest: real(
            image.layers[2].descriptor.digest if digest == bad else digest
        )
        with pytest.raises(IntegrityError):
            opened.unpack(image)
        assert opened.images() == []
        assert [layer.chain_id for layer in opened.layers.all()] == [image.layers[0].chain_id]
        assert os.listdir(f"{opened.place}/tmp") == os.listdir(f"{opened.place}/leases") == []
        assert fsck(opened).ok
        image.blobs.open_blob = real
        assert opened.unpack(image).unpacked == tuple(layer.chain_id for layer in image.layers[1:])


def test_an_exception_of_progress_ends_the_work():
    class StopError(Exception):
        pass

    def stop(_):
        raise StopError

    with image_of(LOW, MIDDLE) as image, room() as opened:
        with pytest.raises(StopError):
            opened.unpack(image, progress=stop)
        assert os.listdir(f"{opened.place}/tmp") == []
        assert opened.images() == []


def test_progress_counts_the_layers_that_are_written():
    with image_of(LOW, MIDDLE) as image, room() as opened:
        opened.unpack(image)
        calls = []
        with image_of(LOW, MIDDLE, TOP) as more:
            snapshot = opened.unpack(more, progress=calls.append)
        assert calls
        assert [each.layer for each in snapshot.report.layers] == [2]


def test_a_caller_may_end_the_work_within_a_hole():
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("sparse")
        sparse = {"major": "0", "minor": "1", "size": str(4 << 30), "map": "0,1", "name": "sparse", "numblocks": "1"}
        entry.size, entry.pax_headers = 1, {f"GNU.sparse.{key}": value for key, value in sparse.items()}
        archive.addfile(entry, io.BytesIO(b"x"))
    calls = itertools.count()

    def progress(_):
        if next(calls) > 100:
            raise KeyboardInterrupt

    with image_of(raw.getvalue()) as image, room() as opened:
        with pytest.raises(KeyboardInterrupt):
            opened.unpack(image, progress=progress)
        assert opened.room.names(b"tmp") == []
