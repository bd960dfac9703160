r"""A few layers as entries: what a strategy draws, a case holds, and a judge shows.

>>> from oci_layers.testing.stack import Stack
>>> stack = Stack.parse("layer\n  etc/ dir\n  etc/motd file text=hello\nlayer\n  etc/motd whiteout")
>>> print(stack)
layer
    etc/ dir
    etc/motd file text=hello
layer
    etc/motd whiteout
>>> [len(layer) for layer in stack.layers]
[2, 1]
"""

import io
import os
from collections.abc import Iterable
from typing import Any, Literal, Self

import attrs

from oci_layers.blob.compressor import compressed
from oci_layers.blob.store import put_bytes
from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.spec.codec import to_json
from oci_layers.spec.config import ImageConfig, RootFS
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST
from oci_layers.store.layout import Layout
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tar.writer import write_tar
from oci_layers.testing.notation import layer_lines, parse_layer
from oci_layers.testing.streams import Stream, read_all
from oci_layers.tree.tree import FileTree

__all__ = ["Compression", "Stack", "compress", "put_image", "write_layers"]

Compression = Literal["", "gzip", "zstd"]
"""How a layer is compressed."""

_MEDIA_TYPES = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


@attrs.frozen(repr=False)
class Stack:
    """Layers of entries whose contents are in memory; the lowest layer is the first."""

    layers: tuple[tuple[Entry, ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the layers that text describes: a line `layer`, and the lines of its entries (`notation`).

        Raises:
            NameFormatError: A line that is not in the notation.
        """
        layers: list[list[str]] = []
        for line in text.splitlines():
            if line.strip() == "layer":
                layers.append([])
            elif line.strip():
                if not layers:
                    layers.append([])
                layers[-1].append(line)
        return cls(tuple(parse_layer("\n".join(lines)) for lines in layers))

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return "\n".join(
            line for layer in self.layers for line in ("layer", *(f"    {each}" for each in layer_lines(layer)))
        )

    def __repr__(self) -> str:
        return f"Stack.parse({str(self)!r})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # Any: a printer of Hypothesis or IPython
        """Show the text in lines, where Hypothesis reports a failure."""
        with printer.group(4, 'Stack.parse(r"""', '""")'):
            for line in str(self).splitlines():
                printer.break_()
                printer.text(line)
            printer.break_()

    def tars(self) -> list[bytes]:
        """Return the layers as archives."""
        return [b"".join(write_tar(layer)) for layer in self.layers]

    def tree(self) -> FileTree:
        """Return the file system that this library makes of the layers.

        Raises:
            LayerError: A layer that no image may have.
        """
        tree = FileTree()
        for number, tar in enumerate(self.tars()):
            apply(decode(read_tar(io.BytesIO(tar)), layer=number), tree, layer=number)
        return tree

    def write(self, directory: str | os.PathLike[str], ref: str = "case") -> str:
        """Write an image layout with one image, and return its directory; the same layers give the same bytes.

        Raises:
            StoreError: `directory` exists and is not empty.
        """
        return write_layers(directory, self.tars(), ref)


def write_layers(directory: str | os.PathLike[str], tars: Iterable[bytes], ref: str = "case") -> str:
    """Write an image layout with one image of `tars`, the lowest first, and return its directory.

    The layers are compressed with gzip and the platform is linux/amd64; the same layers give the same bytes.

    Raises:
        StoreError: `directory` exists and is not empty.
    """
    with Layout.create(directory, fsync="never") as layout:
        put_image(layout, tars, ref)
        return layout.place


def put_image(layout: Layout, tars: Iterable[bytes], ref: str, compression: Compression = "gzip") -> None:
    """Put an image of `tars`, the lowest first, into a layout; they may be any bytes. The platform is linux/amd64."""
    diff_ids, layers = [], []
    for tar in tars:
        diff_ids.append(Digest.of(tar))
        layers.append(_put(layout, compress(tar, compression), _MEDIA_TYPES[compression]))
    config = ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(diff_ids=tuple(diff_ids)))
    manifest = Manifest(media_type=OCI_MANIFEST, config=_put(layout, to_json(config), OCI_CONFIG), layers=tuple(layers))
    layout.tag(ref, _put(layout, to_json(manifest), OCI_MANIFEST))


def compress(data: bytes, compression: Compression) -> bytes:
    """Return compressed bytes; the same data give the same bytes."""
    return read_all(compressed(Stream(data), compression, threads=1))


def _put(layout: Layout, raw: bytes, media_type: str) -> Descriptor:
    descriptor = Descriptor.of(raw, media_type=media_type)
    put_bytes(layout.blobs, raw, descriptor)
    return descriptor
