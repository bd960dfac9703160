"""Whole layouts: images of layers that exist, in indexes that may be nested, with names and artifacts about them."""

import contextlib
import io
import os
from collections.abc import Callable, Collection
from typing import Any, Literal

import attrs
from hypothesis import strategies as st

from oci_layers.blob.compressor import compressed
from oci_layers.blob.store import put_bytes
from oci_layers.spec.codec import to_json
from oci_layers.spec.config import ImageConfig, RootFS, platform_of
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
)
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.repository import WritableRepository
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies.stack import stacks
from oci_layers.testing.strategies.value import configs
from oci_layers.testing.strategies.word import annotations, ref_names

__all__ = ["LayoutContents", "layouts"]

_Draw = Callable[[st.SearchStrategy[Any]], Any]  # Any: whatever a strategy draws
Compression = Literal["", "gzip", "zstd"]

_LAYERS: dict[tuple[bool, str], str] = {
    (False, ""): OCI_LAYER,
    (False, "gzip"): OCI_LAYER_GZIP,
    (False, "zstd"): OCI_LAYER_ZSTD,
    (True, ""): DOCKER_LAYER,
    (True, "gzip"): DOCKER_LAYER_GZIP,
    (True, "zstd"): DOCKER_LAYER_ZSTD,
}


@attrs.define(repr=False)
class LayoutContents:
    """What a layout holds, to be written to a directory or kept in memory."""

    entries: list[tuple[str | None, Descriptor]] = attrs.field(factory=list)
    """The entries of its index: the name of each, if it has one, and its descriptor."""
    blobs: dict[Digest, tuple[Descriptor, bytes]] = attrs.field(factory=dict)
    """The blobs by their digest."""
    stacks: dict[Digest, Stack] = attrs.field(factory=dict)
    """The layers of each image, by the digest of its manifest."""

    def add(self, raw: bytes, media_type: str) -> Descriptor:
        """Add a blob, and return its descriptor."""
        descriptor = Descriptor.of(raw, media_type=media_type)
        self.blobs[descriptor.digest] = descriptor, raw
        return descriptor

    def repository(self) -> MemoryRepository:
        """Return a repository in memory that holds all of it."""
        made = MemoryRepository()
        self._put(made)
        return made

    def write(self, directory: str | os.PathLike[str]) -> str:
        """Write a layout, and return its directory.

        Raises:
            StoreError: `directory` exists and is not empty.
        """
        with Layout.create(directory, fsync="never") as layout:
            self._put(layout)
            return layout.place

    def _put(self, place: WritableRepository) -> None:
        for descriptor, raw in self.blobs.values():
            put_bytes(place.blobs, raw, descriptor)
        for name, descriptor in self.entries:
            place.tag(name, descriptor)

    def __str__(self) -> str:
        """Return an outline: the entries, and the layers of each image."""
        lines = [f"{name or '-'} {each.digest.encoded[:12]} {each.media_type}" for name, each in self.entries]
        for digest, stack in self.stacks.items():
            lines += [f"image {digest.encoded[:12]}", *(f"    {line}" for line in str(stack).splitlines())]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<layout {str(self)!r}>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # Any: a printer of Hypothesis or IPython
        """Show the outline in lines, where Hypothesis reports a failure."""
        with printer.group(4, "<layout", ">"):
            for line in str(self).splitlines():
                printer.break_()
                printer.text(line)


def layouts(
    *,
    images: tuple[int, int] = (1, 3),
    layers: st.SearchStrategy[Stack] | None = None,
    compressions: Collection[Compression] = ("gzip", "", "zstd"),
    docker: bool = True,
    nested: bool = True,
    artifacts: bool = True,
) -> st.SearchStrategy[LayoutContents]:
    """Return a strategy of layouts in which nothing is wrong or missing.

    Args:
        images: The fewest and the most images.
        layers: The layers of an image; by default up to two small ones. A manifest should have one at least.
        compressions: How layers may be compressed.
        docker: Draw Docker's manifests, too.
        nested: Draw indexes of images, and indexes of indexes.
        artifacts: Draw artifacts about images, too.
    """
    stack = stacks(layers=(1, 2), entries=(0, 3)) if layers is None else layers
    return _layouts(images, stack, tuple(compressions), docker=docker, nested=nested, artifacts=artifacts)


@st.composite
def _layouts(
    draw: _Draw,
    images: tuple[int, int],
    stack: st.SearchStrategy[Stack],
    compressions: tuple[Compression, ...],
    *,
    docker: bool,
    nested: bool,
    artifacts: bool,
) -> LayoutContents:
    made = LayoutContents()
    roots: list[Descriptor] = []
    for found in draw(st.lists(stack, min_size=images[0], max_size=images[1])):
        is_docker = docker and draw(st.booleans())
        image = _image(draw, made, found, draw(st.sampled_from(compressions)), is_docker=is_docker)
        if artifacts and draw(st.booleans()):
            roots.append(_artifact(draw, made, image))
        roots.append(image)
    while nested and roots and draw(st.booleans()):
        count = draw(st.integers(1, len(roots)))
        index = Index(media_type=OCI_INDEX, manifests=tuple(roots[:count]), annotations=draw(annotations(size=1)))
        roots[:count] = [made.add(to_json(index), OCI_INDEX)]
    names = draw(st.lists(ref_names(), unique=True, min_size=len(roots), max_size=len(roots)))
    digests = set()
    for name, root in zip(names, roots, strict=True):
        if root.digest not in digests:
            digests.add(root.digest)
            made.entries.append((name, root))
    return made


def _image(draw: _Draw, made: LayoutContents, stack: Stack, compression: Compression, *, is_docker: bool) -> Descriptor:
    diff_ids, layers = [], []
    for tar in stack.tars():
        diff_ids.append(Digest.of(tar))
        layers.append(made.add(_compressed(tar, compression), _LAYERS[is_docker, compression]))
    config: ImageConfig = draw(configs(layers=(0, 0)))
    config = attrs.evolve(config, rootfs=RootFS(diff_ids=tuple(diff_ids)))
    manifest = Manifest(
        media_type=DOCKER_MANIFEST if is_docker else OCI_MANIFEST,
        config=made.add(to_json(config), DOCKER_CONFIG if is_docker else OCI_CONFIG),
        layers=tuple(layers),
        annotations=draw(annotations(size=1)),
    )
    descriptor = made.add(to_json(manifest), manifest.media_type or OCI_MANIFEST)
    made.stacks[descriptor.digest] = stack
    return attrs.evolve(descriptor, platform=platform_of(config))


def _artifact(draw: _Draw, made: LayoutContents, subject: Descriptor) -> Descriptor:
    empty = made.add(b"{}", EMPTY_DESCRIPTOR.media_type)
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        artifact_type="application/vnd.example.note",
        config=empty,
        layers=(empty,),
        subject=attrs.evolve(subject, platform=None),
        annotations={"com.example.note": draw(st.sampled_from("ab"))},
    )
    return attrs.evolve(made.add(to_json(manifest), OCI_MANIFEST), artifact_type=manifest.artifact_type)


def _compressed(tar: bytes, compression: Compression) -> bytes:
    with contextlib.closing(compressed(io.BytesIO(tar), compression, threads=1)) as stream:
        return b"".join(iter(lambda: stream.read(1 << 20), b""))
