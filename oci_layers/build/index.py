"""An index as a value: images for several platforms, and other content, under one name.

Its entries are descriptors of what is in the target, or images, artifacts and indexes that are written with it, before
it. An index that was read keeps its unknown fields, and its bytes if nothing changes; what its entries lead to is
copied where the target lacks it.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from oci_layers.blob.store import BlobSource, BlobStore, put_bytes
from oci_layers.build.begin import edit
from oci_layers.build.fields import JSONObject, merged, with_field, without_field
from oci_layers.build.output import Counted
from oci_layers.build.stack import Counter
from oci_layers.errors import BlobMissingError, LimitError
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec import annotations as keys
from oci_layers.spec.codec import dumps, structure, unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import DOCKER_MANIFEST_LIST, OCI_INDEX
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, select
from oci_layers.spec.strict_json import load_json
from oci_layers.store.archive_repository import DockerRepository
from oci_layers.store.convert import Format
from oci_layers.store.graph import open_content
from oci_layers.store.open import open_image
from oci_layers.store.plan import Plan, Planned
from oci_layers.store.repository import Repository, WritableRepository, named
from oci_layers.store.select import Search, one_image, with_platform

__all__ = ["NewIndex", "Writable"]

_TYPES: Mapping[Format, str] = {"oci": OCI_INDEX, "docker": DOCKER_MANIFEST_LIST}


class Writable(Protocol):
    """What is written together with an index: a `NewImage`, a `NewArtifact`, another `NewIndex`."""

    @property
    def platform(self) -> Platform | None:
        """The platform of its entry."""
        ...

    def put(self, blobs: BlobStore) -> Descriptor:
        """Store it and all that it leads to, and return its descriptor."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class _Entry:
    """One entry: an image to write, or a descriptor, perhaps of what is to be copied from `source`."""

    content: Writable | Descriptor
    node: JSONObject | None = None
    """Its JSON in the index that was read."""
    platform: Platform | None = None
    """Its platform, in place of that of the image."""
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    source: BlobSource | None = None

    def stand_in(self) -> Descriptor:
        """Return a descriptor with the platform and the annotations, for the choice by platform."""
        found = self.content if isinstance(self.content, Descriptor) else Descriptor.of(b"", media_type="")
        return attrs.evolve(
            found,
            platform=self.platform or self.content.platform,
            annotations={**found.annotations, **self.annotations},
        )

    def is_replaced_by(self, image: Descriptor) -> bool:
        """Tell whether an image is for the same platform, or the same content."""
        known = self.stand_in()
        if image.platform is None or is_attestation(image) or is_attestation(known):
            return isinstance(self.content, Descriptor) and known.digest == image.digest
        return known.platform == image.platform

    def planned(self, limits: Limits) -> Planned | None:
        """Return what is to be copied; None if nothing is, as for an entry that is not in the source."""
        if self.source is None or not isinstance(self.content, Descriptor):
            return None
        try:
            (planned,) = Plan(self.source, limits, [self.content]).roots
        except BlobMissingError as error:
            if error.digest != str(self.content.digest):
                raise
            return None
        return planned

    def write(self, blobs: BlobStore, planned: Planned | None, on_bytes: Callable[[int], None]) -> JSONObject:
        """Store what the entry leads to, and return its JSON."""
        content = self.content
        if not isinstance(content, Descriptor):
            content = content.put(blobs)
            on_bytes(content.size)
        elif self.source is not None:
            _copy(planned, self.source, blobs, on_bytes)
        elif not blobs.reuse_blob(content):
            raise BlobMissingError(str(content.digest))
        if self.node is not None:
            return self.node
        found = {**content.annotations, **self.annotations}
        return unstructure(attrs.evolve(content, platform=self.platform or content.platform, annotations=found))


