"""A thread that is begun, whenever Ctrl-C may come.

An interrupt can strike between the taking of one of Python's own locks and the place that would give it back, and
`Thread.start` takes one to wait for the thread. So a thread that no signal interrupts begins the other, and who waits
for that waits at a queue without Python code inside.
"""

import _thread
import queue
import threading
from collections.abc import Callable

__all__ = ["begin"]


def begin(run: Callable[[], None], name: str) -> threading.Thread:
    """Begin a daemon thread and return it.

    Raises:
        RuntimeError: There can be no more threads.
    """
    begun: queue.SimpleQueue[threading.Thread | BaseException] = queue.SimpleQueue()

    def start() -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except BaseException as error:  # noqa: BLE001  # handed over, whatever it is: the caller waits for something
            begun.put(error)
        else:
            begun.put(thread)

    _thread.start_new_thread(start, ())
    result = begun.get()
    if isinstance(result, BaseException):
        raise result
    return result
