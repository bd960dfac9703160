"""The base of an image, by the digest in its annotation `org.opencontainers.image.base.digest` (annotations.md)."""

import contextlib
from collections.abc import Iterable

from oci_layers.blob.store import BlobSource
from oci_layers.errors import BlobMissingError, DigestMismatchError, LimitError, ReferenceMissingError
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.spec.annotations import BASE_DIGEST
from oci_layers.spec.config import platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_any, parse_manifest
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.spec.strict_json import load_json
from oci_layers.store.select import choose

__all__ = ["base_of"]


def base_of(image: Image, sources: Iterable[BlobSource]) -> Image:
    """Return the base that an image names, if its documents are in one of some sources.

    Raises:
        ReferenceMissingError: The image does not name its base.
        BlobMissingError: Its documents are in none of the sources.
        OCIError: They are damaged or malformed.
    """
    text = image.manifest.annotations.get(BASE_DIGEST)
    if text is None:
        raise ReferenceMissingError("", (), f"annotation {BASE_DIGEST}, so the base is not known")
    digest = Digest.parse(text)
    for blobs in sources:
        with contextlib.suppress(BlobMissingError):
            return Image(_manifest(image, digest, blobs), blobs, name=f"base {digest}", limits=image.limits)
    raise BlobMissingError(text)


def _manifest(image: Image, digest: Digest, blobs: BlobSource) -> Document[Manifest]:
    """Return the manifest with a digest, or that for the platform of the image if the digest is of an index."""
    raw = _read(blobs, digest, image.limits)
    found = load_json(raw, media_type=OCI_MANIFEST, limits=image.limits)
    media_type = found.get("mediaType") or (OCI_INDEX if "manifests" in found else OCI_MANIFEST)
    descriptor = Descriptor(media_type=media_type, digest=digest, size=len(raw))
    document = parse_any(raw, descriptor, image.limits)
    if isinstance(document.value, Manifest):
        return parse_manifest(raw, descriptor, image.limits)
    return choose(document.value, blobs, ref=None, platform=platform_of(image.config), limits=image.limits)


def _read(blobs: BlobSource, digest: Digest, limits: Limits) -> bytes:
    """Return a document of which only the digest is known."""
    parts, size, hasher = [], 0, digest.hasher()
    with contextlib.closing(blobs.open_blob(digest)) as stream:
        while data := stream.read(1 << 16):
            parts.append(data)
            size += len(data)
            hasher.update(data)
            if size > limits.document_bytes:
                raise LimitError("document_bytes", limits.document_bytes, size)
    if hasher.hexdigest() != digest.encoded:
        raise DigestMismatchError(f"base {digest}", str(digest), f"{digest.algorithm}:{hasher.hexdigest()}")
    return b"".join(parts)
