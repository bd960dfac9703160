"""What this process is and may have: its user, its processors, its open files."""

import os
import time
from collections.abc import Mapping

from oci_layers.errors import NameFormatError

__all__ = [
    "clock_ns",
    "cpu_count",
    "effective_ids",
    "environment",
    "open_file_limit",
    "process_id",
    "source_date_epoch",
]


def environment() -> Mapping[str, str]:
    """Return the variables of the environment."""
    return os.environ


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


def process_id() -> int:
    """Return the number of this process; a fork has another one."""
    return os.getpid()


def source_date_epoch() -> int | None:
    """Return the seconds since 1970 in `SOURCE_DATE_EPOCH`, the latest time in what is built; None if it is not set.

    Raises:
        NameFormatError: It is no number.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise NameFormatError("SOURCE_DATE_EPOCH", text, "expected seconds since 1970")
    return int(text)
