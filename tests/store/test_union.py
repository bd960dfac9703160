"""Repositories in front of one another; the suite of `test_suites` holds a union to the contract of its first one."""

import io

import pytest

from oci_layers.errors import BlobMissingError, ReferenceMissingError
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.memory import MemoryRepository
from oci_layers.store.union import Union
from oci_layers.testing.images import listed, put_index, put_manifest
from oci_layers.testing.streams import read_all


@pytest.fixture
def cache():
    return MemoryRepository("cache")


@pytest.fixture
def other():
    return MemoryRepository("other")


@pytest.fixture
def union(cache, other):
    return Union(cache, other)


def test_a_name_is_that_of_the_first_which_has_it(union, cache, other):
    mine, theirs, alone = put_manifest(cache, "mine"), put_manifest(other, "theirs"), put_manifest(other, "alone")
    cache.tag("a", mine)
    other.tag("b", alone)
    other.tag("a", theirs)
    assert listed(union) == [("a", mine.digest), ("b", alone.digest)]
    assert listed(union, "a") == [("a", mine.digest)]
    assert listed(union, "b") == [("b", alone.digest)]
    # A digest is no name: it is found wherever it is.
    assert listed(union, str(theirs.digest)) == [("a", theirs.digest)]
    union.untag("a")
    assert listed(union) == [("b", alone.digest), ("a", theirs.digest)]


def test_all_entries_of_a_name_are_of_one_repository(union, cache, other):
    images = [put_manifest(other, each) for each in "12"]
    other.tag("a", *images)
    assert listed(union) == listed(union, "a") == [("a", each.digest) for each in images]
    cache.tag("a", put_manifest(cache, "3"))
    assert len(listed(union)) == len(listed(union, "a")) == 1


def test_an_image_without_a_name_is_listed_unless_an_earlier_repository_lists_it(union, cache, other):
    both, alone = put_manifest(cache, "both"), put_manifest(other, "alone")
    put_manifest(other, "both")
    cache.tag("named", both)
    other.tag(None, both)
    other.tag(None, alone)
    assert listed(union) == [("named", both.digest), (None, alone.digest)]


def test_an_image_of_another_repository_is_listed_by_a_name_that_the_first_has_not(union, cache, other):
    image = put_manifest(cache, "a")
    put_manifest(other, "a")
    cache.tag("a", image)
    other.tag("b", image)
    assert listed(union) == [("a", image.digest), ("b", image.digest)]


def test_an_unknown_name_is_refused_with_the_names_of_all(union, cache, other):
    cache.tag("a", put_manifest(cache, "a"))
    other.tag("b", put_manifest(other, "b"))
    other.tag("a", put_manifest(other, "a"))
    with pytest.raises(ReferenceMissingError) as caught:
        union.entries("c")
    assert (caught.value.name, caught.value.known) == ("c", ("a", "b"))


def test_a_nested_image_is_found_in_the_index_of_any(union, cache, other):
    child = put_manifest(other, "child")
    other.tag("a", put_index(other, child))
    assert [each.digest for each in union.entries(str(child.digest))] == [child.digest]


def test_blobs_are_read_from_any_and_written_to_the_first(union, cache, other):
    theirs = put_manifest(other, "theirs")
    assert union.blobs.has_blob(theirs.digest)
    assert not union.blobs.reuse_blob(theirs)
    with pytest.raises(BlobMissingError) as caught:
        union.tag("a", theirs)
    assert caught.value.digest == str(theirs.digest)
    union.blobs.put_blob(io.BytesIO(read_all(union.blobs.open_blob(theirs.digest))), theirs)
    assert cache.blobs.has_blob(theirs.digest)
    union.tag("a", theirs)
    assert ([own_name(each) for each in cache.entries()], other.entries()) == (["a"], [])


def test_only_names_of_the_first_are_removed(union, other):
    other.tag("a", put_manifest(other, "a"))
    with pytest.raises(ReferenceMissingError) as caught:
        union.untag("a")
    assert (caught.value.name, caught.value.known) == ("a", ())


def test_a_union_of_one_is_that_one(cache):
    image = put_manifest(cache, "a")
    cache.tag("a", image)
    union = Union(cache)
    assert (union.place, listed(union)) == ("cache", [("a", image.digest)])


def test_a_union_may_be_of_unions(cache, other):
    third = MemoryRepository("third")
    for name, place in (("a", cache), ("b", other), ("c", third)):
        place.tag(name, put_manifest(place, name))
    union = Union(Union(cache, other), third)
    assert [own_name(each) for each in union.entries()] == ["a", "b", "c"]


def test_a_lease_is_one_of_the_first(other):
    class Leased(MemoryRepository):
        def lease(self):
            return "the lease"

    assert Union(Leased(), other).lease() == "the lease"


class Closing(MemoryRepository):
    closed = 0
    error = None

    def close(self):
        self.closed += 1
        if self.error is not None:
            raise self.error


def test_closing_closes_all_also_when_one_fails():
    places = [Closing() for _ in range(3)]
    union = Union(*places)
    places[1].error = OSError("stuck")
    with pytest.raises(OSError, match="stuck"):
        union.close()
    assert [each.closed for each in places] == [1, 1, 1]
