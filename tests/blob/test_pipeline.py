"""Threads that read ahead, hash behind, and work on many items: no byte changes, no error is lost, all of them end."""

import hashlib
import threading
import time

import pytest

from oci_layers.blob.pipeline import _PIECES, BackgroundHasher, BackgroundReader, map_in_threads
from oci_layers.blob.stream import PIECE
from oci_layers.errors import DigestMismatchError
from tests.blob.test_stream import DATA, Source, everything


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("oci-layers")]


@pytest.mark.parametrize("size", [1, 1000, PIECE, 3 * PIECE])
@pytest.mark.parametrize("step", [None, 50_000])
def test_reading_ahead_changes_no_byte(size, step):
    data = bytes(range(256)) * (40 if size == 1 else 40_000)
    ahead = BackgroundReader(Source(data, step))
    assert everything(ahead, size) == data
    assert ahead.read(size) == ahead.read(size) == b""
    ahead.close()
    assert ours() == []


@pytest.mark.parametrize("error", [DigestMismatchError("x", "a", "b"), OSError(5, "broken"), KeyboardInterrupt()])
def test_errors_come_where_they_would_have_come(error):
    ahead = BackgroundReader(Source(DATA, 4, error))
    found = b""
    while len(found) < len(DATA):
        found += ahead.read(100)
    assert found == DATA
    for _ in range(3):
        with pytest.raises(type(error)) as caught:
            ahead.read(100)
        assert caught.value is error
    ahead.stop()
    assert ours() == []


def no_new_thread(*_):
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    "make", [BackgroundReader, lambda _: BackgroundHasher(hashlib.sha256())], ids=["reading", "hashing"]
)
def test_where_no_thread_can_be_started_nothing_is_read(monkeypatch, make):
    """The caller does the work itself, from the beginning."""
    monkeypatch.setattr(threading.Thread, "start", no_new_thread)
    source = Source(DATA)
    with pytest.raises(RuntimeError, match="new thread"):
        make(source)
    assert everything(source, 100) == DATA
    assert ours() == []


def test_it_reads_only_so_far_ahead():
    source = Source(b"x" * (40 * PIECE))
    ahead = BackgroundReader(source)
    ahead.read(1)
    while source.tell() < _PIECES * PIECE:
        pass
    ahead.stop()
    assert source.tell() <= (_PIECES + 3) * PIECE


class Endless:
    closed = False

    def read(self, size):
        return b"x" * size

    def close(self):
        self.closed = True


def test_stopping_ends_the_thread_and_leaves_the_stream_open():
    source = Endless()
    ahead = BackgroundReader(source)
    ahead.read(1)
    ahead.stop()
    assert ours() == []
    assert not source.closed
    ahead.stop()


def test_closing_stops_and_closes():
    source = Endless()
    BackgroundReader(source).close()
    assert ours() == []
    assert source.closed


def test_reading_after_the_stop_is_an_error_and_no_wait():
    ahead = BackgroundReader(Endless())
    ahead.stop()
    with pytest.raises(ValueError, match="stopped"):
        ahead.read(1)


@pytest.mark.parametrize("count", [0, 1, _PIECES - 1, _PIECES, 200])
def test_hashing_in_another_thread_gives_the_same_digest(count):
    pieces = [bytes([number]) * (number * 100) for number in range(count)]
    hashing = BackgroundHasher(hashlib.sha256())
    for piece in pieces:
        hashing.update(piece)
    assert hashing.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert ours() == []
    hashing.close()


class Slow:
    """A hasher that waits for leave to begin."""

    def __init__(self):
        self.leave = threading.Event()
        self.seen = 0

    def update(self, data):
        assert self.leave.wait(60)
        self.seen += len(data)

    def hexdigest(self):
        return str(self.seen)


def test_hashing_takes_only_so_much_ahead():
    slow = Slow()
    hashing = BackgroundHasher(slow)
    sent = []

    def send():
        for number in range(100):
            hashing.update(b"x")
            sent.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    while len(sent) < _PIECES:
        pass
    sender.join(0.05)
    assert len(sent) <= _PIECES + 1
    slow.leave.set()
    sender.join()
    assert hashing.hexdigest() == "100"


