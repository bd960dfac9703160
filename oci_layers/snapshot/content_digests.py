"""The SHA-256 of contents while they are written: of large files in a thread beside the one that writes.

The digests of a layer are needed only when it has ended, so a file does not wait for its own.
"""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["ContentDigests", "ContentHasher"]

_LARGE = 1 << 16
"""The least bytes of a file that is hashed in the thread: less is hashed sooner than it is handed over."""
_AHEAD = 1 << 24
"""The most bytes that wait to be hashed."""


class ContentDigests:
    """Hashes files, one after another. The caller closes it."""

    def __init__(self, *, background: bool) -> None:
        """Hash large files in a thread with `background`, otherwise in the caller's."""
        self._pool = ThreadPoolExecutor(1, "oci-layers-contents") if background else None
        self._waiting: deque[tuple[Future[None], int]] = deque()
        self._ahead = 0

    def hasher(self, size: int) -> "ContentHasher":
        """Return the hasher of a file of so many bytes."""
        return ContentHasher(self if self._pool is not None and size >= _LARGE else None)

    def submit(self, hasher: "ContentHasher", piece: bytes | memoryview) -> None:
        """Have a piece hashed; wait while too many bytes are waiting."""
        assert self._pool is not None
        while self._ahead > _AHEAD:
            done, size = self._waiting.popleft()
            done.result()
            self._ahead -= size
        self._waiting.append((self._pool.submit(hasher.hash, piece), len(piece)))
        self._ahead += len(piece)

    def wait(self) -> None:
        """Wait until everything is hashed."""
        while self._waiting:
            self._waiting.popleft()[0].result()
        self._ahead = 0

    def close(self) -> None:
        """End the thread; what waits is not hashed."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


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
