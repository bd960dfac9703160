"""Tests for stores: whatever this library asks of a `BlobStore` and of a `Repository`, to hold your own to it.

A suite is a class of tests. Derive one from it in a module that pytest collects, and define its fixture, which returns
an empty store, or yields it and closes it afterwards:

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

The rules of layers, as cases for whatever applies layers, are in `oci_layers.testing.cases`.

The room needs pytest: `pip install oci-layers[testing]`.
"""

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
        _rewrite_asserts(f"{__name__}.{name}")
    return _others(name)


def _rewrite_asserts(name: str) -> None:
    """Let pytest rewrite the asserts of the suites, which it must know before they are imported."""
    try:
        import pytest
    except ImportError:
        raise ImportError(f"{name} needs pytest: pip install 'oci-layers[testing]'", name="pytest") from None
    modules = {f"{__name__}.{module}" for module in _SUITES.values()}
    pytest.register_assert_rewrite(*sorted(modules - sys.modules.keys()))
