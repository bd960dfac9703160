"""The rules of platforms: types are required, values are advised."""

import pytest

from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX
from oci_layers.validation.platform import fits_platform
from oci_layers.validation.rules import validate
from tests.support.documents import CONFIG, INDEX, changed, dumped


@pytest.mark.parametrize(
    "platform",
    [
        {"architecture": "amd64", "os": "linux", "variant": "v3"},
        {"architecture": "arm64", "os": "linux", "variant": "v9.2", "os.features": ["anything"]},
        {"architecture": "s390x", "os": "linux", "variant": "anything"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.14393.1066", "os.features": ["win32k"]},
        {"architecture": "wasm", "os": "wasip1"},
    ],
)
def test_platforms_of_the_world_keep_every_rule_in_an_index_and_in_a_config(platform):
    assert validate(dumped(changed(INDEX, "manifests/0/platform", platform)), OCI_INDEX, profile="strict") == ()
    assert validate(dumped(CONFIG | platform), OCI_CONFIG, profile="strict") == ()


def test_values_that_the_spec_does_not_list_are_notes():
    platform = {"architecture": "amd64", "os": "beos", "variant": "x"}
    raw = dumped(changed(INDEX, "manifests/0/platform", platform))

    assert {(breach.rule, breach.severity) for breach in validate(raw, OCI_INDEX)} == {
        ("IDX-09", "note"),
        ("IDX-12", "note"),
    }


@pytest.mark.parametrize("node", [{}, {"architecture": []}, {"architecture": "arm", "variant": 7}])
def test_a_variant_is_judged_only_where_it_can_be(node):
    assert list(fits_platform(node)) == []
