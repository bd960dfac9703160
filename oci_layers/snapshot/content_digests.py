"""The SHA-256 of contents while they are written: of large files in a thread beside the one that writes.

The digests of a layer are needed only when it has ended, so a file does not wait for its own.
"""

import contextlib
import hashlib
from queue import SimpleQueue
from threading import Thread

__all__ = ["ContentDigests", "ContentHasher"]

_LARGE = 1 << 16
"""The least bytes of a file that is hashed in the thread: less is hashed sooner than it is handed over."""
_AHEAD = 1 << 24
"""The most bytes that wait to be hashed."""


class ContentDigests:
    """Hashes files, one after another. The caller closes it."""

    def __init__(self, *, background: bool) -> None:
        """Hash large files in a thread with `background`, if one can be started; otherwise in the caller's."""
        self._pieces: SimpleQueue[tuple[ContentHasher, bytes | memoryview] | None] = SimpleQueue()
        self._hashed: SimpleQueue[int | BaseException] = SimpleQueue()
        self._ahead = 0
        self._thread: Thread | None = None
        if background:
            thread = Thread(target=self._run, name="oci-layers-contents", daemon=True)
            with contextlib.suppress(RuntimeError):  # No thread can be started.
                thread.start()
                self._thread = thread

    def hasher(self, size: int) -> "ContentHasher":
        """Return the hasher of a file of so many bytes."""
        return ContentHasher(self if self._thread is not None and size >= _LARGE else None)

    def submit(self, hasher: "ContentHasher", piece: bytes | memoryview) -> None:
        """Have a piece hashed; wait while too many bytes are waiting."""
        self._pieces.put((hasher, piece))
        self._ahead += len(piece)
        self._wait_for(_AHEAD)

    def wait(self) -> None:
        """Wait until everything is hashed."""
        self._wait_for(0)

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._pieces.put(None)
            self._thread.join()

    def _wait_for(self, most: int) -> None:
        """Wait until at most so many bytes wait."""
        while self._ahead > most:
            done = self._hashed.get()
            if isinstance(done, BaseException):
                raise done
            self._ahead -= done

    def _run(self) -> None:
        while (item := self._pieces.get()) is not None:
            hasher, piece = item
            try:
                hasher.hash(piece)
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                self._hashed.put(error)
            else:
                self._hashed.put(len(piece))


class ContentHasher:
    """The hasher of one file."""

    def __init__(self, digests: ContentDigests | None) -> None:
        self._digests = digests
        self._sha256 = hashlib.sha256()
        self.hash = self._sha256.update

    def update(self, piece: bytes | memoryview) -> None:
        """Add bytes, which must not change afterwards."""
        if self._digests is None:
            self._sha256.update(piece)
        else:
            self._digests.submit(self, piece)

    def hexdigest(self) -> str:
        """Return the digest; of a large file, after `ContentDigests.wait`."""
        return self._sha256.hexdigest()
