"""The lock of a store: one advisory lock on its directory, which every process that writes to the store takes.

A blob is published, or marked as used again, under the shared lock; the index is changed, and blobs are deleted, under
the exclusive one. Each lasts for a few system calls. Every use opens the directory anew, because the handle is what
holds the lock: so threads of one process exclude each other too, and a killed process leaves no lock behind.

Where the file system has no such locks, publishing goes on without, an exclusive lock is a file that only one process
can create, and nothing is deleted.
"""

import contextlib
import time
from collections.abc import Iterator

from oci_layers import system
from oci_layers.errors import StoreError

__all__ = ["LOCK_FILE", "exclusive_lock", "shared_lock"]

LOCK_FILE = b"index.json.lock"
_PATIENCE = 30.0
"""Seconds to wait for a lock file: it stays when its process is killed."""
_PAUSE = 0.01


class shared_lock:  # noqa: N801  # used as a function; a class, because many small blobs are put
    """Share the lock of the store whose directory is open as `root`; do nothing where there are no locks."""

    def __init__(self, root: int) -> None:
        self._root = root

    def __enter__(self) -> None:
        self._fd = system.open_directory(b".", self._root)
        try:
            system.lock(self._fd, wait=True, shared=True)
        except BaseException:
            system.close(self._fd)
            raise

    def __exit__(self, *error: object) -> None:
        system.close(self._fd)


@contextlib.contextmanager
def exclusive_lock(root: int, place: str) -> Iterator[bool]:
    """Hold the lock of a store alone; yield whether it also excludes those who share it.

    Args:
        root: The directory of the store.
        place: Its name in errors.

    Raises:
        StoreError: Where there are no locks: another process has the lock file, for 30 seconds.
    """
    fd = system.open_directory(b".", root)
    try:
        if system.lock(fd, wait=True):
            yield True
            return
    finally:
        system.close(fd)
    with _lock_file(root, place):
        yield False


@contextlib.contextmanager
def _lock_file(root: int, place: str) -> Iterator[None]:
    fd = _create_lock_file(root, place)
    try:
        system.close(fd)
        yield
    finally:
        system.unlink(LOCK_FILE, root)


def _create_lock_file(root: int, place: str) -> int:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return system.open_new_file(LOCK_FILE, root)
        except FileExistsError:
            if time.monotonic() > end:
                name = LOCK_FILE.decode()
                reason = f"locked by another process; if there is none, remove {name}, which a killed one left"
                raise StoreError(place, reason) from None
        time.sleep(_PAUSE)
