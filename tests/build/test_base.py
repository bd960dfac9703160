"""The base that an image names."""

import io

import pytest

from oci_layers.blob import MemoryBlobs
from oci_layers.build import NewIndex, edit
from oci_layers.build.base import base_of
from oci_layers.errors import BlobMissingError, DigestMismatchError, LimitError
from oci_layers.limits import Limits
from oci_layers.spec import Descriptor, Digest
from oci_layers.spec.annotations import BASE_DIGEST
from oci_layers.store import MemoryRepository
from tests.support.layers import f, tar
from tests.support.values import stack

LAYER = tar(f("a"))


def on(digest):
    return stack(LAYER, manifest={"annotations": {BASE_DIGEST: str(digest)}})


def test_an_index_leads_to_the_manifest_for_the_platform_of_the_image():
    place = MemoryRepository()
    arm = edit(stack(tar(f("b")))).configure(platform="linux/arm64")
    index = NewIndex.of(arm, edit(stack(LAYER))).write(place, "t")
    base = base_of(on(index.digest), [MemoryBlobs(), place.blobs])
    assert (base.config.architecture, base.layers[0].diff_id) == ("amd64", Digest.of(LAYER))


def test_a_base_that_is_not_what_its_digest_says_is_refused():
    digest = Digest.of(b"{}")

    class Wrong:
        def open_blob(self, digest):
            return io.BytesIO(b"[]")

    with pytest.raises(DigestMismatchError) as caught:
        base_of(on(digest), [Wrong()])
    assert (caught.value.expected, caught.value.actual) == (str(digest), str(Digest.of(b"[]")))


def test_a_base_larger_than_a_document_may_be_is_refused():
    blobs, data = MemoryBlobs(), b" " * 1001
    blobs.put_blob(io.BytesIO(data), Descriptor.of(data, media_type="m/t"))
    image = on(Digest.of(data))
    image.limits = Limits(document_bytes=1000)
    with pytest.raises(LimitError) as caught:
        base_of(image, [blobs])
    assert caught.value.limit == "document_bytes"


def test_a_base_that_is_nowhere_is_missing():
    with pytest.raises(BlobMissingError) as caught:
        base_of(on(Digest.of(b"x")), [])
    assert caught.value.digest == str(Digest.of(b"x"))
