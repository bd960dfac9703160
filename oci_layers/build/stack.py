"""The layers of an image that is made: those that exist, which are shared, and new ones, which are made when written.

A layer that exists is copied into the target if it is missing there, byte by byte. A new one is written by its own
`write`. What the manifest and the config need of each is known afterwards.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import attrs

from oci_layers.blob.compression import Compression
from oci_layers.blob.store import BlobStore
from oci_layers.build.fields import JSONObject, referring
from oci_layers.build.options import Codec
from oci_layers.build.output import Counted
from oci_layers.image.layer import Layer
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import lookup
from oci_layers.store.convert import Conversion, Format, layer_media_type
from oci_layers.store.graph import compression_of, open_content

__all__ = ["NO_FILES", "AnyLayer", "Counter", "LayerSource", "Slot", "Target", "Written", "WrittenLayer"]

NO_FILES = Digest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")
"""The diff_id of a tar without an entry: two blocks of zeros."""


class WrittenLayer(Protocol):
    """A layer in a store."""

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of its blob."""
        ...

    @property
    def diff_id(self) -> Digest:
        """The digest of its uncompressed tar."""
        ...


class LayerSource(Protocol):
    """A layer that can be made, such as a `NewLayer`."""

    def write(
        self,
        blobs: BlobStore,
        *,
        codec: Codec | None,
        limits: Limits | None,
        temporary_directory: str | None,
        on_bytes: Callable[[int], None] | None,
    ) -> WrittenLayer:
        """Make the layer, and store it as a blob; see `NewLayer.write`."""
        ...


AnyLayer = Layer | LayerSource
"""A layer of an image, or one that is made when the image is written."""


@attrs.frozen(kw_only=True)
class Target:
    """Where and how layers are written."""

    blobs: BlobStore
    format: Format
    """The family of the media types that new layers get."""
    codec: Codec | None = None
    limits: Limits
    temporary_directory: str | None = None
    on_bytes: Callable[[int], None]
    """Called with the number of stored bytes, after each piece."""


@attrs.frozen
class Written:
    """What the documents of an image need of a layer."""

    node: JSONObject
    """The JSON of its descriptor."""
    diff_id: Digest


@attrs.frozen(kw_only=True, eq=False)
class Slot:
    """One layer of a stack."""

    layer: AnyLayer
    node: JSONObject | None = None
    """Its descriptor in the manifest of the base, as it is there."""
    keep_empty: bool = True
    """Whether a layer without an entry stays in the stack."""

    @property
    def size(self) -> int | None:
        """The size of the blob; None if that is not known yet."""
        return self.layer.descriptor.size if isinstance(self.layer, Layer) else None

    def write(self, target: Target) -> Written | None:
        """Store the layer, unless it is there; return None for one without an entry that is to be left out.

        Raises:
            BlobMissingError: The layer is neither in its source nor in the target.
            IntegrityError: It is not what its descriptor says.
            UnsupportedError: The format has no media type for it.
        """
        if isinstance(self.layer, Layer):
            return self._share(self.layer, target)
        reported = 0

        def on_bytes(count: int) -> None:
            nonlocal reported
            reported += count
            target.on_bytes(count)

        made = self.layer.write(
            target.blobs,
            codec=target.codec,
            limits=target.limits,
            temporary_directory=target.temporary_directory,
            on_bytes=on_bytes,
        )
        if reported < made.descriptor.size:
            target.on_bytes(made.descriptor.size - reported)  # A source may leave it out.
        if made.diff_id == NO_FILES and not self.keep_empty:
            return None
        descriptor = attrs.evolve(made.descriptor, media_type=_media_type(made.descriptor, None, target.format))
        return Written(unstructure(descriptor), made.diff_id)

    def _share(self, layer: Layer, target: Target) -> Written:
        old = layer.descriptor
        node = unstructure(old) if self.node is None else self.node
        if self.node is None and _is_of_other_family(old, target.format):
            new = attrs.evolve(
                old, media_type=_media_type(old, compression_of(layer.reader.blobs, layer.descriptor), target.format)
            )
            node = referring(node, new)
        if target.blobs.reuse_blob(old):
            target.on_bytes(old.size)
        elif (stream := open_content(layer.reader.blobs, old, target.blobs)) is not None:
            target.blobs.put_blob(Counted(stream, target.on_bytes), old)
        return Written(node, layer.diff_id)


def _is_of_other_family(descriptor: Descriptor, format_: Format) -> bool:
    row = lookup(descriptor.media_type)
    return format_ == "docker" if row is None else row.family != format_


def _media_type(descriptor: Descriptor, found: Compression | None, format_: Format) -> str:
    if not _is_of_other_family(descriptor, format_):
        return descriptor.media_type
    return layer_media_type(descriptor.media_type, found, Conversion(format=format_))


T = TypeVar("T")


class Counter:
    """Reports the progress of writing layers, or other blobs."""

    def __init__(self, sizes: Sequence[int | None], progress: Callable[[Progress], None] | None) -> None:
        """Take the size of each layer, None for one that is not known before it is written."""
        self._progress = progress
        self._sizes = sizes
        self._layer = 0
        self._done = 0
        self._known = sum(size or 0 for size in sizes)
        self._unknown = sum(size is None for size in sizes)

    def each(self, layers: Iterable[T]) -> Iterator[T]:
        """Yield the layers, one for each size, and count them."""
        for at, layer in enumerate(layers):
            self._layer = at
            before = self._done
            yield layer
            if self._sizes[at] is None:
                self._known += self._done - before
                self._unknown -= 1
                self.on_bytes(0)

    def on_bytes(self, count: int) -> None:
        """Count bytes that were written."""
        self._done += count
        if self._progress is None:
            return
        total = None if self._unknown else max(self._done, self._known)
        self._progress(Progress(layer=self._layer, layers=len(self._sizes), done=self._done, total=total))
