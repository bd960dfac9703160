"""Layers that come from the URLs in their descriptors: only when asked for, after the registry, without credentials."""

import json
import os

import pytest

import oci_layers as oci
from oci_layers.blob.store import BlobDecliner, read_verified
from oci_layers.errors import (
    BlobMissingError,
    IntegrityError,
    NameFormatError,
    OCIError,
    RegistryError,
    UnreachableError,
    format_error,
)
from oci_layers.registry.blobs import RegistryBlobs
from oci_layers.registry.credentials import Credential
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import (
    DOCKER_FOREIGN_LAYER_GZIP,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    OCI_NONDISTRIBUTABLE_LAYER,
)
from oci_layers.store import Layout, MemoryRepository
from oci_layers.testing.streams import read_all
from tests.registry.test_blobs import Piece
from tests.support.model_registry import ModelRegistry, refuse, reply
from tests.support.registries import remote, session
from tests.support.stores import blob, digests, document, manifest

DATA = os.urandom(5000)
DIGEST = Digest.of(DATA)
ELSEWHERE = "https://elsewhere.example/layer?signature=secret"


class Web:
    """Servers beside a registry: `pages` has what each URL answers; `asked` what was asked of them."""

    def __init__(self, model, **pages):
        self.pages = {ELSEWHERE: DATA} | pages
        self.asked = []
        self.model = model
        model.answers.append(self.answer)

    def answer(self, request):
        if request.url.origin.host == self.model.host:
            return None
        self.asked.append((request.url.full, request.headers.get("Authorization"), request.headers.get("Range")))
        page = self.pages.get(request.url.full)
        if page is None:
            return refuse(request, 404, "NOT_FOUND")
        return page(request) if callable(page) else self.model.content(request, page, {})


def image(model, *urls, media_type=OCI_NONDISTRIBUTABLE_LAYER, name="a/b"):
    layer = {"mediaType": media_type, "digest": str(DIGEST), "size": len(DATA), "urls": list(urls)}
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": layer, "layers": [layer]}).encode()
    mine = model.repository(name)
    mine.manifests[str(Digest.of(raw))] = OCI_MANIFEST, raw
    mine.tags["v1"] = str(Digest.of(raw))
    return layer


def store(*urls, pages=None, host="registry.example", foreign_layers=True, **options):
    model = ModelRegistry(host)
    web = Web(model, **(pages or {}))
    image(model, *urls)
    made = RegistryBlobs(session(model, **options).client(host, "a/b"), foreign_layers=foreign_layers)
    made.manifest("v1")
    return made, web


@pytest.mark.parametrize("media_type", [OCI_NONDISTRIBUTABLE_LAYER, DOCKER_FOREIGN_LAYER_GZIP, OCI_LAYER])
def test_it_is_not_fetched_unless_asked_for(media_type):
    model = ModelRegistry()
    web = Web(model)
    image(model, ELSEWHERE, media_type=media_type)
    blobs = RegistryBlobs(session(model).client(model.host, "a/b"))
    blobs.manifest("v1")
    with pytest.raises(BlobMissingError, match=r"is missing \(a foreign layer, which --foreign-layers or") as raised:
        blobs.open_blob(DIGEST)
    assert raised.value.digest == str(DIGEST)
    assert "\n" not in format_error(raised.value)
    assert web.asked == []


def test_the_registry_is_asked_first():
    blobs, web = store(ELSEWHERE)
    web.model.repository("a/b").blobs[str(DIGEST)] = DATA
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    assert web.asked == []
    del web.model.repository("a/b").blobs[str(DIGEST)]
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    assert web.asked == [(ELSEWHERE, None, None)]
    assert f"/blobs/{DIGEST}" in web.model.log[-2][1]


def test_no_credentials_go_there():
    """Not even where it asks for them, or sends back to the registry."""
    wants = [("WWW-Authenticate", 'Basic realm="layers"')]
    back = [("Location", f"https://registry.example/v2/a/b/blobs/{DIGEST}")]
    first, second = "https://elsewhere.example/1", "https://elsewhere.example/2"
    pages = {
        first: lambda request: reply(request, 401, headers=wants),
        second: lambda request: reply(request, 307, headers=back),
    }
    blobs, web = store(first, second, pages=pages, credentials=Credential(username="ann", password="secret"))

    def guarded(request):
        if request.url.origin.host != "registry.example" or "Authorization" in request.headers:
            return None
        return reply(request, 401, headers=wants)

    web.model.answers.insert(0, guarded)
    with pytest.raises(RegistryError) as raised:
        blobs.open_blob(DIGEST)
    assert raised.value.status == 401
    assert [authorization for _, authorization, _ in web.asked] == [None, None]
    assert "Authorization" not in web.model.log[-1][2]


