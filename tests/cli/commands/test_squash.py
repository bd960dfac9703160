"""`squash`: several layers of an image into one."""

import json

import pytest

from oci_layers import open_image
from tests.support.layers import Built, d, f, tar, wh
from tests.support.layers import image as make_image
from tests.support.packed import config_of, layers_of

LAYERS = tar(d("d/"), f("d/x", "x")), tar(f("d/y", "y")), tar(wh("d/x")), tar(f("d/y", "yy"))


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch):
    """No time that the environment gives."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def image(tmp_path):
    """An image of four layers."""
    built = Built.of(tmp_path / "image", *LAYERS)
    built.config["history"] = [{"created_by": str(number)} for number in range(4)]
    return built.write()


@pytest.mark.parametrize(("options", "kept"), [([], 0), (["--last", "3"], 1), (["--last", "4"], 0), (["--base"], 2)])
def test_the_merged_file_system_is_the_same(run, image, tmp_path, options, kept):
    if options == ["--base"]:
        options = ["--base", make_image(tmp_path / "base", *LAYERS[:2])]
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("squash", image, *options, "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert layers_of(out)[:-1] == layers_of(image)[:kept]
    assert run("diff", image, out, "--compare", "always").out == "no differences\n"
    said = "; ".join(map(str, range(kept, 4)))
    assert ran.out.splitlines()[kept + 1].endswith(f"  {4 - kept} layers squashed: {said}")
    assert config_of(out)[1] == [*map(str, range(kept)), None]


def test_a_single_layer_leaves_the_image_as_it_is(run, image, tmp_path):
    report = json.loads(run("squash", image, "--last", "1", "-o", tmp_path / "out", "--format", "json").out)
    with open_image(image) as old:
        assert report["digest"] == str(old.descriptor.digest)
    assert {each["new"] for each in report["layers"]} == {False}


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--last", "5"], 2, "number of layers '5': {image} has 4 layers"),
        (["--last", "0"], 2, "argument --last: '0' is not a number from 1 to 999"),
        (["--base", "{tmp}/other"], 1, "{image}: layer 0 is sha256:"),
        (["--base", "{tmp}/other", "--last", "1"], 2, "argument --last: not allowed with argument --base"),
        (["--base", "{tmp}/none"], 3, "{tmp}/none: no such file or directory"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(run, image, tmp_path, options, code, line):
    make_image(tmp_path / "other", tar(f("x", "x")))
    places = {"tmp": tmp_path, "image": image}
    ran = run("squash", image, *(each.format(**places) for each in options), "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (code, "")
    assert line.format(**places) in ran.err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
