"""Which blobs of a store are in use, and why: the marking half of garbage collection.

More is kept than `graph` reaches, since a blob that is deleted is gone: a document keeps what any descriptor in it
names, in fields that this library does not know, too; and so does content of an unknown media type that is a JSON
object. Digests in annotations are no references.

A document in use that cannot be read ends the marking with an error, because what it refers to is not known.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs

from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import VerifiedReader
from oci_layers.errors import BlobMissingError, DocumentError, LimitError, OCIError
from oci_layers.limits import Limits
from oci_layers.spec.annotations import CONTAINERD_IMAGE_NAME, REF_NAME
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, lookup
from oci_layers.spec.strict_json import load_json

__all__ = ["Marks", "Reason", "mentions"]

_DIGEST = re.compile(r"(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}|blake3:[a-f0-9]{64})")
_LEAVES = frozenset({"layer", "config"})
_DOCUMENTS = frozenset({"manifest", "index"})

Why = Literal["entry", "field", "referrer", "new"]


@attrs.frozen
class Reason:
    """Why a blob is kept."""

    why: Why
    """`entry`: the layout's index lists it. `field`: a document in use refers to it. `referrer`: its `subject` is in
    use. `new`: it was stored or reused within the grace period, or since a lease began."""
    parent: str | None = None
    """The digest of the document that refers to it, or of its subject."""
    field: str = ""
    """The top field of that document, such as `layers`; the name of an entry."""


def mentions(value: Any) -> Iterator[tuple[str, str, str]]:  # Any: JSON
    """Yield the digests in a document, each with its media type, if a descriptor says one, and its top field."""
    for key, each in value.items():
        for digest, media_type in _within(each, key):
            yield digest, media_type, key


def _within(value: Any, key: str) -> Iterator[tuple[str, str]]:  # Any: JSON
    if key in {"annotations", "data"}:
        return
    if isinstance(value, dict):
        media_type = value.get("mediaType")
        for name, each in value.items():
            if name == "digest" and isinstance(each, str) and _DIGEST.fullmatch(each):
                yield each, media_type if isinstance(media_type, str) else ""
            else:
                yield from _within(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _within(each, key)
    elif isinstance(value, str) and _DIGEST.fullmatch(value):
        yield value, ""


class Marks:
    """The blobs of a store that are in use. Holds a reason for each."""

    def __init__(self, blobs: BlobSource, limits: Limits, *, allow_missing: bool) -> None:
        """Begin with none in use; with `allow_missing`, a document that is missing keeps nothing, and is no error."""
        self._blobs = blobs
        self._limits = limits
        self._allow_missing = allow_missing
        self.reasons: dict[str, Reason] = {}
        self.missing: list[str] = []
        """The documents in use that are missing."""

    def add_index(self, raw: bytes) -> None:
        """Mark what the index of a layout lists.

        Raises:
            OCIError: The index or a document in use is missing, damaged, malformed or too large.
        """
        loaded = load_json(raw, media_type=OCI_INDEX, limits=self._limits)
        names: dict[str, str] = {}
        entries = loaded.get("manifests")
        for each in entries if isinstance(entries, list) else ():
            if isinstance(each, dict) and isinstance(each.get("digest"), str):
                known = each.get("annotations")
                known = known if isinstance(known, dict) else {}
                name = known.get(CONTAINERD_IMAGE_NAME, known.get(REF_NAME))
                names.setdefault(each["digest"], name if isinstance(name, str) else "")
        for digest, media_type, _ in mentions(loaded):
            self.add(digest, media_type, Reason("entry", field=names.get(digest, "")))

    def add(self, digest: str, media_type: str, reason: Reason, *, required: bool = True) -> None:
        """Mark a blob and all that it leads to; unless `required`, whatever cannot be read leads to nothing.

        Raises:
            OCIError: As `add_index`, if required.
        """
        todo = [(digest, media_type, reason)]
        while todo:
            digest, media_type, reason = todo.pop()
            if digest in self.reasons:
                continue
            self.reasons[digest] = reason
            try:
                found = self._read(digest, media_type)
            except OCIError:
                if required:
                    raise
                continue
            todo += [(each, kind, Reason("field", digest, key)) for each, kind, key in found]

    def readable(self, digest: str) -> dict[str, Any] | None:  # Any: JSON
        """Return a blob that is a JSON object; None for other content, and for what is missing or damaged."""
        try:
            return self.document(digest)
        except OCIError:
            return None

    def _read(self, digest: str, media_type: str) -> Sequence[tuple[str, str, str]]:
        row = lookup(media_type)
        role = "" if row is None else row.role
        if role in _LEAVES:
            return ()
        try:
            loaded = self.document(digest, required=role in _DOCUMENTS)
        except BlobMissingError as error:
            if role not in _DOCUMENTS:
                return ()
            if not self._allow_missing:
                error.add_note("what it refers to is not known, so nothing is deleted; copy it here, or allow it")
                raise
            self.missing.append(digest)
            return ()
        except OCIError as error:
            error.add_note(f"{digest} is in use, and what it refers to is not known, so nothing is deleted")
            raise
        return () if loaded is None else list(mentions(loaded))

    def document(self, digest: str, *, required: bool = False) -> dict[str, Any] | None:  # Any: JSON
        """Return a blob that is a JSON object; None for other content, unless it is `required` to be one.

        Raises:
            OCIError: It is missing or damaged; or, if required, malformed or too large.
        """
        name = Digest.parse(digest)
        allowed = self._limits.document_bytes
        parts, size = list[bytes](), 0
        with contextlib.closing(VerifiedReader(self._blobs.open_blob(name), name, what=f"blob {digest}")) as verified:
            while part := verified.read(1 << 16):
                if not required and not parts and part.lstrip()[:1] != b"{":
                    return None
                parts.append(part)
                size += len(part)
                if size > allowed:
                    if required:
                        raise LimitError("document_bytes", allowed, size)
                    return None
        try:
            return load_json(b"".join(parts), media_type="", limits=self._limits)
        except (DocumentError, LimitError):
            if required:
                raise
            return None

    def path(self, digest: str) -> list[tuple[str, Reason]]:
        """Return why a blob is kept: the blob, the document that refers to it, and so on up to an entry of the index.

        Returns:
            Digests with their reasons; none for a blob that is not in use.
        """
        found = []
        at: str | None = digest
        while at is not None and at in self.reasons:
            reason = self.reasons[at]
            found.append((at, reason))
            at = reason.parent
        return found
