"""Places that hold images, as one interface: a layout, an archive, memory; what `copy`, `fsck` and others need of them.

A repository has blobs and a list of entries. An entry is a descriptor of a manifest, an index or anything else; its
name is the `org.opencontainers.image.ref.name` annotation (ANN-07, LAY-09), and one without is found by its digest.
"""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import attrs

from oci_layers.blob.store import BlobSource, BlobStore
from oci_layers.errors import BlobMissingError
from oci_layers.spec import annotations
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = [
    "BatchTagger",
    "ReferrerSource",
    "Repository",
    "Tagged",
    "WritableRepository",
    "named",
    "require_blobs",
    "tag_all",
]


class Repository(Protocol):
    """A place that holds images. Several threads may call it at once."""

    place: str
    """The name of the place, for messages."""

    @property
    def blobs(self) -> BlobSource:
        """The blobs, documents among them."""
        ...

    def entries(self, ref: str | None = None) -> Sequence[Descriptor]:
        """Return the entries of one image, or all, in the order of the place.

        Args:
            ref: A name or a digest. Several entries may have one name: each is for another platform.

        Raises:
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
        """
        ...

    def close(self) -> None:
        """Close the place; idempotent."""
        ...


class WritableRepository(Repository, Protocol):
    """A place to which images are written: the blobs first, children before the documents that list them."""

    @property
    def blobs(self) -> BlobStore:
        """The blobs, documents among them."""
        ...

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give an image a name, in place of the entries that have it; atomically.

        Args:
            ref: The name; None lists the image without one.
            descriptor: The manifest or index, whose blob exists.
            others: Further entries of the same name, each for another platform.

        Raises:
            BlobMissingError: The blob of a descriptor does not exist.
        """
        ...

    def untag(self, ref: str) -> None:
        """Remove the entries with a name or a digest; their blobs stay.

        Raises:
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
        """
        ...

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which no blob that is stored or reused is deleted, whether referred to or not."""
        ...


@runtime_checkable
class ReferrerSource(Protocol):
    """What a `Repository` may have besides: it knows what refers to a document, so its entries need not be read."""

    def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """Return the descriptors of the manifests whose subject has a digest."""
        ...


Tagged = tuple[str | None, Sequence[Descriptor]]
"""A name, None for none, and the entries that get it."""


@runtime_checkable
class BatchTagger(Protocol):
    """What a `WritableRepository` may have besides: many names are given at the cost of one."""

    def tag_all(self, images: Iterable[Tagged]) -> None:
        """Do what `tag` does for each image, in their order; atomically for all of them.

        Raises:
            BlobMissingError: The blob of a descriptor does not exist.
        """
        ...


def tag_all(target: WritableRepository, images: Iterable[Tagged]) -> None:
    """Give each of many images its name: in one step if the repository is a `BatchTagger`, otherwise one by one.

    Raises:
        BlobMissingError: The blob of a descriptor does not exist.
    """
    if isinstance(target, BatchTagger):
        target.tag_all(images)
        return
    for ref, descriptors in images:
        target.tag(ref, *descriptors)


def require_blobs(blobs: BlobStore, descriptors: Iterable[Descriptor]) -> None:
    """Check that what gets a name exists, or is embedded in its descriptor.

    Raises:
        BlobMissingError: A blob does not exist.
    """
    for each in descriptors:
        if each.data is None and not blobs.has_blob(each.digest):
            raise BlobMissingError(str(each.digest))


def named(descriptor: Descriptor, ref: str | None) -> Descriptor:
    """Return a descriptor as the entry with a name, or with none; its other annotations are kept.

    The full name that containerd and Docker write beside it would be another name of the entry, so it is left out.
    """
    names = {annotations.REF_NAME, annotations.CONTAINERD_IMAGE_NAME}
    kept = {key: value for key, value in descriptor.annotations.items() if key not in names}
    return attrs.evolve(descriptor, annotations=kept if ref is None else {**kept, annotations.REF_NAME: ref})
