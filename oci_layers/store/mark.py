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
from oci_layers.spec.mediatype import OCI_INDEX, role_of
from oci_layers.spec.strict_json import load_json
from oci_layers.store.files import parse_index_file

__all__ = ["Marks", "Reason", "mentions"]

_DIGEST = re.compile(r"(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}|blake3:[a-f0-9]{64})")
_LEAF, _UNKNOWN, _DOCUMENT = 0, 1, 2
"""How closely a blob is looked at: not at all, for whatever it may be, as a document that must be one."""
_LOOKS = {"layer": _LEAF, "config": _LEAF, "manifest": _DOCUMENT, "index": _DOCUMENT}

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
        self._looked: dict[str, int] = {}
        """How closely each blob was looked at. One may be said to be a layer here and a manifest there."""
        self.reasons: dict[str, Reason] = {}
        self.missing: list[str] = []
        """The documents in use that are missing."""

    def add_index(self, raw: bytes) -> None:
        """Mark what the index of a layout lists.

        Raises:
            OCIError: The index or a document in use is missing, damaged, malformed or too large.
        """
        parse_index_file(raw, self._limits)
        loaded = load_json(raw, media_type=OCI_INDEX, limits=self._limits)
        names: dict[str, str] = {}
        for each in loaded["manifests"]:
            known = each.get("annotations") or {}
            names.setdefault(each["digest"], known.get(CONTAINERD_IMAGE_NAME, known.get(REF_NAME, "")))
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
            self.reasons.setdefault(digest, reason)
            look = _LOOKS.get(role_of(media_type), _UNKNOWN)
            if self._looked.get(digest, -1) >= look:
                continue
            try:
                found = self._read(digest, look, required=required)
            except OCIError:
                if required:
                    raise
                continue
            self._looked[digest] = look
            todo += [(each, kind, Reason("field", digest, key)) for each, kind, key in found]

    def readable(self, digest: str) -> dict[str, Any] | None:  # Any: JSON
        """Return a blob that is a JSON object; None for other content, and for what is missing or damaged."""
        try:
            return self._document(digest, _UNKNOWN, guess=True)
        except OCIError:
            return None

    def _read(self, digest: str, look: int, *, required: bool) -> Sequence[tuple[str, str, str]]:
        if look == _LEAF:
            return ()
        try:
            loaded = self._document(digest, look, guess=not required)
        except BlobMissingError as error:
            if look != _DOCUMENT:
                return ()
            if not self._allow_missing:
                error.add_note(
                    "what it refers to is not known, so nothing is deleted; copy it here, or allow it (--allow-missing)"
                )
                raise
            self.missing.append(digest)
            return ()
        except OCIError as error:
            error.add_note(f"{digest} is in use, and what it refers to is not known, so nothing is deleted")
            raise
        return () if loaded is None else list(mentions(loaded))

    def _document(self, digest: str, look: int, *, guess: bool) -> dict[str, Any] | None:  # Any: JSON
        """Return a blob that is a JSON object; None for other content, unless it must be a document.

        With `guess`, the first byte decides whether the rest is read. Without, no more than `document_bytes` are, so
        that a damaged byte does not pass for other content.

        Raises:
            OCIError: It is missing or damaged; or malformed or too large, if it must be a document.
        """
        required = look == _DOCUMENT
        name = Digest.parse(digest)
        allowed = self._limits.document_bytes
        parts, size = list[bytes](), 0
        with contextlib.closing(self._blobs.open_blob(name)) as stream:
            verified = VerifiedReader(stream, name, what=f"blob {digest}")
            while part := verified.read(1 << 16):
                if guess and not required and not parts and part.lstrip()[:1] != b"{":
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
            return None  # None of the documents that this library knows, whatever it is.

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
