"""Threads that run one system call at a time, in an order that a seed decides: every run of a seed is the same.

A thread is stopped before each call of `oci_layers.system`, and goes on when it is its turn. A lock that is waited for
is tried instead; while another thread has it, the turn is that of others. The threads must share nothing else that one
can wait for: each has its own objects. The times of files are those of a clock that ticks with the calls, as often as
the seed says: the real one ticks every few milliseconds, which are hundreds of calls.
"""

import os
import random
import threading
import time

from tests.support.faults import intercepted

_STAY = (0.0, 0.5, 0.9, 0.98)
"""How likely the same thread has the next turn: from one call each to most of the work at once."""
_SPEEDS = (1, 1, 3, 10)
"""How often it is the turn of a thread, beside others."""
_TICKS = (0.02, 0.3, 1.0)
"""How likely the clock ticks at a call."""
_STAMPED = frozenset({"open_new_file", "touch", "write_at", "write_all", "ftruncate"})


class Deadlock(BaseException):
    """All threads wait for locks; raised in each."""


class _Thread:
    def __init__(self, function, speed):
        self.function = function
        self.speed = speed
        self.turn = threading.Semaphore(0)
        self.begins = 0
        self.blocked = False
        self.done = False
        self.result = None


class Scheduler:
    """Runs functions in threads; `trace` has the number of the thread and the name of each call."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.trace = []
        self._stay = self.chance.choice(_STAY)
        self._ticks = self.chance.choice(_TICKS)
        self._now = time.time_ns()
        self._back = threading.Semaphore(0)
        self._own = threading.local()
        self._threads = []
        self._deadlock = False

    def run(self, *functions):
        """Run all to their ends; return the result of each, which is an exception if it raised one."""
        self._threads = [_Thread(function, self.chance.choice(_SPEEDS)) for function in functions]
        started = [threading.Thread(target=self._main, args=(each,), daemon=True) for each in self._threads]
        with intercepted(self._call):
            for each in started:
                each.start()
            current = None
            while left := [each for each in self._threads if not each.done]:
                free = [each for each in left if not each.blocked]
                self._deadlock = not free
                free = [each for each in free if each.begins <= len(self.trace)] or free or left
                if current not in free or self.chance.random() >= self._stay:
                    (current,) = self.chance.choices(free, [each.speed for each in free])
                current.turn.release()
                assert self._back.acquire(timeout=30), (
                    f"a thread waits for something that is no lock: {self.trace[-5:]}"
                )
            for each in started:
                each.join()
        return [each.result for each in self._threads]

    def idle(self, calls):
        """Do nothing in this thread until there were so many calls in all, or the others have ended."""
        self._own.thread.begins = calls
        self._wait(self._own.thread)

    def _main(self, own):
        own.turn.acquire()
        self._own.thread = own
        try:
            own.result = own.function()
        except BaseException as error:  # noqa: BLE001  # it is the result
            own.result = error
        own.done = True
        self._made_progress()
        self._back.release()

    def _made_progress(self):
        for each in self._threads:
            each.blocked = False

    def _call(self, number, name, call, arguments):
        own = getattr(self._own, "thread", None)
        if own is None:
            return call()
        self._wait(own)
        self.trace.append((self._threads.index(own), name))
        waits = name == "lock" and call.keywords["wait"]
        while waits and (taken := call.func(*call.args, **{**call.keywords, "wait": False})) is False:
            own.blocked = True
            self._wait(own)
        result = taken if waits else call()
        if self.chance.random() < self._ticks:
            self._now += 10**6
        if name in _STAMPED:
            os.utime(result if name == "open_new_file" else arguments[0], ns=(self._now, self._now))
        self._made_progress()
        return result

    def _wait(self, own):
        self._back.release()
        own.turn.acquire()
        if self._deadlock:
            raise Deadlock
