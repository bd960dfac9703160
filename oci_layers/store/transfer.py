"""The blobs and documents of a planned image from one place to another: what `copy` does for each image.

Blobs are copied in threads, each verified while it is written. Where a conversion asks for it, layers are recompressed
in temporary files, and documents rewritten by `convert` once the digests of what they list are known.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import attrs

from oci_layers.blob.pipeline import ShouldContinue, map_in_threads
from oci_layers.blob.recompress import recompressed
from oci_layers.blob.spool import Spool
from oci_layers.blob.store import BlobMounter, Interruptible, put_bytes
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import IntegrityError, RegistryError, UnreachableError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import is_document, lookup
from oci_layers.store.archive_writer import ArchiveWriter
from oci_layers.store.convert import (
    Conversion,
    applicable,
    converted_index,
    converted_manifest,
    layer_media_type,
    recompression,
)
from oci_layers.store.graph import (
    Node,
    as_index,
    as_manifest,
    children,
    compression_of,
    open_content,
)
from oci_layers.store.plan import Plan, Planned
from oci_layers.store.repository import ReferrerSource, Repository, WritableRepository

__all__ = ["Copied", "Transfer"]


@attrs.frozen(kw_only=True)
class Copied:
    """What `copy` did. Blobs and bytes are counted as stored, documents included."""

    entries: tuple[Descriptor, ...]
    """The entries of the target that were written, referrers not among them."""
    referrers: tuple[Descriptor, ...] = ()
    """The entries of manifests that refer to what was copied."""
    blobs: int = 0
    """How many blobs were copied."""
    bytes: int = 0
    """Their bytes."""
    present: int = 0
    """How many blobs the target had already."""
    present_bytes: int = 0
    """Their bytes."""
    missing: tuple[Descriptor, ...] = ()
    """What was not copied and an image may lack: manifests for other platforms (LAY-07) that the source does not have;
    layers that are not distributed (NDL-01) and that the source does not have, or that a registry is not to get."""
    converted: Mapping[Digest, Digest] = attrs.field(factory=dict)
    """The new digest of each document and layer that was converted, by its old one."""


_ATTEMPTS = 4
"""How often a blob is sent over a connection that breaks."""


class _StoppedError(Exception):
    """The copy was cancelled; raised in the threads that copy blobs."""


class _Counted:
    """The stream of a blob that reports what was read, and raises an error once the copy was cancelled."""

    def __init__(self, stream: ByteStream, report: ShouldContinue) -> None:
        self._stream = stream
        self._report = report
        self.skipped = 0
        """How many bytes were skipped, because the target has them from an earlier copy."""

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        if not self._report(len(data)):
            raise _StoppedError
        return data

    def skip(self, size: int) -> int:
        """Skip bytes that the target has already, without reading them if the source can."""
        self.skipped = left = size
        skip = getattr(self._stream, "skip", None)
        if skip is not None:
            left -= skip(size)
            self._report(size - left)
        while left and (data := self.read(min(left, PIECE))):
            left -= len(data)
        return size - left

    def close(self) -> None:
        self._stream.close()


@attrs.frozen
class _Job:
    """A blob to copy; `conversion` is what applies to it as a layer of its manifest."""

    descriptor: Descriptor
    conversion: Conversion | None = None

    @classmethod
    def of(cls, descriptor: Descriptor, conversion: Conversion | None = None) -> Self:
        """Return the job for a descriptor; the same one whatever the annotations."""
        return cls(attrs.evolve(descriptor, annotations={}, extra={}), conversion)


@attrs.frozen
class _Done:
    """A blob that was copied: its descriptor in the target, and `copied`, `present` or `missing`."""

    job: _Job
    new: Descriptor
    state: str


class Transfer:
    """Copies planned blobs and documents from one place to another."""

    def __init__(
        self,
        source: Repository,
        target: WritableRepository,
        conversion: Conversion | None,
        limits: Limits,
        temporary: str | None,
        threads: int,
    ) -> None:
        self.source = source
        self.target = target
        self.limits = limits
        self._conversion = conversion
        self._spool = Spool(temporary, limits.temporary_bytes)
        self._threads = threads
        self._new: dict[_Job, Descriptor] = {}
        self._ended = 0
        self._todo = 0
        self.copied = Copied(entries=())
        """What was copied so far."""
        self.documents: dict[Digest, Descriptor] = {}
        """The documents in the target, by their digests in the source."""
        self._converted: dict[Digest, Digest] = {}

    def write(self, plan: Plan, progress: Callable[[Progress], None] | None) -> list[Descriptor]:
        """Copy blobs, then documents; return the descriptors of the entries in the target."""
        jobs = dict.fromkeys(job for root in plan.roots for each in root.walk() for job in self._jobs(each))
        roots = (_Job.of(root.descriptor) for root in plan.roots if root.node is None)
        self._copy_blobs([*jobs, *roots], progress)
        written = [self._write_documents(root) for root in plan.roots]
        self.copied = attrs.evolve(
            self.copied, missing=(*self.copied.missing, *plan.missing), converted=dict(self._converted)
        )
        return written

    def _jobs(self, planned: Planned) -> list[_Job]:
        """Return the blobs that a document lists, without the documents among them."""
        if planned.node is None:
            return []
        manifest = as_manifest(planned.node)
        if manifest is None:
            return [_Job.of(each.descriptor) for each in planned.children if each.node is None]
        return [_Job.of(manifest.value.config), *self._layers(manifest)]

    def _layers(self, manifest: Document[Manifest]) -> list[_Job]:
        conversion = None if self._conversion is None else applicable(manifest, self._conversion)
        return [_Job.of(each, conversion) for each in manifest.value.layers]

    def _copy_blobs(self, jobs: Sequence[_Job], progress: Callable[[Progress], None] | None) -> None:
        todo = sorted((each for each in jobs if each not in self._new), key=lambda each: -each.descriptor.size)
        self._todo = len(todo)
        total, done, self._ended = sum(each.descriptor.size for each in todo), 0, 0

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            now = min(self._ended, len(todo) - 1)
            if progress is not None:
                progress(Progress(layer=now, layers=len(todo), done=min(done, total), total=total))

        # An archive takes one blob after the other. One thread then also has the only error, and is free to be
        # interrupted while it waits for the reader of a pipe.
        in_turn = self._conversion is None and isinstance(self.target, ArchiveWriter)
        threads = 1 if in_turn else self._threads
        done_jobs = map_in_threads(
            self._blob, todo, threads=threads, on_progress=on_bytes, on_interrupt=self._interrupt
        )
        for done_job in done_jobs:
            self._new[done_job.job] = done_job.new
            self._count(done_job.new, done_job.state)
            if done_job.new.digest != done_job.job.descriptor.digest:
                self._converted[done_job.job.descriptor.digest] = done_job.new.digest

    def _interrupt(self) -> None:
        """End what the threads wait for."""
        for blobs in (self.source.blobs, self.target.blobs):
            if isinstance(blobs, Interruptible):
                blobs.interrupt()

    def _count(self, descriptor: Descriptor, state: str) -> None:
        copied = self.copied
        match state:
            case "copied":
                copied = attrs.evolve(copied, blobs=copied.blobs + 1, bytes=copied.bytes + descriptor.size)
            case "present":
                size = copied.present_bytes + descriptor.size
                copied = attrs.evolve(copied, present=copied.present + 1, present_bytes=size)
            case _:
                copied = attrs.evolve(copied, missing=(*copied.missing, descriptor))
        self.copied = copied

    def _blob(self, job: _Job, report: ShouldContinue) -> _Done:
        """Copy one blob, in a thread."""
        old = job.descriptor
        try:
            if job.conversion is not None:
                return self._converted_blob(job, job.conversion, report)
            return _Done(job, old, self._copy_blob(old, report))
        except _StoppedError:
            return _Done(job, old, "")
        finally:
            self._ended += 1

    def _copy_blob(self, descriptor: Descriptor, report: ShouldContinue) -> str:
        target = self.target.blobs
        if target.reuse_blob(descriptor):
            report(descriptor.size)
            return "present"
        if isinstance(target, BlobMounter) and target.mount_blob(descriptor, self.source.blobs):
            report(descriptor.size)
            return "copied"
        broken = 0
        while (stream := open_content(self.source.blobs, descriptor, target)) is not None:
            counted = _Counted(stream, report)
            try:
                target.put_blob(counted, descriptor)
            except IntegrityError:
                # What an earlier copy left may be damaged, and is gone now; what the source has was not all read.
                if not counted.skipped:
                    raise
            except UnreachableError:
                # A connection to the target that breaks takes the upload with it.
                broken += 1
                if broken == _ATTEMPTS or not report(0):
                    raise
            else:
                return "copied"
        return "missing"

    def _converted_blob(self, job: _Job, conversion: Conversion, report: ShouldContinue) -> _Done:
        """Copy a layer with another media type, and perhaps another compression."""
        old = job.descriptor
        found = compression_of(self.source.blobs, old)
        media_type = layer_media_type(old.media_type, found, conversion)
        compression = recompression(old.media_type, found, conversion)
        stream = None if compression is None else open_content(self.source.blobs, old)
        if stream is None or compression is None:
            return _Done(job, attrs.evolve(old, media_type=media_type), self._copy_blob(old, report))
        what = f"blob {old.digest}"
        checked = VerifiedReader(_Counted(stream, report), old.digest, old.size, what=what)
        row = lookup(old.media_type)
        declared = None if row is None or row.family == "docker" else row.compression
        with recompressed(
            checked,
            declared,
            compression,
            spool=self._spool,
            limits=self.limits,
            what=what,
            level=conversion.level,
            encoder=conversion.encoder,
            threads=None if self._threads > 1 and self._todo == 1 else 1,
        ) as layer:
            new = Descriptor(media_type=media_type, digest=layer.digest, size=layer.size)
            if self.target.blobs.reuse_blob(new):
                return _Done(job, new, "present")
            self.target.blobs.put_blob(layer.open(), new)
        return _Done(job, new, "copied")

    def _write_documents(self, planned: Planned) -> Descriptor:
        """Write the documents of an entry, children first; return its descriptor in the target."""
        for each in planned.walk():
            digest = each.descriptor.digest
            if each.node is None or digest in self.documents:
                continue
            self.documents[digest] = self._write_document(each.node)
        root = planned.descriptor
        new = self._new[_Job.of(root)] if planned.node is None else self.documents[root.digest]
        return attrs.evolve(root, media_type=new.media_type, digest=new.digest, size=new.size)

    def _write_document(self, node: Node) -> Descriptor:
        raw, new = self._converted_document(node)
        try:
            is_new = put_bytes(self.target.blobs, raw, new)
        except RegistryError as error:
            if "MANIFEST_BLOB_UNKNOWN" not in error.codes or self._conversion is not None:
                raise
            self._send_again(node)
            is_new = put_bytes(self.target.blobs, raw, new)
        if not is_new and node.value.subject is not None and isinstance(self.target, ReferrerSource):
            # An earlier copy may have ended before the target listed the document under its subject.
            self.target.blobs.put_blob(io.BytesIO(raw), new)
        self._count(new, "copied" if is_new else "present")
        if new.digest != node.descriptor.digest:
            self._converted[node.descriptor.digest] = new.digest
        return new

    def _send_again(self, node: Node) -> None:
        """Send the blobs of a document that the target says it has, and of which it then knows nothing (REG-62)."""
        for _, each in children(node):
            stream = None if is_document(each.media_type) else open_content(self.source.blobs, each, self.target.blobs)
            if stream is not None:
                self.target.blobs.put_blob(stream, each)

    def _converted_document(self, node: Node) -> tuple[bytes, Descriptor]:
        if self._conversion is None:
            return node.raw, node.descriptor
        manifest = as_manifest(node)
        if manifest is not None:
            layers = [self._new[job] for job in self._layers(manifest)]
            return converted_manifest(manifest, self._conversion, layers, converted=self.documents, limits=self.limits)
        index = as_index(node)
        assert index is not None
        return converted_index(index, self._conversion, self.documents, limits=self.limits)
