"""Copy images from one place to another: `copy`.

Theory of operation. The documents of an image are read first; they say which blobs it has. Blobs that the target has
are kept there, the others are copied, several at once, each verified while it is written. Documents follow, children
before parents, and the name comes last: so the target never lists an image of which something is missing, and a call
that was interrupted can be repeated, and goes on where it stopped. A document is copied as its bytes, unless a
conversion was asked for (`convert`).

During the copy a lease keeps the target's garbage collection from what was copied and is not referred to yet.
"""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from oci_layers import system
from oci_layers.blob.pipeline import ShouldContinue, map_in_threads
from oci_layers.blob.store import BlobSource, BlobStore
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import BlobMissingError, OCIError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.convert import Conversion
from oci_layers.store.graph import Node, is_document, may_be_absent, read_node
from oci_layers.store.plan import Plan, Planned
from oci_layers.store.repository import Repository, WritableRepository, named
from oci_layers.store.select import names_of, one_image

__all__ = ["Copied", "copy"]

_FALLBACK = ("", ".sig", ".att", ".sbom")
"""Ends of the names that lead to referrers where there is no API for them: the tag schema of the distribution spec, and
the names that cosign gives."""


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
    """What the source does not have and an image may lack: manifests of an index for other platforms (LAY-07), layers
    that are not distributed (NDL-01)."""
    converted: Mapping[Digest, Digest] = attrs.field(factory=dict)
    """The new digest of each document and layer that was converted, by its old one."""


