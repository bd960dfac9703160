"""Check a layout as a store: every blob against its digest, and every reference against the blobs: `fsck`.

`check_image` holds the content of images to the spec. This module asks whether the store is whole: it reads each file
under `blobs/` once, in parallel, and walks the documents from the index. Each finding says which images it breaks.

A repair deletes nothing: a damaged file is moved to `quarantine/`, and what is missing then is taken, verified, from
another store.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from oci_layers import system
from oci_layers.blob.directory import BLOBS
from oci_layers.blob.ingest import INGEST
from oci_layers.blob.pipeline import ShouldContinue, map_in_threads
from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import (
    BlobMissingError,
    OCIError,
    SizeMismatchError,
    StoreError,
    UnsupportedError,
    format_error,
)
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.report import Severity
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import is_document
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.files import INDEX, MARKER, read_layout_index
from oci_layers.store.gc import abandoned, gc
from oci_layers.store.graph import Graph, Visit, may_be_absent
from oci_layers.store.layout import Layout
from oci_layers.store.store_finding import Checked, Kind, StoreFinding

__all__ = ["Checked", "StoreFinding", "fsck"]

_ORDER: tuple[Severity, ...] = ("error", "warning", "note")
_UNCHECKED = "not checked: "


def fsck(
    layout: Layout,
    *,
    repair_from: Sequence[BlobSource] = (),
    quarantine: bool = False,
    threads: int | None = None,
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Checked:
    """Check a layout: read and hash every blob, and walk all documents from the index.

    Other processes may write meanwhile; what they have not finished is passed over.

    Args:
        layout: The store.
        repair_from: Where to take the right bytes of missing and damaged blobs from, in this order.
        quarantine: Move damaged files to `quarantine/`, also those for which there are no right bytes.
        threads: The number of blobs read at once; one for each CPU if None.
        limits: The limits on documents.
        progress: Called in the caller's thread; an exception that it raises ends the work.

    Raises:
        StoreError: A directory of the store is a link, or none.
        OSError: The store cannot be read, or not repaired.
    """
    check = _Check(layout, limits or Limits(), repair_from)
    check.hash(threads or system.cpu_count(), progress)
    if repair_from or quarantine:
        check.repair()
    return check.result()


@attrs.define
class _File:
    """A file whose name is a digest, and what was found in it."""

    size: int
    identity: tuple[int, int]
    """Its inode and modification time in ns, when it was read."""
    actual: str = ""
    """The digest of its bytes; empty if they were not read."""
    error: str = ""
    """Why they were not read."""


@attrs.define
class _Need:
    """A blob that documents refer to."""

    descriptor: Descriptor
    parent: Digest | None
    pointer: str
    optional: bool = True
    """Whether all who refer to it allow that it is absent."""
    listed: bool = True
    """Whether it is a manifest or index that only indexes refer to, which may lack it (LAY-07)."""
    refs: dict[str, None] = attrs.field(factory=dict)
    roots: set[Digest] = attrs.field(factory=set)
    """The entries of the index that lead to it."""
    sizes: dict[int, str] = attrs.field(factory=dict)
    """The sizes that documents give, each with the place of the first that does."""


class _Unsure:
    """A stream of another store. An error in reading it is that of a blob that it lacks, not one of this store."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise StoreError("", format_error(error)) from error

    def close(self) -> None:
        self._stream.close()


