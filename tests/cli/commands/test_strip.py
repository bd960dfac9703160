"""`strip`: paths out of every layer of an image."""

import pytest

from tests.support.layers import Built, d, f, tar, wh
from tests.support.packed import layers_of, shown


@pytest.fixture
def image(tmp_path):
    """An image that hides a key."""
    layers = tar(d("k/"), f("k/key", "secret"), f("a")), tar(f("b")), tar(wh("k/key"))
    return Built.of(tmp_path / "image", *layers).write()


def test_a_path_that_is_hidden_is_taken_out(run, image, tmp_path):
    out = f"oci:{tmp_path / 'out'}:v2"
    ran = run("strip", image, "/k/key", "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[2] for line in ran.out.splitlines()[1:-1]] == ["new", "shared"]
    assert layers_of(out)[1] == layers_of(image)[1]
    assert shown(out) == shown(image)
    assert run("ls", out, "--layer", "0").out == "/k\n/a\n"


def test_a_layer_of_which_nothing_is_left_may_stay(run, image, tmp_path):
    run("strip", image, "k/key", "--keep-empty", "-o", tmp_path / "out")
    assert len(layers_of(tmp_path / "out")) == 3


@pytest.mark.parametrize(("path", "code", "line"), [("none", 3, "none: in no layer"), ("/", 3, "the root")])
def test_errors_are_one_line_and_nothing_is_written(run, image, tmp_path, path, code, line):
    ran = run("strip", image, path, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (code, "")
    assert line in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
