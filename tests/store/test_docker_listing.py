"""Docker's list of the images in an archive: what is written is what is read, and names what a layout names."""

import json

import pytest

from oci_layers import Limits
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, DocumentError, LimitError, Problem
from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.store.docker_listing import (
    DockerItem,
    format_listing,
    format_repositories,
    items_of,
    parse_listing,
    with_full_names,
)
from oci_layers.store.index_file import EMPTY_INDEX
from tests.support.layers import digest

MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
FULL, REF = "io.containerd.image.name", "org.opencontainers.image.ref.name"


def test_what_is_formatted_is_parsed():
    items = (
        DockerItem("blobs/sha256/a", ("app:1", "n\u00e4h"), ("x", "y", "x")),
        DockerItem("b", (), ()),
    )
    assert parse_listing(format_listing(items), Limits()) == items
    assert json.loads(format_listing(items))[1] == {"Config": "b", "RepoTags": None, "Layers": []}
    assert format_listing(()) == b"[]"


def test_a_list_that_is_malformed_is_refused_with_all_that_is_wrong():
    with pytest.raises(DocumentError) as raised:
        parse_listing(b'[{"Config": 1}, 2]', Limits())
    assert raised.value.problems == (Problem("/0/Config", "must be a string"), Problem("/1", "must be an object"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'[],"more":1', "is not JSON at line 1 column 3: Extra data"),
        (b'[],"":[]', "is not JSON at line 1 column 3: Extra data"),
        (b"[]}", "is not JSON at line 1 column 3: Extra data"),
        (b"", "is not JSON at line 1 column 1: Expecting value"),
        (b"{}", "must be an array"),
        (b"7", "must be an array"),
    ],
)
def test_a_list_is_one_array_and_nothing_else(raw, message):
    with pytest.raises(DocumentError) as raised:
        parse_listing(raw, Limits())
    assert [(each.pointer, each.message) for each in raised.value.problems] == [("", message)]


def test_what_is_repeated_in_a_list_is_found_at_its_place():
    with pytest.raises(DocumentError) as raised:
        parse_listing(b'[{"Config": "a", "Config": "b"}]', Limits())
    assert [each.pointer for each in raised.value.problems] == ["/0/Config"]


def test_the_legacy_list_has_each_name_and_tag_with_the_last_layer():
    items = (
        DockerItem("c", ("me/app:2", "app:1", "registry.example:5000/app:1"), ("blobs/sha256/1", "blobs/sha256/2")),
        DockerItem("c", ("app:0", "me/app:1"), ("blobs/sha256/3",)),
        DockerItem("c", ("none:1",), ()),
        DockerItem("c", (), ("blobs/sha256/4",)),
    )
    expected = '{"app":{"0":"3","1":"2"},"me/app":{"1":"3","2":"2"},"registry.example:5000/app":{"1":"2"}}'
    assert format_repositories(items).decode() == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({REF: "app"}, {REF: "latest", FULL: "docker.io/library/app:latest"}),
        ({REF: "me/app:1", "k": "v"}, {REF: "1", "k": "v", FULL: "docker.io/me/app:1"}),
        ({REF: "r.example:5/a:1"}, {REF: "1", FULL: "r.example:5/a:1"}),
        ({REF: f"a:1@{digest(b'')}"}, {REF: "1", FULL: "docker.io/library/a:1"}),
        ({REF: f"a@{digest(b'')}"}, None),
        ({REF: "Upper Case"}, None),
        ({REF: "x", FULL: "other:2"}, None),
        ({"k": "v"}, None),
    ],
)
def test_a_name_that_can_be_one_of_dockers_is_written_in_full_with_its_tag(before, after):
    index = {"schemaVersion": 2, "x": [1], "manifests": [{"mediaType": MANIFEST, "digest": digest(b""), "size": 0}]}
    index["manifests"][0]["annotations"] = before
    made = with_full_names(json.dumps(index).encode(), Limits())
    index["manifests"][0]["annotations"] = before if after is None else after
    assert json.loads(made) == index
    assert with_full_names(made, Limits()) == made
    assert with_full_names(EMPTY_INDEX, Limits()) == EMPTY_INDEX


