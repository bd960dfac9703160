import attrs
import pytest

from oci_layers.errors import NameFormatError
from oci_layers.layer import Policy


def test_the_fields_without_a_word_are_the_preset_default():
    assert Policy.preset("default") == Policy()
    assert attrs.asdict(Policy(), recurse=False) == {
        "parents": "follow",
        "duplicates": "last",
        "climbing": "error",
        "unknown_types": "error",
        "forward_links": "error",
        "refused": "error",
        "suspicious": "report",
    }


def test_strict_also_refuses_what_is_wrong_all_the_same():
    assert Policy.preset("strict") == Policy(duplicates="error", suspicious="error")


def test_lenient_passes_over_what_the_rules_refuse():
    expected = Policy(climbing="clamp", unknown_types="skip", forward_links="defer", refused="skip")
    assert Policy.preset("lenient") == expected


def test_there_is_no_other_preset():
    with pytest.raises(NameFormatError) as caught:
        Policy.preset("Strict")
    error = caught.value
    assert (error.what, error.text, error.reason) == ("policy", "Strict", "there are default, strict, lenient")


def test_a_policy_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Policy().refused = "skip"
