"""One blob to all that is wrong with it: its size, its digest and, of a layer, its compression and its diff_id.

What names a blob is gathered in a `Blob` first, so that it is read once, however many documents name it. A blob that is
not what its digest says is called that and nothing else: no more is to be learnt from it. Which blobs there are, and
what documents say of one another, is in `verify`.
"""

import contextlib
import io
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import attrs

from oci_layers.blob.cas import BlobSource
from oci_layers.blob.compression import decompressed
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader, drain
from oci_layers.errors import (
    BlobMissingError,
    CompressionError,
    DigestMismatchError,
    LimitError,
    OCIError,
    SizeMismatchError,
    UnsupportedError,
    printable,
)
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest, Hasher
from oci_layers.spec.mediatype import MediaType
from oci_layers.spec.rules import Severity

__all__ = ["Blob", "Flaw", "Place", "check_blobs", "read_document"]


@attrs.frozen
class Flaw:
    """Something wrong with an image. Its text is one line."""

    rule: str
    """The id of the rule that is not kept; `spec.RULES` has what it says."""
    severity: Severity
    """How bad it is, in the profile that was asked for."""
    digest: Digest
    """The blob that it is in: the document that says something wrong, or the blob that is not what it should be."""
    pointer: str
    """The JSON pointer (RFC 6901) to the place in the document; empty for a blob as a whole."""
    message: str
    """What is wrong there."""

    def __str__(self) -> str:
        return f"{self.severity} {self.rule} {self.digest}{printable(self.pointer)}: {self.message}"


@attrs.frozen
class Place:
    """Where a descriptor stands: a pointer into a document. A root stands nowhere, and has its own digest."""

    digest: Digest
    pointer: str = ""

    def __str__(self) -> str:
        return f"{printable(self.pointer)} of {self.digest}" if self.pointer else "the root's descriptor"

    def field(self, name: str) -> str:
        """Return the pointer to a field of the descriptor."""
        return f"{self.pointer}/{name}" if self.pointer else ""


@attrs.define
class Blob:
    """What is said of a blob, wherever it is named, and what has become of it."""

    digest: Digest
    size: int
    """Its size, as the first place says that names it."""
    place: Place
    """The first place that names it."""
    data: bytes | None = None
    """Its bytes, where a descriptor embeds them; they have been compared with the digest."""
    needed: bool = False
    """Whether a place names it without embedding it, and nothing allows it to be absent."""
    absences: list[tuple[str, Place]] = attrs.field(factory=list)
    """The places that name it where it may be absent, each with the rule that allows it."""
    layers: list[tuple[Place, MediaType]] = attrs.field(factory=list)
    """The places that call it a layer."""
    diff_ids: list[tuple[Place, Digest]] = attrs.field(factory=list)
    """The places in configs that say what its plain bytes are."""
    tried: bool = False
    """Whether it has been looked for."""
    missing: bool = False
    """Whether the source does not have it."""
    good: bool = False
    """Whether its bytes are what size and digest say."""


class _Stoppable:
    """A stream that ends early when all shall stop; what is made of it then is thrown away."""

    def __init__(self, stream: ByteStream, stop: threading.Event) -> None:
        self._stream = stream
        self._stop = stop

    def read(self, size: int, /) -> bytes:
        return b"" if self._stop.is_set() else self._stream.read(size)

    def close(self) -> None:
        self._stream.close()


def read_document(blobs: BlobSource, blob: Blob, *, limit: str, allowed: int) -> tuple[bytes | None, list[Flaw]]:
    """Return all bytes of a small blob, or None and what is wrong with it; nothing is wrong if it is only missing."""
    blob.tried = True
    parts = []
    try:
        if blob.size > allowed:
            raise LimitError(limit, allowed, blob.size)
        with _open(blobs, blob, threading.Event()) as stream:
            while part := stream.read(1 << 16):
                parts.append(part)
    except OCIError as error:
        return None, _flaws_of(error, blob)
    blob.good = True
    return b"".join(parts), []


