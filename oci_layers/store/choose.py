"""One image out of an index: by name, then by platform.

Names are the `org.opencontainers.image.ref.name` annotations of a layout's index (ANN-07); a digest chooses as well,
and so does the full name that containerd and Docker write, with or without Docker's defaults. Where there is such a
name the other is only a tag, which several images may have (DSV-05). Nested indexes are opened up to their manifests,
within limits and never in a circle; what is of an unknown type is passed over (IDX-07). Which platform matches best is
`spec.platform`.
"""

import platform as machine
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.blob.cas import BlobSource, read_verified
from oci_layers.errors import LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_index, parse_manifest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import lookup, role_of
from oci_layers.spec.platform import Platform, is_attestation, select
from oci_layers.store.name import normal_name

__all__ = ["choose", "entries_called", "host_platform", "require_platform"]


def host_platform() -> Platform:
    """Return what images are chosen for when nobody says: Linux on this machine's processor."""
    return Platform.parse(f"linux/{machine.machine().lower() or 'amd64'}")


def choose(
    index: Index, blobs: BlobSource, *, ref: str | None, platform: Platform | None, limits: Limits
) -> Document[Manifest]:
    """Return the manifest of the one image that is meant.

    Args:
        index: The index of a layout.
        blobs: Where its documents are.
        ref: The name or digest of an entry; None if there is only one image.
        platform: What the image is for; this machine if None.
        limits: `index_depth`, `descriptors` and the sizes of documents are held.

    Raises:
        ReferenceMissingError: No such image, or several and no name, or none for the platform; lists those there are.
        OCIError: A document on the way is missing, damaged or malformed.
    """
    entries = entries_called(index.manifests, ref)
    search = _Search(blobs, limits)
    found = [each for each in search.manifests(entries, None, 0) if not is_attestation(each)]
    if not found:
        raise ReferenceMissingError(ref or "", _names(index.manifests), "image")
    chosen = found[0] if len(found) == 1 else select(found, platform or host_platform())
    if platform is not None and chosen.platform is not None:
        select([chosen], platform)
    raw = read_verified(blobs, chosen, limit="document_bytes", allowed=limits.document_bytes)
    return parse_manifest(raw, chosen, limits)


def require_platform(config: ImageConfig, platform: Platform) -> None:
    """Hold an image whose index entry says nothing of a platform against the one that was asked for.

    Raises:
        ReferenceMissingError: It is for another.
    """
    stand_in = Descriptor(media_type="", digest=Digest.of(b""), size=0, platform=platform_of(config))
    select([stand_in], platform)


def _is_image(descriptor: Descriptor) -> bool:
    return role_of(descriptor.media_type) in {"manifest", "index"}


def _own_name(descriptor: Descriptor) -> str | None:
    """Return what an entry is called: its full name, or else its reference."""
    known = descriptor.annotations
    return known.get(annotations.CONTAINERD_IMAGE_NAME, known.get(annotations.REF_NAME))


def _names(descriptors: Sequence[Descriptor]) -> tuple[str, ...]:
    """Return what one can call the images of an index: their names, or the digests of those without."""
    names = (_own_name(each) or str(each.digest) for each in descriptors if _is_image(each))
    return tuple(dict.fromkeys(names))


def _is_called(descriptor: Descriptor, ref: str) -> bool:
    known = descriptor.annotations
    full = known.get(annotations.CONTAINERD_IMAGE_NAME)
    return ref == known.get(annotations.REF_NAME) or (full is not None and normal_name(ref) == normal_name(full))


def entries_called(descriptors: Sequence[Descriptor], ref: str | None) -> list[Descriptor]:
    """Return the entries of the one image called `ref`: several where each is for another platform.

    Raises:
        ReferenceMissingError: There is no such image, or there are several; lists those there are.
    """
    images = [each for each in descriptors if _is_image(each)]
    found = images
    if ref is not None:
        found = [each for each in images if _is_called(each, ref)] or [
            each for each in images if ref == str(each.digest)
        ]
        if not found:
            raise ReferenceMissingError(ref, _names(images))
    if len({_own_name(each) for each in found}) > 1 and ref not in {str(each.digest) for each in found}:
        raise ReferenceMissingError("", _names(found))
    return found


class _Search:
    """A walk through nested indexes."""

    def __init__(self, blobs: BlobSource, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits
        self._seen = 0
        self._opened: set[Digest] = set()

    def manifests(
        self, descriptors: Sequence[Descriptor], platform: Platform | None, depth: int
    ) -> Iterator[Descriptor]:
        """Yield the manifests below, each with the platform of its own entry or else of the index that it is in."""
        if depth > self._limits.index_depth:
            raise LimitError("index_depth", self._limits.index_depth, depth)
        for descriptor in descriptors:
            self._seen += 1
            if self._seen > self._limits.descriptors:
                raise LimitError("descriptors", self._limits.descriptors, self._seen)
            row = lookup(descriptor.media_type)
            own = descriptor.platform or platform
            if row is None or row.role not in {"manifest", "index"}:
                continue
            if row.role == "manifest":
                yield attrs.evolve(descriptor, platform=own)
            elif descriptor.digest not in self._opened:
                self._opened.add(descriptor.digest)
                limits = self._limits
                raw = read_verified(self._blobs, descriptor, limit="document_bytes", allowed=limits.document_bytes)
                below = parse_index(raw, descriptor, limits).value.manifests
                yield from self.manifests(below, own, depth + 1)
