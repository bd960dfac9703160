"""Images in memory, as a repository: for tests, and for an image that is made and passed on without a file."""

import contextlib
import threading
from collections.abc import Iterable

from oci_layers.blob.store import MemoryBlobs
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.store.files import parse_index_file
from oci_layers.store.index_file import EMPTY_INDEX, tagged, untagged
from oci_layers.store.repository import Tagged, require_blobs
from oci_layers.store.select import entries_of

__all__ = ["MemoryRepository"]


class MemoryRepository:
    """A `WritableRepository` in memory, whole blobs too. Any number of threads may use it at once."""

    def __init__(self, place: str = "memory", *, limits: Limits | None = None) -> None:
        """Make an empty repository.

        Args:
            place: Its name in messages.
            limits: The limits on documents.
        """
        self.place = place
        self._limits = limits or Limits()
        self._blobs = MemoryBlobs()
        self._index = EMPTY_INDEX
        self._lock = threading.Lock()

    @property
    def blobs(self) -> MemoryBlobs:
        """The blobs, documents among them."""
        return self._blobs

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all; see `Repository.entries`."""
        return entries_of(parse_index_file(self._index, self._limits), self._blobs, ref, self._limits)

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give an image a name, in place of the entries that have it; see `WritableRepository.tag`.

        Raises:
            NameFormatError: `ref` cannot be a name.
            BlobMissingError: The blob of a descriptor does not exist.
        """
        self.tag_all([(ref, (descriptor, *others))])

    def tag_all(self, images: Iterable[Tagged]) -> None:
        """Give each of many images its name, in one step; see `BatchTagger`.

        Raises:
            NameFormatError: A name is none.
            BlobMissingError: The blob of a descriptor does not exist.
        """
        given = list(images)
        for _, descriptors in given:
            require_blobs(self._blobs, descriptors)
        with self._lock:
            self._index = tagged(self._index, given, self._limits)

    def untag(self, ref: str) -> None:
        """Remove the entries with a name or a digest; their blobs stay.

        Raises:
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
        """
        with self._lock:
            self._index = untagged(self._index, ref, self._limits)

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that does nothing, as nothing deletes blobs unasked."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Do nothing: a repository in memory lasts as long as its object."""