def test_the_next_url_is_used_where_one_fails():
    urls = ["ftp://elsewhere.example/layer", "https://gone.example/layer", ELSEWHERE]
    blobs, web = store(*urls)
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    assert [url for url, _, _ in web.asked] == urls[1:]


@pytest.mark.parametrize(
    ("urls", "error", "text"),
    [
        ([ELSEWHERE, "https://gone.example/x"], RegistryError, "https://gone.example/x: 404"),
        (["ftp://gone.example/x"], NameFormatError, "it is not a URL of http or https"),
        (["https://ann:secret@gone.example/x"], NameFormatError, "without a user"),
        ([5], NameFormatError, "it is not a URL"),
        (["http://gone.example/x"], RegistryError, "a connection that is not encrypted"),
        (["http://127.0.0.1/x"], RegistryError, "leads to a connection that is not encrypted"),
        (["https://169.254.169.254/x"], RegistryError, "leads to a local address"),
        (["https://10.0.0.1/x"], RegistryError, "leads to a local address"),
    ],
)
def test_what_is_wrong_with_the_last_url_is_said(urls, error, text):
    blobs, _ = store(*urls, pages={ELSEWHERE: None})
    with pytest.raises(error) as raised:
        blobs.open_blob(DIGEST)
    shown = format_error(raised.value)
    assert f"foreign layer {DIGEST}" in shown
    assert text in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("host", "url", "plain_http", "is_fetched"),
    [
        ("localhost", "http://127.0.0.1:8080/x", False, False),
        ("localhost", "http://127.0.0.1:8080/x", True, False),
        ("localhost", "https://127.0.0.1:8080/x", False, True),
        ("localhost", "https://elsewhere.example/x", False, True),
    ],
)
def test_a_registry_on_this_machine_may_lead_to_this_machine(host, url, plain_http, is_fetched):
    """By TLS, as long as the registry has spoken TLS."""
    blobs, _ = store(url, pages={url: DATA}, host=host, plain_http=plain_http)
    if is_fetched:
        assert read_all(blobs.open_blob(DIGEST)) == DATA
    else:
        with pytest.raises(RegistryError, match="not encrypted"):
            blobs.open_blob(DIGEST)


@pytest.mark.parametrize(
    ("url", "plain_http", "is_fetched"),
    [
        ("http://elsewhere.example/x", True, True),
        ("http://elsewhere.example/x", False, False),
        ("http://127.0.0.1:8080/x", False, True),
    ],
)
def test_plain_http_is_for_this_machine_or_asked_for(url, plain_http, is_fetched):
    model = ModelRegistry("localhost:5000")

    def no_tls(request):
        if request.url.origin.is_secure:
            raise UnreachableError(str(request.url), "no TLS", speaks_tls=False, was_sent=False)

    model.answers.append(no_tls)
    model.host = "localhost"
    Web(model, **{url: DATA})
    image(model, url)
    made = session(model, plain_http=plain_http)
    blobs = RegistryBlobs(made.client("localhost:5000", "a/b"), foreign_layers=True)
    blobs.manifest("v1")
    if is_fetched:
        assert read_all(blobs.open_blob(DIGEST)) == DATA
    else:
        with pytest.raises(RegistryError, match="not encrypted"):
            blobs.open_blob(DIGEST)


def test_a_connection_that_breaks_is_taken_up_at_the_same_url():
    blobs, web = store(ELSEWHERE)
    after = [100, 4000]

    def breaking(request):
        response = web.model.content(request, DATA, {})
        if after:
            response.body = Piece(response, after.pop(0))
        return response

    web.pages[ELSEWHERE] = breaking
    assert read_all(blobs.open_blob(DIGEST)) == DATA
    assert web.asked == [(ELSEWHERE, None, each) for each in (None, "bytes=100-", "bytes=4100-")]


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA[:-1] + b"x"], ids=["short", "long", "other"])
def test_it_is_verified(data):
    blobs, web = store(ELSEWHERE)
    web.pages[ELSEWHERE] = data
    layer = Descriptor(media_type=OCI_LAYER, digest=DIGEST, size=len(DATA))
    with pytest.raises(IntegrityError):
        read_verified(blobs, layer, limit="x", allowed=10**6)


def test_an_interrupt_ends_the_search():
    blobs, web = store("https://first.example/x", ELSEWHERE)

    def interrupted(request):
        blobs.interrupt()
        raise UnreachableError(str(request.url), "interrupted")

    web.pages["https://first.example/x"] = interrupted
    with pytest.raises(UnreachableError, match="interrupted"):
        blobs.open_blob(DIGEST)
    assert len(web.asked) == 1


