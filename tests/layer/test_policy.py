import io

import attrs
import pytest

from oci_layers import FileTree, apply, decode, open_image, read_tar
from oci_layers.errors import LayerError, NameFormatError
from oci_layers.layer import Policy
from tests.support.layers import f, image, tar


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


def test_a_policy_may_be_given_by_the_name_of_its_preset(tmp_path):
    odd = tar(f("a"), f("a"))
    with open_image(image(tmp_path / "image", odd)) as opened:
        doors = (
            lambda policy: opened.tree(policy=policy),
            lambda policy: opened.layers[0].tree(policy=policy),
            lambda policy: opened.read(["a"], policy=policy),
            lambda policy: opened.unpack(tmp_path / f"out-{policy}", policy=policy),
            lambda policy: apply(decode(read_tar(io.BytesIO(odd)), policy=policy), FileTree(), policy=policy),
        )
        for door in doors:
            door("default")
            with pytest.raises(LayerError):
                door("strict")
            with pytest.raises(NameFormatError):
                door("none")
    assert Policy.of(None) == Policy.of("default") == Policy()
    assert Policy.of(Policy.preset("strict")) == Policy.of("strict")
