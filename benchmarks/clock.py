"""How long work inside of Python takes."""

import resource
import time
from collections.abc import Callable

_PASSES = 5


def timed(work: Callable[[], int]) -> dict[str, float]:
    """Do it once, and tell how long it took and how many things it was done to."""
    cpu, start = _cpu_seconds(), time.perf_counter()
    items = work()
    return {"seconds": time.perf_counter() - start, "cpu_seconds": _cpu_seconds() - cpu, "items": items}


def passes(work: Callable[[], int]) -> dict[str, float]:
    """Do it once unmeasured, then several times, and return the median pass."""
    work()
    return sorted((timed(work) for _ in range(_PASSES)), key=lambda run: run["seconds"])[_PASSES // 2]


def _cpu_seconds() -> float:
    """Return the CPU time of this process, and of the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
