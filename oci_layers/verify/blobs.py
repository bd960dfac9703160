"""One blob to its problems: size, digest and, for a layer, compression and diff_id.

A `Blob` collects all descriptors of a blob first, so that the blob is read once, even if many documents refer to it. A
blob with a wrong size or digest gets this one finding only, because its content is not trustworthy. `image` finds the
blobs and compares documents with each other.
"""

import contextlib
import functools
import io
import itertools
import sys
import threading
from collections.abc import Callable, Iterable, Sequence

import attrs

from oci_layers.blob.compression import decompressed
from oci_layers.blob.pipeline import ShouldContinue, map_in_threads
from oci_layers.blob.store import BlobSource, Interruptible
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader, drain
from oci_layers.errors import (
    BlobMissingError,
    CompressionError,
    DigestMismatchError,
    LimitError,
    OCIError,
    RegistryError,
    SizeMismatchError,
    UnsupportedError,
    escape,
)
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.report import DocumentFinding, DocumentLocation, Finding
from oci_layers.spec.digest import Digest, Hasher
from oci_layers.spec.mediatype import MediaType

__all__ = ["Blob", "check_blobs", "place_of", "read_document"]


@attrs.define
class Blob:
    """All that descriptors declare about a blob, and the state of its verification."""

    digest: Digest
    size: int
    """The size in the first descriptor of it."""
    named_at: DocumentLocation
    """The place of the first descriptor of it."""
    media_type: str = ""
    """The media type in the first descriptor of it."""
    data: bytes | None = None
    """Its bytes, if a descriptor embeds them; compared with the digest."""
    needed: bool = False
    """Whether a descriptor refers to it without embedding it, and no rule allows it to be absent."""
    absences: list[tuple[str, DocumentLocation]] = attrs.field(factory=list)
    """The places of descriptors whose blob may be absent, each with the rule that allows it."""
    layers: list[tuple[DocumentLocation, MediaType]] = attrs.field(factory=list)
    """The places of descriptors with the media type of a layer."""
    diff_ids: list[tuple[DocumentLocation, Digest]] = attrs.field(factory=list)
    """The places in configs that have its diff_id."""
    tried: bool = False
    """Whether reading it was tried."""
    missing: bool = False
    """Whether the source does not have it."""
    good: bool = False
    """Whether its bytes match size and digest."""


def place_of(location: DocumentLocation) -> str:
    """Return where a descriptor is, for a message."""
    if not location.pointer:
        return "the root's descriptor"
    return f"{escape(location.pointer)} of {escape(location.document) or location.digest}"


class _Account:
    """Reports how much of a blob is done: in pieces of at least 1 MiB, together the size of the blob."""

    def __init__(self, report: ShouldContinue, size: int) -> None:
        self._report = report
        self._left = size
        self._unreported = 0

    def add(self, count: int) -> bool:
        """Count bytes; return False if the work is cancelled."""
        self._unreported += count
        due = min(self._unreported, self._left) if self._unreported >= PIECE else 0
        if due:
            self._left -= due
            self._unreported = 0
        return self._report(due)

    def close(self) -> None:
        """Report the rest of the size, read or not."""
        self._report(self._left)


class _Stoppable:
    """A stream that ends early if the work is cancelled; the result is then discarded."""

    def __init__(self, stream: ByteStream, account: _Account) -> None:
        self._stream = stream
        self._account = account

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        return data if self._account.add(len(data)) else b""

    def close(self) -> None:
        self._stream.close()


