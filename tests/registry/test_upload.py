"""Uploads: where they go, what is compared, and what a registry may take over from another repository."""

import functools
import io
import os

import pytest

from oci_layers.errors import DigestMismatchError, RegistryError, SizeMismatchError, UnreachableError
from oci_layers.registry import BytesBody
from oci_layers.registry.blobs import RegistryBlobs
from oci_layers.registry.upload import StreamBody, begin, mount, upload, upload_in_chunks
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.store.copy import copy
from oci_layers.store.layout import Layout
from oci_layers.store.memory import MemoryRepository
from tests.registry.test_client import BLOB, BLOB_DIGEST, answering, client
from tests.support.model_registry import Switches, refuse, reply
from tests.support.registries import remote
from tests.support.stores import manifest

NEW = b"something new"
NEW_DIGEST = Digest.of(NEW)
HOST = "https://registry.example"


def requests(model):
    return [(method, url.removeprefix(f"{HOST}/v2/a/b/")) for method, url, _ in model.log]


@pytest.mark.parametrize(
    "switches", [{}, {"absolute_location": True}, {"location_query": ""}, {"digest_header": False}]
)
def test_a_blob_is_sent_in_two_requests(switches):
    made, model = client(**switches)
    upload(made, BytesBody(NEW), NEW_DIGEST)
    assert model.repository("a/b").blobs[str(NEW_DIGEST)] == NEW
    begun, sent = model.log
    assert begun[:2] == ("POST", f"{HOST}/v2/a/b/blobs/uploads/")
    query = "?state=a%3Ab%2B&" if "location_query" not in switches else "?"
    assert sent[:2] == ("PUT", f"{HOST}/v2/a/b/blobs/uploads/0{query}digest={NEW_DIGEST}")


def test_wrong_bytes_are_refused_by_the_registry():
    made, model = client()
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        upload(made, BytesBody(b"x"), NEW_DIGEST)
    assert str(NEW_DIGEST) not in model.repository("a/b").blobs


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/up?x=%2F", f"{HOST}/up?x=%2F&digest={NEW_DIGEST}"),
        ("there", f"{HOST}/v2/a/b/blobs/uploads/there?digest={NEW_DIGEST}"),
        ("https://registry.example:443/up", f"{HOST}/up?digest={NEW_DIGEST}"),
        ("https://storage.example/up?sig=s", f"https://storage.example/up?sig=s&digest={NEW_DIGEST}"),
    ],
)
def test_the_registry_says_where_the_bytes_go(location, target):
    seen = []

    def answer(request):
        if request.method == "POST":
            return reply(request, 202, headers=[("Location", location)])
        seen.append(request.url.full)
        return reply(request, 201)

    made, _ = answering(answer)
    upload(made, BytesBody(NEW), NEW_DIGEST)
    assert seen == [target]


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "does not say where"),
        ([("Location", "")], "does not say where"),
        ([("Location", "http://registry.example/up")], "not encrypted"),
        ([("Location", "https://10.0.0.1/up")], "local address"),
        ([("Location", "file:///up")], "to no URL"),
        ([("Location", "http://[::1/")], "to no URL"),
    ],
)
def test_an_upload_astray_is_an_error(headers, message):
    made, model = answering(lambda request: reply(request, 202, headers=headers))
    with pytest.raises(RegistryError, match=message):
        begin(made)
    assert len(model.log) == 1


def test_a_registry_that_ends_an_upload_before_it_began_is_not_believed():
    """Where a blob could be sent in one request, some registries throw it away."""
    made, _ = answering(lambda request: reply(request, 201))
    with pytest.raises(RegistryError, match="201"):
        begin(made)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_upload_counts_if_the_blob_is_there(status):
    made, model = client(created=status)
    upload(made, BytesBody(NEW), NEW_DIGEST)
    assert requests(model)[-1] == ("HEAD", f"blobs/{NEW_DIGEST}")
    lies = lambda request: reply(request, status) if request.method == "PUT" else None
    made, _ = answering(lies)
    with pytest.raises(RegistryError, match="does not have"):
        upload(made, BytesBody(NEW), NEW_DIGEST)


def test_an_upload_is_not_repeated_by_itself():
    def breaks(request):
        if request.method == "PUT":
            raise UnreachableError(str(request.url), "the connection broke")

    made, model = answering(breaks)
    with pytest.raises(UnreachableError):
        upload(made, BytesBody(NEW), NEW_DIGEST)
    assert [method for method, _ in requests(model)] == ["POST", "PUT"]


