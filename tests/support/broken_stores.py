"""Stores with one fault each, and the suites over them; `tests/testing` runs this file by its name.

The docstring of each store is a test of the suite that finds its fault.
"""

import contextlib
import io
import time

import attrs
import pytest

from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, IntegrityError, ReferenceMissingError, UnsupportedError
from oci_layers.spec.annotations import REF_NAME
from oci_layers.spec.digest import Digest
from oci_layers.store.index_file import tagged
from oci_layers.store.memory import MemoryRepository
from oci_layers.testing import BlobStoreSuite, RepositorySuite


@attrs.define
class Stream:
    """A stream with other methods than its own."""

    read: object
    close: object


def everything(stream):
    with contextlib.closing(stream):
        return b"".join(iter(lambda: stream.read(1 << 16), b""))


class Trusting(MemoryBlobs):
    """test_bytes_that_are_not_the_blob_are_refused"""

    def put_blob(self, stream, descriptor):
        self._blobs[descriptor.digest] = everything(stream)


class Hoarding(MemoryBlobs):
    """test_wrong_bytes_in_the_middle_of_a_large_blob_are_refused"""

    def put_blob(self, stream, descriptor):
        data = self._blobs[descriptor.digest] = everything(stream)
        if Digest.of(data, descriptor.digest.algorithm) != descriptor.digest:
            raise IntegrityError("blob", str(descriptor.digest), "another")


class Leaking(MemoryBlobs):
    """test_a_blob_can_be_put_again"""

    def put_blob(self, stream, descriptor):
        super().put_blob(Stream(stream.read, lambda: None), descriptor)


class Hasty(MemoryBlobs):
    """test_a_stream_may_return_fewer_bytes_than_were_wanted"""

    def put_blob(self, stream, descriptor):
        pieces = iter([stream.read(1 << 30), b""])
        super().put_blob(Stream(lambda _: next(pieces), stream.close), descriptor)


class Greedy(MemoryBlobs):
    """test_a_blob_is_read_a_few_bytes_at_a_time"""

    def open_blob(self, digest):
        stream = super().open_blob(digest)
        return Stream(lambda _: stream.read(), stream.close)


class Tolerant(MemoryBlobs):
    """test_the_right_bytes_with_a_wrong_size_are_refused"""

    def put_blob(self, stream, descriptor):
        data = everything(stream)
        right = Digest.of(data, descriptor.digest.algorithm) == descriptor.digest
        size = len(data) if right else descriptor.size
        super().put_blob(io.BytesIO(data), attrs.evolve(descriptor, size=size))


class Keeping(MemoryBlobs):
    """test_a_damaged_blob_is_mended_by_putting_it_again"""

    def put_blob(self, stream, descriptor):
        if self.has_blob(descriptor.digest):
            stream.close()
        else:
            super().put_blob(stream, descriptor)


class Deleting(MemoryBlobs):
    """test_a_blob_outlives_the_refusal_of_other_bytes_for_it"""

    def put_blob(self, stream, descriptor):
        self.delete_blob(descriptor.digest)
        super().put_blob(stream, descriptor)


class Careless(MemoryBlobs):
    """test_a_blob_is_reused_if_its_size_is_the_one_expected"""

    def reuse_blob(self, descriptor):
        return self.has_blob(descriptor.digest)


class Unsorted(MemoryBlobs):
    """test_blobs_are_listed_in_the_order_of_their_digests"""

    def iter_blobs(self):
        yield from list(self._blobs)


class Narrow(MemoryBlobs):
    """test_a_digest_may_be_of_any_algorithm_of_the_store"""

    def put_blob(self, stream, descriptor):
        if descriptor.digest.algorithm != "sha256":
            stream.close()
            raise UnsupportedError("digest algorithm", descriptor.digest.algorithm)
        super().put_blob(stream, descriptor)


class Vague(MemoryBlobs):
    """test_a_blob_that_was_not_put_is_missing"""

    def open_blob(self, digest):
        try:
            return super().open_blob(digest)
        except BlobMissingError:
            raise BlobMissingError("some blob") from None


class Wrapping(MemoryBlobs):
    """test_a_stream_that_fails_leaves_nothing"""

    def put_blob(self, stream, descriptor):
        try:
            super().put_blob(stream, descriptor)
        except OSError as error:
            raise OSError(error.errno, "the store failed") from error


