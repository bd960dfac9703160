"""Ctrl-C at any moment, as a program in a process of its own plays it; see `scripts`."""

import random
import signal
import threading
import time


def _interrupt(*_):
    raise KeyboardInterrupt


def _interrupted(prepare, seconds):
    """Tell whether an interrupt struck within the work that `prepare` makes ready, and only there."""
    with prepare() as work:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            work()
        except KeyboardInterrupt:
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return False


def strike(prepare, hits, shortest, longest):
    """Do work until so many interrupts have struck it, each after some random time, in seconds; return how many did.

    `prepare` returns a context manager that gives the work, a function, and is left when the work is over.
    """
    signal.signal(signal.SIGALRM, _interrupt)
    when = random.Random(1)
    struck = 0
    while struck < hits:
        try:  # noqa: SIM105  # nothing more than needs be stands around it
            struck += _interrupted(prepare, when.uniform(shortest, longest))
        except KeyboardInterrupt:  # before the work began, or when it had ended
            pass
    return struck


def threads_left():
    """Return how many threads there are when those have ended that an interrupt of the waiting itself left behind."""
    late = time.monotonic() + 10
    while threading.active_count() > 1 and time.monotonic() < late:
        time.sleep(0.01)
    return threading.active_count()