# What is compared before the last byte is sent.


def body(data, descriptor):
    return StreamBody(io.BytesIO(data), descriptor)


def read(opened, size):
    parts = []
    while data := opened.read(size):
        parts.append(data)
    return parts


@pytest.mark.parametrize("size", [1, 3, 13, 99])
def test_the_last_piece_is_handed_out_only_if_all_is_right(size):
    wanted = Descriptor.of(NEW, media_type="a/b")
    assert b"".join(read(body(NEW, wanted).open(), size)) == NEW
    for wrong, error in (
        (b"something nuw", DigestMismatchError),
        (NEW + b"!", SizeMismatchError),
        (NEW[:-1], SizeMismatchError),
    ):
        opened, seen = body(wrong, wanted).open(), []
        with pytest.raises(error):
            seen.extend(iter(functools.partial(opened.read, size), b""))
        assert len(b"".join(seen)) < len(NEW)


def test_an_empty_blob_is_a_blob():
    assert read(body(b"", Descriptor.of(b"", media_type="a/b")).open(), 9) == []


def test_a_body_is_opened_again_if_its_stream_can_go_back():
    twice = body(NEW, Descriptor.of(NEW, media_type="a/b"))
    assert twice.open().read(4) == b"some"
    again = twice.open()
    assert again.read(99) == NEW
    again.close()
    assert twice.size == len(NEW)

    class Once:
        read = io.BytesIO(NEW).read

    once = StreamBody(Once(), Descriptor.of(NEW, media_type="a/b"))
    once.open()
    with pytest.raises(UnreachableError, match="cannot be read a second time"):
        once.open()


# Mounts.


def test_a_blob_of_another_repository_is_taken_over():
    made, model = client()
    model.repository("other").blobs[str(NEW_DIGEST)] = NEW
    assert mount(made, NEW_DIGEST, "other") is None
    assert model.repository("a/b").blobs[str(NEW_DIGEST)] == NEW
    assert requests(model) == [("POST", f"blobs/uploads/?mount={NEW_DIGEST}&from=other")]


def test_a_mount_that_is_not_done_is_an_upload_that_has_begun():
    for options in ({"mounts": False}, {}):
        made, model = client(**options)
        session = mount(made, NEW_DIGEST, "other")
        upload(made, BytesBody(NEW), NEW_DIGEST, session)
        assert [method for method, _ in requests(model)] == ["POST", "PUT"]
        assert model.repository("a/b").blobs[str(NEW_DIGEST)] == NEW


def test_a_mount_needs_both_permissions():
    made, _ = client()
    asked = []
    made.exchange._authorizer.header = lambda origin, domain, scopes, fetch: asked.append(
        {str(each) for each in scopes}
    )
    mount(made, BLOB_DIGEST, "other")
    assert asked == [{"repository:a/b:push,pull", "repository:other:pull"}]


def test_a_mount_of_something_else_is_not_believed():
    made, _ = answering(lambda request: reply(request, 201, headers=[("Docker-Content-Digest", str(NEW_DIGEST))]))
    with pytest.raises(RegistryError, match="in place of"):
        mount(made, BLOB_DIGEST, "other")
    assert len(BLOB) > 1
    made, _ = answering(lambda request: refuse(request, 403, "DENIED"))
    with pytest.raises(RegistryError, match="403"):
        mount(made, BLOB_DIGEST, "other")


# Chunks.

CHUNK = 4 << 20
LARGE = os.urandom(CHUNK) * 2 + b"the end"


def sizes(model):
    """What each request of an upload had as its range, and what it asked for."""
    return [(method, headers.get("Content-Range")) for method, _, headers in model.log]


@pytest.mark.parametrize(
    ("data", "ranges"),
    [
        (NEW, [(0, 12)]),
        (LARGE[:CHUNK], [(0, CHUNK - 1)]),
        (LARGE, [(0, CHUNK - 1), (CHUNK, 2 * CHUNK - 1), (2 * CHUNK, 2 * CHUNK + 6)]),
        (b"", []),
    ],
    ids=["one", "whole", "three", "none"],
)
@pytest.mark.parametrize("switches", [{}, {"new_location_each_time": False}, {"chunk_status": 204}, {"most": CHUNK}])
def test_a_blob_is_sent_in_chunks(data, ranges, switches):
    made, model = client(**switches)
    upload_in_chunks(made, BytesBody(data), Digest.of(data))
    assert model.repository("a/b").blobs[str(Digest.of(data))] == data
    chunks = [("PATCH", f"{first}-{last}") for first, last in ranges]
    assert sizes(model) == [("POST", None), *chunks, ("PUT", None)]
    assert len({url for _, url, _ in model.log}) == len(model.log)


