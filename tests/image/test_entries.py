"""Entries without contents from another thread: those that come without one, the same errors, and nothing unbounded."""

import threading
import time
from itertools import islice

import attrs
import pytest

from oci_layers import Limits, Policy, open_image
from oci_layers.errors import DigestMismatchError, IntegrityError, LimitError, OCIError, TarFormatError
from oci_layers.image import entries as entries_module
from oci_layers.image.entries import EntryPrefetcher
from oci_layers.image.merge import merge_layers
from oci_layers.layer import decode
from oci_layers.tree import FileTree, dump
from tests.support import blocks
from tests.support.examples import examples
from tests.support.layers import Built, d, digest, f, image, ln, opq, sym, tar, wh

BIG = bytes(3 << 20)
FILES = examples(dev=400, ci=1000)
BASE = tar(d("a/"), f("a/x", "1"), sym("l", "a"), *(f(f"a/n{number}", str(number)) for number in range(FILES)))
MIDDLE = tar(f("zeros", BIG), wh("a/x"), f("l/y", "2"), wh("nothing"), f("zeros2", BIG), ln("h", "a/n1"))
TOP = tar(opq("a"), f("a/z", "3"), f("last", "4"))
LAYERS = [BASE, MIDDLE, TOP]


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("oci-layers")]


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert ours() == []


def unwatched(*_):
    pass


def test_the_entries_are_those_of_the_layer(tmp_path):
    with open_image(image(tmp_path / "image", *LAYERS), threads=2) as opened:
        for layer in opened.layers:
            seen = []
            with layer.reader.open_entries(
                lambda *told, seen=seen: seen.append(told), opener=layer.reader.open_headers
            ) as entries:
                found = list(entries)
            assert found == list(layer.entries())
            assert [entry.data_offset for entry in found] == [entry.data_offset for entry in layer.entries()]
            assert sum(plain for plain, _ in seen) == len(LAYERS[layer.index])
            assert seen[-1][1] == layer.descriptor.size


def test_contents_are_not_kept(tmp_path):
    with open_image(image(tmp_path / "image", BASE), threads=2) as opened:
        layer = opened.layers[0]
        with layer.reader.open_entries(unwatched, opener=layer.reader.open_headers) as entries:
            [entry] = islice((entry for entry in entries if entry.size), 1)
            with pytest.raises(ValueError, match="not kept"):
                entry.read()


def outcome(work):
    """What came of it: a value, or the error with its notes."""
    try:
        return work()
    except OCIError as error:
        return type(error), str(error), getattr(error, "__notes__", [])


def merged(name, threads, limits):
    """All that there is to see of a merge without contents."""
    with open_image(name, limits=limits, threads=threads) as opened:
        tree, tracker = FileTree(limits=limits), opened._tracker()
        sources = opened._sources(0, len(opened.layers))
        what = outcome(lambda: dump(merge_layers(sources, tree, tracker, Policy())))
        tree = outcome(lambda: dump(opened.tree()))
        lint = outcome(lambda: [str(found) for found in opened.lint()])
        return what, tree, lint, list(tracker.report.findings), tracker.report.entries