class _PlainBytes:
    """Counts the uncompressed bytes of all layers, and enforces their limit for every order of reading. Thread-safe."""

    def __init__(self, allowed: int, layers: int) -> None:
        self.allowed = allowed
        self._counts = [0] * layers
        # A binary indexed tree (Fenwick 1994): counting, and summing the layers before one, take log(layers) steps.
        self._sums = [0] * (layers + 1)
        self._lock = threading.Lock()

    def add(self, layer: int, count: int) -> None:
        """Count bytes of a layer; raises LimitError if this layer and all before it exceed the limit."""
        seen = 0
        with self._lock:
            self._counts[layer] += count
            at = layer + 1
            while at < len(self._sums):
                self._sums[at] += count
                at += at & -at
            at = layer + 1
            while at:
                seen += self._sums[at]
                at &= at - 1
        if seen > self.allowed:
            raise LimitError("plain_bytes", self.allowed, seen)

    def first_past(self) -> int | None:
        """Return the first layer that exceeds the limit together with all layers before it."""
        sums = itertools.accumulate(self._counts)
        return next((layer for layer, seen in enumerate(sums) if seen > self.allowed), None)


def read_document(
    blobs: BlobSource, blob: Blob, *, limit: str, allowed: int
) -> tuple[bytes | None, list[DocumentFinding]]:
    """Return all bytes of a small blob, or None and its problems; a missing blob has no problems here."""
    blob.tried = True
    parts = []
    try:
        if blob.size > allowed:
            raise LimitError(limit, allowed, blob.size)
        with _open(blobs, blob) as stream:
            while part := stream.read(1 << 16):
                parts.append(part)
    except OCIError as error:
        return None, _findings_of(error, blob)
    blob.good = True
    return b"".join(parts), []


def check_blobs(
    blobs: BlobSource,
    todo: Iterable[Blob],
    *,
    limits: Limits,
    threads: int,
    progress: Callable[[Progress], None] | None = None,
) -> list[DocumentFinding]:
    """Check blobs in several threads, the largest first, and return their problems.

    Args:
        blobs: The source of the blobs.
        todo: The blobs to check.
        limits: `plain_bytes` of all layers together, and the limits on decompression.
        threads: The number of blobs read at the same time.
        progress: Called in the caller's thread; an exception that it raises ends all work.

    Raises:
        OSError: The source cannot be read.
    """
    ordered = sorted(todo, key=lambda blob: (-blob.size, blob.digest))
    plain = _PlainBytes(limits.plain_bytes, len(ordered))
    limits = attrs.evolve(limits, plain_bytes=sys.maxsize)  # Counted by `plain` from here.
    ended: list[Blob] = []

    def work(item: tuple[int, Blob], report: ShouldContinue) -> list[DocumentFinding]:
        at, blob = item
        with contextlib.closing(_Account(report, blob.size)) as account:
            findings = _check(blobs, blob, limits, account, functools.partial(plain.add, at))
            ended.append(blob)
        return findings

    on_bytes = None if progress is None else _listener(progress, ordered, ended)
    on_interrupt = blobs.interrupt if isinstance(blobs, Interruptible) else None
    found = map_in_threads(
        work, list(enumerate(ordered)), threads=threads, on_progress=on_bytes, on_interrupt=on_interrupt
    )
    findings = [finding for each in found for finding in each]
    past = plain.first_past()
    if past is not None:
        message = f"limit plain_bytes is {plain.allowed}, the layers down to this one, largest first, have more"
        findings.append(Finding("LIM-01", "error", DocumentLocation(digest=ordered[past].digest), message))
    return findings


def _listener(
    progress: Callable[[Progress], None], ordered: Sequence[Blob], ended: Sequence[Blob]
) -> Callable[[int], None]:
    """Return a callback that takes numbers of bytes done, and calls `progress` with their sum."""
    total, done = sum(blob.size for blob in ordered), 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        now = min(len(ended), len(ordered) - 1)
        progress(Progress(layer=now, layers=len(ordered), done=done, total=total))

    return on_bytes


def _check(
    blobs: BlobSource, blob: Blob, limits: Limits, account: _Account, count: Callable[[int], None]
) -> list[DocumentFinding]:
    blob.tried = True
    try:
        with contextlib.closing(_open(blobs, blob, account)) as raw:
            if blob.layers:
                return _check_layer(raw, blob, limits, account, count)
            drain(raw)
    except OCIError as error:
        return _findings_of(error, blob)
    blob.good = True
    return []