def test_closing_ends_hashing_without_what_is_left():
    slow = Slow()
    hashing = BackgroundHasher(slow)
    for _ in range(_PIECES):
        hashing.update(b"x")
    leave = threading.Timer(0.02, slow.leave.set)
    leave.start()
    hashing.close()
    leave.join()
    assert slow.seen <= 1
    assert ours() == []


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_results_come_in_the_order_of_the_items(threads, count):
    before = threading.enumerate()

    def work(item, should_continue):
        time.sleep(0.001 * (item % 3))
        assert should_continue(0)
        return item * 2

    assert map_in_threads(work, range(count), threads=threads) == [item * 2 for item in range(count)]
    assert threading.enumerate() == before


def test_items_are_worked_on_at_the_same_time_and_no_more_of_them_than_asked_for():
    together = threading.Barrier(3, timeout=20)
    at_work = []

    def work(item, _):
        at_work.append(item)
        assert len(at_work) <= 3
        together.wait()
        at_work.remove(item)
        return threading.current_thread().name

    assert set(map_in_threads(work, range(9), threads=3)) == {"oci-layers-worker"}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_number_is_heard_in_the_callers_own_thread(threads):
    heard = []

    def work(item, should_continue):
        assert should_continue(item)
        assert should_continue(0)
        assert should_continue(1)

    def on_progress(count):
        assert threading.current_thread() is threading.main_thread()
        heard.append(count)

    map_in_threads(work, [10, 20, 30], threads=threads, on_progress=on_progress)
    assert sorted(heard) == [1, 1, 1, 10, 20, 30]


def forever(_, should_continue):
    while should_continue(1):
        pass
    return "given up"


class StopError(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_error_of_the_one_who_hears_stops_everything_at_once(threads):
    calls = []

    def on_progress(count):
        calls.append(count)
        if len(calls) == 7:
            raise StopError

    with pytest.raises(StopError):
        map_in_threads(forever, range(100), threads=threads, on_progress=on_progress)
    assert len(calls) == 7
    assert ours() == []


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("error", [StopError(), KeyboardInterrupt(), SystemExit()])
def test_an_error_of_the_work_stops_everything_and_comes_out(threads, error):
    begun = []

    def work(item, should_continue):
        begun.append(item)
        if item == 3:
            raise error
        while threads > 1 and item > 3 and should_continue(0):
            pass

    with pytest.raises(type(error)) as caught:
        map_in_threads(work, range(100), threads=threads)
    assert caught.value is error
    assert len(begun) <= 3 + threads
    assert ours() == []


def test_work_that_swallows_errors_does_not_swallow_those_of_the_one_who_hears():
    def work(_, should_continue):
        try:
            should_continue(1)
        except Exception:  # noqa: BLE001  # that is the point
            return "swallowed"

    def on_progress(_):
        raise StopError

    for threads in (1, 2):
        with pytest.raises(StopError):
            map_in_threads(work, "ab", threads=threads, on_progress=on_progress)


def name_of_the_worker(item, should_continue):
    assert should_continue(1)
    return item, threading.current_thread().name


@pytest.mark.parametrize("room", [0, 1, 2])
def test_the_threads_that_can_be_begun_do_all_the_work_or_the_caller_does(monkeypatch, room):
    start, begun = threading.Thread.start, []

    def refuse(thread):
        if len(begun) >= room:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    heard = []
    found = map_in_threads(name_of_the_worker, range(9), threads=4, on_progress=heard.append)
    assert found == [(item, "oci-layers-worker" if room else "MainThread") for item in range(9)]
    assert (heard, len(begun), ours()) == ([1] * 9, room, [])


def test_a_runtime_error_of_the_work_is_not_taken_for_a_thread_that_cannot_be_begun():
    calls = []

    def work(item, _):
        calls.append(item)
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="start new thread"):
        map_in_threads(work, range(2), threads=2)
    assert len(calls) <= 2


def test_an_exception_of_the_hasher_is_raised_with_the_digest_and_blocks_nothing():
    class Broken:
        def update(self, _):
            raise ValueError("broken")

        def hexdigest(self):
            return "none"

    hashing = BackgroundHasher(Broken())
    for _ in range(3 * _PIECES):
        hashing.update(b"x")
    with pytest.raises(ValueError, match="broken"):
        hashing.hexdigest()
