"""The base that an image names."""

import io

import pytest

from oci_layers.blob import MemoryBlobs
from oci_layers.build import NewIndex, edit
from oci_layers.build.base import base_of
from oci_layers.errors import BlobMissingError, DigestMismatchError, LimitError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec import Descriptor, Digest
from oci_layers.spec.annotations import BASE_DIGEST, BASE_NAME
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


def named(**annotations):
    return stack(LAYER, manifest={"annotations": {key: str(value) for key, value in annotations.items()}})


def test_a_base_is_opened_by_its_name_if_the_digest_leads_nowhere():
    base, asked = stack(LAYER), []

    def open_named(name):
        asked.append(name)
        if name != "os:1":
            raise ReferenceMissingError(name, ("os:1",))
        return base

    nowhere = Digest.of(b"x")
    assert base_of(named(**{BASE_NAME: "os:1"}), [], open_named) is base
    assert base_of(named(**{BASE_NAME: "os:1", BASE_DIGEST: nowhere}), [MemoryBlobs()], open_named) is base
    there = named(**{BASE_NAME: "os:1", BASE_DIGEST: base.descriptor.digest})
    assert base_of(there, [base.blobs], open_named).descriptor.digest == base.descriptor.digest
    assert asked == ["os:1", "os:1"]
    with pytest.raises(ReferenceMissingError) as caught:
        base_of(named(**{BASE_NAME: "os:2"}), [], open_named)
    assert (caught.value.name, caught.value.known) == ("os:2", ("os:1",))
    with pytest.raises(BlobMissingError):
        base_of(named(**{BASE_NAME: "os:2", BASE_DIGEST: nowhere}), [], open_named)
    for annotations, opener in ({BASE_NAME: "os:1"}, None), ({}, open_named):
        with pytest.raises(ReferenceMissingError) as caught:
            base_of(named(**annotations), [base.blobs], opener)
        assert caught.value.what.startswith(f"annotation {BASE_DIGEST}")
