"""Delete the blobs of a layout that nothing refers to: `gc`.

Theory of operation. Other processes write while this runs. A blob that they store or reuse gets the time of now, and
`gc` keeps every blob whose time is not older than a limit: the grace period before now, or the beginning of the oldest
lease that is held, whichever is earlier. So a writer has the grace period, and with a lease as long as it lives, from
its first blob to the name that makes all of it reachable. What a blob kept for its age refers to is kept as well.

Marking takes no lock. Blobs are then deleted in batches, each under the exclusive lock of the store, in which the time
of each is looked at again: writers publish and reuse blobs under the shared lock, so none is deleted after a writer was
told that it exists. If the index has changed, what it lists now is marked first. Documents are deleted before the blobs
that they refer to, so what exists is whole at any time; a document that was reused meanwhile is marked instead.

Times are those of the file system, not of this process: the times of a file that is made for it. The index is synced
before anything is deleted, since a power cut must not bring back an older one.
"""

import contextlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

import attrs

from oci_layers import system
from oci_layers.errors import BlobMissingError, StoreError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.digest import Digest
from oci_layers.store.files import read_index_bytes, read_layout_index
from oci_layers.store.layout import LEASE, Layout
from oci_layers.store.mark import Marks, Reason, mentions

__all__ = ["Collected", "abandoned", "gc"]

_BATCH = 256
_LONGEST = 1e10
"""Seconds before which no file was written; a longer grace period, or an endless one, is as good."""
_YOUNG_NS = 60 * 10**9
"""How long in ns a file in `ingest/` is kept, lock or no lock: its writer may not have locked it yet."""


@attrs.frozen(kw_only=True)
class Collected:
    """What `gc` deleted, or would delete."""

    deleted: tuple[tuple[str, int], ...] = ()
    """The digest and size of each blob deleted, each document before what it refers to."""
    leftovers: tuple[tuple[str, int], ...] = ()
    """The name and size of each file removed from `ingest/`, which a killed or failed writer left there."""
    kept: int = 0
    """The number of blobs kept."""
    kept_bytes: int = 0
    """Their bytes."""
    missing: tuple[str, ...] = ()
    """The documents in use that are missing; with `allow_missing` only."""
    marks: Marks = attrs.field(repr=False)
    """Why each blob is kept: `marks.path(digest)`."""

    @property
    def bytes(self) -> int:
        """The bytes of all blobs and leftovers deleted."""
        return sum(size for _, size in (*self.deleted, *self.leftovers))