class Store:
    """A store in memory with documents; each method returns the descriptor of what it puts."""

    def __init__(self):
        self.blobs = MemoryBlobs()

    def put(self, data, media_type, **fields):
        descriptor = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data), **fields)
        self.blobs._blobs[descriptor.digest] = data
        return descriptor

    def manifest(self, name, layers=("x",), *, tag=None, config=CONFIG, **fields):
        parts = [self.put(each.encode(), LAYER) for each in layers]
        value = {
            "schemaVersion": 2,
            "config": unstructure(self.put(f"{{{name}}}".encode(), config)),
            "layers": list(map(unstructure, parts)),
        }
        known = fields.pop("annotations", {}) | ({} if tag is None else {FULL: tag})
        return self.put(json.dumps(value).encode(), MANIFEST, annotations=known, **fields)

    def index(self, *entries, tag=None):
        value = {"schemaVersion": 2, "manifests": list(map(unstructure, entries))}
        known = {} if tag is None else {FULL: tag}
        return self.put(json.dumps(value).encode(), INDEX, annotations=known)

    def items(self, *entries, limits=None):
        return items_of(entries, self.blobs, limits or Limits())


def blob(text):
    return "blobs/" + digest(text.encode()).replace(":", "/")


def test_each_image_is_an_item_with_its_familiar_names_and_its_layers_in_order():
    store = Store()
    one = store.manifest("1", ("x", "y", "x"), tag="docker.io/library/app:1")
    again = store.manifest("1", ("x", "y", "x"), tag="docker.io/me/app:1")
    two = store.manifest("2", ())
    assert store.items(one, two, again, one) == [
        DockerItem(blob("{1}"), ("app:1", "me/app:1"), (blob("x"), blob("y"), blob("x"))),
        DockerItem(blob("{2}"), (), ()),
    ]
    assert store.items() == []


def test_the_images_of_a_nested_index_have_its_name_and_what_is_no_image_is_left_out():
    store = Store()
    attestation = store.manifest("3", annotations={"vnd.docker.reference.type": "attestation-manifest"})
    artifact = store.manifest("4", config="application/vnd.example+json")
    inner = store.index(store.manifest("1"), store.manifest("2"))
    text = store.put(b"text", "text/plain")
    outer = store.index(inner, attestation, artifact, text, tag="docker.io/library/app:1")
    assert store.items(outer) == [
        DockerItem(blob("{1}"), ("app:1",), (blob("x"),)),
        DockerItem(blob("{2}"), ("app:1",), (blob("x"),)),
    ]


def test_what_an_index_lists_and_the_store_does_not_have_is_left_out():
    """A copy of one platform has the whole index."""
    store = Store()
    one, two, inner = store.manifest("1"), store.manifest("2", ("y",)), store.index(store.manifest("3"))
    outer = store.index(one, two, inner)
    store.blobs.delete_blob(two.digest)
    store.blobs.delete_blob(inner.digest)
    assert [each.config for each in store.items(outer)] == [blob("{1}")]


@pytest.mark.parametrize("missing", ["{1}", "y"])
def test_an_image_without_its_config_or_a_layer_is_an_error(missing):
    store = Store()
    entry = store.manifest("1", ("x", "y"))
    store.blobs.delete_blob(Digest.of(missing.encode()))
    with pytest.raises(BlobMissingError) as raised:
        store.items(entry)
    assert raised.value.digest == digest(missing.encode())


def test_documents_are_held_to_the_limits():
    store = Store()
    entry = store.manifest("1")
    for limits, limit in ((Limits(document_bytes=5), "document_bytes"), (Limits(index_depth=0), "index_depth")):
        with pytest.raises(LimitError) as raised:
            store.items(store.index(entry) if limit == "index_depth" else entry, limits=limits)
        assert raised.value.limit == limit