def flipped(blob):
    return blob[: len(blob) // 2] + bytes([blob[len(blob) // 2] ^ 1]) + blob[len(blob) // 2 + 1 :]


def harm(built, layer, what):
    row = built.layers[layer]
    match what:
        case "flip":
            row["blob"] = flipped(row["blob"])
        case "cut":
            row["blob"] = row["blob"][:-9]
        case "diff_id":
            built.config["rootfs"]["diff_ids"][layer] = digest(b"another")
        case "type":
            row["descriptor"]["mediaType"] = "application/x-unknown"


@pytest.mark.thorough
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("what", ["nothing", "flip", "cut", "diff_id", "type"])
def test_damage_shows_as_it_does_with_one_thread(tmp_path, layer, what):
    built = Built.of(tmp_path / "image", *LAYERS)
    harm(built, layer, what)
    name = built.write()
    found = merged(name, 4, Limits())
    assert found == merged(name, 1, Limits())
    assert isinstance(found[0], str) == (what == "nothing")


REFUSED = tar(f("a/q", "1"), f("../q", "2"), *(f(f"b{number}", BIG[:100_000]) for number in range(40)))
TWICE = tar(f("a/q", "1"), ln("q", "nothing"), *(f(f"b{number}", BIG[:100_000]) for number in range(40)))
BROKEN = tar(*(f(f"c{number}", "x" * 5000) for number in range(400)))
BROKEN = BROKEN[: 200 * 6656] + b"\1" * 512 + BROKEN[200 * 6656 + 512 :]


@pytest.mark.thorough
@pytest.mark.parametrize("upper", [REFUSED, TWICE, BROKEN, BROKEN[:1_300_300], tar(f("e", BIG))[:-2000]])
@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_no_layer_shows_as_it_does_with_one_thread(tmp_path, upper, damaged):
    built = Built.of(tmp_path / "image", BASE, upper, TOP)
    if damaged:
        built.layers[1]["blob"] = built.layers[1]["blob"][:-8] + b"damaged!"
    name = built.write()
    found = merged(name, 4, Limits())
    assert found == merged(name, 1, Limits())
    kind = found[0][0] if isinstance(found[0], tuple) else None
    assert kind is not None
    assert issubclass(kind, IntegrityError) == damaged


@pytest.mark.parametrize(
    "limits",
    [
        {"entries": FILES - 1},
        {"entries": FILES + 4},
        {"entries": FILES + 10},
        {"plain_bytes": 2 << 20},
        {"plain_bytes": 6 << 20},
    ],
)
def test_limits_show_as_they_do_with_one_thread(tmp_path, limits):
    name = image(tmp_path / "image", *LAYERS)
    found = merged(name, 4, Limits(**limits))
    assert found == merged(name, 1, Limits(**limits))
    assert found[0][0] is LimitError


class Plain:
    """Plain bytes that count how many were asked for."""

    def __init__(self, data):
        self.data = data
        self.at = 0
        self.blob_bytes = 0
        self.closed = False

    def read(self, size):
        data = self.data[self.at : self.at + min(size, 10_000)]
        self.at += len(data)
        return data

    def check_blob(self):
        raise DigestMismatchError("blob", "a", "b")

    def close(self):
        self.closed = True


def test_only_so_many_headers_wait(monkeypatch):
    monkeypatch.setattr(entries_module, "_CAPACITY", 50_000)
    plain = Plain(tar(*(f(f"n{number}") for number in range(2000))))
    ahead = EntryPrefetcher(plain, Limits())
    entries = ahead.entries(unwatched)
    assert next(entries).name == b"n0"
    while plain.at < 50_000:
        pass
    assert [entry.name for entry in islice(entries, 18)] == [b"n%d" % number for number in range(1, 19)]
    assert plain.at <= 80_000
    assert len(list(entries)) == 1981
    ahead.close()
    assert plain.closed


def test_records_weigh_what_they_take_and_progress_weighs_too(monkeypatch):
    monkeypatch.setattr(entries_module, "_CAPACITY", 100_000)
    records = blocks.extended(*((b"k%d" % number, b"1") for number in range(300)))
    plain = Plain((records + blocks.header()) * 100)
    ahead = EntryPrefetcher(plain, Limits())
    next(ahead.entries(unwatched))
    while plain.at < 20_000:
        pass
    time.sleep(0.05)
    assert plain.at < 60_000
    ahead.close()
    plain = Plain(blocks.header(size=50_000_000) + bytes(50_000_000))
    ahead = EntryPrefetcher(plain, Limits())
    time.sleep(0.2)
    assert plain.at < 3_000_000
    ahead.close()


class Failing(Plain):
    """A stream of a source that fails in a way of its own."""

    def read(self, size):
        data = super().read(size)
        if not data:
            raise EOFError("the other end is gone")
        return data


class FailingBlobs:
    """A source of two blobs: one is whole, the other fails when it is opened, or after a while."""

    def __init__(self, blobs, digest, when):
        self.blobs = blobs
        self.digest = digest
        self.when = when

    def open_blob(self, digest):
        stream = self.blobs.open_blob(digest)
        if digest != self.digest:
            return stream
        data = stream.read(100_000)
        stream.close()
        return Failing(data if self.when == "read" else b"")


def before_failure(name, threads, when):
    with open_image(name, threads=threads) as opened:
        layers = [
            attrs.evolve(each.reader, blobs=FailingBlobs(each.reader.blobs, opened.layers[1].descriptor.digest, when))
            for each in opened.layers
        ]
        tree, tracker = FileTree(), opened._tracker()
        with pytest.raises(EOFError):
            merge_layers([(layer, object()) for layer in layers], tree, tracker, Policy())
        return dump_names(tree), tracker.report.entries


def dump_names(tree):
    return [path for path, _ in tree.walk()]


@pytest.mark.parametrize("when", ["opened", "read"])
def test_any_error_of_a_source_comes_after_what_was_before_it(tmp_path, when):
    name = image(tmp_path / "image", TOP, BASE, compression="")
    found = before_failure(name, 4, when)
    assert found == before_failure(name, 1, when)
    assert (found[1] > 10) == (when == "read")


def test_closing_early_ends_the_thread(monkeypatch):
    monkeypatch.setattr(entries_module, "_CAPACITY", 50_000)
    plain = Plain(tar(*(f(f"n{number}") for number in range(2000))))
    ahead = EntryPrefetcher(plain, Limits())
    next(ahead.entries(unwatched))
    ahead.close()
    assert ours() == []
    assert plain.closed
    assert plain.at < 200_000


def test_the_blob_is_checked_when_the_thread_has_stopped():
    plain = Plain(tar(f("n")) + b"x" * 100_000)
    ahead = EntryPrefetcher(plain, Limits())
    with pytest.raises(DigestMismatchError):
        ahead.check_blob()
    assert ours() == []
    ahead.close()


def test_what_came_before_an_error_comes_before_it():
    ahead = EntryPrefetcher(Plain(BROKEN), Limits())
    found = []
    with pytest.raises(TarFormatError):
        found.extend(entry.name for entry in ahead.entries(unwatched))
    assert found == [b"c%d" % number for number in range(len(found))]
    assert len(found) == 200
    ahead.close()


def test_where_there_can_be_no_more_threads_none_are_needed(tmp_path, monkeypatch):
    with open_image(image(tmp_path / "image", *LAYERS), threads=1) as opened:
        expected = list(decode(opened.layers[0].entries(), source=object()))

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with open_image(image(tmp_path / "again", *LAYERS), threads=4) as opened:
        layer = opened.layers[0]
        with layer.reader.open_entries(unwatched, opener=layer.reader.open_headers) as entries:
            assert len(list(decode(entries, source=object()))) == len(expected)
        found = merged(opened_name := image(tmp_path / "whole", *LAYERS), 4, Limits())
        monkeypatch.undo()
        assert found == merged(opened_name, 1, Limits())
