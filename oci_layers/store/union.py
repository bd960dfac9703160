"""Several repositories as one, such as a cache in front of another place: the first is written to, all are read."""

import contextlib
from collections.abc import Iterable

from oci_layers.blob.union import UnionBlobs
from oci_layers.errors import ReferenceMissingError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.repository import Repository, Tagged, WritableRepository, tag_all

__all__ = ["Union"]


class Union:
    """A `WritableRepository` in front of others, which it owns: closing it closes all of them.

    A name means the image that the first repository with this name gives it. What is written goes to the first one, so
    an image can be tagged once its blobs are there: `reuse_blob` tells what is, `has_blob` what is anywhere.
    """

    def __init__(self, first: WritableRepository, *others: Repository) -> None:
        """Join repositories.

        Args:
            first: What is written goes here.
            others: Only read, in this order.
        """
        self.place = first.place
        self._first = first
        self._all: tuple[Repository, ...] = (first, *others)
        self._blobs = UnionBlobs(first.blobs, *(each.blobs for each in others))

    @property
    def blobs(self) -> UnionBlobs:
        """The blobs of all; those that are put go to the first."""
        return self._blobs

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all: those of the first, then what the others have beside.

        An entry of another repository is left out if an earlier one has its name, or its digest if it has no name.

        Raises:
            ReferenceMissingError: None of them has such an entry; the error lists the existing ones.
        """
        if ref is None:
            return self._merged()
        known: dict[str, None] = {}
        for each in self._all:
            try:
                return list(each.entries(ref))
            except ReferenceMissingError as error:
                known |= dict.fromkeys(error.known)
        raise ReferenceMissingError(ref, tuple(known))

    def _merged(self) -> list[Descriptor]:
        found: list[Descriptor] = []
        for repository in self._all:
            names = {own_name(each) for each in found} - {None}
            digests = {each.digest for each in found}
            for each in repository.entries():
                name = own_name(each)
                if each.digest not in digests if name is None else name not in names:
                    found.append(each)
        return found

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give an image a name in the first repository; see `WritableRepository.tag`.

        Raises:
            BlobMissingError: The blob of a descriptor does not exist in the first repository.
        """
        self._first.tag(ref, descriptor, *others)

    def tag_all(self, images: Iterable[Tagged]) -> None:
        """Give each of many images its name in the first repository; see `BatchTagger`.

        Raises:
            BlobMissingError: The blob of a descriptor does not exist in the first repository.
        """
        tag_all(self._first, images)

    def untag(self, ref: str) -> None:
        """Remove the entries with a name or a digest from the first repository; another may have them still.

        Raises:
            ReferenceMissingError: There is no such entry in the first repository.
        """
        self._first.untag(ref)

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Return a lease of the first repository; see `WritableRepository.lease`."""
        return self._first.lease()

    def close(self) -> None:
        """Close all repositories."""
        with contextlib.ExitStack() as stack:
            for each in reversed(self._all):
                stack.callback(each.close)