def test_chunks_are_as_large_as_the_registry_wants_them():
    made, model = client(least=CHUNK + 5)
    upload_in_chunks(made, BytesBody(LARGE), Digest.of(LARGE))
    assert sizes(model)[1:-1] == [("PATCH", f"0-{CHUNK + 4}"), ("PATCH", f"{CHUNK + 5}-{len(LARGE) - 1}")]
    for least in (1, CHUNK, "x", "-1", "9" * 30):
        made, model = client(least=least)
        if least == 1 or least == CHUNK:
            upload_in_chunks(made, BytesBody(LARGE), Digest.of(LARGE))
            assert len(model.log) == 5
        else:
            upload_in_chunks(made, BytesBody(NEW), NEW_DIGEST)
    made, model = client(least=16 * CHUNK + 1)
    with pytest.raises(RegistryError, match=f"wants chunks of {16 * CHUNK + 1} bytes"):
        upload_in_chunks(made, BytesBody(NEW), NEW_DIGEST)
    assert sizes(model) == [("POST", None)]


def test_a_chunk_that_is_refused_or_lost_ends_the_upload():
    for answer, error in (
        (lambda request: refuse(request, 416, "BLOB_UPLOAD_INVALID"), RegistryError),
        (lambda request: reply(request, 413), RegistryError),
        (lambda request: reply(request, 202), RegistryError),
    ):
        made, model = answering(lambda request, answer=answer: answer(request) if request.method == "PATCH" else None)
        with pytest.raises(error):
            upload_in_chunks(made, BytesBody(LARGE), Digest.of(LARGE))
        assert sizes(model) == [("POST", None), ("PATCH", f"0-{CHUNK - 1}")]
        assert str(Digest.of(LARGE)) not in model.repository("a/b").blobs


def test_the_last_chunk_is_sent_only_if_all_is_right():
    wanted = Descriptor.of(LARGE, media_type="a/b")
    wrong = LARGE[:-1] + b"!"
    made, model = client()
    with pytest.raises(DigestMismatchError):
        upload_in_chunks(made, StreamBody(io.BytesIO(wrong), wanted), wanted.digest)
    assert len(sizes(model)) == 3
    assert "PUT" not in dict(sizes(model))


def test_a_blob_that_is_too_large_for_a_request_goes_in_chunks():
    made, model = client(most=CHUNK)
    blobs = RegistryBlobs(made)
    other = LARGE + b"!"
    for data in (LARGE, other, NEW):
        blobs.put_blob(io.BytesIO(data), Descriptor.of(data, media_type="a/b"))
        assert model.repository("a/b").blobs[str(Digest.of(data))] == data
    in_chunks = ["POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert [method for method, _ in sizes(model)] == ["POST", "PUT", *in_chunks, *in_chunks, "POST", "PUT"]


def test_a_stream_that_cannot_go_back_is_opened_again_by_the_copy(tmp_path):
    for source in (MemoryRepository(), Layout.create(tmp_path / "layout")):
        source.tag("v1", manifest(source.blobs, LARGE))
        target = remote(switches=Switches(most=CHUNK))
        copied = copy(source, target, "v1", threads=1)
        assert copied.missing == ()
        source.close()
        model = target.client.exchange._transport
        assert model.repository("a/b").blobs[str(Digest.of(LARGE))] == LARGE
        methods = [method for method, url, _ in model.log if "/blobs/uploads/" in url]
        assert methods[:7] == ["POST", "PUT", "POST", "PATCH", "PATCH", "PATCH", "PUT"]


def test_a_file_is_sent_again_from_its_start(tmp_path):
    made, model = client(most=CHUNK)
    descriptor = Descriptor.of(LARGE, media_type="a/b")
    with Layout.create(tmp_path / "layout") as layout:
        layout.blobs.put_blob(io.BytesIO(LARGE), descriptor)
        RegistryBlobs(made).put_blob(layout.blobs.open_blob(descriptor.digest), descriptor)
    assert model.repository("a/b").blobs[str(descriptor.digest)] == LARGE
