r"""Tests of yours: suites for what applies layers and for stores, fixtures for pytest, and file systems compared.

All of it needs `pip install 'oci-layers[testing]'`, which has pytest and Hypothesis.

Does an unpacker merge layers as the spec says? `LayerApplierSuite` is a class of tests that runs it: on the cases of
`oci_layers.testing.cases`, and on generated layers, whose outcome the oracle knows. Derive a class from it in a module
that pytest collects, and define `apply`; here it is the unpacker of this library:

    >>> import oci_layers
    >>> from oci_layers.testing import LayerApplierSuite
    >>> class TestUnpacker(LayerApplierSuite):
    ...     def apply(self, layout: str, ref: str, dest: str) -> None:
    ...         with oci_layers.open_image(f"oci:{layout}:{ref}") as image:
    ...             image.unpack(dest)

A failed test shows the layers, what must come out and what did, and the rule that says so; the layout is kept beside
the other files of the test. A test is an expected failure (`x`) where the spec is silent and this library decided
otherwise. Attributes of the class say what is compared (`ignore`, `implied`, `strict`), where the root is (`rootfs`),
and what is run (`levels`, `examples`, `seed`). Hostile images are among the cases.

The fixtures are there in every test where the library is installed; a fixture of your own of the same name goes first:

    oci_layout  an empty `Layout` to write to, in a temporary directory; `oci_layout.place` is its path
    make_layer  makes the bytes of a tar: make_layer("etc/motd file text=hello", compression="gzip")
    make_image  puts an image of layers into `oci_layout` and opens it: make_image("a file", "a whiteout", ref="app:1")
    blob_store  an empty `BlobStore` in memory; that of `oci_layout.blobs` is in a directory

`pytest -p no:oci_layers` is without them. Layers are text, a line for each tar entry (`oci_layers.testing.notation`),
or entries; `make_image` also takes the bytes of a tar, whatever they are, and text of a whole stack, as a failed test
shows it. A test of a program that copies files out of images:

    >>> def test_what_the_upper_layer_has_is_copied(make_image, oci_layout, tmp_path):
    ...     make_image("etc/motd file text=hello", "etc/motd file text=lit", ref="app:1")
    ...     copy_files(f"oci:{oci_layout.place}:app:1", tmp_path / "copied")
    ...     assert_same_tree(tmp_path / "copied", "/etc/motd file text=lit", ignore=["owner"])

`assert_same_tree` compares directories, images, trees, stacks of layers and text, and fails with the lines that differ;
`differences` returns them. A directory that the expected side only implies, as `/etc` here, may have any attributes:

    >>> from oci_layers.testing import Difference, Stack, assert_same_tree, differences
    >>> stack = Stack.parse("layer\n etc/motd file text=hello\nlayer\n etc/motd file 0600 text=lit")
    >>> assert_same_tree(stack, "/etc/motd file 0600 text=lit")
    >>> assert_same_tree(stack, "/etc/motd file text=lit\n/etc/issue link /etc/motd", ignore=["mtime"])
    Traceback (most recent call last):
        ...
    AssertionError: 2 of 4 names differ (- expected, + actual):
      ...
      /etc dir * * *
    - /etc/issue link /etc/motd  # missing
    - /etc/motd file 0644 0:0 * text=lit
    + /etc/motd file 0600 0:0 * text=lit  # mode
    >>> found: list[Difference] = differences("/etc/motd file", stack, attributes=["content"])
    >>> found[0].path, found[0].what
    (b'etc/motd', ('content',))

Of two trees that are not equal, `assert tree == other` shows the same lines.

Two suites are for stores: whatever this library asks of a `BlobStore` and of a `Repository`. Derive a class from one,
and define its fixture, which returns an empty store, or yields it and closes it afterwards:

    >>> import pytest
    >>> from oci_layers.blob import MemoryBlobs
    >>> from oci_layers.store import MemoryRepository
    >>> from oci_layers.testing import BlobStoreSuite, RepositorySuite
    >>> class TestBlobs(BlobStoreSuite):
    ...     algorithms = ("sha256", "sha512")
    ...
    ...     @pytest.fixture
    ...     def blobs(self):
    ...         return MemoryBlobs()
    >>> class TestRepository(RepositorySuite):
    ...     @pytest.fixture
    ...     def repository(self, tmp_path):
    ...         repository = MemoryRepository()
    ...         yield repository
    ...         repository.close()

That is all: `pytest` runs every test of both. A test is a method, and may be called with a store, too:

    >>> TestBlobs().test_a_blob_that_was_not_put_is_missing(MemoryBlobs(), "sha256:" + 64 * "0")

What a store cannot do is said by an attribute of the class, which leaves the tests of it out: `algorithms`, `reads` and
`recovers` of `BlobStoreSuite`, `replaces` of `RepositorySuite`. A method adds tests: `damage` changes a stored blob, so
that the suite sees it mended, and `reopened` closes a repository that was written, and opens it anew for reading.

A class of tests for a layout in a directory, with all of these:

    >>> import pathlib
    >>> from oci_layers.store import Layout
    >>> class TestLayout(RepositorySuite):
    ...     replaces = True
    ...
    ...     @pytest.fixture
    ...     def repository(self, tmp_path):
    ...         with Layout.create(tmp_path / "layout") as layout:
    ...             yield layout
    ...
    ...     def reopened(self, repository):
    ...         return Layout.open(repository.place)
    >>> class TestBlobsOfLayout(BlobStoreSuite):
    ...     recovers = True
    ...
    ...     @pytest.fixture
    ...     def blobs(self, tmp_path):
    ...         self.directory = tmp_path / "layout"
    ...         with Layout.create(self.directory) as layout:
    ...             yield layout.blobs
    ...
    ...     def damage(self, blobs, digest):
    ...         (self.directory / "blobs" / digest.algorithm / digest.encoded).write_bytes(b"damaged")
"""

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from oci_layers._lazy import lazy

if TYPE_CHECKING:
    from oci_layers.testing.applier import LayerApplierSuite
    from oci_layers.testing.blob_store import BlobStoreSuite
    from oci_layers.testing.repository import RepositorySuite
    from oci_layers.testing.same import Difference, assert_same_tree, differences
    from oci_layers.testing.stack import Stack

__all__ = [
    "BlobStoreSuite",
    "Difference",
    "LayerApplierSuite",
    "RepositorySuite",
    "Stack",
    "assert_same_tree",
    "differences",
]

_SUITES = {"BlobStoreSuite": "blob_store", "LayerApplierSuite": "applier", "RepositorySuite": "repository"}
_others = lazy(
    __name__, {"Difference": "same", "Stack": "stack", "assert_same_tree": "same", "differences": "same"} | _SUITES
)


def __getattr__(name: str) -> Any:  # Any: whichever of the names
    if name in _SUITES:
        _prepare_suite(name)
    return _others(name)


def _prepare_suite(name: str) -> None:
    """Check that what a suite needs is installed; have its asserts rewritten, for which it must not be imported yet."""
    for package in ("pytest", "hypothesis") if name == "LayerApplierSuite" else ("pytest",):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"{__name__}.{name} needs {package}: pip install 'oci-layers[testing]'", name=package)
    import pytest

    modules = {f"{__name__}.{module}" for module in _SUITES.values()}
    pytest.register_assert_rewrite(*sorted(modules - sys.modules.keys()))
