"""A repository as a store of blobs: what is resumed, what is a document, what is taken over."""

import io
import json
import os

import attrs
import pytest

from oci_layers import Limits
from oci_layers.blob.store import BlobMounter, BlobStore, Interruptible
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    LimitError,
    RegistryError,
    UnreachableError,
    UnsupportedError,
)
from oci_layers.registry import Headers, Response
from oci_layers.registry.blobs import RegistryBlobs
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from oci_layers.testing.streams import read_all
from tests.registry.test_client import BLOB, BLOB_DIGEST, DIGEST, DOCUMENT, answering, client
from tests.registry.test_referrers import referrer
from tests.support.model_registry import ModelRegistry, refuse, reply
from tests.support.registries import session

LONG = os.urandom(5000)
LONG_DIGEST = Digest.of(LONG)


def store(model=None, **switches):
    made, model = client(model, **switches)
    model.repository("a/b").blobs[str(LONG_DIGEST)] = LONG
    return RegistryBlobs(made), model


def layer(data):
    return Descriptor.of(data, media_type=OCI_LAYER)


class Piece:
    """The first bytes of an answer, after which the connection breaks."""

    def __init__(self, response, size):
        self.body, self.left = response.body, size

    def read(self, size):
        if not self.left:
            raise UnreachableError("https://registry.example", "the connection broke")
        data = self.body.read(min(size, self.left, 999))
        self.left -= len(data)
        return data

    def close(self):
        self.left = 0


def breaking(model, after, answer=None):
    """Let each answer with a blob break after so many bytes; `after` has a number for each request."""
    after = list(after)

    def cut(request):
        if request.method != "GET" or "/blobs/" not in request.url.path or not after:
            return None
        response = (answer or model.answer)(request)
        size = after.pop(0)
        if size is not None:
            response.body = Piece(response, size)
        return response

    model.answers.append(cut)


def ranges(model):
    return [headers.get("Range") for method, url, headers in model.log if method == "GET" and "/blobs/" in url]


@pytest.mark.parametrize("after", [[0], [1], [4999], [5000], [1000, 0, 1000, 2999], [0, 0, 0, 1, 0, 0, 0, 1]])
def test_a_blob_whose_connection_breaks_is_taken_up_again(after):
    blobs, model = store()
    breaking(model, after)
    assert read_all(blobs.open_blob(LONG_DIGEST)) == LONG
    seen = [sum(after[:times]) for times in range(len(after) + 1)]
    assert ranges(model) == [f"bytes={at}-" if at else None for at in seen]


@pytest.mark.parametrize("after", [[0], [1], [4999], [5000], [1000, 500, 1001, 2999], [1000, 1000, 1000, 1000]])
def test_a_server_that_sends_no_parts_sends_all_again(after):
    blobs, model = store(ranges=False)
    breaking(model, after)
    assert read_all(blobs.open_blob(LONG_DIGEST)) == LONG
    assert len(ranges(model)) == len(after) + 1


def test_a_blob_that_does_not_move_on_is_an_error():
    blobs, model = store()
    breaking(model, [100] + [0] * 99)
    with pytest.raises(UnreachableError, match="broke"):
        read_all(blobs.open_blob(LONG_DIGEST))
    assert ranges(model) == [None] + ["bytes=100-"] * 4


def test_an_interrupt_ends_a_read():
    blobs, model = store()
    breaking(model, [100] * 9)
    stream = blobs.open_blob(LONG_DIGEST)
    blobs.interrupt()
    with pytest.raises(UnreachableError):
        read_all(stream)
    assert model.interrupted == 1
    assert len(ranges(model)) == 1


@pytest.mark.parametrize(
    "content_range",
    [
        [],
        ["bytes 0-4999/5000"],
        ["bytes 101-4999/5000"],
        ["bytes 100-4999/5000", "bytes 100-4999/5000"],
        ["100-4999/5000"],
        ["bytes */5000"],
        ["bytes 100-4999/x"],
    ],
)
def test_another_part_than_asked_for_is_refused(content_range):
    blobs, model = store()

    def wrong(request):
        if "Range" not in request.headers:
            return model.answer(request)
        return reply(request, 206, LONG[100:], [("Content-Range", value) for value in content_range])

    breaking(model, [100, None], wrong)
    with pytest.raises(RegistryError, match="asked for the bytes from 100, the server sends another range"):
        read_all(blobs.open_blob(LONG_DIGEST))


