"""What of an image is copied: its documents and blobs, by platform."""

import attrs
import pytest

from oci_layers import Limits, Platform
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, DocumentError, IntegrityError, LimitError, ReferenceMissingError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.store.plan import Plan
from tests.support.stores import NOT_THERE, UNKNOWN, blob, config, digests, document, index_of, manifest, multi, on

AMD64, ARM64, S390X = "linux/amd64", "linux/arm64", "linux/s390x"


@pytest.fixture
def blobs():
    return MemoryBlobs()


def plan(blobs, *entries, platforms=(), limits=None):
    return Plan(blobs, limits or Limits(), entries, [Platform.parse(each) for each in platforms])


def order(planned):
    """The digests in the order in which they are written."""
    return [each.descriptor.digest for root in planned.roots for each in root.walk()]


def absent(media_type, name=b"absent"):
    return Descriptor.of(name, media_type=media_type)


def test_everything_that_an_entry_leads_to_is_planned_children_first(blobs):
    index, images = multi(blobs, AMD64, ARM64)
    outer = index_of(blobs, index)
    found = plan(blobs, outer)
    assert set(order(found)) == digests(blobs)
    at = order(found).index
    assert at(outer.digest) > at(index.digest) > max(at(image.digest) for image in images)
    assert at(Digest.of(b"base")) < at(images[0].digest)
    assert found.missing == []


def test_content_that_is_no_document_is_planned_as_it_is(blobs):
    thing = document(blobs, UNKNOWN, uses=blob(blobs, b"leaf"))
    (root,) = plan(blobs, thing).roots
    assert (root.descriptor, root.node, root.children) == (thing, None, [])


def test_the_entries_of_one_name_are_planned_together(blobs):
    one, two = manifest(blobs, b"1"), manifest(blobs, b"2")
    assert [root.descriptor for root in plan(blobs, one, two).roots] == [one, two]


def test_a_document_that_is_listed_twice_is_planned_once(blobs):
    image = manifest(blobs, b"layer")
    inner = index_of(blobs, image, image)
    outer = index_of(blobs, inner, image, inner)
    found = order(plan(blobs, outer))
    assert [found.count(each.digest) for each in (image, inner, outer)] == [1, 1, 1]
    assert [root.descriptor for root in plan(blobs, image, image).roots] == [image, image]


def test_indexes_that_list_one_another_many_times_are_planned_in_no_time(blobs):
    """Sixteen levels of indexes, each of which has the next a hundred times: as many ways as atoms in a gram."""
    deep = manifest(blobs, b"layer")
    for _ in range(15):
        deep = index_of(blobs, *[deep] * 100)
    assert len(order(plan(blobs, deep))) == 18


def test_with_one_platform_its_manifest_is_planned_without_the_index(blobs):
    index, images = multi(blobs, AMD64, ARM64)
    (root,) = plan(blobs, index, platforms=[ARM64]).roots
    assert root.descriptor == on(ARM64, images[1])


def test_one_platform_is_found_in_nested_indexes(blobs):
    inner, images = multi(blobs, ARM64, S390X)
    outer = index_of(blobs, on(AMD64, manifest(blobs, b"amd64")), inner)
    (root,) = plan(blobs, outer, platforms=[S390X]).roots
    assert root.descriptor == on(S390X, images[1])


def test_a_nested_index_gives_its_platform_to_its_manifests(blobs):
    image = manifest(blobs, b"layer", platform=ARM64)
    outer = index_of(blobs, on(AMD64, manifest(blobs, b"amd64")), on(ARM64, index_of(blobs, image)))
    (root,) = plan(blobs, outer, platforms=[ARM64]).roots
    assert root.descriptor == on(ARM64, image)


def test_one_platform_is_chosen_of_the_entries_of_one_name(blobs):
    entries = [on(each, manifest(blobs, each.encode(), platform=each)) for each in (AMD64, ARM64)]
    (root,) = plan(blobs, *entries, platforms=[ARM64]).roots
    assert root.descriptor == entries[1]


def test_the_platform_of_an_entry_without_one_is_that_of_its_config(blobs):
    one, two = (manifest(blobs, each.encode(), platform=each) for each in (AMD64, ARM64))
    for entries in ([one, two], [index_of(blobs, one, two)]):
        (root,) = plan(blobs, *entries, platforms=[ARM64]).roots
        assert root.descriptor == two
    assert plan(blobs, one, platforms=[AMD64]).roots[0].descriptor == one
    with pytest.raises(ReferenceMissingError) as raised:
        plan(blobs, one, platforms=[ARM64])
    assert (raised.value.name, raised.value.known, raised.value.what) == (ARM64, (AMD64,), "platform")


def test_an_artifact_has_no_platform_to_check(blobs):
    artifact = manifest(blobs, b"layer", config=document(blobs, UNKNOWN))
    assert plan(blobs, artifact, platforms=[ARM64]).roots[0].descriptor == artifact


def test_with_several_platforms_the_index_is_planned_and_only_their_manifests(blobs):
    index, images = multi(blobs, AMD64, ARM64, S390X)
    found = plan(blobs, index, platforms=[S390X, AMD64])
    assert [root.descriptor for root in found.roots] == [index]
    assert [child.descriptor.digest for child in found.roots[0].children] == [images[0].digest, images[2].digest]
    assert found.missing == []


def test_with_several_platforms_of_one_name_only_their_entries_are_planned(blobs):
    entries = [on(each, manifest(blobs, each.encode(), platform=each)) for each in (AMD64, ARM64, S390X)]
    found = plan(blobs, *entries, platforms=[AMD64, S390X])
    assert [root.descriptor for root in found.roots] == [entries[0], entries[2]]


