import threading

import pytest

from oci_layers.testing.streams import Stream, in_threads, read_all


def test_a_stream_returns_at_most_what_it_may_and_tells_that_it_was_closed():
    stream = Stream(b"abcdefg", most=3)
    assert [stream.read(2), stream.read(100), stream.read(100), stream.read(100)] == [b"ab", b"cde", b"fg", b""]
    assert not stream.closed
    stream.close()
    assert stream.closed
    with pytest.raises(AssertionError, match="after it was closed"):
        stream.read(1)


def test_a_stream_fails_in_place_of_its_end():
    error = OSError("midway")
    stream = Stream(b"abc", error=error)
    assert stream.read(100) == b"abc"
    for _ in range(2):
        with pytest.raises(OSError, match="midway") as caught:
            stream.read(100)
        assert caught.value is error


def test_a_stream_is_not_read_without_a_number_of_bytes():
    for size in (0, -1):
        with pytest.raises(AssertionError, match="number of bytes"):
            Stream(b"abc").read(size)


def test_what_is_read_is_checked_and_closed():
    stream = Stream(b"abcdefg")
    assert read_all(stream, 3) == b"abcdefg"
    assert stream.closed
    greedy = Stream(b"abc")
    greedy.read = lambda size: b"more than that"
    with pytest.raises(AssertionError, match="more bytes than were wanted"):
        read_all(greedy, 3)
    assert greedy.closed


def test_threads_run_at_once_and_return_in_order_or_raise():
    meeting = threading.Barrier(3)
    assert in_threads([lambda number=number: (meeting.wait(5), number)[1] for number in range(3)]) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        in_threads([lambda: 1, lambda: 1 / 0])
