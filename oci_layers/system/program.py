"""Run another program to its end, or stop it when its time is over, with all processes that it started."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO

import attrs

from oci_layers.system.temporary import temporary_file, write_temporary

__all__ = ["Ended", "run_program"]

_KEPT = 64 << 10
_GRACE = 5.0
_SLICE = 0.25
"""Seconds after which `stop` is looked at."""


@attrs.frozen
class Ended:
    """How a program ended."""

    code: int | None
    """Its exit code, or the negative number of the signal that ended it; None if it was stopped."""
    stdout: bytes
    """The last 64 KiB of its output."""
    stderr: bytes
    """The last 64 KiB of its messages."""
    seconds: float


def run_program(
    argv: Sequence[str],
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    stop: threading.Event | None = None,
    stdin: bytes = b"",
    handles: Sequence[int] = (),
) -> Ended:
    """Run a program with the umask 022, and return how it ended.

    The program is a session of its own. All of its session is killed when it ends, is interrupted or has run for
    `timeout` seconds, so that nothing is left that writes later.

    Args:
        argv: The program and its arguments.
        timeout: Seconds until it is stopped.
        environment: Variables that are added to those of this process.
        stop: Set by another thread to stop the program early.
        stdin: The bytes of its input.
        handles: Open files that it gets, with their numbers.

    Raises:
        OSError: The program cannot be started.
    """
    begun = time.monotonic()
    with temporary_file() as out, temporary_file() as err, contextlib.ExitStack() as stack:
        given: int | IO[bytes] = subprocess.DEVNULL
        if stdin:
            given = stack.enter_context(temporary_file())
            write_temporary(given, stdin)
            given.seek(0)
        process = subprocess.Popen(  # noqa: S603  # the caller names the program
            argv,
            stdin=given,
            stdout=out,
            stderr=err,
            env={**os.environ, **(environment or {})},
            pass_fds=handles,
            umask=0o022,
            start_new_session=True,
        )
        code: int | None = None
        try:
            end = begun + timeout
            while code is None and (left := end - time.monotonic()) > 0 and not (stop and stop.is_set()):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(min(left, _SLICE))
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        return Ended(code, _tail(out.fileno()), _tail(err.fileno()), time.monotonic() - begun)


def _tail(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, _KEPT, max(0, size - _KEPT))
