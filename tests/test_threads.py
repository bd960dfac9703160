"""Threads are begun whole or not at all, whatever interrupts."""

import queue
import sys
import threading

import pytest

from oci_layers.threads import begin
from tests.support.scripts import run_script


def test_a_thread_runs_under_its_name_and_is_a_daemon():
    said = queue.SimpleQueue()
    leave = threading.Event()

    def run():
        said.put(threading.current_thread())
        leave.wait(60)

    thread = begin(run, "oci-layers-test")
    assert said.get(timeout=60) is thread
    assert (thread.name, thread.daemon, thread.is_alive()) == ("oci-layers-test", True, True)
    leave.set()
    thread.join()
    assert threading.active_count() == len([each for each in threading.enumerate() if each.is_alive()])


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_no_room_for_another_is_raised_where_it_was_asked_for(monkeypatch, error):
    def refuse(_):
        raise error

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(type(error)):
        begin(lambda: None, "oci-layers-test")


INTERRUPTED = """
import contextlib
from oci_layers.threads import begin
from tests.support.interrupts import strike

def work():
    threads = []
    while True:
        threads.append(begin(int, "oci-layers-test"))
        threads[-1].join(0.001)

print(strike(lambda: contextlib.nullcontext(work), 200, 1e-4, 3e-3))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs timers")
def test_an_interrupt_at_any_moment_leaves_no_lock_behind():
    assert run_script(INTERRUPTED) == (0, "200\n", "")
