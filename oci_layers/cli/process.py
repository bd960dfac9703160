"""The standard streams and signals of the process that runs the command.

Errors of stdin and stdout name the stream; errors of stderr are ignored. A standard stream that is closed at the start
is replaced by a file that fails each read or write with EBADF, so that no other file gets its number. SIGTERM and
SIGHUP end the work as Ctrl-C does: it is undone first. While work has files on the disk that an interrupt must remove,
the signal is raised between two of its steps, not within one.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

from oci_layers.errors import locate

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = [
    "Stopped",
    "catch_signals",
    "check_stdout",
    "deferred_signals",
    "ignore_signals",
    "keyboard_left_to_child",
    "prepare_streams",
]


class Stopped(KeyboardInterrupt):
    """A signal that ends the process; `number` is the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def catch_signals() -> None:
    """Make SIGTERM and SIGHUP raise `Stopped` in the main thread, unless they are ignored, as under nohup."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)


def ignore_signals() -> None:
    """Ignore SIGINT, SIGTERM and SIGHUP after the work, so that they do not interrupt the exit of the interpreter."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """Defer the first SIGINT, SIGTERM or SIGHUP until the block calls the function that this yields, which raises it.

    A second signal is raised at once. A signal that is still deferred when the block ends is dropped.
    """
    held: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        held.append(number)
        if len(held) > 1:
            raise Stopped(number)

    def check() -> None:
        if held:
            raise Stopped(held[0])

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (_stop, signal.default_int_handler):
            before[number] = signal.signal(number, hold)
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def keyboard_left_to_child() -> Iterator[None]:
    """Leave SIGINT and SIGQUIT, which a terminal sends to all processes, to a program that is run in the block."""
    before = {}
    for name in ("SIGINT", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            # A signal that is ignored would be ignored in the program, too.
            before[number] = signal.signal(number, lambda _number, _frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stream(io.FileIO):
    """A standard stream whose errors name the stream."""

    def __init__(self, fd: int, mode: str, role: str) -> None:
        super().__init__(fd, mode, closefd=False)
        self.role = role

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(-1 if size is None else size)
        except OSError as error:
            locate(error, None, self.role)
            raise

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        try:
            return super().readinto(buffer)
        except OSError as error:
            locate(error, None, self.role)
            raise

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            locate(error, None, self.role)
            raise


class _Stderr(_Stream):
    """The stream of error messages, whose own errors are ignored: there is no other place to report them."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Replace the standard streams: errors name the stream, and output escapes what the encoding does not have."""
    sys.stdin = _replaced(sys.stdin, 0, "r", _Stream, "stdin")
    sys.stdout = _replaced(sys.stdout, 1, "w", _Stream, "stdout")
    sys.stderr = _replaced(sys.stderr, 2, "w", _Stderr, "stderr")


def _replaced(old: object, fd: int, mode: str, kind: type[_Stream], role: str) -> io.TextIOWrapper:
    if old is None:
        # Opened for the opposite direction, so that each read or write fails as on a closed file.
        fd = os.open(os.devnull, os.O_WRONLY if mode == "r" else os.O_RDONLY)
        raw = kind(fd, mode, role)
        return io.TextIOWrapper(_buffered(raw, mode), encoding="utf-8", errors="backslashreplace")
    assert isinstance(old, io.TextIOWrapper)
    errors = "backslashreplace" if mode == "w" else old.errors
    if type(getattr(old.buffer, "raw", old.buffer)) is not io.FileIO:
        # A Windows console has a raw stream of its own.
        old.reconfigure(errors=errors)
        return old
    raw = kind(old.fileno(), mode, role)
    return io.TextIOWrapper(
        raw if old.write_through else _buffered(raw, mode),
        encoding=old.encoding,
        errors=errors,
        line_buffering=old.line_buffering,
        write_through=old.write_through,
    )


def _buffered(raw: _Stream, mode: str) -> io.BufferedReader | io.BufferedWriter:
    return io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)


def check_stdout() -> None:
    """Raise the error of a stdout that cannot be written, before any work."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except OSError as error:
        locate(error, None, "stdout")
        raise
