"""The choice of one image of an index: by name, then by platform.

A name is an `org.opencontainers.image.ref.name` annotation in a layout's index (ANN-07), a digest, or the full name
that containerd and Docker write, with or without Docker's defaults. If an entry has a full name, its `ref.name` is only
a tag, which several images may share (DSV-05). Nested indexes are searched down to their manifests, within limits and
each once; entries of unknown types are skipped (IDX-07). `spec.platform_selection` decides which platform matches best.
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
from oci_layers.spec.mediatype import is_document, role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, own_name, select
from oci_layers.store.diagnose import refuse_schema_1
from oci_layers.store.name import normalize_reference

__all__ = [
    "Search",
    "choose",
    "entries_of",
    "find",
    "find_by_ref",
    "fits",
    "host_platform",
    "keys_of",
    "matching",
    "name_key",
    "names_of",
    "one_image",
    "require_platform",
    "stand_in",
    "with_platform",
]

NameKey = tuple[str, str]
"""Which of its two names an entry has, and that name."""

_DIGEST = re.compile("[a-z0-9+._-]+:.+")


def host_platform() -> Platform:
    """Return the default platform: Linux on this machine's architecture."""
    return Platform.parse(f"linux/{machine.machine().lower() or 'amd64'}")


def choose(
    index: Index, blobs: BlobSource, *, ref: str | None, platform: Platform | None, limits: Limits
) -> Document[Manifest]:
    """Return the manifest of one image, chosen by name and platform.

    Args:
        index: The index of a layout.
        blobs: The source of its documents.
        ref: The name or digest of an entry, or the digest of an entry of a nested index; None for the only image.
        platform: The platform of the image; Linux on this machine if None.
        limits: `index_depth`, `descriptors` and the sizes of documents are enforced.

    Raises:
        ReferenceMissingError: No such image, several without a name, or none for the platform; lists those that exist.
        UnsupportedError: There are only manifests of Docker's first schema.
        OCIError: A document that was read is missing, damaged or malformed.
    """
    chosen, images = find(index, blobs, ref=ref, platform=platform, limits=limits)
    try:
        raw = read_verified(blobs, chosen, limit="document_bytes", allowed=limits.document_bytes)
    except BlobMissingError:
        known = _platforms(images, blobs)
        if not known or chosen.platform is None:
            raise
        # Never replaced by another platform's image: the caller would not notice.
        missing = ReferenceMissingError(str(chosen.platform), known, "platform")
        missing.add_note(f"the index lists {chosen.digest}, which is not there")
        raise missing from None
    return parse_manifest(raw, chosen, limits)


def find(
    index: Index, blobs: BlobSource, *, ref: str | None, platform: Platform | None, limits: Limits
) -> tuple[Descriptor, list[Descriptor]]:
    """Return the descriptor of the manifest of one image, and all candidates; see `choose`.

    A nested index that is missing is skipped (LAY-07) if there is another image. If several entries have no platform,
    their configs give it; two such entries for one platform are two images, and the error lists their digests.
    """
    search = Search(blobs, limits)
    entries = find_by_ref(index, blobs, ref, limits)
    images = list(search.manifests(entries, None, 0))
    if [str(each.digest) for each in images] != [ref]:
        images = [each for each in images if not is_attestation(each)]
    if not images:
        if search.absent:
            raise search.absent[0]
        for each in search.others:
            refuse_schema_1(each.media_type)
        raise ReferenceMissingError(ref or "", names_of(_images(index)), "image")
    if len(images) == 1 and not search.absent and (platform is None or images[0].platform is None):
        return images[0], images
    unsaid = {each.digest for each in images if each.platform is None}
    if len(unsaid) > 1:
        images = [each if each.platform else with_platform(each, blobs, limits) for each in images]
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


def with_platform(descriptor: Descriptor, blobs: BlobSource, limits: Limits) -> Descriptor:
    """Return an entry with the platform in its config; unchanged if there is no image config."""
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
    """Return the platforms of those entries whose content exists."""
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
    """Check that an image is for a platform, if its index entry has no platform.

    Raises:
        ReferenceMissingError: The image is for another platform.
    """
    select([stand_in(platform_of(config))], platform)


def stand_in(platform: Platform) -> Descriptor:
    """Return a placeholder entry with a platform, as input for `select`."""
    return Descriptor(media_type="", digest=Digest.of(b""), size=0, platform=platform)


def fits(entry: Descriptor, platform: Platform) -> bool:
    """Tell whether an entry matches a platform."""
    try:
        select([entry], platform)
    except ReferenceMissingError:
        return False
    return True


def _images(index: Index) -> list[Descriptor]:
    return [each for each in index.manifests if is_document(each.media_type)]


def names_of(descriptors: Sequence[Descriptor]) -> tuple[str, ...]:
    """Return references to the entries of an index: their names, or digests if they have no name."""
    return tuple(dict.fromkeys(own_name(each) or str(each.digest) for each in descriptors))