@pytest.mark.parametrize(("status", "code"), [(403, "DENIED"), (404, "BLOB_UNKNOWN"), (400, "UNKNOWN")])
def test_a_registry_that_does_not_go_on_is_an_error(status, code):
    blobs, model = store()

    def wrong(request):
        return refuse(request, status, code) if "Range" in request.headers else model.answer(request)

    breaking(model, [100, None], wrong)
    with pytest.raises(RegistryError, match=code):
        read_all(blobs.open_blob(LONG_DIGEST))


def test_a_resumed_read_goes_through_the_registry_again():
    """The URL of a storage server may have run out."""
    blobs, model = store(storage="https://storage.example")
    after = [100, 50]

    def cut(request):
        if str(request.url.origin) != "https://storage.example" or not after:
            return None
        response = model.content(request, LONG, {})
        response.body = Piece(response, after.pop(0))
        return response

    model.answers.append(cut)
    assert read_all(blobs.open_blob(LONG_DIGEST)) == LONG
    assert [url.split("/")[2] for _, url, _ in model.log] == ["registry.example", "storage.example"] * 3


def test_an_answer_may_not_say_how_long_it_is():
    blobs, model = store()
    model.answers.append(
        lambda request: Response(url=request.url, status=200, headers=Headers(), body=io.BytesIO(LONG))
    )
    assert read_all(blobs.open_blob(LONG_DIGEST)) == LONG


# Documents.


def test_documents_are_blobs_too():
    blobs, model = store()
    child, _ = referrer(subject=None)
    model.repository("a/b").manifests[str(Digest.of(child))] = OCI_MANIFEST, child
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(child)), "size": len(child)},
        {"mediaType": "a/b", "digest": str(BLOB_DIGEST), "size": len(BLOB)},
        {"mediaType": 5, "digest": None},
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    model.repository("a/b").manifests[str(Digest.of(raw))] = OCI_INDEX, raw
    model.repository("a/b").tags["index"] = str(Digest.of(raw))
    assert blobs.manifest("index").raw == raw
    assert read_all(blobs.open_blob(Digest.of(raw))) == raw
    assert read_all(blobs.open_blob(Digest.of(child))) == child
    assert read_all(blobs.open_blob(Digest.of(child))) == child
    assert read_all(blobs.open_blob(BLOB_DIGEST)) == BLOB
    paths = [url.removeprefix("https://registry.example/v2/a/b/") for _, url, _ in model.log]
    assert paths == ["manifests/index", f"manifests/{Digest.of(child)}", f"blobs/{BLOB_DIGEST}"]


def test_a_document_that_nothing_has_shown_is_found_all_the_same():
    blobs, model = store()
    assert read_all(blobs.open_blob(DIGEST)) == DOCUMENT
    assert [url.rsplit("/", 2)[1] for _, url, _ in model.log] == ["blobs", "manifests"]


def test_what_is_not_there_is_missing():
    blobs, _ = store()
    with pytest.raises(BlobMissingError, match=str(Digest.of(b"x"))):
        blobs.open_blob(Digest.of(b"x"))
    blobs.learn(Digest.of(b"x"))
    with pytest.raises(BlobMissingError):
        blobs.open_blob(Digest.of(b"x"))
    denied, model = store()
    model.answers.append(lambda request: refuse(request, 403, "DENIED"))
    with pytest.raises(RegistryError, match="DENIED"):
        denied.open_blob(LONG_DIGEST)


