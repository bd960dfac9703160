"""Threads that read ahead and hash behind: no byte changes, no error is lost, nothing waits forever."""

import _thread
import hashlib
import sys
import threading

import pytest

from oci_layers.blob.ahead import _PIECES, HashingThread, ReadAhead
from oci_layers.blob.stream import PIECE
from oci_layers.errors import DigestMismatchError
from tests.blob.test_stream import DATA, Source, everything
from tests.support.scripts import run_script


def ours():
    return [thread for thread in threading.enumerate() if thread.name.startswith("oci-layers")]


@pytest.mark.parametrize("size", [1, 1000, PIECE, 3 * PIECE])
@pytest.mark.parametrize("step", [None, 50_000])
def test_reading_ahead_changes_no_byte(size, step):
    data = bytes(range(256)) * (40 if size == 1 else 40_000)
    ahead = ReadAhead(Source(data, step))
    assert everything(ahead, size) == data
    assert ahead.read(size) == ahead.read(size) == b""
    ahead.close()
    assert ours() == []


@pytest.mark.parametrize("error", [DigestMismatchError("x", "a", "b"), OSError(5, "broken"), KeyboardInterrupt()])
def test_errors_come_where_they_would_have_come(error):
    ahead = ReadAhead(Source(DATA, 4, error))
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


@pytest.mark.parametrize("place", [(_thread, "start_new_thread"), (threading.Thread, "start")])
@pytest.mark.parametrize("make", [ReadAhead, lambda _: HashingThread(hashlib.sha256())], ids=["reading", "hashing"])
def test_where_there_can_be_no_thread_nothing_is_begun(monkeypatch, place, make):
    """The caller does the work itself, from the beginning."""
    monkeypatch.setattr(*place, no_new_thread)
    source = Source(DATA)
    with pytest.raises(RuntimeError, match="new thread"):
        make(source)
    assert everything(source, 100) == DATA
    assert ours() == []


def test_it_reads_only_so_far_ahead():
    source = Source(b"x" * (40 * PIECE))
    ahead = ReadAhead(source)
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
    ahead = ReadAhead(source)
    ahead.read(1)
    ahead.stop()
    assert ours() == []
    assert not source.closed
    ahead.stop()


def test_closing_stops_and_closes():
    source = Endless()
    ReadAhead(source).close()
    assert ours() == []
    assert source.closed


def test_reading_after_the_stop_is_an_error_and_no_wait():
    ahead = ReadAhead(Endless())
    ahead.stop()
    with pytest.raises(ValueError, match="stopped"):
        ahead.read(1)


INTERRUPTED = """
import contextlib, hashlib
from oci_layers.blob.ahead import HashingThread, ReadAhead
from tests.support.interrupts import strike

class Short:
    left = 3000
    def read(self, size):
        self.left -= 1
        return b"x" * 1000 if self.left > 0 else b""
    def close(self):
        pass

@contextlib.contextmanager
def prepare():
    def work():
        while data := ahead.read(1 << 20):
            hashing.update(data)
        hashing.hexdigest()

    with (
        contextlib.closing(ReadAhead(Short())) as ahead,
        contextlib.closing(HashingThread(hashlib.sha256())) as hashing,
    ):
        yield work

print(strike(prepare, 300, 1e-4, 5e-3))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs timers")
def test_an_interrupt_at_any_moment_leaves_nothing_that_waits_forever():
    assert run_script(INTERRUPTED) == (0, "300\n", "")


@pytest.mark.parametrize("count", [0, 1, _PIECES - 1, _PIECES, 200])
def test_hashing_in_another_thread_gives_the_same_digest(count):
    pieces = [bytes([number]) * (number * 100) for number in range(count)]
    hashing = HashingThread(hashlib.sha256())
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
    hashing = HashingThread(slow)
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
    assert len(sent) == _PIECES
    slow.leave.set()
    sender.join()
    assert hashing.hexdigest() == "100"


def test_closing_ends_hashing_without_what_is_left():
    slow = Slow()
    hashing = HashingThread(slow)
    for _ in range(_PIECES):
        hashing.update(b"x")
    threading.Timer(0.02, slow.leave.set).start()
    hashing._stop = True
    hashing.close()
    assert slow.seen <= 1
    assert ours() == []
