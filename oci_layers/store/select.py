"""One image out of an index: by name, then by platform.

Names are the `org.opencontainers.image.ref.name` annotations of a layout's index (ANN-07); a digest chooses as well,
and so does the full name that containerd and Docker write, with or without Docker's defaults. Where there is such a
name the other is only a tag, which several images may have (DSV-05). Nested indexes are opened up to their manifests,
within limits and never in a circle; what is of an unknown type is passed over (IDX-07). Which platform matches best is
`spec.platform_selection`.
"""

import platform as machine
import re
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.errors import BlobMissingError, LimitError, OCIError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document, parse_config, parse_index, parse_manifest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, own_name, select
from oci_layers.store.diagnose import refuse_schema_1
from oci_layers.store.name import normalize_reference

__all__ = ["choose", "find", "find_by_ref", "fits", "host_platform", "require_platform", "stand_in"]

_DIGEST = re.compile("[a-z0-9+._-]+:.+")


def host_platform() -> Platform:
    """Return the default platform: Linux on this machine's processor."""
    return Platform.parse(f"linux/{machine.machine().lower() or 'amd64'}")


def choose(
    index: Index, blobs: BlobSource, *, ref: str | None, platform: Platform | None, limits: Limits
) -> Document[Manifest]:
    """Return the manifest of the one image that is meant.

    Args:
        index: The index of a layout.
        blobs: Where its documents are.
        ref: The name or digest of an entry, or the digest of one in a nested index; None if there is only one image.
        platform: What the image is for; this machine if None.
        limits: `index_depth`, `descriptors` and the sizes of documents are held.

    Raises:
        ReferenceMissingError: No such image, or several and no name, or none for the platform; lists those there are.
        UnsupportedError: There is nothing but manifests of Docker's first schema.
        OCIError: A document on the way is missing, damaged or malformed.
    """
    chosen, images = find(index, blobs, ref=ref, platform=platform, limits=limits)
    try:
        raw = read_verified(blobs, chosen, limit="document_bytes", allowed=limits.document_bytes)
    except BlobMissingError:
        known = _platforms(images, blobs)
        if not known or chosen.platform is None:
            raise
        # Another platform's image is never taken for it: nothing would tell the caller.
        missing = ReferenceMissingError(str(chosen.platform), known, "platform")
        missing.add_note(f"the index lists {chosen.digest}, which is not there")
        raise missing from None
    return parse_manifest(raw, chosen, limits)


def find(
    index: Index, blobs: BlobSource, *, ref: str | None, platform: Platform | None, limits: Limits
) -> tuple[Descriptor, list[Descriptor]]:
    """Return what names the manifest of the one image that is meant, and all that it was chosen from; see `choose`.

    A nested index that is not there is passed over (LAY-07), as long as there is another image. Of several entries that
    say no platform their configs do; two for one platform are two images, which their digests tell apart.
    """
    search = _Search(blobs, limits)
    entries = find_by_ref(index, blobs, ref, limits)
    images = list(search.manifests(entries, None, 0))
    if [str(each.digest) for each in images] != [ref]:
        images = [each for each in images if not is_attestation(each)]
    if not images:
        if search.absent:
            raise search.absent[0]
        for each in search.others:
            refuse_schema_1(each.media_type)
        raise ReferenceMissingError(ref or "", _names(index.manifests), "image")
    if len(images) == 1 and not search.absent and (platform is None or images[0].platform is None):
        return images[0], images
    unsaid = {each.digest for each in images if each.platform is None}
    if len(unsaid) > 1:
        images = [each if each.platform else _with_platform(each, blobs, limits) for each in images]
    try:
        chosen = select(images, platform or host_platform())
    except ReferenceMissingError as error:
        error.known = _platforms(images, blobs) or error.known
        raise
    if chosen.digest in unsaid:
        same = [each for each in images if each.digest in unsaid and each.platform == chosen.platform]
        digests = tuple(dict.fromkeys(str(each.digest) for each in same))
        if len(digests) > 1:
            raise ReferenceMissingError("", digests)
    return chosen, images


def _with_platform(descriptor: Descriptor, blobs: BlobSource, limits: Limits) -> Descriptor:
    """Return an entry with the platform that its config says; as it is, where there is no config of an image."""
    try:
        raw = read_verified(blobs, descriptor, limit="document_bytes", allowed=limits.document_bytes)
        config = parse_manifest(raw, descriptor, limits).value.config
        if role_of(config.media_type) != "config":
            return descriptor
        raw = read_verified(blobs, config, limit="config_bytes", allowed=limits.config_bytes)
        return attrs.evolve(descriptor, platform=platform_of(parse_config(raw, config, limits).value))
    except BlobMissingError:
        return descriptor


def _platforms(descriptors: Sequence[Descriptor], blobs: BlobSource) -> tuple[str, ...]:
    """Return the platforms of those entries of an index that are there."""
    there = (each.platform for each in descriptors if each.platform is not None and _is_there(each, blobs))
    return tuple(dict.fromkeys(map(str, there)))


