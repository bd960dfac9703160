"""A place in front of another one: what is read of its images is kept in a layout, and read from there again."""

import os
from collections.abc import Callable, Sequence

from oci_layers._closing import Closing
from oci_layers.blob.read_through import ReadThrough
from oci_layers.blob.store import BlobSource
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.store.layout import Layout
from oci_layers.store.repository import ReferrerSource, Repository

__all__ = ["Cached"]


class Cached(Closing):
    """A `Repository` whose blobs are kept as they are read. Any number of processes may share the layout.

    Names are those of the place behind it, and asked for each time. The layout lists no image, so `gc` deletes what was
    not read lately. As a context manager, it closes itself.
    """

    def __init__(self, source: Repository, directory: str | os.PathLike[str]) -> None:
        """Put a layout in front of a place.

        Args:
            source: The place, which is closed with this object.
            directory: The layout, which is made if it does not exist.

        Raises:
            StoreError: The directory is not empty and not a layout.
            OSError: It cannot be made.
        """
        self.place = source.place
        self._source = source
        self._layout = Layout.create(directory, exist_ok=True)
        self._blobs = ReadThrough(source.blobs, self._layout.own_blobs)
        if isinstance(source, ReferrerSource):
            self.referrers: Callable[[Digest], Sequence[Descriptor]] = source.referrers

    @property
    def blobs(self) -> BlobSource:
        """The blobs, documents among them."""
        return self._blobs

    def entries(self, ref: str | None = None) -> Sequence[Descriptor]:
        """Return the entries of the place; see `Repository.entries`."""
        return self._source.entries(ref)

    def close(self) -> None:
        """Close both places; idempotent."""
        self._layout.close()
        self._source.close()
