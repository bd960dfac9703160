"""The process that runs the command: its standard streams and its signals.

Errors of stdin and stdout say which of them it is; errors of stderr are dropped. A stream
that the caller closed gets a file of its own, on which every read or write is the error of a closed file, so that no
other file takes its number. SIGTERM and SIGHUP end the work as Ctrl-C does: it is undone first. Where work leaves
something on the disk until it is undone, the signal is raised between two steps of it, not within one.
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

__all__ = ["Stopped", "catch_signals", "check_stdout", "deferred_signals", "ignore_signals", "prepare_streams"]


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def catch_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Stopped` in the main thread, unless the caller has them ignored, as nohup does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)


def ignore_signals() -> None:
    """Ignore the signals that end the work, since it has ended: the interpreter is not interrupted on its way out."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def deferred_signals() -> Iterator[Callable[[], None]]:
    """Hold back the first signal that ends the process until the function that this yields is called, which raises it.

    A second signal is raised at once. One that is held back when the work is done has come too late, and is dropped.
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


class _Stream(io.FileIO):
    """A standard stream whose errors name it."""

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
    """Where errors go; there is no place to report its own."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Replace the standard streams by such that name themselves in errors, and escape what they cannot show."""
    sys.stdin = _replaced(sys.stdin, 0, "r", _Stream, "stdin")
    sys.stdout = _replaced(sys.stdout, 1, "w", _Stream, "stdout")
    sys.stderr = _replaced(sys.stderr, 2, "w", _Stderr, "stderr")


def _replaced(old: object, fd: int, mode: str, kind: type[_Stream], role: str) -> io.TextIOWrapper:
    if old is None:
        # Opened the other way round: what the caller closed can be neither read nor written.
        fd = os.open(os.devnull, os.O_WRONLY if mode == "r" else os.O_RDONLY)
        raw = kind(fd, mode, role)
        return io.TextIOWrapper(_buffered(raw, mode), encoding="utf-8", errors="backslashreplace")
    assert isinstance(old, io.TextIOWrapper)
    errors = "backslashreplace" if mode == "w" else old.errors
    if type(getattr(old.buffer, "raw", old.buffer)) is not io.FileIO:
        # A console of Windows, which is written in a way of its own.
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
    """Raise the error of a stdout that cannot be written, before work is done whose result it should get."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except OSError as error:
        locate(error, None, "stdout")
        raise
