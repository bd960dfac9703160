"""How to open an image again, later or in another process: what pickles of images, trees and paths hold of one."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from oci_layers.blob.stream import ByteStream
from oci_layers.errors import DigestMismatchError
from oci_layers.spec.digest import Digest

__all__ = ["Origin"]


@attrs.frozen
class Origin:
    """An image by the call that opens it, and by its digest."""

    reopen: Callable[[], Any]  # Any: an Image, which knows this class
    """Opens the image; can be pickled."""
    digest: Digest
    """The digest of its manifest."""
    temporary_directory: str | None
    temporary_bytes: int

    def image(self) -> Any:  # Any: an Image
        """Return the image, opened again.

        Raises:
            DigestMismatchError: Another image has its name now.
            OCIError: As `open_image`.
        """
        image = self.reopen()
        if image.descriptor.digest != self.digest:
            image.close()
            raise DigestMismatchError(image.name, str(self.digest), str(image.descriptor.digest))
        return image

    @contextlib.contextmanager
    def open_layer(self, index: int) -> Iterator[ByteStream]:
        """Yield the verified uncompressed bytes of a layer; the image is open meanwhile."""
        with self.image() as image, image.layers[index].reader.open_uncompressed() as plain:
            yield plain
