"""The rules of annotations on maps as they are written in the world."""

import pytest

from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from oci_layers.validation.annotations import annotated
from oci_layers.validation.rules import validate
from tests.support.documents import CONFIG, INDEX, MANIFEST, changed, dumped
from tests.support.findings import in_document

KEY = "org.opencontainers.image."


def test_what_builders_write_keeps_every_rule():
    annotations = {
        KEY + "created": "2024-05-01T12:00:00.123456789Z",
        KEY + "url": "https://example.com/?a=b#c",
        KEY + "source": "https://example.com/a.git#main:b",
        KEY + "licenses": "Apache-2.0 AND (MIT OR BSD-3-Clause)",
        KEY + "base.name": "docker.io/library/debian:12",
        KEY + "base.digest": "sha256:" + "a" * 64,
        KEY + "title": "",
        "com.docker.official-images.bashbrew.arch": "amd64",
        "vnd.docker.reference.type": "attestation-manifest",
        "io.containerd.image.name": "docker.io/library/a:b",
    }

    assert validate(dumped(MANIFEST | {"annotations": annotations}), OCI_MANIFEST, profile="strict") == ()
    assert validate(dumped(CONFIG | {"config": {"Labels": annotations}}), OCI_CONFIG, profile="strict") == ()


@pytest.mark.parametrize("name", ["latest", "docker.io/library/alpine:3.20", "v1--2+x", "a@b"])
def test_an_entry_of_an_index_may_have_any_name_of_the_grammar(name):
    raw = dumped(changed(INDEX, "manifests/0/annotations", {KEY + "ref.name": name}))

    assert validate(raw, OCI_INDEX, profile="strict") == ()


def test_one_value_may_break_several_rules():
    annotations = {"": None, KEY + "licences": [], KEY + "created": "today"}

    assert validate(dumped(MANIFEST | {"annotations": annotations}), OCI_MANIFEST) == (
        in_document("ANN-01", "error", "/annotations/", "must be a string, not null"),
        in_document("ANN-02", "note", "/annotations/", '"" is not a name in reverse domain order'),
        in_document(
            *("ANN-06", "warning", f"/annotations/{KEY}created", '"today" is not a date and time after RFC 3339'),
        ),
        in_document("ANN-01", "error", f"/annotations/{KEY}licences", "must be a string, not an array"),
        in_document(
            *("ANN-03", "warning", f"/annotations/{KEY}licences"),
            f'"{KEY}licences" is not defined by the spec, to which the prefix belongs',
        ),
    )


def test_null_has_a_rule_of_its_own():
    check = annotated("manifest")

    assert check.at == "manifest.annotations"
    assert [list(check.run(value)) for value in (None, {}, [])] == [
        [],
        [],
        [((), "must be an object, not an array")],
    ]
