"""The rules of descriptors where several look at one value."""

import base64

import pytest

from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR
from oci_layers.spec.mediatype import OCI_DESCRIPTOR
from oci_layers.validation.rules import validate
from tests.support.documents import DESCRIPTOR, digest, dumped
from tests.support.findings import in_document


def breaches(**fields):
    return validate(dumped(DESCRIPTOR | fields), OCI_DESCRIPTOR)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_data_is_compared_with_size_and_digest_of_the_algorithms_that_are_everywhere(algorithm):
    """DSC-16."""
    content = b"content"
    fields = {"data": base64.b64encode(content).decode(), "size": len(content), "digest": digest(content, algorithm)}
    other = digest(b"another", algorithm)

    assert [breach for breach in breaches(**fields) if breach.rule != "DIG-08"] == []
    assert [breach for breach in breaches(**fields | {"digest": other}) if breach.rule != "DIG-08"] == [
        in_document("DSC-16", "error", "/data", f"has the digest {digest(content, algorithm)}")
    ]


@pytest.mark.parametrize("text", ["blake3:" + "a" * 64, "multihash+base58:Qm"])
def test_data_under_a_digest_that_cannot_be_computed_is_judged_by_its_size(text):
    assert [breach.rule for breach in breaches(data="e30=", size=2, digest=text)] == ["DIG-08"]
    assert [breach.rule for breach in breaches(data="e30=", size=3, digest=text)] == ["DSC-16", "DIG-08"]


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"size": "2", "digest": digest(b"{}")}, ["DSC-09"]),
        ({"size": 2, "digest": 7}, ["DSC-04"]),
        ({"size": 2, "digest": "sha256:abc"}, ["DIG-05"]),
    ],
)
def test_data_beside_a_size_or_digest_that_is_wrong_is_not_wrong_itself(fields, rules):
    assert [breach.rule for breach in breaches(data="e30=", **fields)] == rules


def test_the_empty_descriptor_is_good_with_and_without_its_data():
    """ART-01."""
    empty = {"mediaType": EMPTY_DESCRIPTOR.media_type, "digest": EMPTY_DESCRIPTOR.digest.text, "size": 2}

    assert breaches(**empty) == ()
    assert breaches(**empty, data="e30=") == ()
    assert [breach.rule for breach in breaches(**empty | {"digest": digest(b"{}", "sha512")})] == ["DIG-08"]


@pytest.mark.parametrize("url", ["ftp://x", "value"])
def test_a_url_breaks_the_rule_of_its_form_or_that_of_its_scheme(url):
    assert len(breaches(urls=[url])) == 1
