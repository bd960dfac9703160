"""A large blob arrives in parts, several at once, and is the same bytes."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.blob.stream import VerifiedReader
from oci_layers.errors import IntegrityError, RegistryError, UnreachableError
from oci_layers.registry import blob_stream
from oci_layers.registry.blob_stream import BlobStream, PartedStream
from oci_layers.registry.blobs import RegistryBlobs
from oci_layers.spec.digest import Digest
from oci_layers.testing.streams import read_all
from tests.registry.test_blobs import Piece, breaking, ranges
from tests.registry.test_client import client
from tests.support.model_registry import refuse, reply

DATA = os.urandom(10_000)
DIGEST = Digest.of(DATA)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Parts of a thousand bytes."""
    monkeypatch.setattr(blob_stream, "PART", 1000)


def holding(data=DATA, **switches):
    made, model = client(**switches)
    model.repository("a/b").blobs[str(DIGEST)] = data
    return made, model


def parted(made, *, lanes=3, size=10_000):
    return PartedStream(made, DIGEST, size, threading.Semaphore(lanes))


@pytest.mark.parametrize("lanes", [0, 1, 3, 99])
@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 9999, 10_000])
def test_parts_are_put_together(lanes, size):
    data = DATA[:size]
    made, model = holding(data)
    lane = threading.Semaphore(lanes)
    stream = PartedStream(made, DIGEST, size, lane)
    assert read_all(stream, 700) == data
    bounds = [(start, min(start + 1000, size) - 1) for start in range(0, size, 1000)]
    assert sorted(ranges(model)) == sorted(f"bytes={start}-{end}" for start, end in bounds)
    assert [lane.acquire(blocking=False) for _ in range(lanes + 1)] == [True] * lanes + [False]


def test_several_parts_arrive_at_once():
    made, model = holding()
    waiting, together = [], threading.Event()

    def wait(request):
        if "Range" in request.headers and request.headers["Range"] != "bytes=0-999":
            waiting.append(request.headers["Range"])
            if len(waiting) >= 3:
                together.set()
            assert together.wait(20)

    model.answers.append(wait)
    assert read_all(parted(made)) == DATA


@pytest.mark.parametrize("lanes", [0, 3])
def test_a_server_that_sends_no_parts_sends_all_at_once(lanes):
    made, model = holding(ranges=False)
    assert read_all(parted(made, lanes=lanes)) == DATA
    assert len(ranges(model)) == 1


@pytest.mark.parametrize("lanes", [0, 3])
def test_a_part_that_breaks_is_taken_up_again(lanes):
    made, model = holding()
    left = {"bytes=0-999": 10, "bytes=10-999": 0, "bytes=3000-3999": 999, "bytes=9000-9999": 0}

    def cut(request):
        size = left.pop(request.headers.get("Range"), None)
        if size is None:
            return None
        response = model.answer(request)
        response.body = Piece(response, size)
        return response

    model.answers.append(cut)
    assert read_all(parted(made, lanes=lanes)) == DATA
    assert not left
    assert {"bytes=10-999", "bytes=3999-3999"} <= set(ranges(model))


def test_a_part_may_come_from_a_server_that_sends_no_parts_any_more():
    made, model = holding()
    model.answers.append(
        lambda request: reply(request, 200, DATA) if request.headers.get("Range") == "bytes=3000-3999" else None
    )
    assert read_all(parted(made)) == DATA


@pytest.mark.parametrize("lanes", [0, 3])
def test_an_error_of_a_part_is_that_of_the_blob(lanes):
    made, model = holding()
    model.answers.append(
        lambda request: refuse(request, 403, "DENIED") if request.headers.get("Range") == "bytes=5000-5999" else None
    )
    stream, seen = parted(made, lanes=lanes), []
    with pytest.raises(RegistryError, match="DENIED"):
        seen.extend(iter(lambda: stream.read(500), b""))
    stream.close()
    assert b"".join(seen) == DATA[:5000]


def test_another_part_is_refused():
    made, model = holding()

    def wrong(request):
        if request.headers.get("Range") == "bytes=1000-1999":
            return reply(request, 206, DATA[1000:1500], [("Content-Range", "bytes 1000-1499/10000")])
        return None

    model.answers.append(wrong)
    with pytest.raises(RegistryError, match="sends another range: bytes 1000-1499/10000"):
        read_all(parted(made))


@pytest.mark.parametrize("size", [9_000, 9_500, 10_001, 12_000])
def test_a_size_that_is_wrong_is_found(size):
    made, _ = holding()
    with pytest.raises((IntegrityError, RegistryError)):
        read_all(VerifiedReader(parted(made, size=size), DIGEST, size))


def test_what_is_closed_early_leaves_nothing_behind():
    made, _ = holding()
    lanes = threading.Semaphore(3)
    stream = PartedStream(made, DIGEST, len(DATA), lanes)
    assert stream.read(10) == DATA[:10]
    stream.close()
    stream.close()
    assert [lanes.acquire(blocking=False) for _ in range(4)] == [True] * 3 + [False]
    assert not [each for each in threading.enumerate() if each.name.startswith("oci-layers")]


def test_where_there_are_no_threads_parts_follow_one_another(monkeypatch):
    def refuse_thread(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(blob_stream, "BackgroundReader", type("Reader", (), {"__init__": lambda *_: refuse_thread(_)}))
    made, _ = holding()
    lanes = threading.Semaphore(3)
    assert read_all(PartedStream(made, DIGEST, len(DATA), lanes)) == DATA
    assert lanes.acquire(blocking=False)


def test_a_store_asks_for_large_layers_in_parts(monkeypatch):
    monkeypatch.setattr("oci_layers.registry.blobs.LARGE", 5000)
    made, model = holding()
    raw = (
        '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": '
        f'[{{"digest": "{DIGEST}", "size": 10000}}, {{"digest": "{Digest.of(b"x")}", "size": 1}}, {{"size": null}}]}}'
    ).encode()
    model.repository("a/b").manifests[str(Digest.of(raw))] = "application/vnd.oci.image.manifest.v1+json", raw
    blobs = RegistryBlobs(made)
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    blobs.manifest(Digest.of(raw))
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    assert len(ranges(model)) == 11
    breaking(model, [0] * 99)
    with pytest.raises(UnreachableError):
        read_all(blobs.open_blob(DIGEST))


@given(st.integers(0, 9999), st.integers(1, 10_000))
def test_any_part_is_read(start, size):
    end = min(start + size, len(DATA))
    for options in ({}, {"ranges": False}):
        made, _ = holding(**options)
        stream = BlobStream(made, DIGEST, start, end)
        expected = DATA if stream.is_whole else DATA[start:end]
        assert read_all(stream, 777) == expected
