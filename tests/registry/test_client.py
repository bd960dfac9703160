"""The requests of the distribution spec, against a model of a registry and against answers that are wrong."""

import json

import pytest

from oci_layers import Limits
from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    LimitError,
    RegistryError,
    UnsupportedError,
)
from oci_layers.registry import BytesBody, Url
from oci_layers.registry.client import ACCEPT, RegistryClient
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.model_registry import ModelRegistry, Switches, digest_of, refuse, reply
from tests.support.registries import session

DOCUMENT = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
DIGEST = Digest.of(DOCUMENT)
BLOB = b"the lamp is lit"
BLOB_DIGEST = Digest.of(BLOB)


def client(model=None, *, limits=None, **switches):
    model = model or ModelRegistry(switches=Switches(**switches))
    made = session(model).client(model.host, "a/b", limits)
    assert isinstance(made, RegistryClient)
    mine = model.repository("a/b")
    mine.blobs[str(BLOB_DIGEST)] = BLOB
    mine.manifests[str(DIGEST)] = OCI_INDEX, DOCUMENT
    mine.tags["v1"] = str(DIGEST)
    return made, model


def answering(function, **options):
    """A client whose server answers as a function does."""
    made, model = client(**options)
    model.answers.append(function)
    return made, model


def test_a_manifest_is_read_by_tag_and_by_digest():
    made, model = client()
    assert made.place == "registry.example/a/b"
    for reference in ("v1", DIGEST):
        found = made.manifest(reference)
        assert (found.raw, found.descriptor.media_type, found.descriptor.digest) == (DOCUMENT, OCI_INDEX, DIGEST)
        assert found.descriptor.size == len(DOCUMENT)
    assert {headers["Accept"] for _, _, headers in model.log} == {ACCEPT}
    assert ACCEPT.count("application/vnd.") == 4


def test_a_manifest_may_have_another_algorithm():
    made, model = client()
    digest = Digest.of(DOCUMENT, "sha512")
    model.repository("a/b").manifests[str(digest)] = OCI_INDEX, DOCUMENT
    assert made.manifest(digest).descriptor.digest == digest


def test_a_manifest_that_is_not_there_is_missing():
    made, _ = client()
    for reference in ("v2", Digest.of(b"")):
        with pytest.raises(BlobMissingError, match=str(reference)):
            made.manifest(reference)
        assert made.head_manifest(reference) is None


@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN"])
def test_a_code_says_that_it_is_missing_whatever_the_status(code):
    made, _ = answering(lambda request: refuse(request, 400, code))
    with pytest.raises(BlobMissingError):
        made.manifest("v1")


def test_another_document_than_asked_for_is_refused():
    made, _ = answering(lambda request: reply(request, 200, b"{}", [("Content-Type", OCI_INDEX)]))
    with pytest.raises(DigestMismatchError) as raised:
        made.manifest(DIGEST)
    assert raised.value.expected == str(DIGEST)
    encoded = [("Content-Type", OCI_INDEX), ("Content-Encoding", "gzip")]
    made, _ = answering(lambda request: reply(request, 200, b"{}", encoded))
    with pytest.raises(DigestMismatchError, match="sent with Content-Encoding gzip"):
        made.manifest(DIGEST)


def test_the_digest_of_a_tag_is_computed_whatever_the_registry_says():
    lie = [("Content-Type", OCI_INDEX), ("Docker-Content-Digest", str(BLOB_DIGEST))]
    made, _ = answering(lambda request: reply(request, 200, DOCUMENT, lie))
    assert made.manifest("v1").descriptor.digest == DIGEST