def _is_there(descriptor: Descriptor, blobs: BlobSource) -> bool:
    if descriptor.data is not None:
        return True
    try:
        blobs.open_blob(descriptor.digest).close()
    except OCIError:
        return False
    return True


def require_platform(config: ImageConfig, platform: Platform) -> None:
    """Hold an image whose index entry says nothing of a platform against the one that was asked for.

    Raises:
        ReferenceMissingError: It is for another.
    """
    select([stand_in(platform_of(config))], platform)


def stand_in(platform: Platform) -> Descriptor:
    """Return an entry of no index for an image that runs on a platform, to choose among such."""
    return Descriptor(media_type="", digest=Digest.of(b""), size=0, platform=platform)


def fits(entry: Descriptor, platform: Platform) -> bool:
    """Tell whether an entry is for a platform."""
    try:
        select([entry], platform)
    except ReferenceMissingError:
        return False
    return True


def _is_image(descriptor: Descriptor) -> bool:
    return role_of(descriptor.media_type) in {"manifest", "index"}


def _names(descriptors: Sequence[Descriptor]) -> tuple[str, ...]:
    """Return what one can call the images of an index: their names, or the digests of those without."""
    names = (own_name(each) or str(each.digest) for each in descriptors if _is_image(each))
    return tuple(dict.fromkeys(names))


def _is_called(descriptor: Descriptor, ref: str) -> bool:
    known = descriptor.annotations
    full = known.get(annotations.CONTAINERD_IMAGE_NAME)
    return ref == known.get(annotations.REF_NAME) or (
        full is not None and normalize_reference(ref) == normalize_reference(full)
    )


def find_by_ref(index: Index, blobs: BlobSource, ref: str | None, limits: Limits) -> list[Descriptor]:
    """Return the entries of the one image called `ref`: several where each is for another platform.

    Raises:
        ReferenceMissingError: There is no such image, or there are several; lists those there are.
        UnsupportedError: What is called so is a manifest of Docker's first schema.
    """
    images = [each for each in index.manifests if _is_image(each)]
    if ref is None:
        found = images or list(index.manifests)  # What is none is said when it is looked at.
    else:
        found = [each for each in images if _is_called(each, ref)] or [
            each for each in images if ref == str(each.digest)
        ]
        if not found:
            for each in index.manifests:
                if ref == str(each.digest) or _is_called(each, ref):
                    refuse_schema_1(each.media_type)
            return [_nested(index, blobs, ref, limits)]
    if images and len({own_name(each) for each in found}) > 1 and ref not in {str(each.digest) for each in found}:
        raise ReferenceMissingError("", _names(found))
    return found


def _nested(index: Index, blobs: BlobSource, ref: str, limits: Limits) -> Descriptor:
    """Return the one with the digest `ref` in the indexes that are named in an index."""
    if _DIGEST.fullmatch(ref):
        for each in _Search(blobs, limits).walk(index.manifests, None, 0):
            if str(each.digest) == ref:
                return each
    raise ReferenceMissingError(ref, _names(index.manifests))


class _Search:
    """A walk through nested indexes."""

    def __init__(self, blobs: BlobSource, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits
        self._seen = 0
        self._opened: set[Digest] = set()
        self.absent: list[BlobMissingError] = []
        """What was raised for the indexes that are not there."""
        self.others: list[Descriptor] = []
        """Entries that are neither manifest nor index."""

    def manifests(
        self, descriptors: Sequence[Descriptor], platform: Platform | None, depth: int
    ) -> Iterator[Descriptor]:
        """Yield the manifests below, each with the platform of its own entry or else of the index that it is in."""
        return (each for each in self.walk(descriptors, platform, depth) if role_of(each.media_type) == "manifest")

    def walk(self, descriptors: Sequence[Descriptor], platform: Platform | None, depth: int) -> Iterator[Descriptor]:
        """Yield the manifests and indexes below, with their platforms."""
        if depth > self._limits.index_depth:
            raise LimitError("index_depth", self._limits.index_depth, depth)
        for descriptor in descriptors:
            self._seen += 1
            if self._seen > self._limits.descriptors:
                raise LimitError("descriptors", self._limits.descriptors, self._seen)
            if not _is_image(descriptor):
                self.others.append(descriptor)
                continue
            own = descriptor.platform or platform
            yield attrs.evolve(descriptor, platform=own)
            if role_of(descriptor.media_type) == "index" and descriptor.digest not in self._opened:
                self._opened.add(descriptor.digest)
                yield from self.walk(self._entries(descriptor), own, depth + 1)

    def _entries(self, descriptor: Descriptor) -> Sequence[Descriptor]:
        limits = self._limits
        try:
            raw = read_verified(self._blobs, descriptor, limit="document_bytes", allowed=limits.document_bytes)
        except BlobMissingError as error:
            self.absent.append(error)
            return ()
        return parse_index(raw, descriptor, limits).value.manifests
