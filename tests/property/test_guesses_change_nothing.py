"""Law: whatever is foreseen of files that will go, rightly or wrongly, the directory is the same in the end."""

import hashlib
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oci_layers
from oci_layers.disk import scan
from oci_layers.errors import OCIError
from oci_layers.image import foresight, image
from oci_layers.layer import Policy
from oci_layers.tree import dump
from tests.conformance.stacks import stacks
from tests.support.layers import Built, tar

POLICIES = {"default": Policy(), "replace": Policy(parents="replace", refused="skip")}


def unpacked(built, dest, policy):
    with oci_layers.open_image(str(built.directory)) as opened:
        try:
            report = opened.unpack(dest, policy=policy)
        except OCIError as error:
            return type(error), str(error)
        return dump(scan(dest)), list(report.findings), report.files, report.bytes


@pytest.mark.root
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@given(stacks(), st.integers())
def test_guesses_change_nothing(policy, stack, seed):
    def guess(path, layer):
        return hashlib.sha256(b"%d %d %s" % (seed, layer, path)).digest()[0] & 1 == 0

    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        built = Built.of(place / "image", *(tar(*layer) for layer in stack))
        built.write()
        with mock.patch.object(image, "foresee", return_value=None):
            expected = unpacked(built, place / "plain", policy)
        with mock.patch.object(image, "foresee", return_value=guess):
            assert unpacked(built, place / "guessed", policy) == expected
        with mock.patch.object(foresight, "_SHARE", 1):
            assert unpacked(built, place / "foreseen", policy) == expected
        with oci_layers.open_image(str(built.directory)) as opened:
            try:
                tree = opened.tree(policy=policy)
            except OCIError:
                return
            opened.unpack(place / "known", policy=policy)
            assert dump(scan(place / "known")) == expected[0] == dump(tree)