@attrs.frozen(kw_only=True, eq=False)
class NewIndex:
    """An index that can be written: made by `of` or `edit`, and by the methods of another. Never changed."""

    index_json: JSONObject
    """The index, with the entries of the one that was read."""
    media_type: str = OCI_INDEX
    """Its media type."""
    entries: tuple[_Entry, ...] = ()
    base: Document[Index] | None = attrs.field(default=None, repr=False)
    """The document that is written as it is if nothing of it changes."""
    limits: Limits = attrs.field(factory=Limits, repr=False)

    @classmethod
    def of(
        cls,
        *children: Writable | Descriptor,
        annotations: Mapping[str, str] | None = None,
        format: Format = "oci",  # noqa: A002  # as in Conversion
    ) -> "NewIndex":
        """Return an index.

        Args:
            children: As for `append`.
            annotations: Those of the index.
            format: The family of its media type.
        """
        media_type = _TYPES[format]
        new = cls(index_json={"schemaVersion": 2, "mediaType": media_type, "manifests": []}, media_type=media_type)
        return new.append(*children).annotate(annotations or {})

    @classmethod
    def edit(cls, document: Document[Index], blobs: BlobSource, *, limits: Limits | None = None) -> "NewIndex":
        """Return an index that is equal to one that was read, to be changed.

        Args:
            document: The index.
            blobs: Where its entries lead to. An entry that is not there is kept, as an index may list what a store does
                not have (LAY-07).
            limits: The limits on documents.

        Raises:
            DocumentError: The document is malformed.
        """
        limits = limits or Limits()
        media_type = document.descriptor.media_type
        loaded = load_json(document.raw, media_type=media_type, limits=limits)
        entries = tuple(
            _Entry(content=descriptor, node=node, source=blobs)
            for descriptor, node in zip(document.value.manifests, loaded["manifests"], strict=True)
        )
        return cls(index_json=loaded, media_type=media_type, entries=entries, base=document, limits=limits)

    @property
    def platform(self) -> None:
        """None: an index is for several platforms."""
        return

    def append(
        self,
        *children: Writable | Descriptor,
        platform: str | Platform | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> "NewIndex":
        """Return the index with further entries at its end.

        Args:
            children: Images, artifacts and indexes to write with it; or descriptors of what is in the target.
            platform: The platform of the entries; by default that of each image.
            annotations: Further annotations of the entries.
        """
        wanted = Platform.parse(platform) if isinstance(platform, str) else platform
        new = [_Entry(content=child, platform=wanted, annotations=annotations or {}) for child in children]
        return attrs.evolve(self, entries=(*self.entries, *new))

    def update(self, source: Repository, ref: str | None = None, *, limits: Limits | None = None) -> "NewIndex":
        """Return the index with the images that a place has under one name, as `dict.update` does by platform.

        An image takes the place of those for the very same platform and of their attestations; an artifact that of
        itself. An index under the name gives all of its entries, nested ones too. An image without a platform gets that
        of its config. Of a Docker archive, which stores no manifests, OCI ones are made.

        Args:
            source: The place, which must be open until the index is written.
            ref: The name or digest there; None for the only image.
            limits: The limits on documents; those of the index by default.

        Raises:
            ReferenceMissingError: There is no such image, or there are several; the error lists those that exist.
            OCIError: A document is missing, damaged or malformed.
        """
        limits = limits or self.limits
        images = _images(source, ref, limits)
        gone = [entry for entry in self.entries if any(map(entry.is_replaced_by, images))]
        about = {str(entry.content.digest) for entry in gone if isinstance(entry.content, Descriptor)}
        kept = [
            entry
            for entry in self.entries
            if entry not in gone and entry.stand_in().annotations.get(keys.DOCKER_REFERENCE_DIGEST) not in about
        ]
        return attrs.evolve(self, entries=(*kept, *(_of_place(source, each, limits) for each in images)))

    def filter(self, *platforms: str | Platform) -> "NewIndex":
        """Return the index with the entry that fits best for each of some platforms, and the attestations of these.

        Raises:
            ReferenceMissingError: There is none for a platform; the error lists those that exist.
            NameFormatError: A platform is malformed.
        """
        stand_ins = [entry.stand_in() for entry in self.entries]
        wanted = [Platform.parse(each) if isinstance(each, str) else each for each in platforms]
        chosen = [select(stand_ins, each) for each in wanted]
        digests = {str(each.digest) for each in chosen}
        kept = [
            entry
            for entry, known in zip(self.entries, stand_ins, strict=True)
            if any(known is each for each in chosen)
            or (is_attestation(known) and known.annotations.get(keys.DOCKER_REFERENCE_DIGEST) in digests)
        ]
        return attrs.evolve(self, entries=tuple(kept))

    def annotate(self, annotations: Mapping[str, str | None]) -> "NewIndex":
        """Return the index with annotations of its own, merged by key; the value None removes one."""
        found = merged(self.index_json.get("annotations"), annotations)
        index = without_field(self.index_json, "annotations")
        if found:
            index = with_field("index", self.index_json, "annotations", found)
        return attrs.evolve(self, index_json=index)

    def write(
        self,
        target: WritableRepository,
        ref: str | None = None,
        *,
        on_entry: Callable[[Descriptor], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Descriptor:
        """Write what the entries lead to, then the index, and give it a name; return its descriptor.

        Args:
            target: The store.
            ref: The name; None lists the index without one.
            on_entry: Called with each entry once all that it leads to is stored. An exception ends the call.
            progress: Called after each piece that is stored, with the number of the entry as that of a layer.

        Raises:
            BlobMissingError: A descriptor is of what the target does not have.
            OCIError: As the children raise.
            OSError: The target cannot be written.
        """
        with target.lease():
            descriptor = self.put(target.blobs, on_entry=on_entry, progress=progress)
            target.tag(ref, descriptor)
        return descriptor

    def put(
        self,
        blobs: BlobStore,
        *,
        on_entry: Callable[[Descriptor], None] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Descriptor:
        """Store the index and what it leads to without a name, as `write` does; the caller holds a lease."""
        plans = [entry.planned(self.limits) for entry in self.entries]
        counter = Counter(list(map(_size, self.entries, plans)), progress)
        manifests = []
        for entry, planned in counter.each(list(zip(self.entries, plans, strict=True))):
            manifests.append(entry.write(blobs, planned, counter.on_bytes))
            if on_entry is not None:
                on_entry(structure(manifests[-1], Descriptor, media_type=self.media_type))
        index = {**self.index_json, "manifests": manifests}
        if self.base is not None and index == load_json(self.base.raw, media_type=self.media_type, limits=self.limits):
            raw, old = self.base.raw, self.base.descriptor
            new = Descriptor(media_type=self.media_type, digest=old.digest, size=old.size)
        else:
            raw = dumps(index)
            new = Descriptor.of(raw, media_type=self.media_type)
        if len(raw) > self.limits.document_bytes:
            raise LimitError("document_bytes", self.limits.document_bytes, len(raw))
        put_bytes(blobs, raw, new)
        return new


def _images(source: Repository, ref: str | None, limits: Limits) -> list[Descriptor]:
    """Return the manifests that a place has under one name, each once and with its platform if it has one."""
    below = Search(source.blobs, limits).manifests(one_image(source.entries(ref), ref), None, 0)
    found: dict[tuple[Digest, Platform | None], Descriptor] = {}
    for each in below:
        known = each if each.platform is not None else with_platform(each, source.blobs, limits)
        found.setdefault((known.digest, known.platform), named(known, None))
    return list(found.values())


def _of_place(source: Repository, image: Descriptor, limits: Limits) -> _Entry:
    if not isinstance(source, DockerRepository):
        return _Entry(content=image, source=source.blobs)
    opened = open_image(source, ref=str(image.digest), platform=image.platform, limits=limits)
    return _Entry(content=edit(opened, format="oci"))


def _copy(planned: Planned | None, source: BlobSource, blobs: BlobStore, on_bytes: Callable[[int], None]) -> None:
    """Copy what an entry leads to, children first."""
    for each in planned.walk() if planned is not None else ():
        descriptor = each.descriptor
        if each.node is not None:
            put_bytes(blobs, each.node.raw, descriptor)
            on_bytes(descriptor.size)
        elif blobs.reuse_blob(descriptor) or (stream := open_content(source, descriptor, blobs)) is None:
            on_bytes(descriptor.size)
        else:
            blobs.put_blob(Counted(stream, on_bytes), descriptor)


def _size(entry: _Entry, planned: Planned | None) -> int | None:
    """Return the bytes that an entry leads to; None of what is made when it is written."""
    if not isinstance(entry.content, Descriptor):
        return None
    return sum(each.descriptor.size for each in planned.walk()) if planned is not None else 0
