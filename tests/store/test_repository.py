"""Descriptors as entries. The contract of repositories is the suite that `test_suites` runs."""

import attrs

from oci_layers.spec.annotations import CONTAINERD_IMAGE_NAME, REF_NAME
from oci_layers.spec.descriptor import Descriptor
from oci_layers.store.repository import named

PLAIN = Descriptor.of(b"x", media_type="text/plain")
NOTED = attrs.evolve(PLAIN, annotations={"note": "kept"}, extra={"x": 1})


def test_an_entry_has_one_name_and_its_other_annotations():
    assert named(PLAIN, "a") == attrs.evolve(PLAIN, annotations={REF_NAME: "a"})
    assert named(NOTED, "a") == attrs.evolve(NOTED, annotations={"note": "kept", REF_NAME: "a"})
    for key in (REF_NAME, CONTAINERD_IMAGE_NAME):
        before = attrs.evolve(NOTED, annotations={key: "before", **NOTED.annotations})
        assert named(before, "a") == named(NOTED, "a")
        assert named(before, None) == NOTED


def test_the_descriptor_is_left_as_it_was():
    named(NOTED, "a")
    assert NOTED.annotations == {"note": "kept"}
