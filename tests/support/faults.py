"""Every system call of an operation, intercepted: counted, made the process's last, or made to fail.

The library calls the functions of `oci_layers.system` as its attributes, so that replacing them reaches every call.
"""

import contextlib
import functools
import os
import signal
import threading

from oci_layers import system

NO_CALLS = frozenset(
    {
        "HAS_HANDLES",
        "HAS_PROC",
        "cpu_count",
        "effective_ids",
        "is_directory",
        "is_regular",
        "proc_path",
        "source_date_epoch",
    }
)
"""What the room exports that neither changes anything nor fails."""
CALLS = tuple(name for name in system.__all__ if name not in NO_CALLS)
READING = frozenset(
    {
        "close",
        "data_extents",
        "duplicate",
        "exists",
        "fstat",
        "get_xattrs",
        "hold",
        "is_current_directory",
        "is_existing_directory",
        "list_names",
        "lstat",
        "may_write",
        "mount_points",
        "open_beneath",
        "open_directory",
        "open_existing_file",
        "open_file_limit",
        "open_parent",
        "open_path",
        "open_regular_file",
        "open_root",
        "pread",
        "read_link",
        "resolve",
        "temporary_directory",
    }
)
CHANGING = frozenset(CALLS) - READING
NEVER_FAILING = frozenset(
    {
        "exists",
        "is_current_directory",
        "is_existing_directory",
        "open_beneath",
        "open_file_limit",
        "resolve",
        "temporary_directory",
    }
)
"""Calls that return an answer where the system reports an error, or for which there is another way."""


@contextlib.contextmanager
def intercepted(hook):
    """Call `hook(number, name, call, arguments)` in place of each system call; numbers count from 0.

    What the hook returns is the result; `call()` makes the real call.
    """
    count = 0
    lock = threading.Lock()

    def replacement(name, real):
        @functools.wraps(real)
        def replaced(*arguments, **options):
            nonlocal count
            with lock:
                number, count = count, count + 1
            return hook(number, name, functools.partial(real, *arguments, **options), arguments)

        return replaced

    before = {name: getattr(system, name) for name in CALLS}
    try:
        for name, real in before.items():
            setattr(system, name, replacement(name, real))
        yield
    finally:
        for name, real in before.items():
            setattr(system, name, real)


def calls_of(operation):
    """Return the names of the system calls of an operation, in order."""
    names = []

    def hook(number, name, call, arguments):
        names.append(name)
        return call()

    with intercepted(hook):
        operation()
    return names


def killed_at(operation, number, *, after=False):
    """Run an operation in a process that dies by SIGKILL before, or right after, its call of that number."""

    def hook(each, name, call, arguments):
        if each == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return call()
        finally:
            if each == number:
                os.kill(os.getpid(), signal.SIGKILL)

    with intercepted(hook):
        operation()


def failing_at(operation, number, error):
    """Run an operation whose call of that number fails with the errno `error`; a handle is closed all the same."""

    def hook(each, name, call, arguments):
        if each == number:
            if name == "close":
                call()
            raise OSError(error, os.strerror(error))
        return call()

    with intercepted(hook):
        operation()


@contextlib.contextmanager
def short_writes():
    """Let every write store half of what it is given, as the system may."""
    real = os.write, os.pwrite

    def half(data):
        return data[: max(1, len(data) // 2)]

    try:
        os.write = lambda fd, data: real[0](fd, half(data))
        os.pwrite = lambda fd, data, offset: real[1](fd, half(data), offset)
        yield
    finally:
        os.write, os.pwrite = real


def open_files():
    """The handles of this process and what they lead to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found
