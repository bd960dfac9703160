"""`referrers`: what refers to an image."""

import json

import pytest

from oci_layers.spec.digest import Digest
from tests.registry.test_referrers import OCI_MANIFEST, referrer
from tests.support.model_registry import digest_of

IMAGE = "docker://registry.example/a/b:v1"


@pytest.fixture
def signed(registry):
    """Two referrers of the image."""
    digest = registry.repository("a/b").tags["v1"]
    found = []
    for kind in ("text/sbom", "text/\x1bsignature"):
        raw, _ = referrer(kind, subject={"mediaType": OCI_MANIFEST, "digest": digest, "size": 961})
        registry.repository("a/b").manifests[digest_of(raw)] = OCI_MANIFEST, raw
        found.append((str(Digest.of(raw)), len(raw)))
    return found


def test_referrers_are_listed(run, signed):
    ran = run("referrers", IMAGE)
    assert ran.code == 0
    head, *rows = ran.out.splitlines()
    assert head.split() == ["ARTIFACT", "TYPE", "SIZE", "DIGEST"]
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [
        ("text/sbom", signed[0][0]),
        ("text/\\x1bsignature", signed[1][0]),
    ]
    assert len(run("referrers", IMAGE, "--artifact-type", "text/sbom").out.splitlines()) == 2


def test_json_has_stable_keys(run, signed, registry):
    found = json.loads(run("referrers", IMAGE, "--artifact-type", "text/sbom", "--format", "json").out)
    assert found == {
        "image": IMAGE,
        "digest": registry.repository("a/b").tags["v1"],
        "referrers": [
            {
                "digest": signed[0][0],
                "media_type": OCI_MANIFEST,
                "artifact_type": "text/sbom",
                "size": signed[0][1],
                "annotations": {"by": "me"},
            }
        ],
    }
