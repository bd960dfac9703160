"""Law: what a stack of layers makes in memory is what it makes on disk, refused entries and errors included."""

import tempfile

import pytest
from hypothesis import given

from oci_layers.disk import scan
from oci_layers.errors import OCIError
from oci_layers.layer import Policy
from oci_layers.tree import dump
from tests.support.layers import tar
from tests.support.stacks import stacks
from tests.support.trees import merged, mirrored

POLICIES = {
    "default": Policy(),
    "strict": Policy.preset("strict"),
    "lenient": Policy.preset("lenient"),
    "replace": Policy(parents="replace", refused="skip"),
}


def attempt(do):
    """The result, or what an error says."""
    try:
        return do()
    except OCIError as error:
        return type(error), str(error)


@pytest.mark.root
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@given(stacks())
def test_memory_equals_disk(policy, stack):
    layers = [tar(*layer) for layer in stack]
    findings = []
    expected = attempt(lambda: dump(merged(*layers, policy=policy, on_finding=findings.append)))
    with tempfile.TemporaryDirectory() as directory:
        actual = attempt(lambda: mirrored(directory, *layers, policy=policy))
        if isinstance(actual[0], type):
            assert actual == expected
        else:
            tree, report = actual
            assert dump(tree) == expected
            assert dump(scan(directory)) == expected
            assert list(report.findings) == findings
            assert list(report.skipped) == []