def matching(descriptors: Sequence[Descriptor], ref: str, *, names_only: bool = False) -> list[int]:
    """Return the positions of the entries with a name, or else with a digest; with `names_only`, not by digest.

    The tag that containerd and Docker write beside a full name counts only if no entry has it as its whole name.
    """
    keys = keys_of(ref)
    whole = [at for at, each in enumerate(descriptors) if name_key(each) in keys]
    if names_only:
        return whole
    return (
        whole
        or [at for at, each in enumerate(descriptors) if each.annotations.get(annotations.REF_NAME) == ref]
        or [at for at, each in enumerate(descriptors) if str(each.digest) == ref]
    )


def name_key(descriptor: Descriptor) -> NameKey | None:
    """Return what the whole name of an entry is compared by; None if it has none."""
    full = descriptor.annotations.get(annotations.CONTAINERD_IMAGE_NAME)
    if full is not None:
        return "full", normalize_reference(full)
    ref = descriptor.annotations.get(annotations.REF_NAME)
    return None if ref is None else ("ref", ref)


def keys_of(ref: str) -> tuple[NameKey, NameKey]:
    """Return the keys of the entries that have a name."""
    return ("full", normalize_reference(ref)), ("ref", ref)


def find_by_ref(index: Index, blobs: BlobSource, ref: str | None, limits: Limits) -> list[Descriptor]:
    """Return the entries of the one image with the name `ref`: several if each is for another platform.

    Raises:
        ReferenceMissingError: There is no such image, or there are several; the error lists the existing ones.
        UnsupportedError: The entry with this name is a manifest of Docker's first schema.
    """
    images = _images(index)
    if ref is None:
        found = images or list(index.manifests)  # `find` raises for entries that are no images.
    else:
        found = [images[at] for at in matching(images, ref)]
        if not found:
            for at in matching(index.manifests, ref):
                refuse_schema_1(index.manifests[at].media_type)
            return [_nested(index, images, blobs, ref, limits)]
    if images and len({own_name(each) for each in found}) > 1 and ref not in {str(each.digest) for each in found}:
        raise ReferenceMissingError("", names_of(found))
    return found


def entries_of(index: Index, blobs: BlobSource, ref: str | None, limits: Limits) -> list[Descriptor]:
    """Return the entries of an index with a name or a digest, also of a nested index by its digest; all without `ref`.

    Raises:
        ReferenceMissingError: There is no such entry; the error lists the existing ones.
    """
    if ref is None:
        return list(index.manifests)
    found = [index.manifests[at] for at in matching(index.manifests, ref)]
    return found or [_nested(index, index.manifests, blobs, ref, limits)]


def one_image(entries: Sequence[Descriptor], ref: str | None) -> list[Descriptor]:
    """Return the entries of one image, each content once.

    Args:
        entries: What `entries_of` returned for `ref`.
        ref: A name or a digest; None requires that there is one image.

    Raises:
        ReferenceMissingError: There are several, or none; the error lists the existing ones.
    """
    known = names_of(entries)
    if not entries or (ref is None and len(known) > 1):
        raise ReferenceMissingError("", known)
    found: dict[Digest, Descriptor] = {}
    for each in entries:
        found.setdefault(each.digest, each)
    return list(found.values())


def _nested(index: Index, known: Sequence[Descriptor], blobs: BlobSource, ref: str, limits: Limits) -> Descriptor:
    """Return the entry with the digest `ref`, searched in nested indexes; an error lists the `known` entries."""
    if _DIGEST.fullmatch(ref):
        for each in Search(blobs, limits).walk(index.manifests, None, 0):
            if str(each.digest) == ref:
                return each
    raise ReferenceMissingError(ref, names_of(known))


class Search:
    """A walk through nested indexes."""

    def __init__(self, blobs: BlobSource, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits
        self._seen = 0
        self._opened: set[Digest] = set()
        self.absent: list[BlobMissingError] = []
        """The errors for missing indexes."""
        self.others: list[Descriptor] = []
        """Entries that are neither manifest nor index."""

    def restart(self) -> None:
        """Open indexes again that were opened; descriptors go on counting."""
        self._opened.clear()
        self.absent.clear()

    def manifests(
        self, descriptors: Sequence[Descriptor], platform: Platform | None, depth: int
    ) -> Iterator[Descriptor]:
        """Yield the manifests, nested ones too, each with the platform of its entry or else of the enclosing index."""
        return (each for each in self.walk(descriptors, platform, depth) if role_of(each.media_type) == "manifest")

    def walk(self, descriptors: Sequence[Descriptor], platform: Platform | None, depth: int) -> Iterator[Descriptor]:
        """Yield the manifests and indexes, nested ones too, with their platforms."""
        if depth > self._limits.index_depth:
            raise LimitError("index_depth", self._limits.index_depth, depth)
        for descriptor in descriptors:
            self._seen += 1
            if self._seen > self._limits.descriptors:
                raise LimitError("descriptors", self._limits.descriptors, self._seen)
            if not is_document(descriptor.media_type):
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