def test_a_document_that_is_kept_says_where_layers_are(tmp_path):
    """Its child, an image, is read from the cache, so nothing but its bytes shows the URLs."""
    model = ModelRegistry()
    Web(model)
    image(model, ELSEWHERE)
    [(digest, (_, raw))] = model.repository("a/b").manifests.items()
    entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw)}
    index_type = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [entry]}).encode()
    model.repository("a/b").manifests[str(Digest.of(index))] = index_type, index
    model.repository("a/b").tags["all"] = str(Digest.of(index))
    for _ in range(2):
        repository = remote(model, cache=tmp_path / "cache", foreign_layers=True)
        repository.entries("all")
        assert read_all(repository.blobs.open_blob(Digest.parse(digest))) == raw
        assert read_all(repository.blobs.open_blob(DIGEST)) == DATA
        repository.close()
        with Layout.open(tmp_path / "cache") as kept:
            assert {DIGEST, Digest.parse(digest)} <= digests(kept.blobs)
            kept.own_blobs.delete_blob(DIGEST)


@pytest.mark.parametrize("layers", [None, 5, [5], [{"digest": 5}], [{"digest": "x"}], [{"urls": 5, "size": "x"}]])
def test_a_malformed_document_is_no_error_here(layers):
    model = ModelRegistry()
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers}).encode()
    model.repository("a/b").manifests[str(Digest.of(raw))] = OCI_MANIFEST, raw
    blobs = RegistryBlobs(session(model).client(model.host, "a/b"))
    assert blobs.manifest(Digest.of(raw)).raw == raw


# From place to place.


def test_an_image_with_a_foreign_layer_is_copied_with_or_without_it():
    model = ModelRegistry()
    web = Web(model)
    source = MemoryRepository()
    layer = Descriptor.of(DATA, media_type=OCI_NONDISTRIBUTABLE_LAYER)
    gone = oci.spec.Descriptor(media_type=layer.media_type, digest=DIGEST, size=len(DATA), urls=(ELSEWHERE,))
    source.tag("v1", manifest(source.blobs, b"base", gone))
    copied = oci.copy(source, remote(model), "v1")
    assert copied.missing == (gone,)
    for foreign_layers in (False, True):
        back = MemoryRepository()
        copied = oci.copy(remote(model, foreign_layers=foreign_layers), back, "v1")
        assert copied.missing == (() if foreign_layers else (gone,))
        assert (DIGEST in digests(back.blobs)) is foreign_layers
    assert [url for url, _, _ in web.asked] == [ELSEWHERE]


def test_a_layer_that_is_not_distributed_is_sent_to_a_registry_only_when_asked_for():
    source = MemoryRepository()
    layer = blob(source.blobs, DATA, OCI_NONDISTRIBUTABLE_LAYER)
    source.tag("v1", manifest(source.blobs, b"base", layer))
    for foreign_layers in (False, True):
        model = ModelRegistry()
        target = remote(model, foreign_layers=foreign_layers)
        assert isinstance(target.blobs, BlobDecliner)
        copied = oci.copy(source, target, "v1")
        assert copied.missing == (() if foreign_layers else (layer,))
        assert (str(DIGEST) in model.repository("a/b").blobs) is foreign_layers
        assert list(model.repository("a/b").tags) == ["v1"]
        if foreign_layers:  # One that is there is no loss, whoever sent it.
            again = oci.copy(source, remote(model), "v1")
            assert (again.missing, again.blobs) == ((), 0)
        beside = remote(model, "c/d", foreign_layers=foreign_layers)
        assert beside.blobs.mount_blob(layer, target.blobs) is foreign_layers


def test_a_layer_of_an_ordinary_type_has_to_be_there():
    model = ModelRegistry()
    Web(model)
    layer = image(model, ELSEWHERE, media_type=OCI_LAYER)
    with pytest.raises(OCIError, match="a foreign layer"):
        oci.copy(remote(model), MemoryRepository(), "v1")
    assert layer["urls"]


def test_an_image_is_written_without_what_is_not_distributed(tmp_path):
    model = ModelRegistry()
    with Layout.create(tmp_path / "layout") as source:
        tar = b"\0" * 1024
        layer = blob(source.blobs, tar, OCI_NONDISTRIBUTABLE_LAYER)
        rootfs = {"type": "layers", "diff_ids": [str(layer.digest)]}
        config = document(source.blobs, OCI_CONFIG, architecture="amd64", os="linux", rootfs=rootfs)
        source.tag("v1", manifest(source.blobs, layer, config=config))
        with oci.open_image(source, ref="v1", platform="linux/amd64") as opened:
            oci.build.edit(opened).write(remote(model), ref="v1")
    assert str(layer.digest) not in model.repository("a/b").blobs
    assert list(model.repository("a/b").tags) == ["v1"]
