"""Items worked on by several threads, and the one who waits: heard in time, stopped at once, never left waiting."""

import _thread
import sys
import threading
import time

import pytest

from oci_layers.image.crew import work_through
from tests.support.scripts import run_script


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "oci-layers-crew"]


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_results_come_in_the_order_of_the_items(threads, count):
    before = threading.enumerate()

    def work(item, say):
        time.sleep(0.001 * (item % 3))
        assert say(0)
        return item * 2

    assert work_through(range(count), work, threads=threads) == [item * 2 for item in range(count)]
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

    assert set(work_through(range(9), work, threads=3)) == {"oci-layers-crew"}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_number_is_heard_in_the_callers_own_thread(threads):
    heard = []

    def work(item, say):
        assert say(item)
        assert say(0)
        assert say(1)

    def hear(count):
        assert threading.current_thread() is threading.main_thread()
        heard.append(count)

    work_through([10, 20, 30], work, threads=threads, hear=hear)
    assert sorted(heard) == [1, 1, 1, 10, 20, 30]


def test_the_work_waits_for_the_one_who_hears():
    ahead = []

    def work(_, say):
        for _ in range(50):
            ahead.append(1)
            say(1)

    def hear(_):
        time.sleep(0.001)
        assert len(ahead) <= 3
        ahead.pop()

    work_through("ab", work, threads=2, hear=hear)
    assert ahead == []


def forever(_, say):
    while say(1):
        pass
    return "given up"


class StopError(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_error_of_the_one_who_hears_stops_everything_at_once(threads):
    calls = []

    def hear(count):
        calls.append(count)
        if len(calls) == 7:
            raise StopError

    with pytest.raises(StopError):
        work_through(range(100), forever, threads=threads, hear=hear)
    assert len(calls) == 7
    assert ours() == []


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("error", [StopError(), KeyboardInterrupt(), SystemExit()])
def test_an_error_of_the_work_stops_everything_and_comes_out(threads, error):
    begun = []

    def work(item, say):
        begun.append(item)
        if item == 3:
            raise error
        while threads > 1 and item > 3 and say(0):
            pass

    with pytest.raises(type(error)) as caught:
        work_through(range(100), work, threads=threads)
    assert caught.value is error
    assert len(begun) <= 3 + threads
    assert ours() == []


def test_work_that_swallows_errors_does_not_swallow_those_of_the_one_who_hears():
    def work(_, say):
        try:
            say(1)
        except Exception:  # noqa: BLE001  # that is the point
            return "swallowed"

    def hear(_):
        raise StopError

    for threads in (1, 2):
        with pytest.raises(StopError):
            work_through("ab", work, threads=threads, hear=hear)


def name_of_the_worker(item, say):
    assert say(1)
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
    found = work_through(range(9), name_of_the_worker, threads=4, hear=heard.append)
    assert found == [(item, "oci-layers-crew" if room else "MainThread") for item in range(9)]
    assert (heard, len(begun), ours()) == ([1] * 9, room, [])


def test_where_not_even_the_first_thread_can_be_begun_the_caller_does_the_work(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    assert work_through(range(9), name_of_the_worker, threads=4) == [(item, "MainThread") for item in range(9)]


def test_a_runtime_error_of_the_work_is_not_taken_for_a_thread_that_cannot_be_begun():
    calls = []

    def work(item, _):
        calls.append(item)
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="start new thread"):
        work_through(range(2), work, threads=2)
    assert len(calls) <= 2


INTERRUPTED = """
import contextlib, sys
from oci_layers.image.crew import work_through
from tests.support.interrupts import strike, threads_left

def item_work(item, say):
    for _ in range(40):
        if not say(WEIGHT):
            break
    return item

def work():
    assert work_through(range(9), item_work, threads=3, hear=lambda _: None) == list(range(9))

sys.unraisablehook = lambda _: None  # an interrupt of what a garbage collector calls is lost, whoever collects
print(strike(lambda: contextlib.nullcontext(work), 300, 5e-5, 3e-3), threads_left())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs timers")
@pytest.mark.parametrize("weight", [0, 1], ids=["silent", "told"])
def test_an_interrupt_at_any_moment_leaves_nothing_that_waits_forever(weight):
    assert run_script(INTERRUPTED.replace("WEIGHT", str(weight))) == (0, "300 1\n", "")
