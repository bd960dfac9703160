"""Uploads: where they go, what is compared, and what a registry may take over from another repository."""

import functools
import io

import pytest

from oci_layers.errors import DigestMismatchError, RegistryError, SizeMismatchError, UnreachableError
from oci_layers.registry import BytesBody
from oci_layers.registry.upload import StreamBody, begin, mount, upload
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from tests.registry.test_client import BLOB, BLOB_DIGEST, answering, client
from tests.support.model_registry import refuse, reply

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
