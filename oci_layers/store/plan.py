"""What of an image is copied: its documents, read and chosen by platform, and the blobs that they list."""

from collections.abc import Iterator, Sequence

import attrs

from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.errors import BlobMissingError, LimitError
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_config
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import is_document, role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, select
from oci_layers.store.graph import Node, children, read_node
from oci_layers.store.select import Search, require_platform, with_platform

__all__ = ["Plan", "Planned"]


@attrs.define
class Planned:
    """A descriptor that is to be copied, with the document and the children that it leads to."""

    descriptor: Descriptor
    node: Node | None = None
    children: list["Planned"] = attrs.field(factory=list)

    def walk(self) -> Iterator["Planned"]:
        """Yield this and all below, children first."""
        for each in self.children:
            yield from each.walk()
        yield self


class Plan:
    """What is copied of one image. Holds its documents."""

    def __init__(
        self,
        blobs: BlobSource,
        limits: Limits,
        entries: Sequence[Descriptor],
        platforms: Sequence[Platform] = (),
    ) -> None:
        """Read the documents of an image: of one platform, of several with their index, or of all.

        Raises:
            ReferenceMissingError: There is no image for one of the platforms.
            OCIError: A document is missing, damaged, malformed or too large.
        """
        self._blobs = blobs
        self._limits = limits
        self._platforms = platforms
        self._kept: set[Digest] | None = None
        self._seen = 0
        self._planned_before: set[tuple[Digest, int, str]] = set()
        self._absent: list[BlobMissingError] = []
        self._is_empty = True
        self.missing: list[Descriptor] = []
        """What the source does not have and an index may list all the same."""
        self.roots = [self._planned(each, 0) for each in (self._choose(entries) if platforms else entries)]
        """The entries to write, with what they lead to."""
        if self._absent and self._is_empty:
            raise self._absent[0]

    def _choose(self, entries: Sequence[Descriptor]) -> Sequence[Descriptor]:
        """Return the manifest for the only platform; for several, note which to keep, and return those and indexes."""
        below = list(Search(self._blobs, self._limits).manifests(entries, None, 0))
        images = [each for each in below if not is_attestation(each)]
        known = images
        if len({each.digest for each in images if each.platform is None}) > 1:
            known = [each if each.platform else with_platform(each, self._blobs, self._limits) for each in images]
        chosen = [images[known.index(select(known, platform))] for platform in self._platforms]
        for each, platform in zip(chosen, self._platforms, strict=True):
            if each.platform is None:
                self._require(each, platform)
        if len(chosen) == 1:
            return chosen
        kept = {each.digest for each in chosen}
        about = {str(each) for each in kept}
        kept |= {each.digest for each in below if each.annotations.get(annotations.DOCKER_REFERENCE_DIGEST) in about}
        self._kept = kept
        return [each for each in entries if role_of(each.media_type) == "index" or each.digest in kept]

    def _require(self, descriptor: Descriptor, platform: Platform) -> None:
        """Check the platform in the config of an image, if its entry says none."""
        node = read_node(self._blobs, descriptor, self._limits)
        if isinstance(node.value, Manifest) and role_of(node.value.config.media_type) == "config":
            config = node.value.config
            raw = read_verified(self._blobs, config, limit="config_bytes", allowed=self._limits.config_bytes)
            require_platform(parse_config(raw, config, self._limits).value, platform)

    def _planned(self, descriptor: Descriptor, depth: int) -> Planned:
        self._seen += 1
        if self._seen > self._limits.descriptors:
            raise LimitError("descriptors", self._limits.descriptors, self._seen)
        if depth > self._limits.index_depth:
            raise LimitError("index_depth", self._limits.index_depth, depth)
        if not is_document(descriptor.media_type):
            self._is_empty = False
            return Planned(descriptor)
        node = read_node(self._blobs, descriptor, self._limits)
        self._planned_before.add(_key(descriptor))
        below = [each for _, each in children(node)]
        if isinstance(node.value, Manifest):
            self._is_empty = False
            return Planned(descriptor, node, [Planned(each) for each in below])
        return Planned(descriptor, node, self._planned_below(below, depth))

    def _planned_below(self, below: Sequence[Descriptor], depth: int) -> list[Planned]:
        """Return the plans for what an index lists; what was planned already comes before, and is left out."""
        planned = []
        for each in below:
            if self._kept is not None and role_of(each.media_type) != "index" and each.digest not in self._kept:
                continue
            if _key(each) in self._planned_before:
                continue
            try:
                planned.append(self._planned(each, depth + 1))
            except BlobMissingError as error:
                self._absent.append(error)
                self.missing.append(each)
        return planned


def _key(descriptor: Descriptor) -> tuple[Digest, int, str]:
    return descriptor.digest, descriptor.size, descriptor.media_type