class Partial(MemoryBlobs):
    """test_threads_list_and_read_while_others_put"""

    def put_blob(self, stream, descriptor):
        self._blobs.setdefault(descriptor.digest, b"")
        time.sleep(0.003)
        try:
            super().put_blob(stream, descriptor)
        except BaseException:
            self.delete_blob(descriptor.digest)
            raise

    def iter_blobs(self):
        if b"" in self._blobs.values():
            raise AssertionError("a blob is seen before its bytes are there")
        yield from super().iter_blobs()


class OneBuffer(MemoryBlobs):
    """test_threads_put_many_blobs"""

    def put_blob(self, stream, descriptor):
        super().put_blob(stream, descriptor)
        self.last = descriptor
        time.sleep(0.003)
        if self.last != descriptor:
            self._blobs[descriptor.digest] = self._blobs[self.last.digest]


class Believing(MemoryRepository):
    """test_an_image_whose_blob_is_missing_has_no_name"""

    def tag(self, ref, descriptor, *others):
        with self._lock:
            self._index = tagged(self._index, [(ref, (descriptor, *others))], self._limits)


class Appending(MemoryRepository):
    """test_a_name_is_given_to_another_image_in_its_place"""

    def tag(self, ref, descriptor, *others):
        if ref is not None and any(each.annotations.get(REF_NAME) == ref for each in self.entries()):
            self.untag(ref)
        super().tag(ref, descriptor, *others)


class Silent(MemoryRepository):
    """test_an_unknown_name_is_refused_with_the_names_there_are"""

    def entries(self, ref=None):
        try:
            return super().entries(ref)
        except ReferenceMissingError:
            raise ReferenceMissingError(ref, ()) from None


class Shallow(MemoryRepository):
    """test_an_entry_of_a_nested_index_is_found_by_its_digest"""

    def entries(self, ref=None):
        found = super().entries(ref)
        if not {each.digest for each in found} <= {each.digest for each in super().entries()}:
            raise ReferenceMissingError(ref, ())
        return found


class Folding(MemoryRepository):
    """test_names_differ_that_look_alike"""

    def tag(self, ref, descriptor, *others):
        super().tag(ref and ref.lower(), descriptor, *others)


class Stripping(MemoryRepository):
    """test_an_entry_keeps_what_its_descriptor_says"""

    def tag(self, ref, descriptor, *others):
        super().tag(ref, *(attrs.evolve(each, extra={}) for each in (descriptor, *others)))


class Single(MemoryRepository):
    """test_several_entries_may_have_one_name"""

    def tag(self, ref, descriptor, *others):
        for each in (descriptor, *others):
            super().tag(ref, each)


class Sweeping(MemoryRepository):
    """test_a_name_is_removed_and_the_blobs_stay"""

    def untag(self, ref):
        for each in self.entries(ref):
            self.blobs.delete_blob(each.digest)
        super().untag(ref)


class Racing(MemoryRepository):
    """test_threads_lose_no_names"""

    def tag(self, ref, descriptor, *others):
        index = tagged(self._index, [(ref, (descriptor, *others))], self._limits)
        super().tag(None, descriptor, *others)  # Refuses missing blobs.
        time.sleep(0.003)
        self._index = index


class Swallowing(MemoryRepository):
    """test_an_error_in_a_lease_comes_out_as_it_is"""

    def lease(self):
        return contextlib.suppress(OSError)


def suite_of(store):
    """Return the class of tests for a broken store."""
    if issubclass(store, MemoryBlobs):
        kept = {"blobs": pytest.fixture(lambda self: store()), "damage": damage}
        return type(f"Test{store.__name__}", (BlobStoreSuite,), kept)
    return type(f"Test{store.__name__}", (RepositorySuite,), {"repository": pytest.fixture(lambda self: store())})


def damage(self, blobs, digest):
    blobs._blobs[digest] = b"damaged"


BROKEN = [
    each
    for each in list(vars().values())
    if isinstance(each, type)
    and issubclass(each, (MemoryBlobs, MemoryRepository))
    and each.__module__ == Trusting.__module__
]
globals().update({f"Test{store.__name__}": suite_of(store) for store in BROKEN})