def test_attestations_come_with_the_manifest_that_they_are_about(blobs):
    images = [manifest(blobs, each.encode(), platform=each) for each in (AMD64, ARM64, S390X)]
    about = [
        on(
            "unknown/unknown",
            manifest(blobs, b"about %d" % at, platform="unknown/unknown"),
            vnd_docker_reference_digest=str(image.digest),
            vnd_docker_reference_type="attestation-manifest",
        )
        for at, image in enumerate(images)
    ]
    index = index_of(blobs, *map(on, (AMD64, ARM64, S390X), images), *about)
    assert plan(blobs, index, platforms=[ARM64]).roots[0].descriptor.digest == images[1].digest
    (root,) = plan(blobs, index, platforms=[AMD64, S390X]).roots
    kept = [images[0], images[2], about[0], about[2]]
    assert [child.descriptor.digest for child in root.children] == [each.digest for each in kept]
    assert len(plan(blobs, index).roots[0].children) == 6


def test_a_platform_that_is_not_there_is_an_error_that_lists_those_that_are(blobs):
    index, _ = multi(blobs, AMD64, ARM64)
    for platforms in ([S390X], [AMD64, S390X]):
        with pytest.raises(ReferenceMissingError) as raised:
            plan(blobs, index, platforms=platforms)
        assert (raised.value.name, raised.value.known) == (S390X, (AMD64, ARM64))


# What the source does not have.


def test_manifests_and_indexes_that_an_index_lists_may_be_missing(blobs):
    image = manifest(blobs, b"layer")
    lost = [absent(OCI_MANIFEST), absent(OCI_INDEX, b"index")]
    found = plan(blobs, index_of(blobs, lost[0], image, lost[1]))
    assert found.missing == lost
    assert [child.descriptor for child in found.roots[0].children] == [image]


def test_all_manifests_of_a_nested_index_may_be_missing_beside_another_image(blobs):
    image = manifest(blobs, b"layer")
    lost = absent(OCI_MANIFEST)
    found = plan(blobs, index_of(blobs, index_of(blobs, lost), image))
    assert found.missing == [lost]


@pytest.mark.parametrize("depth", [1, 2])
def test_all_manifests_of_an_image_must_not_be_missing(blobs, depth):
    entry = lost = absent(OCI_MANIFEST)
    for _ in range(depth):
        entry = index_of(blobs, entry)
    with pytest.raises(BlobMissingError) as raised:
        plan(blobs, entry)
    assert raised.value.digest == str(lost.digest)


def test_an_entry_must_not_be_missing(blobs):
    with pytest.raises(BlobMissingError) as raised:
        plan(blobs, absent(OCI_MANIFEST))
    assert raised.value.digest == str(Digest.of(b"absent"))


def test_the_manifest_of_a_platform_that_was_asked_for_must_not_be_missing(blobs):
    image = manifest(blobs, b"layer")
    index = index_of(blobs, on(AMD64, image), on(ARM64, absent(OCI_MANIFEST)))
    with pytest.raises(BlobMissingError) as raised:
        plan(blobs, index, platforms=[ARM64])
    assert raised.value.digest == str(Digest.of(b"absent"))


def test_an_index_without_manifests_is_planned(blobs):
    assert order(plan(blobs, entry := index_of(blobs))) == [entry.digest]


# Limits, and what is wrong.


@pytest.mark.parametrize("allowed", [15, 16])
def test_indexes_are_nested_up_to_a_limit(blobs, allowed):
    deep = manifest(blobs, b"layer")
    for _ in range(16):
        deep = index_of(blobs, deep)
    limits = Limits(index_depth=allowed)
    if allowed == 16:
        assert deep.digest in order(plan(blobs, deep, limits=limits))
    else:
        for platforms in ([], [AMD64]):
            with pytest.raises(LimitError) as raised:
                plan(blobs, deep, limits=limits, platforms=platforms)
            assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("index_depth", 15, 16)


def test_the_descriptors_of_an_image_have_a_limit(blobs):
    own = config(blobs)
    index = index_of(blobs, *(manifest(blobs, b"%d" % each, config=own) for each in range(9)))
    assert len(plan(blobs, index, limits=Limits(descriptors=10)).roots[0].children) == 9
    with pytest.raises(LimitError) as raised:
        plan(blobs, index, limits=Limits(descriptors=9))
    assert (raised.value.limit, raised.value.allowed, raised.value.seen) == ("descriptors", 9, 10)


def test_a_document_that_is_damaged_malformed_or_too_large_is_an_error(blobs):
    image = manifest(blobs, b"layer")
    with pytest.raises(LimitError) as raised:
        plan(blobs, image, limits=Limits(document_bytes=image.size - 1))
    assert raised.value.limit == "document_bytes"
    with pytest.raises(DocumentError):
        plan(blobs, index_of(blobs, image, blob(blobs, b"{}", OCI_MANIFEST)))
    with pytest.raises(IntegrityError):
        plan(blobs, index_of(blobs, image, attrs.evolve(image, size=image.size + 1)))
    blobs._blobs[image.digest] = b"x" * image.size
    with pytest.raises(IntegrityError):
        plan(blobs, image)


def test_a_missing_config_of_a_platform_is_an_error_of_its_own(blobs):
    image = manifest(blobs, b"layer", config=attrs.evolve(config(blobs), digest=NOT_THERE))
    with pytest.raises(BlobMissingError) as raised:
        plan(blobs, index_of(blobs, image), platforms=[AMD64])
    assert raised.value.digest == str(NOT_THERE)
