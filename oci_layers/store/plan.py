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
from oci_layers.spec.mediatype import role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, select
from oci_layers.store.graph import Node, children, is_document, read_node
from oci_layers.store.select import Search, require_platform

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
    """Reads the documents of one entry, and decides what of it is copied."""

    def __init__(self, blobs: BlobSource, limits: Limits, platforms: Sequence[Platform]) -> None:
        self._blobs = blobs
        self._limits = limits
        self._platforms = platforms
        self._kept: set[Digest] | None = None
        self._seen = 0
        self.missing: list[Descriptor] = []
        """What the source does not have and an index may list all the same."""

    def of(self, entry: Descriptor) -> tuple[Planned, list[Descriptor]]:
        """Return the plan for an entry, and what is missing in it."""
        if self._platforms:
            entry = self._choose(entry)
        return self._planned(entry, 0), self.missing

    def _choose(self, entry: Descriptor) -> Descriptor:
        """Return the manifest for the only platform; for several, note which manifests to keep, and return `entry`."""
        below = list(Search(self._blobs, self._limits).manifests([entry], None, 0))
        images = [each for each in below if not is_attestation(each)]
        chosen = [select(images, platform) for platform in self._platforms]
        for each, platform in zip(chosen, self._platforms, strict=True):
            if each.platform is None:
                self._require(each, platform)
        if len(chosen) == 1:
            return chosen[0]
        kept = {each.digest for each in chosen}
        about = {str(each) for each in kept}
        kept |= {each.digest for each in below if each.annotations.get(annotations.DOCKER_REFERENCE_DIGEST) in about}
        self._kept = kept
        return entry

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
        if not is_document(descriptor):
            return Planned(descriptor)
        node = read_node(self._blobs, descriptor, self._limits)
        below = [each for _, each in children(node)]
        if isinstance(node.value, Manifest):
            return Planned(descriptor, node, [Planned(each) for each in below])
        planned, absent = [], None
        for each in below:
            if self._kept is not None and role_of(each.media_type) != "index" and each.digest not in self._kept:
                continue
            try:
                planned.append(self._planned(each, depth + 1))
            except BlobMissingError as error:
                if error.digest != str(each.digest):
                    raise
                absent = error
                self.missing.append(each)
        if absent is not None and not planned:
            raise absent
        return Planned(descriptor, node, planned)