@pytest.mark.parametrize(
    ("content_type", "raw", "expected"),
    [
        (OCI_INDEX, DOCUMENT, OCI_INDEX),
        (OCI_INDEX + "; charset=utf-8", DOCUMENT, OCI_INDEX),
        (OCI_INDEX.upper(), DOCUMENT, OCI_INDEX),
        (OCI_INDEX, b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX),
        ("application/json", DOCUMENT, OCI_INDEX),
        ("application/octet-stream", b'{"schemaVersion":2,"config":{},"layers":[]}', OCI_MANIFEST),
        ("text/plain", DOCUMENT, OCI_INDEX),
        (None, DOCUMENT, OCI_INDEX),
        (None, json.dumps({"mediaType": DOCKER_MANIFEST}).encode(), DOCKER_MANIFEST),
        (OCI_MANIFEST, DOCUMENT, DocumentError),
        ("text/html", b"<html>", DocumentError),
        (None, b"<html>", DocumentError),
        (None, b'{"rootfs": {}}', DocumentError),
        (OCI_INDEX, b"[]", DocumentError),
        (OCI_INDEX, b'{"manifests": [], "manifests": []}', DocumentError),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", b"{}", UnsupportedError),
        ("application/vnd.docker.distribution.manifest.v1+json", b"{}", UnsupportedError),
    ],
)
def test_the_media_type_is_that_of_the_answer_or_else_of_the_document(content_type, raw, expected):
    headers = [] if content_type is None else [("Content-Type", content_type)]
    made, _ = answering(lambda request: reply(request, 200, raw, headers))
    if isinstance(expected, str):
        assert made.manifest("v1").descriptor.media_type == expected
    else:
        with pytest.raises(expected):
            made.manifest("v1")


def test_a_document_has_a_limit():
    made, _ = client(limits=Limits(document_bytes=len(DOCUMENT)))
    assert made.manifest("v1").raw == DOCUMENT
    made, _ = client(limits=Limits(document_bytes=len(DOCUMENT) - 1))
    with pytest.raises(LimitError, match="document_bytes"):
        made.manifest("v1")


def test_a_head_is_enough_where_it_says_all():
    made, model = client()
    for reference in ("v1", DIGEST):
        assert made.head_manifest(reference) == made.manifest(reference).descriptor
    assert [method for method, _, _ in model.log] == ["HEAD", "GET"] * 2


@pytest.mark.parametrize("switches", [{"digest_header": False}, {"heads_of_manifests": False}])
@pytest.mark.parametrize("reference", ["v1", DIGEST])
def test_a_head_that_says_too_little_is_followed_by_a_get(switches, reference):
    made, model = client(**switches)
    assert made.head_manifest(reference).digest == DIGEST
    assert [method for method, _, _ in model.log] == ["HEAD", "GET"]


def test_a_head_that_states_another_digest_is_not_believed():
    lie = [("Content-Type", OCI_INDEX), ("Docker-Content-Digest", str(BLOB_DIGEST))]
    made, _ = answering(lambda request: reply(request, 200, DOCUMENT, lie) if request.method == "HEAD" else None)
    assert made.head_manifest(DIGEST).digest == DIGEST


def test_a_head_that_fails_is_an_error():
    made, _ = answering(lambda request: refuse(request, 501, "UNSUPPORTED"))
    with pytest.raises(RegistryError, match="501"):
        made.head_manifest("v1")


def test_a_manifest_is_stored_as_its_bytes():
    made, model = client()
    raw = b'{"schemaVersion": 2,\n"manifests": []}'
    for reference in ("v2", Digest.of(raw), Digest.of(raw, "sha512")):
        made.put_manifest(raw, OCI_INDEX, reference)
    assert model.repository("a/b").manifests[digest_of(raw)] == (OCI_INDEX, raw)
    assert model.repository("a/b").tags["v2"] == digest_of(raw)
    assert {headers["Content-Type"] for _, _, headers in model.log} == {OCI_INDEX}


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("digest_header", [True, False])
def test_what_was_stored_is_believed_if_it_is_there(status, digest_header):
    made, model = client(created=status, digest_header=digest_header)
    made.put_manifest(DOCUMENT, OCI_INDEX, "v2")
    asked = [method for method, _, _ in model.log]
    assert asked[:1] == ["PUT"]
    assert (len(asked) > 1) == (status != 201)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_server_that_says_yes_to_everything_is_no_registry(status):
    made, _ = answering(
        lambda request: reply(request, status) if request.method == "PUT" else refuse(request, 404, "X")
    )
    with pytest.raises(RegistryError, match=f"answers {status}, but does not have sha256:"):
        made.put_manifest(DOCUMENT, OCI_INDEX, "v2")


