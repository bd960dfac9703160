"""What an entry leads to, and what keeps a document from being read."""

import errno

import attrs
import pytest

from oci_layers import Limits
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, DocumentError, LimitError, SizeMismatchError
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.mediatype import (
    DOCKER_FOREIGN_LAYER_GZIP,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    OCI_NONDISTRIBUTABLE_LAYER,
)
from oci_layers.store.graph import Graph, children, may_be_absent, read_node
from tests.support.stores import NOT_THERE, UNKNOWN, blob, config, index_of, manifest, multi, signature


@pytest.fixture
def blobs():
    return MemoryBlobs()


def visits(graph, entry):
    """Where each digest was reached, by digest; the first of several."""
    found = {}
    for visit in graph.below(entry, "/manifests/0"):
        found.setdefault(visit.descriptor.digest, (visit.parent, visit.pointer))
    return found


def test_a_blob_may_be_absent_if_it_is_embedded_or_not_distributed():
    assert may_be_absent(EMPTY_DESCRIPTOR)
    for media_type in (OCI_NONDISTRIBUTABLE_LAYER, DOCKER_FOREIGN_LAYER_GZIP):
        assert may_be_absent(Descriptor.of(b"x", media_type=media_type))
    for media_type in (OCI_LAYER_GZIP, OCI_MANIFEST, UNKNOWN):
        assert not may_be_absent(Descriptor.of(b"x", media_type=media_type))


def test_the_children_of_a_document_are_its_descriptors_but_the_subject(blobs):
    layers = [blob(blobs, b"one"), blob(blobs, b"two")]
    own = config(blobs)
    image = manifest(blobs, *layers, config=own, subject=manifest(blobs, b"subject"))
    assert children(read_node(blobs, image, Limits())) == [
        ("/config", own),
        ("/layers/0", layers[0]),
        ("/layers/1", layers[1]),
    ]
    index = index_of(blobs, image, subject=image)
    assert children(read_node(blobs, index, Limits())) == [("/manifests/0", image)]


def test_everything_below_an_entry_is_reached_once_with_its_place(blobs):
    index, (one, two) = multi(blobs, "linux/amd64", "linux/arm64")
    nested = index_of(blobs, one, index)
    found = visits(Graph(blobs, Limits()), nested)
    documents = {digest: place for digest, place in found.items() if digest in {one.digest, two.digest, index.digest}}
    assert found[nested.digest] == (None, "/manifests/0")
    assert documents[index.digest] == (nested.digest, "/manifests/1")
    assert documents[two.digest] == (index.digest, "/manifests/1")
    assert found.keys() == set(blobs.iter_blobs())
    assert len(list(Graph(blobs, Limits()).below(nested))) == len(found)


def test_each_document_is_read_once_however_many_entries_lead_to_it(blobs):
    opened = []

    class Source:
        def open_blob(self, digest):
            opened.append(digest)
            return blobs.open_blob(digest)

    image = manifest(blobs, b"layer")
    index = index_of(blobs, image)
    graph = Graph(Source(), Limits())
    for entry in (image, index, image):
        list(graph.below(entry))
    assert opened == [image.digest, index.digest]


def test_subjects_are_listed_and_not_followed(blobs):
    subject = manifest(blobs, b"subject")
    signed = signature(blobs, subject)
    graph = Graph(blobs, Limits())
    assert subject.digest not in visits(graph, signed)
    assert graph.subjects == {signed.digest: subject.digest}


def test_a_document_that_cannot_be_read_is_an_error_and_leads_to_nothing(blobs):
    lost = Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=9)
    bad = blob(blobs, b"[]", OCI_MANIFEST)
    good = manifest(blobs, b"layer")
    graph = Graph(blobs, Limits())
    found = visits(graph, index_of(blobs, lost, bad, good))
    assert {lost.digest, bad.digest, good.digest} < found.keys()
    assert {digest: type(error) for digest, error in graph.errors.items()} == {
        lost.digest: BlobMissingError,
        bad.digest: DocumentError,
    }


def test_an_error_of_the_system_is_one_of_the_document():
    class Broken:
        def open_blob(self, digest):
            raise OSError(errno.EIO, "input/output error")

    entry = Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=9)
    graph = Graph(Broken(), Limits())
    assert [visit.descriptor for visit in graph.below(entry)] == [entry]
    assert graph.errors[NOT_THERE].errno == errno.EIO


def test_a_wrong_reference_does_not_hide_what_a_right_one_leads_to(blobs):
    """Of the size, or the kind of the content, in whatever order they come."""
    image = manifest(blobs, b"layer")
    below = {each.digest for _, each in children(read_node(blobs, image, Limits()))}
    for wrong in (attrs.evolve(image, size=image.size + 1), attrs.evolve(image, media_type=OCI_LAYER)):
        for entries in ([wrong, image], [image, wrong]):
            graph = Graph(blobs, Limits())
            assert below <= visits(graph, index_of(blobs, *entries)).keys()
    assert (graph.errors, graph.subjects) == ({}, {})
    graph = Graph(blobs, Limits())
    list(graph.below(attrs.evolve(image, size=image.size + 1)))
    error = graph.errors[image.digest]
    assert (type(error), error.expected, error.actual) == (SizeMismatchError, image.size + 1, image.size)


def test_indexes_that_are_nested_too_deep_are_an_error_and_the_others_are_reached(blobs):
    image = deep = manifest(blobs, b"layer")
    for _ in range(5):
        deep = index_of(blobs, deep)
    other = manifest(blobs, b"other")
    top = index_of(blobs, deep, other)
    for allowed, errors in ((6, {}), (5, {image.digest: LimitError("index_depth", 5, 6)})):
        graph = Graph(blobs, Limits(index_depth=allowed))
        found = visits(graph, top)
        assert {image.digest, other.digest} < found.keys()
        assert {digest: vars(error) for digest, error in graph.errors.items()} == {
            digest: vars(error) for digest, error in errors.items()
        }
