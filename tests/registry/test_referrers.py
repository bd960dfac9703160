"""What refers to a manifest: by the API, by the tag schema, and how the latter is kept."""

import itertools
import json

import pytest

from oci_layers.errors import AccessDeniedError, DocumentError, UnreachableError
from oci_layers.registry.referrers import add_referrer, fallback_tag, find_referrers, remove_referrer
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from tests.registry.test_client import DIGEST, DOCUMENT, answering, client
from tests.support.model_registry import refuse, reply

SUBJECT = {"mediaType": OCI_INDEX, "digest": str(DIGEST), "size": len(DOCUMENT)}


def referrer(kind="text/sbom", **fields):
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(EMPTY_DESCRIPTOR.digest), "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": config,
        "layers": [config],
        "subject": SUBJECT,
        "annotations": {"by": "me"},
    }
    raw = json.dumps({key: value for key, value in {**document, **fields}.items() if value is not None}).encode()
    return raw, Descriptor.of(raw, media_type=OCI_MANIFEST)


def push(made, model, *referrers):
    model.repository("a/b").blobs[str(EMPTY_DESCRIPTOR.digest)] = b"{}"
    for raw, descriptor in referrers:
        headers = made.put_manifest(raw, OCI_MANIFEST, descriptor.digest)
        if "OCI-Subject" not in headers:
            add_referrer(made, raw, descriptor)


@pytest.mark.parametrize(("api", "filters", "page"), [*itertools.product([True, False], [True, False], [None, 1, 2])])
def test_referrers_are_found(api, filters, page):
    made, model = client(referrers=api, filters=filters, page=page)
    sbom, signature, other = referrer(), referrer("text/signature"), referrer("text/signature", annotations={})
    push(made, model, sbom, signature, other)
    assert {each.digest for each in find_referrers(made, DIGEST)} == {
        each.digest for _, each in (sbom, signature, other)
    }
    [found] = find_referrers(made, DIGEST, "text/sbom")
    assert (found.digest, found.size, found.media_type) == (sbom[1].digest, len(sbom[0]), OCI_MANIFEST)
    assert (found.artifact_type, dict(found.annotations)) == ("text/sbom", {"by": "me"})
    assert find_referrers(made, DIGEST, "text/nothing") == []
    assert find_referrers(made, sbom[1].digest) == []
    assert (fallback_tag(DIGEST) in model.repository("a/b").tags) is not api


@pytest.mark.parametrize(
    ("digest", "tag"),
    [
        (DIGEST, f"sha256-{DIGEST.encoded}"),
        (Digest.parse("sha512:" + "a" * 128), "sha512-" + "a" * 64),
        (Digest.parse("a+b.c_d:x=y"), "a-b.c_d-x-y"),
        (Digest.parse("a" * 40 + ":" + "b" * 70), "a" * 32 + "-" + "b" * 64),
    ],
)
def test_the_tag_is_made_of_the_digest(digest, tag):
    assert fallback_tag(digest) == tag


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: refuse(request, 404, "MANIFEST_UNKNOWN"),
        lambda request: refuse(request, 400, "UNSUPPORTED"),
        lambda request: refuse(request, 406, "UNSUPPORTED"),
        lambda request: refuse(request, 429, "TOOMANYREQUESTS"),
        lambda request: reply(request, 404, b"404 page not found", [("Content-Type", "text/plain")]),
        lambda request: reply(request, 200, b"<html>", [("Content-Type", "text/html")]),
        lambda request: reply(request, 200, b"{}", [("Content-Type", "application/json")]),
        lambda request: reply(request, 200, b'{"schemaVersion":2,"manifests":[]}', [("Content-Type", OCI_INDEX)]),
        lambda request: reply(request, 307, headers=[("Location", "https://api.example/packages")]),
        lambda request: reply(request, 303, headers=[("Location", "https://unreachable.example/packages")]),
    ],
)
def test_where_there_is_no_api_the_tag_is_read(answer):
    made, model = client(referrers=False)
    one = referrer()
    push(made, model, one)

    def api(request):
        if "/referrers/" in request.url.path:
            return answer(request)
        if request.url.origin.host == "api.example":
            return reply(request, 200, DOCUMENT, [("Content-Type", OCI_INDEX)])
        return None

    model.answers.append(api)
    assert [each.digest for each in find_referrers(made, DIGEST)] == [one[1].digest]


def broken(request):
    raise UnreachableError(str(request.url), "broke", was_sent=False)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda request: refuse(request, 401, "UNAUTHORIZED"), AccessDeniedError),
        (broken, UnreachableError),
    ],
)
def test_what_says_nothing_about_the_api_is_an_error(answer, error):
    made, _ = answering(answer)
    with pytest.raises(error):
        find_referrers(made, DIGEST)


def test_the_list_under_the_tag_has_each_once_and_keeps_the_others():
    made, model = client(referrers=False)
    one, two = referrer(), referrer("text/signature")
    push(made, model, one, one, two, one)
    assert [each.digest for each in find_referrers(made, DIGEST)] == [one[1].digest, two[1].digest]
    remove_referrer(made, DIGEST, one[1].digest)
    assert [each.digest for each in find_referrers(made, DIGEST)] == [two[1].digest]
    remove_referrer(made, DIGEST, two[1].digest)
    assert find_referrers(made, DIGEST) == []
    asked = len(model.log)
    remove_referrer(made, DIGEST, two[1].digest)
    assert [method for method, _, _ in model.log[asked:]] == ["GET"]


def test_without_an_artifact_type_the_config_says_what_it_is():
    made, model = client(referrers=False)
    push(made, model, referrer(artifactType=None))
    assert [each.artifact_type for each in find_referrers(made, DIGEST)] == ["application/vnd.oci.empty.v1+json"]


def test_an_index_may_refer_too():
    made, _model = client(referrers=False)
    raw = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": SUBJECT, "artifactType": "a/b"}
    )
    descriptor = Descriptor.of(raw.encode(), media_type=OCI_INDEX)
    made.put_manifest(raw.encode(), OCI_INDEX, descriptor.digest)
    add_referrer(made, raw.encode(), descriptor)
    [found] = find_referrers(made, DIGEST)
    assert (found.digest, found.artifact_type) == (descriptor.digest, "a/b")


def test_a_page_that_is_no_index_is_an_error():
    made, _ = answering(
        lambda request: (
            reply(request, 200, b'{"manifests": 5}', [("Content-Type", OCI_INDEX)])
            if "/referrers/" in request.url.path
            else None
        )
    )
    with pytest.raises(DocumentError):
        find_referrers(made, DIGEST)