def test_a_registry_that_stored_something_else_is_not_believed():
    made, _ = answering(lambda request: reply(request, 201, headers=[("Docker-Content-Digest", str(BLOB_DIGEST))]))
    with pytest.raises(RegistryError, match=f"stored {BLOB_DIGEST} in place of {DIGEST}"):
        made.put_manifest(DOCUMENT, OCI_INDEX, DIGEST)
    other = Digest.of(DOCUMENT, "sha512")
    made, _ = answering(lambda request: reply(request, 201, headers=[("Docker-Content-Digest", str(other))]))
    with pytest.raises(RegistryError, match="in place of"):
        made.put_manifest(DOCUMENT, OCI_INDEX, Digest.of(b"x", "sha512"))


def test_another_algorithm_is_not_compared():
    """docker-registry stores under sha256 what was sent under sha512, and says so."""
    digest = Digest.of(DOCUMENT, "sha512")
    answer = [("Docker-Content-Digest", str(DIGEST))]
    made, model = client()
    model.repository("a/b").manifests[str(digest)] = OCI_INDEX, DOCUMENT
    model.answers.append(lambda request: reply(request, 201, headers=answer) if request.method == "PUT" else None)
    made.put_manifest(DOCUMENT, OCI_INDEX, digest)
    assert [method for method, _, _ in model.log] == ["PUT", "HEAD"]


def test_a_blob_is_there_or_not():
    made, _ = client()
    assert made.head_blob(BLOB_DIGEST) == len(BLOB)
    assert made.head_blob(DIGEST) is None
    made, _ = answering(lambda request: refuse(request, 403, "DENIED"))
    assert made.head_blob(BLOB_DIGEST) is None
    made, _ = answering(lambda request: refuse(request, 401, "UNAUTHORIZED"))
    with pytest.raises(RegistryError, match="401"):
        made.head_blob(BLOB_DIGEST)

    def silent(request):
        response = reply(request, 200)
        response.headers = type(response.headers)()
        return response

    assert answering(silent)[0].head_blob(BLOB_DIGEST) == -1


def test_parts_of_a_blob_are_asked_for():
    made, model = client()
    assert made.open_blob(BLOB_DIGEST).body.read(100) == BLOB
    assert made.open_blob(BLOB_DIGEST, 4).body.read(100) == BLOB[4:]
    assert made.open_blob(BLOB_DIGEST, 4, 8).body.read(100) == BLOB[4:8]
    assert made.open_blob(BLOB_DIGEST, 0, 8).body.read(100) == BLOB[:8]
    assert [headers.get("Range") for *_, headers in model.log] == [None, "bytes=4-", "bytes=4-7", "bytes=0-7"]
    assert {headers["Accept-Encoding"] for *_, headers in model.log} == {"identity"}
    assert made.open_blob(BLOB_DIGEST, 99).status == 416


def test_the_place_of_a_blob_elsewhere_may_be_asked_again():
    made, _ = client(storage="https://storage.example")
    first = made.open_blob(BLOB_DIGEST)
    assert first.url.full == f"https://storage.example/a/b/{BLOB_DIGEST}?signature=secret"
    assert made.open_blob(BLOB_DIGEST, 4, url=first.url).body.read(100) == BLOB[4:]


def test_tags_are_sorted_over_all_pages():
    for page in (None, 1, 2):
        made, model = client(page=page)
        model.repository("a/b").tags.update(dict.fromkeys(["b", "_", "a", "Z"], str(DIGEST)))
        assert made.tags() == ["Z", "_", "a", "b", "v1"]


