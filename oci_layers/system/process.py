"""What this process is and may have: its user, its processors, its open files."""

import os
import time

__all__ = ["clock_ns", "cpu_count", "effective_ids", "open_file_limit"]


def clock_ns() -> int:
    """Return the present time, in nanoseconds since 1970."""
    return time.time_ns()


def effective_ids() -> tuple[int, int]:
    """Return the user and group that new files get."""
    return (os.geteuid(), os.getegid()) if hasattr(os, "geteuid") else (0, 0)


def cpu_count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_file_limit() -> int:
    """Return how many files this process may have open at once."""
    try:
        import resource
    except ImportError:  # pragma: no cover  # Windows
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