def check_blobs(blobs: BlobSource, todo: Iterable[Blob], *, limits: Limits, threads: int) -> list[Flaw]:
    """Return what is wrong with blobs, the largest read first, by several threads at once.

    Raises:
        OSError: The place where the blobs are cannot be read.
    """
    ordered = sorted(todo, key=lambda blob: (-blob.size, blob.digest))
    stop = threading.Event()
    if threads < 2 or len(ordered) < 2:
        return [flaw for blob in ordered for flaw in _check(blobs, blob, limits, stop)]
    with ThreadPoolExecutor(threads, thread_name_prefix="oci-layers-verify") as pool:
        futures = [pool.submit(_check, blobs, blob, limits, stop) for blob in ordered]
        try:
            return [flaw for future in futures for flaw in future.result()]
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check(blobs: BlobSource, blob: Blob, limits: Limits, stop: threading.Event) -> list[Flaw]:
    blob.tried = True
    try:
        with contextlib.closing(_open(blobs, blob, stop)) as raw:
            if blob.layers:
                return _check_layer(raw, blob, limits)
            drain(raw)
    except OCIError as error:
        return _flaws_of(error, blob)
    blob.good = True
    return []


def _open(blobs: BlobSource, blob: Blob, stop: threading.Event) -> VerifiedReader:
    blob.digest.hasher()  # An algorithm that is not known is no missing blob.
    stream: ByteStream
    try:
        stream = blobs.open_blob(blob.digest)
    except BlobMissingError:
        blob.missing = True
        if blob.data is None:
            raise
        stream = io.BytesIO(blob.data)
    return VerifiedReader(_Stoppable(stream, stop), blob.digest, blob.size)


def _check_layer(raw: VerifiedReader, blob: Blob, limits: Limits) -> list[Flaw]:
    """Return what is wrong with a layer; raises IntegrityError where it is not even the blob that it should be."""
    flaws: list[Flaw] = []
    hashers: dict[str, Hasher] = {}
    for place, diff_id in blob.diff_ids:
        try:
            hashers.setdefault(diff_id.algorithm, diff_id.hasher())
        except UnsupportedError as error:
            flaws.append(Flaw("DIG-08", "error", place.digest, place.pointer, str(error)))
    try:
        plain = decompressed(raw, None, limits)
        while piece := plain.read(PIECE):
            for hasher in hashers.values():
                hasher.update(piece)
        drain(raw)
    except (CompressionError, LimitError) as error:
        drain(raw)
        blob.good = True
        return [*flaws, *_flaws_of(error, blob)]
    blob.good = True
    for place, row in blob.layers:
        if row.family != "docker" and row.compression != plain.compression:
            message = (
                f"promises {row.compression or 'plain tar'}, the bytes are {plain.compression or 'not compressed'}"
            )
            flaws.append(Flaw("LYR-03", "error", place.digest, place.field("mediaType"), message))
    actual = {name: f"{name}:{hasher.hexdigest()}" for name, hasher in hashers.items()}
    for place, diff_id in blob.diff_ids:
        if actual.get(diff_id.algorithm, diff_id.text) != diff_id.text:
            message = f"is {diff_id}, but the plain bytes of layer {blob.digest} are {actual[diff_id.algorithm]}"
            flaws.append(Flaw("CHN-01", "error", place.digest, place.pointer, message))
    return flaws


def _flaws_of(error: OCIError, blob: Blob) -> list[Flaw]:
    """Return what an error says of a blob; that it is missing is for the caller to weigh."""
    match error:
        case BlobMissingError():
            return []
        case SizeMismatchError():
            has = f"{error.actual} bytes, not" if error.actual < error.expected else "more bytes than"
            rule, message = "DSC-08", f"has {has} the {error.expected} that {blob.place} says"
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
    return [Flaw(rule, "error", blob.digest, "", message)]