@pytest.mark.parametrize(
    ("document", "tags"),
    [
        ({"tags": None}, []),
        ({}, []),
        ({"tags": ["v1", None, 5, "", "sha256:abc", "x" * 129, "-a", "ok", "ok", "\u00e9"]}, ["ok", "v1"]),
        ({"tags": "v1"}, RegistryError),
    ],
)
def test_what_is_no_tag_is_left_out(document, tags):
    made, _ = answering(lambda request: reply(request, 200, json.dumps(document).encode()))
    if isinstance(tags, list):
        assert made.tags() == tags
    else:
        with pytest.raises(tags):
            made.tags()


def page(link, **document):
    return lambda request: reply(
        request, 200, json.dumps(document).encode(), [("Link", f'<{link(request)}>; rel="next"')]
    )


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (lambda request: request.url.target, "round in circles"),
        (lambda request: "https://evil.example/tags", "on another server, https://evil.example"),
        (lambda request: "http://registry.example/v2/a/b/tags/list?last=a", "on another server"),
        (lambda request: "http://[::1/", "is nowhere"),
    ],
)
def test_a_list_that_leads_astray_is_an_error(link, message):
    made, model = answering(page(link, tags=["a"]))
    with pytest.raises(RegistryError, match=message):
        made.tags()
    assert len(model.log) <= 2


def test_a_list_without_an_end_is_an_error(monkeypatch):
    monkeypatch.setattr("oci_layers.registry.client._PAGES", 20)
    made, model = answering(page(lambda request: request.url.target + "x", tags=["a"]))
    with pytest.raises(RegistryError, match="more than 20 pages"):
        made.tags()
    assert len(model.log) == 20
    counter = iter(range(10**6))
    made, _ = answering(
        lambda request: page(lambda _: f"{request.url.path}?{next(counter)}", tags=[f"t{next(counter)}"])(request),
        limits=Limits(descriptors=5),
    )
    with pytest.raises(LimitError, match="descriptors is 5"):
        made.tags()


def test_a_page_is_a_json_object():
    for data in (b"<html>", b"[]", b'{"tags": [], "tags": []}'):
        made, _ = answering(lambda request, data=data: reply(request, 200, data))
        with pytest.raises(DocumentError):
            made.tags()


def test_things_are_deleted():
    made, model = client()
    made.delete("manifests/v1")
    assert model.repository("a/b").tags == {}
    made.delete(f"manifests/{DIGEST}")
    made.delete(f"blobs/{BLOB_DIGEST}")
    assert not model.repository("a/b").manifests
    assert not model.repository("a/b").blobs
    with pytest.raises(BlobMissingError, match="v1"):
        made.delete("manifests/v1")
    made, _ = client(tag_delete=False)
    with pytest.raises(RegistryError, match="400"):
        made.delete("manifests/v1")


def test_a_page_of_another_server_gets_no_credentials():
    """The first page may redirect there, and say where the next one is."""

    def elsewhere(request):
        if request.url.origin.host == "registry.example":
            return reply(request, 307, headers=[("Location", "https://other.example/tags")])
        seen.append(request.headers.get("Authorization"))
        pages = [("Link", '</tags?last=a>; rel="next"')] if request.url.query is None else []
        return reply(request, 200, b'{"tags": ["a"]}', pages)

    seen = []
    made, _ = answering(elsewhere)
    made.exchange._authorizer.header = lambda *_: "secret"
    assert made.tags() == ["a"]
    assert seen == [None, None]


def test_a_url_of_another_server_gets_no_credentials():
    made, model = client()
    seen = []
    model.answers.append(lambda request: seen.append(request) or reply(request, 200))
    access = []
    made.exchange._authorizer.header = lambda origin, *rest: access.append(origin) or "secret"
    made.send("PUT", made.endpoint.call(lambda base: base / "x"), body=BytesBody(b""))
    made.send("PUT", Url.parse("https://other.example/upload"), body=BytesBody(b""))
    assert [each.headers.get("Authorization") for each in seen] == ["secret", None]
