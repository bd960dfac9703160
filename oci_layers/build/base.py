"""The base of an image, by its annotations `org.opencontainers.image.base.digest` and `base.name` (annotations.md).

The digest comes first, because a name may lead to another image by now; then the diff_ids, which the caller compares,
do not fit.
"""

import contextlib
from collections.abc import Callable, Iterable

from oci_layers.blob.store import BlobSource
from oci_layers.errors import BlobMissingError, DigestMismatchError, LimitError, MissingError, ReferenceMissingError
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.spec.annotations import BASE_DIGEST, BASE_NAME
from oci_layers.spec.config import platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_any, parse_manifest
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.spec.strict_json import load_json
from oci_layers.store.select import choose

__all__ = ["OpenNamed", "base_of"]

OpenNamed = Callable[[str], Image]
"""Opens an image by its name, or raises `MissingError`."""


def base_of(image: Image, sources: Iterable[BlobSource], open_named: OpenNamed | None = None) -> Image:
    """Return the base that an image names, which the caller closes.

    Args:
        image: The image.
        sources: Where the documents may be that its annotation `org.opencontainers.image.base.digest` leads to.
        open_named: Opens an image by the text of its annotation `org.opencontainers.image.base.name`, if the digest
            leads nowhere. That name may lead to another image today than when the image was made.

    Raises:
        ReferenceMissingError: The image does not name its base, or there is none of that name.
        BlobMissingError: The documents are in none of the sources, and the base cannot be opened by a name.
        OCIError: They are damaged or malformed.
    """
    found = image.manifest.annotations
    digest, name = found.get(BASE_DIGEST), found.get(BASE_NAME)
    if digest is None and (name is None or open_named is None):
        wanted = f"annotation {BASE_DIGEST}" + ("" if open_named is None else f" or {BASE_NAME}")
        raise ReferenceMissingError("", (), f"{wanted}, so the base is not known")
    for blobs in sources if digest is not None else ():
        with contextlib.suppress(BlobMissingError):
            manifest = _manifest(image, Digest.parse(str(digest)), blobs)
            return Image(manifest, blobs, name=f"base {digest}", limits=image.limits)
    if name is not None and open_named is not None:
        try:
            return open_named(name)
        except MissingError:
            if digest is None:
                raise
    raise BlobMissingError(str(digest))


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
