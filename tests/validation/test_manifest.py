"""The rules of manifests and indexes on documents of the world."""

import pytest

from oci_layers.errors import DocumentError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_index, parse_manifest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
)
from oci_layers.validation.rules import validate
from tests.support.documents import DESCRIPTOR, ENTRY, INDEX, MANIFEST, SHA, digest, dumped

EMPTY = {"mediaType": OCI_EMPTY, "digest": digest(b"{}"), "size": 2, "data": "e30="}


@pytest.mark.parametrize(
    "manifest",
    [
        MANIFEST | {"config": EMPTY, "layers": [EMPTY], "artifactType": "application/a"},
        MANIFEST | {"config": EMPTY, "artifactType": "application/a", "subject": ENTRY},
        MANIFEST | {"config": DESCRIPTOR | {"mediaType": "application/a"}, "layers": [DESCRIPTOR] * 3},
    ],
    ids=["no content", "content", "config"],
)
def test_the_three_shapes_of_artifacts_keep_every_rule(manifest):
    """ART-06."""
    assert validate(dumped(manifest), OCI_MANIFEST, profile="strict") == ()


def test_a_manifest_of_docker_keeps_every_rule_under_its_own_type():
    config, layer = (
        {"mediaType": DOCKER_CONFIG, "digest": SHA, "size": 1},
        DESCRIPTOR | {"mediaType": DOCKER_LAYER_GZIP},
    )
    manifest = MANIFEST | {"mediaType": DOCKER_MANIFEST, "config": config, "layers": [layer]}

    assert validate(dumped(manifest), DOCKER_MANIFEST, profile="strict") == ()
    assert [breach.rule for breach in validate(dumped(manifest), OCI_MANIFEST)] == ["MAN-09", "MAN-02"]


def test_an_attestation_in_an_index_keeps_every_rule():
    """IDX-18."""
    platform = {"architecture": "unknown", "os": "unknown"}
    attestation = ENTRY | {"platform": platform, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}

    assert validate(dumped(INDEX | {"manifests": [ENTRY, attestation]}), OCI_INDEX, profile="strict") == ()


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX])
def test_a_document_that_could_be_taken_for_two_is_refused_by_rule_and_parser(media_type):
    """MAN-21."""
    raw = dumped(MANIFEST | INDEX | {"mediaType": media_type})
    parse = parse_manifest if media_type == OCI_MANIFEST else parse_index

    assert {breach.rule for breach in validate(raw, media_type, profile="lenient")} == {"MAN-21"}
    with pytest.raises(DocumentError):
        parse(raw, Descriptor.of(raw, media_type=media_type))


def test_artifacts_are_looked_at_only_where_their_parts_have_types():
    manifest = MANIFEST | {"config": 5, "layers": [5, {"size": "x"}]}

    assert [(breach.rule, breach.location.pointer) for breach in validate(dumped(manifest), OCI_MANIFEST)] == [
        ("MAN-06", "/config"),
        ("MAN-12", "/layers/0"),
        ("DSC-04", "/layers/1/digest"),
        ("DSC-01", "/layers/1/mediaType"),
        ("DSC-09", "/layers/1/size"),
    ]