def _open(blobs: BlobSource, blob: Blob, account: _Account | None = None) -> VerifiedReader:
    blob.digest.hasher()  # Raises for an unknown algorithm, before the blob counts as missing.
    stream: ByteStream
    try:
        stream = blobs.open_blob(blob.digest)
    except BlobMissingError:
        blob.missing = True
        if blob.data is None:
            raise
        stream = io.BytesIO(blob.data)
    return VerifiedReader(stream if account is None else _Stoppable(stream, account), blob.digest, blob.size)


def _check_layer(
    raw: VerifiedReader, blob: Blob, limits: Limits, account: _Account, count: Callable[[int], None]
) -> list[DocumentFinding]:
    """Return the problems of a layer; raises IntegrityError if the blob does not match size or digest."""
    findings: list[DocumentFinding] = []
    hashers: dict[str, Hasher] = {}
    try:
        plain = decompressed(raw, None, limits)
        # Without compression the plain bytes are the blob, whose digest `raw` checks.
        known = {} if plain.compression else {blob.digest.algorithm: blob.digest.text}
        for location, diff_id in blob.diff_ids:
            try:
                if diff_id.algorithm not in known:
                    hashers.setdefault(diff_id.algorithm, diff_id.hasher())
            except UnsupportedError as error:
                findings.append(Finding("DIG-08", "error", location, str(error)))
        # A few bytes may inflate for a long time, in which `raw` is not read and cannot notice a cancellation.
        while account.add(0) and (piece := plain.read(PIECE)):
            count(len(piece))
            for hasher in hashers.values():
                hasher.update(piece)
        drain(raw)
    except (CompressionError, LimitError) as error:
        drain(raw)
        blob.good = True
        # `check_blobs` reports the layer that exceeds `plain_bytes`, after all have been read.
        past = isinstance(error, LimitError) and error.limit == "plain_bytes"
        return findings if past else [*findings, *_findings_of(error, blob)]
    blob.good = True
    for location, row in blob.layers:
        if row.family != "docker" and row.compression != plain.compression:
            message = (
                f"promises {row.compression or 'plain tar'}, the bytes are {plain.compression or 'not compressed'}"
            )
            findings.append(Finding("LYR-03", "error", location.field("mediaType"), message))
    actual = known | {name: f"{name}:{hasher.hexdigest()}" for name, hasher in hashers.items()}
    for location, diff_id in blob.diff_ids:
        if actual.get(diff_id.algorithm, diff_id.text) != diff_id.text:
            message = f"is {diff_id}, but the plain bytes of layer {blob.digest} are {actual[diff_id.algorithm]}"
            findings.append(Finding("CHN-01", "error", location, message))
    return findings


def _findings_of(error: OCIError, blob: Blob) -> list[DocumentFinding]:
    """Return the findings for an error of a blob; none for a missing blob, which the caller reports.

    Raises:
        RegistryError: The error is one of the way to the blob, and says nothing about it.
    """
    match error:
        case RegistryError():
            raise error
        case BlobMissingError():
            return []
        case SizeMismatchError():
            has = f"{error.actual} bytes, not" if error.actual < error.expected else "more bytes than"
            rule, message = "DSC-08", f"has {has} the {error.expected} that {place_of(blob.named_at)} says"
        case DigestMismatchError():
            rule, message = "DSC-05", f"has the digest {error.actual}"
        case CompressionError():
            rule, message = "LYR-01", error.reason
        case LimitError():
            rule, message = "LIM-01", str(error)
        case UnsupportedError():
            rule, message = "DIG-08", str(error)
        case _:
            rule, message = "LAY-05", str(error)
    return [Finding(rule, "error", DocumentLocation(digest=blob.digest), message)]
