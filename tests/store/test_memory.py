"""A repository in memory; the suite of `test_suites` holds it to the contract."""

import pytest

from oci_layers.errors import LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.memory import MemoryRepository
from oci_layers.testing.images import put_manifest


def test_a_repository_lasts_as_long_as_its_object():
    repository = MemoryRepository()
    image = put_manifest(repository, "a")
    repository.tag("a", image)
    repository.close()
    assert [each.digest for each in repository.entries("a")] == [image.digest]


def test_two_repositories_share_nothing():
    first, second = MemoryRepository("first"), MemoryRepository("second")
    first.tag("a", put_manifest(first, "a"))
    assert (first.place, second.place, second.entries(), list(second.blobs.iter_blobs())) == ("first", "second", [], [])
    with pytest.raises(ReferenceMissingError):
        second.entries("a")


def test_an_index_has_a_limit():
    repository = MemoryRepository(limits=Limits(document_bytes=500))
    image = put_manifest(repository, "a")
    repository.tag("a", image)
    with pytest.raises(LimitError) as caught:
        repository.tag("x" * 500, image)
    assert (caught.value.limit, caught.value.allowed) == ("document_bytes", 500)
    assert [own_name(each) for each in repository.entries()] == ["a"]