def copy(
    source: Repository,
    target: WritableRepository,
    ref: str | None = None,
    *,
    target_ref: str | None = None,
    everything: bool = False,
    platforms: Sequence[str | Platform] = (),
    referrers: bool = False,
    conversion: Conversion | None = None,
    threads: int | None = None,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Copied:
    """Copy an image: the blobs that the target does not have, then documents, then the name.

    Can be called again after an interruption, and goes on; in a layout, within a blob, too. Memory: the documents of
    one image, and some MiB for each thread.

    Args:
        source: Where the image is.
        target: Where it goes; may be the source.
        ref: The name or digest of the image; None for the only one.
        target_ref: Its name in the target; that in the source if None.
        everything: Copy all images, each under its own name.
        platforms: `OS/ARCHITECTURE[/VARIANT]`; all platforms if empty. With one, its manifest is copied, without the
            index that lists it; with several, the index as it is, and of its manifests only these (LAY-07).
        referrers: Also copy the manifests whose `subject` is copied: signatures, SBOMs, and their referrers.
        conversion: Recompress layers, or convert media types; documents and layers get new digests.
        threads: The number of blobs copied at once; up to four if None.
        limits: The limits on documents, and on recompressed layers.
        temporary_directory: The directory of recompressed layers; the system's default if None.
        progress: Called in the caller's thread; an exception that it raises ends the copy.

    Raises:
        ReferenceMissingError: There is no such image or platform, or there are several; lists those that exist.
        BlobMissingError: The source lacks a blob of the image.
        IntegrityError: A blob is not what its descriptor says; the name was not written.
        UnsupportedError: The conversion is not possible.
        OSError: The target cannot be written.
    """
    limits = limits or Limits()
    wanted = [Platform.parse(each) if isinstance(each, str) else each for each in platforms]
    groups = _groups(source, ref, everything=everything)
    if target_ref is not None and len(groups) > 1:
        raise ReferenceMissingError("", names_of(source.entries()))
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    work = _Copy(source, target, conversion or Conversion(), limits, temporary, threads or min(4, system.cpu_count()))
    entries: list[Descriptor] = []
    with target.lease():
        for name, group in groups:
            plans = [Plan(source.blobs, limits, wanted).of(each) for each in group]
            written = work.write(plans, progress)
            new_name = name if target_ref is None else target_ref
            target.tag(new_name, *written)
            entries += (named(each, new_name) for each in written)
        found = tuple(_referrers(source, work, limits, progress)) if referrers else ()
    return attrs.evolve(work.copied, entries=tuple(entries), referrers=found)


def _groups(source: Repository, ref: str | None, *, everything: bool) -> list[tuple[str | None, list[Descriptor]]]:
    """Return the entries to copy, those of one name together."""
    groups: dict[str | Digest, list[Descriptor]] = {}
    entries = source.entries(ref)
    if not everything:
        image = one_image(entries, ref)
        return [(own_name(image[0]), image)]
    for each in entries:
        groups.setdefault(own_name(each) or each.digest, []).append(each)
    return [(key if isinstance(key, str) else None, group) for key, group in groups.items()]


class _StoppedError(Exception):
    """The copy was cancelled; raised in the threads that copy blobs."""


class _Counted:
    """The stream of a blob that reports what was read, and raises an error once the copy was cancelled."""

    def __init__(self, stream: ByteStream, report: ShouldContinue) -> None:
        self._stream = stream
        self._report = report

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        if not self._report(len(data)):
            raise _StoppedError
        return data

    def skip(self, size: int) -> int:
        """Skip bytes that the target has already, without reading them if the source can."""
        left = size
        skip = getattr(self._stream, "skip", None)
        if skip is not None:
            left -= skip(size)
            self._report(size - left)
        while left and (data := self.read(min(left, PIECE))):
            left -= len(data)
        return size - left

    def close(self) -> None:
        self._stream.close()


class _Copy:
    """Copies planned blobs and documents from one place to another."""

    def __init__(
        self,
        source: Repository,
        target: WritableRepository,
        conversion: Conversion,
        limits: Limits,
        temporary: str | None,
        threads: int,
    ) -> None:
        self._source: BlobSource = source.blobs
        self._target: BlobStore = target.blobs
        self.target = target
        self._conversion = conversion
        self._limits = limits
        self._temporary = temporary
        self._threads = threads
        self._new: dict[Digest, Descriptor] = {}
        self._ended = 0
        self.copied = Copied(entries=())
        """What was copied so far."""
        self.documents: dict[Digest, Descriptor] = {}
        """The documents in the target, by their digests in the source."""

    def write(
        self, plans: Sequence[tuple[Planned, list[Descriptor]]], progress: Callable[[Progress], None] | None
    ) -> list[Descriptor]:
        """Copy blobs, then documents; return the descriptors of the entries in the target."""
        leaves = {each.descriptor.digest: each.descriptor for plan, _ in plans for each in plan.walk() if not each.node}
        missing = [each for _, lost in plans for each in lost]
        self._copy_blobs(list(leaves.values()), progress)
        self.copied = attrs.evolve(self.copied, missing=(*self.copied.missing, *missing))
        return [self._write_documents(plan) for plan, _ in plans]

    def _copy_blobs(self, blobs: list[Descriptor], progress: Callable[[Progress], None] | None) -> None:
        todo = sorted((each for each in blobs if each.digest not in self._new), key=lambda each: -each.size)
        total, done, self._ended = sum(each.size for each in todo), 0, 0

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            now = min(self._ended, len(todo) - 1)
            if progress is not None:
                progress(Progress(layer=now, layers=len(todo), done=min(done, total), total=total))

        for old, new, state in map_in_threads(self._blob, todo, threads=self._threads, on_progress=on_bytes):
            self._new[old.digest] = new
            self._count(new, state)

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

    def _blob(self, old: Descriptor, report: ShouldContinue) -> tuple[Descriptor, Descriptor, str]:
        """Copy one blob in a thread; return its descriptors here and there, and what was done."""
        try:
            if self._target.reuse_blob(old):
                report(old.size)
                return old, old, "present"
            stream = self._open(old)
            if stream is None:
                return old, old, "missing"
            self._target.put_blob(_Counted(stream, report), old)
        except _StoppedError:
            pass
        finally:
            self._ended += 1
        return old, old, "copied"

    def _open(self, descriptor: Descriptor) -> ByteStream | None:
        try:
            return self._source.open_blob(descriptor.digest)
        except BlobMissingError:
            if descriptor.data is not None:
                return io.BytesIO(descriptor.data)
            if may_be_absent(descriptor):
                return None
            raise

    def _write_documents(self, plan: Planned) -> Descriptor:
        """Write the documents of a plan, children first; return the descriptor of its root in the target."""
        for each in plan.walk():
            digest = each.descriptor.digest
            if each.node is None or digest in self.documents:
                continue
            self.documents[digest] = self._write_document(each.node)
        root = plan.descriptor
        new = self.documents.get(root.digest) or self._new[root.digest]
        return attrs.evolve(root, media_type=new.media_type, digest=new.digest, size=new.size)

    def _write_document(self, node: Node) -> Descriptor:
        descriptor = node.descriptor
        if self._target.reuse_blob(descriptor):
            self._count(descriptor, "present")
        else:
            self._target.put_blob(io.BytesIO(node.raw), descriptor)
            self._count(descriptor, "copied")
        return descriptor


def _referrers(
    source: Repository, work: _Copy, limits: Limits, progress: Callable[[Progress], None] | None
) -> Iterator[Descriptor]:
    """Copy what refers to the documents copied so far, and what refers to that; yield the entries written."""
    left = []
    for entry in source.entries():
        if entry.digest not in work.documents and is_document(entry):
            try:
                subject = read_node(source.blobs, entry, limits).value.subject
            except OCIError:
                continue  # Not part of what was asked for.
            left.append((entry, None if subject is None else subject.digest))
    while True:
        names = {str(each).replace(":", "-") + end for each in work.documents for end in _FALLBACK}
        found = [each for each, subject in left if subject in work.documents or own_name(each) in names]
        if not found:
            return
        left = [(each, subject) for each, subject in left if each not in found]
        for entry in found:
            (written,) = work.write([Plan(source.blobs, limits, ()).of(entry)], progress)
            work.target.tag(own_name(entry), written)
            yield named(written, own_name(entry))