def gc(
    layout: Layout,
    *,
    grace: float = 3600.0,
    dry_run: bool = False,
    allow_missing: bool = False,
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Collected:
    """Delete the blobs that no entry of the index leads to, and what killed writers left.

    Kept are blobs that an entry leads to through documents, their subjects, and referrers of documents in use;
    whatever was stored or reused within `grace`, or since the beginning of a lease that is held; and what that leads
    to. Other processes may write meanwhile. Memory: some 500 bytes for each blob.

    Args:
        layout: The store; other layouts must not share its blobs.
        grace: Seconds for which a blob is kept although nothing refers to it.
        dry_run: Delete nothing, and write nothing.
        allow_missing: Go on although documents in use are missing; what only these refer to is deleted.
        limits: The limits on documents.
        progress: Called with blobs instead of bytes; an exception that it raises ends the work.

    Raises:
        OCIError: A document in use is missing, damaged, malformed or too large; nothing was deleted.
        StoreError: The file system has no locks, or the blobs are shared; nothing was deleted.
    """
    if layout.own_blobs.root is not layout.root:
        raise StoreError(layout.place, "its blobs are in a directory that other layouts may use, too")
    limits = limits or Limits()
    read_layout_index(layout, limits)
    return _Collection(layout, grace, limits, progress, allow_missing=allow_missing).run(dry_run=dry_run)


class _Collection:
    """One run of `gc`."""

    def __init__(
        self,
        layout: Layout,
        grace: float,
        limits: Limits,
        progress: Callable[[Progress], None] | None,
        *,
        allow_missing: bool,
    ) -> None:
        self._layout = layout
        self._grace_ns = int(min(grace, _LONGEST) * 1e9)
        self._limits = limits
        self._progress = progress
        self._marks = Marks(layout.blobs, limits, allow_missing=allow_missing)
        self._index = b""
        self._keep_from = 0
        self._present: dict[str, tuple[int, int]] = {}
        """The size and modification time in ns of each blob."""
        self._below: dict[str, list[str]] = {}
        """What each document refers to, among the blobs that nothing was found to refer to."""
        self._subjects: dict[str, str] = {}
        """The subject of each of these documents that has one."""

    def run(self, *, dry_run: bool) -> Collected:
        """Mark and delete."""
        with self._clock(dry_run=dry_run) as now:
            self._keep_from = min(now - self._grace_ns, *self._leases(now))
            self._index = read_index_bytes(self._layout, self._limits)
            self._present = {each: (size, mtime_ns) for each, (size, mtime_ns, _) in self._layout.own_blobs.statuses()}
            self._report(0)
            self._mark()
            unused = [each for each in self._present if each not in self._marks.reasons]
            unused = self._parents_first(sorted(unused, key=lambda each: (each not in self._below, each)))
            oldest = now - max(self._grace_ns, _YOUNG_NS)
            leftovers = abandoned(self._layout, before_ns=oldest)
            if not dry_run:
                self._layout.sync_index()
                unused = self._sweep(unused)
                leftovers = [each for each in leftovers if self._remove_leftover(each[0])]
        deleted = tuple((each, self._present[each][0]) for each in unused)
        return Collected(
            deleted=deleted,
            leftovers=tuple(leftovers),
            kept=len(self._present) - len(deleted),
            kept_bytes=sum(size for size, _ in self._present.values()) - sum(size for _, size in deleted),
            missing=tuple(self._marks.missing),
            marks=self._marks,
        )

    @contextlib.contextmanager
    def _clock(self, *, dry_run: bool) -> Iterator[int]:
        """Yield the time of the file system in ns; that of the process if nothing may be written."""
        if dry_run:
            yield time.time_ns()
            return
        with self._layout.temporary_file() as fd:
            with self._layout.root.located():
                now = system.fstat(fd).st_mtime_ns
            yield now

    def _leases(self, now: int) -> list[int]:
        """Return when each lease that is held began, after a time in the far future.

        The clock was set back since one that seems to begin later than now; what it keeps cannot be told by its time.
        """
        found = [1 << 63]
        with self._layout.root.located(), self._layout.ingest_directory() as ingest:
            for name in () if ingest is None else system.list_names(ingest):
                if name.startswith(LEASE):
                    with _opened(name, ingest) as fd:
                        if fd is not None and system.lock(fd, wait=False) is not True:
                            began = system.fstat(fd).st_mtime_ns
                            found.append(began if began <= now + _YOUNG_NS else 0)
        return found

    def _mark_index(self) -> None:
        """Mark what the index lists; a later one, if an image was removed from it, and deleted, while it was read."""
        while True:
            try:
                self._marks.add_index(self._index)
            except BlobMissingError:
                index = read_index_bytes(self._layout, self._limits)
                if index == self._index:
                    raise
                self._index = index
            else:
                return

    def _mark(self) -> None:
        self._mark_index()
        for digest, (_, mtime_ns) in self._present.items():
            if mtime_ns >= self._keep_from:
                self._marks.add(digest, "", Reason("new"), required=False)
        for digest in self._present:
            if digest not in self._marks.reasons:
                loaded = self._marks.readable(digest)
                if loaded is not None:
                    self._below[digest] = [each for each, _, _ in mentions(loaded) if each in self._present]
                    subject = loaded.get("subject")
                    said = subject.get("digest") if isinstance(subject, dict) else None
                    if isinstance(said, str):
                        self._subjects[digest] = said
        self._mark_referrers()

    def _parents_first(self, unused: list[str]) -> list[str]:
        """Return blobs in an order in which each comes after all documents that refer to it."""
        below = {each: set(self._below.get(each, ())) for each in unused}
        parents = Counter(itertools.chain.from_iterable(below.values()))
        ordered = [each for each in unused if not parents[each]]
        for each in ordered:  # Grows meanwhile.
            for child in sorted(below.get(each, ())):
                parents[child] -= 1
                if not parents[child] and child in below:
                    ordered.append(child)
        return ordered

    def _mark_referrers(self) -> None:
        marks = self._marks
        while found := [
            (each, subject)
            for each, subject in self._subjects.items()
            if subject in marks.reasons and each not in marks.reasons
        ]:
            for digest, subject in found:
                marks.add(digest, "", Reason("referrer", subject), required=False)

    def _sweep(self, unused: list[str]) -> list[str]:
        """Delete blobs, unless they are used again by now; return those deleted."""
        deleted: list[str] = []
        for at in range(0, len(unused), _BATCH):
            with self._exclusive() as root:
                self._mark_changes()
                batch = unused[at : at + _BATCH]
                deleted += [each for each in batch if each not in self._marks.reasons and self._delete(each, root)]
            self._report(1, at + _BATCH, len(unused))
        return deleted

    def _mark_changes(self) -> None:
        index = read_index_bytes(self._layout, self._limits)
        if index != self._index:
            self._index = index
            self._marks.add_index(index)
            self._mark_referrers()

    def _delete(self, text: str, root: int) -> bool:
        """Delete a blob that is still old; mark one that was reused, and what it refers to."""
        digest = Digest(text)
        name = digest.encoded.encode()
        try:
            with self._layout.own_blobs.open_algorithm(digest.algorithm, root, change=True) as directory:
                if system.lstat(name, directory).st_mtime_ns >= self._keep_from:
                    self._marks.add(text, "", Reason("new"), required=False)
                    return False
                system.unlink(name, directory)
        except FileNotFoundError:
            return False
        return True

    def _remove_leftover(self, name: str) -> bool:
        with self._exclusive(), self._layout.ingest_directory() as ingest:
            if ingest is None:
                return False
            with _opened(os.fsencode(name), ingest) as fd:
                if fd is None or system.lock(fd, wait=False) is not True:
                    return False
                system.unlink(os.fsencode(name), ingest)
                return True

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[int]:
        """Yield a handle on the directory of the store while no other process publishes or reuses blobs."""
        place = self._layout.place
        with self._layout.locked() as (root, excludes):
            if not excludes:
                raise StoreError(place, "its file system has no locks, so nothing can be deleted safely")
            yield root

    def _report(self, phase: int, done: int = 0, total: int | None = None) -> None:
        if self._progress is not None:
            total = len(self._present) if total is None else total
            self._progress(Progress(layer=phase, layers=2, done=min(done, total), total=total))


def abandoned(layout: Layout, *, before_ns: int | None = None) -> list[tuple[str, int]]:
    """Return the name and size of each file in `ingest/` that no process has locked; the older ones if a time is given.

    Without locks, no file can be told to be abandoned.
    """
    found = []
    with layout.root.located(), layout.ingest_directory() as ingest:
        for name in () if ingest is None else system.list_names(ingest):
            with _opened(name, ingest) as fd:
                if fd is not None and system.lock(fd, wait=False) is True:
                    status = system.fstat(fd)
                    if before_ns is None or status.st_mtime_ns <= before_ns:
                        found.append((os.fsdecode(name), status.st_size))
    return found


@contextlib.contextmanager
def _opened(name: bytes, directory: int | None) -> Iterator[int | None]:
    """Yield a handle on a regular file; None if there is none of this name, or no directory."""
    fd = -1
    if directory is not None:
        with contextlib.suppress(OSError):
            fd = system.open_regular_file(name, directory)
    try:
        yield None if fd < 0 else fd
    finally:
        if fd >= 0:
            system.close(fd)