def test_blobs_and_documents_are_stored():
    blobs, model = store()
    new = b"new"
    assert not blobs.has_blob(Digest.of(new))
    assert not blobs.reuse_blob(layer(new))
    stream = io.BytesIO(new)
    blobs.put_blob(stream, layer(new))
    assert stream.closed
    assert blobs.has_blob(Digest.of(new))
    assert blobs.reuse_blob(layer(new))
    assert not blobs.reuse_blob(attrs.evolve(layer(new), size=4))
    raw, descriptor = referrer(subject=None)
    model.repository("a/b").blobs["sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"] = b"{}"
    assert not blobs.reuse_blob(descriptor)
    blobs.put_blob(io.BytesIO(raw), descriptor)
    assert blobs.reuse_blob(descriptor)
    assert blobs.has_blob(descriptor.digest)
    asked = len(model.log)
    assert read_all(blobs.open_blob(descriptor.digest)) == raw
    assert len(model.log) == asked
    assert RegistryBlobs(blobs.client).has_blob(descriptor.digest)


def test_wrong_bytes_are_not_sent():
    blobs, model = store()
    stream = io.BytesIO(b"other")
    with pytest.raises(DigestMismatchError):
        blobs.put_blob(stream, layer(b"right"))
    assert stream.closed
    raw, descriptor = referrer()
    with pytest.raises(DigestMismatchError):
        blobs.put_blob(io.BytesIO(b"x" * len(raw)), descriptor)
    with pytest.raises(LimitError, match="document_bytes"):
        blobs.put_blob(io.BytesIO(), attrs.evolve(descriptor, size=Limits().document_bytes + 1))
    assert "PUT" not in [method for method, url, _ in model.log if "manifests" in url]
    assert str(layer(b"right").digest) not in model.repository("a/b").blobs


@pytest.mark.parametrize("api", [True, False])
def test_a_referrer_is_listed_by_somebody(api):
    blobs, model = store(referrers=api)
    model.repository("a/b").blobs["sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"] = b"{}"
    raw, descriptor = referrer()
    blobs.put_blob(io.BytesIO(raw), descriptor)
    assert (f"sha256-{DIGEST.encoded}" in model.repository("a/b").tags) is not api


def test_a_blob_of_the_same_registry_is_taken_over():
    model = ModelRegistry()
    shared = session(model)
    source = RegistryBlobs(shared.client(model.host, "source"))
    target = RegistryBlobs(shared.client(model.host, "target"))
    model.repository("source").blobs[str(LONG_DIGEST)] = LONG
    assert target.mount_blob(layer(LONG), source)
    assert model.repository("target").blobs == {str(LONG_DIGEST): LONG}
    assert not target.mount_blob(layer(LONG), target)
    assert not target.mount_blob(layer(LONG), io.BytesIO())
    assert not target.mount_blob(referrer()[1], source)
    elsewhere = ModelRegistry("other.example")
    assert not target.mount_blob(layer(LONG), RegistryBlobs(session(elsewhere).client(elsewhere.host, "source")))


def test_a_mount_that_is_refused_is_an_upload():
    model = ModelRegistry()
    shared = session(model)
    source = RegistryBlobs(shared.client(model.host, "source"))
    target = RegistryBlobs(shared.client(model.host, "target"))
    model.switches.mounts = False
    assert not target.mount_blob(layer(LONG), source)
    target.put_blob(io.BytesIO(LONG), layer(LONG))
    assert [method for method, _, _ in model.log] == ["POST", "PUT"]
    model.switches.mounts, model.switches.mounts_without_permission = True, False
    assert not target.mount_blob(layer(BLOB), source)

    def broken(request):
        raise UnreachableError(str(request.url), "broke", was_sent=False)

    model.answers.append(broken)
    with pytest.raises(UnreachableError):
        target.mount_blob(layer(BLOB), source)


def test_a_registry_does_not_list_its_blobs():
    blobs, _ = answering(lambda request: None)
    with pytest.raises(UnsupportedError, match="does not list its blobs"):
        list(RegistryBlobs(blobs).iter_blobs())


def test_it_is_what_the_library_takes_for_a_store():
    blobs: BlobStore = store()[0]
    assert isinstance(blobs, BlobMounter)
    assert isinstance(blobs, Interruptible)