class _Check:
    """One run of `fsck`."""

    def __init__(self, layout: Layout, limits: Limits, sources: Sequence[BlobSource]) -> None:
        self._layout = layout
        self._limits = limits
        self._sources = sources
        self._files = {
            Digest(text): _File(size, (inode, mtime_ns))
            for text, (size, mtime_ns, inode) in layout.own_blobs.statuses()
        }
        self._damaged: dict[Digest, _File] = {}
        self._quarantined: dict[Digest, str] = {}
        self._repaired: dict[Digest, None] = {}
        self._ended = 0

    def hash(self, threads: int, progress: Callable[[Progress], None] | None) -> None:
        """Read all blobs, the largest first."""
        todo = sorted(self._files, key=lambda each: -self._files[each].size)
        total, done = sum(each.size for each in self._files.values()), 0

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                now = min(self._ended, len(todo) - 1)
                progress(Progress(layer=now, layers=len(todo), done=min(done, total), total=total))

        map_in_threads(self._hash_one, todo, threads=threads, on_progress=on_bytes)
        self._damaged = {
            digest: file for digest, file in self._files.items() if file.actual != str(digest) and not _unchecked(file)
        }

    def _hash_one(self, digest: Digest, report: ShouldContinue) -> None:
        file = self._files[digest]
        try:
            with contextlib.closing(self._layout.own_blobs.open_blob(digest)) as stream:
                file.identity = stream.file.identity
                hasher = digest.hasher()
                while data := stream.read(PIECE):
                    hasher.update(data)
                    if not report(len(data)):
                        return
                file.actual = f"{digest.algorithm}:{hasher.hexdigest()}"
        except BlobMissingError:
            file.actual = str(digest)  # Deleted since it was listed; a reference to it is found missing.
        except UnsupportedError as error:
            file.error = f"{_UNCHECKED}{error}"
        except (OCIError, OSError) as error:
            file.error = format_error(error)
        self._ended += 1

    def repair(self) -> None:
        """Move damaged blobs away, then take what is missing from the other stores."""
        for digest, file in self._damaged.items():
            moved = self._layout.own_blobs.quarantine(digest, file.identity)
            if moved is not None:
                self._quarantined[digest] = moved
        tried: set[Digest] = set()
        # What a document refers to is known only once it has been repaired.
        while todo := [need for digest, need in self._needs()[0].items() if digest not in tried and self._lacks(need)]:
            for need in todo:
                digest = need.descriptor.digest
                tried.add(digest)
                if moved := self._layout.own_blobs.quarantine(digest, None):
                    self._quarantined[digest] = moved
                if any(self._take(source, digest, size) for source in self._sources for size in need.sizes):
                    self._repaired[digest] = None

    def _take(self, source: BlobSource, digest: Digest, size: int) -> bool:
        try:
            stream = _Unsure(source.open_blob(digest))
        except (OCIError, OSError):
            return False
        try:
            self._layout.own_blobs.put_blob(stream, Descriptor(media_type="", digest=digest, size=size))
        except OCIError:
            return False
        return True

    def _lacks(self, need: _Need) -> bool:
        try:
            return not need.optional and not self._layout.blobs.has_blob(need.descriptor.digest)
        except (OCIError, OSError):
            return True

    def _needs(self) -> tuple[dict[Digest, _Need], list[StoreFinding]]:
        """Return the blobs that the index leads to, and what keeps documents from being read."""
        try:
            entries = read_layout_index(self._layout, self._limits).manifests
        except OCIError as error:
            about_marker = MARKER in getattr(error, "__notes__", []) or not self._has_marker()
            path = MARKER if about_marker else INDEX
            return {}, [StoreFinding(kind="malformed", severity="error", path=path, message=str(error))]
        graph = Graph(self._layout.blobs, self._limits)
        needs: dict[Digest, _Need] = {}
        for at, entry in enumerate(entries):
            ref = own_name(entry) or str(entry.digest)
            for visit in graph.below(entry, f"/manifests/{at}"):
                self._add_need(needs, visit, ref, entry.digest)
        return needs, [
            StoreFinding(
                kind="malformed",
                severity="error",
                path=_path(digest),
                digest=digest,
                refs=tuple(needs[digest].refs),
                message=format_error(error),
            )
            for digest, error in graph.errors.items()
            if not self._is_told(digest, error)
        ]

    def _has_marker(self) -> bool:
        stream = self._layout.open_file(MARKER)
        if stream is not None:
            stream.close()
        return stream is not None

    def _is_told(self, digest: Digest, error: OCIError | OSError) -> bool:
        """Tell whether another finding says why a document cannot be read."""
        if isinstance(error, SizeMismatchError):
            return digest in self._files
        return isinstance(error, BlobMissingError) or digest in self._damaged

    @staticmethod
    def _add_need(needs: dict[Digest, _Need], visit: Visit, ref: str, root: Digest) -> None:
        digest = visit.descriptor.digest
        need = needs.setdefault(digest, _Need(visit.descriptor, visit.parent, visit.pointer))
        need.refs[ref] = None
        need.roots.add(root)
        need.sizes.setdefault(visit.descriptor.size, f"{visit.pointer} of {visit.parent or INDEX}")
        need.optional &= may_be_absent(visit.descriptor)
        need.listed &= visit.parent is not None and is_document(visit.descriptor.media_type)

    def result(self) -> Checked:
        """Return what was found."""
        needs, findings = self._needs()
        findings += self._damage(needs)
        findings += self._absences(needs)
        removed = self._removed(needs) if findings else set[Digest]()
        gone = {"missing", "malformed"}
        findings = [each for each in findings if each.kind not in gone or each.digest not in removed]
        findings += self._others()
        findings.sort(key=lambda each: (_ORDER.index(each.severity), each.path, each.kind))
        return Checked(
            findings=tuple(findings),
            blobs=len(self._files),
            bytes=sum(each.size for each in self._files.values()),
            quarantined=tuple(self._quarantined.values()),
        )

    def _removed(self, needs: Mapping[Digest, _Need]) -> set[Digest]:
        """Return the blobs to which only entries led that other processes have removed since the index was read.

        They may have been deleted since then, too, which is no damage.
        """
        try:
            listed = {each.digest for each in read_layout_index(self._layout, self._limits).manifests}
        except OCIError:
            return set()
        return {digest for digest, need in needs.items() if not need.roots & listed}

    def _damage(self, needs: Mapping[Digest, _Need]) -> Iterator[StoreFinding]:
        known = {str(each) for each in (*needs, *self._files)} if self._damaged else set[str]()
        for digest, file in self._files.items():
            found = functools.partial(
                StoreFinding,
                path=_path(digest),
                digest=digest,
                size=file.size,
                refs=tuple(needs[digest].refs) if digest in needs else (),
            )
            if digest in self._damaged:
                unneeded = digest not in needs or needs[digest].optional
                whole = digest in self._repaired or (digest in self._quarantined and unneeded)
                other = file.actual if file.actual in known else ""
                kind: Kind = "misnamed" if other else "corrupt"
                message = file.error or (f"has the bytes of {other}" if other else f"has the digest {file.actual}")
                yield found(kind=kind, severity="error", message=message, repaired=whole)
            elif _unchecked(file):
                yield found(kind="unchecked", severity="warning", message=file.error.removeprefix(_UNCHECKED))
            else:
                for size, place in needs[digest].sizes.items() if digest in needs else ():
                    if size != file.size:
                        message = f"has {file.size} bytes, {place} says {size}"
                        yield found(kind="size", severity="error", message=message)

    def _absences(self, needs: Mapping[Digest, _Need]) -> Iterator[StoreFinding]:
        for digest, need in needs.items():
            lacks = self._lacks(need)
            if (lacks or digest in self._repaired) and digest not in self._damaged:
                yield StoreFinding(
                    kind="missing",
                    severity="warning" if need.listed else "error",
                    path=_path(digest),
                    digest=digest,
                    refs=tuple(need.refs),
                    message=f"{_place(need)} refers to it",
                    repaired=not lacks,
                )

    def _others(self) -> Iterator[StoreFinding]:
        """Yield the files that are of no use: orphans, leftovers, and what is no blob."""
        layout = self._layout
        for path in layout.own_blobs.foreign():
            yield StoreFinding(kind="foreign", severity="note", path=path, message="is no blob")
        for name, size in abandoned(layout):
            path = f"{INGEST.decode()}/{name}"
            message = "was left by a writer that did not finish"
            yield StoreFinding(kind="leftover", severity="note", path=path, size=size, message=message)
        try:
            unused = gc(layout, grace=0, dry_run=True, allow_missing=True, limits=self._limits).deleted
        except (OCIError, OSError):
            return  # What is in use is not known, and the reason is a finding already.
        for text, size in unused:
            digest = Digest(text)
            if digest not in self._damaged:
                message = "no image refers to it"
                yield StoreFinding(
                    kind="orphan", severity="note", path=_path(digest), digest=digest, size=size, message=message
                )


def _unchecked(file: _File) -> bool:
    return file.error.startswith(_UNCHECKED)


def _path(digest: Digest) -> str:
    return f"{BLOBS.decode()}/{digest.algorithm}/{digest.encoded}"


def _place(need: _Need) -> str:
    return f"{need.pointer} of {INDEX if need.parent is None else need.parent}"
