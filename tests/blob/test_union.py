"""Stores of blobs as one; the suite in `tests/store/test_suites.py` holds a union to the contract of its first one."""

import io

import pytest

from oci_layers.blob.store import MemoryBlobs
from oci_layers.blob.union import UnionBlobs
from oci_layers.errors import BlobMissingError, StoreError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.testing.streams import read_all

FIRST, SECOND, BOTH, NEW = (Descriptor.of(data, media_type="text/plain") for data in (b"1", b"2", b"12", b"new"))


def filled(*contents):
    blobs = MemoryBlobs()
    for data in contents:
        blobs.put_blob(io.BytesIO(data), Descriptor.of(data, media_type="text/plain"))
    return blobs


@pytest.fixture
def stores():
    return filled(b"1", b"12"), filled(b"2", b"12")


@pytest.fixture
def union(stores):
    return UnionBlobs(*stores)


def test_a_blob_is_read_from_the_first_store_that_has_it(union, stores):
    for store, data in zip(stores, (b"mine", b"theirs"), strict=True):
        store._blobs[BOTH.digest] = data
    assert [read_all(union.open_blob(each.digest)) for each in (FIRST, SECOND, BOTH)] == [b"1", b"2", b"mine"]
    assert [union.has_blob(each.digest) for each in (FIRST, SECOND, BOTH, NEW)] == [True, True, True, False]
    with pytest.raises(BlobMissingError) as caught:
        union.open_blob(NEW.digest)
    assert caught.value.digest == str(NEW.digest)


def test_what_is_put_goes_to_the_first_also_if_another_has_it(union, stores):
    for descriptor, data in ((NEW, b"new"), (SECOND, b"2")):
        union.put_blob(io.BytesIO(data), descriptor)
    assert list(stores[0].iter_blobs()) == sorted(each.digest for each in (FIRST, SECOND, BOTH, NEW))
    assert list(stores[1].iter_blobs()) == sorted(each.digest for each in (SECOND, BOTH))


def test_only_blobs_of_the_first_are_reused_and_listed(union):
    """Those of the others may be deleted by whoever owns these."""
    assert [union.reuse_blob(each) for each in (FIRST, SECOND, BOTH)] == [True, False, True]
    assert list(union.iter_blobs()) == sorted([FIRST.digest, BOTH.digest])


def test_an_error_of_a_store_is_not_taken_for_a_missing_blob(stores):
    class Closed:
        def open_blob(self, digest):
            raise StoreError("somewhere", "closed")

    union = UnionBlobs(stores[0], Closed(), stores[1])
    assert union.has_blob(FIRST.digest)
    for call in (union.open_blob, union.has_blob):
        with pytest.raises(StoreError) as caught:
            call(SECOND.digest)
        assert caught.value.place == "somewhere"


def test_a_look_leaves_no_stream_open(stores):
    opened = []

    class Noting(MemoryBlobs):
        def open_blob(self, digest):
            opened.append(stores[1].open_blob(digest))
            return opened[-1]

    assert UnionBlobs(stores[0], Noting()).has_blob(SECOND.digest)
    assert [each.closed for each in opened] == [True]
