"""`drop`: layers out of an image."""

import json

import pytest

from tests.support.layers import Built, f, tar
from tests.support.packed import config_of, layers_of, shown


@pytest.fixture
def image(tmp_path):
    """An image of three layers."""
    built = Built.of(tmp_path / "image", tar(f("a")), tar(f("b")), tar(f("c")))
    built.config["history"] = [{"created_by": each} for each in "abc"]
    return built.write()


@pytest.mark.parametrize(("numbers", "kept"), [(["0"], [1, 2]), (["-1"], [0, 1]), (["1", "-3"], [2])])
def test_layers_go_with_their_history_and_the_others_are_shared(run, image, tmp_path, numbers, kept):
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("drop", image, *numbers, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert layers_of(out) == [layers_of(image)[number] for number in kept]
    assert config_of(out)[1] == ["abc"[number] for number in kept]
    assert [line.split()[0] for line in shown(out)[1:]] == [f"/{'abc'[number]}" for number in kept]
    report = json.loads(run("drop", image, *numbers, "-o", out, "--format", "json").out)
    assert [each["new"] for each in report["layers"]] == [False] * len(kept)


@pytest.mark.parametrize("number", ["3", "-4"])
def test_a_layer_that_is_not_there_is_named_and_nothing_is_written(run, image, tmp_path, number):
    ran = run("drop", image, "0", number, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert f"layer '{number}'" in ran.err
    assert "the layers are 0 to 2" in ran.err
    assert not (tmp_path / "out").exists()
