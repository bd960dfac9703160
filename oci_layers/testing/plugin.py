"""The plugin of pytest: fixtures for layouts, layers, images and stores of blobs. `oci_layers.testing` describes them.

pytest imports this module in every run of an environment that has the library, so it imports nothing but pytest. What
a fixture needs is imported when a test asks for it.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from oci_layers.blob.store import MemoryBlobs
    from oci_layers.image.image import Image
    from oci_layers.store.layout import Layout
    from oci_layers.tar.entry import Entry
    from oci_layers.testing.stack import Compression

__all__ = ["MakeImage", "MakeLayer", "blob_store", "make_image", "make_layer", "oci_layout"]


class MakeLayer(Protocol):
    """What the fixture `make_layer` is."""

    def __call__(self, layer: "str | Iterable[Entry]", *, compression: "Compression" = "") -> bytes:
        """Return a layer as a tar, or a compressed one.

        Args:
            layer: Text in the notation, or entries.
            compression: `gzip` or `zstd`.

        Raises:
            NameFormatError: A line that is not in the notation.
        """
        ...


class MakeImage(Protocol):
    """What the fixture `make_image` is."""

    def __call__(
        self, *layers: "str | bytes | Iterable[Entry]", ref: str = "latest", compression: "Compression" = "gzip"
    ) -> "Image":
        """Put an image into the layout of the test, `oci_layout`, and return it open; the test closes it at its end.

        Args:
            layers: The layers, the lowest first: text in the notation, which may have several, each after a line
                `layer`; entries; or bytes of a tar, which are stored whatever they are.
            ref: The name of the image in the layout. An older image of this name loses it.
            compression: How the layers are stored: `gzip`, `zstd` or `""`.

        Raises:
            NameFormatError: A line that is not in the notation.
        """
        ...


@pytest.fixture
def oci_layout(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Layout]":
    """An empty OCI image layout to write to, `oci_layers.Layout`, in the directory `oci_layout.place`."""
    from oci_layers.store.layout import Layout

    with Layout.create(tmp_path_factory.mktemp("oci-layout"), fsync="never") as layout:
        yield layout


@pytest.fixture
def make_layer() -> MakeLayer:
    """A function that makes the bytes of a layer of text such as `etc/motd file text=hello`, or of entries."""
    from oci_layers.tar.writer import write_tar
    from oci_layers.testing.notation import parse_layer
    from oci_layers.testing.stack import compress

    def make(layer: "str | Iterable[Entry]", *, compression: "Compression" = "") -> bytes:
        entries = parse_layer(layer) if isinstance(layer, str) else layer
        return compress(b"".join(write_tar(entries)), compression)

    return make


@pytest.fixture
def make_image(oci_layout: "Layout") -> Iterator[MakeImage]:
    """A function that puts an image of layers, as text or bytes, into `oci_layout`, and opens it."""
    from oci_layers.store.open import open_image
    from oci_layers.tar.writer import write_tar
    from oci_layers.testing.stack import Stack, put_image

    def tars(layer: "str | bytes | Iterable[Entry]") -> list[bytes]:
        if isinstance(layer, bytes):
            return [layer]
        return Stack.parse(layer).tars() if isinstance(layer, str) else [b"".join(write_tar(layer))]

    with contextlib.ExitStack() as opened:

        def make(
            *layers: "str | bytes | Iterable[Entry]", ref: str = "latest", compression: "Compression" = "gzip"
        ) -> "Image":
            put_image(oci_layout, [tar for layer in layers for tar in tars(layer)], ref, compression)
            return opened.enter_context(open_image(oci_layout, ref=ref))

        yield make


@pytest.fixture
def blob_store() -> "MemoryBlobs":
    """An empty store of blobs, in memory; `oci_layout.blobs` is one in a directory."""
    from oci_layers.blob.store import MemoryBlobs

    return MemoryBlobs()


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain `assert actual == expected` of two trees as `assert_same_tree` does."""
    tree = sys.modules.get("oci_layers.tree.tree")
    if op != "==" or tree is None or not isinstance(left, tree.FileTree) or not isinstance(right, tree.FileTree):
        return None
    from oci_layers.testing.same import show_differences

    return ["the trees are not the same", *show_differences(right, left, implied=True).splitlines()]
