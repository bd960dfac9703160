"""What LAYER names, and the options for files; `commands/test_append` has the layers in images."""

import argparse
import contextlib

import pytest

from oci_layers.build import LayerOptions, NewLayer
from oci_layers.cli.layers import file_arguments, layer_options, named_layer
from oci_layers.cli.options import choice_arguments, overlay_arguments, policy_arguments
from oci_layers.image.layer import Layer
from tests.support.layers import f, tar
from tests.support.layers import image as make_image


def parsed(*arguments):
    """The options of a command line."""
    parser = argparse.ArgumentParser()
    file_arguments(parser)
    choice_arguments(parser, "")
    policy_arguments(parser)
    overlay_arguments(parser, "upper")
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ([], {}),
        (["--owner", "5"], {"uid": 5, "gid": 5}),
        (["--owner", "5:6", "--chmod", "0711"], {"uid": 5, "gid": 6, "mode": 0o711}),
        (["--chmod", "4711"], {"mode": 0o4711}),
        (["--mtime", "1970-01-01T01:00:05+01:00"], {"clamp_mtime": 5}),
        (["--prefix", "/a/"], {"prefix": "a", "keep_root": False}),
        (["--prefix", "/"], {}),
        (["--ignore", "x", "--ignore", "!y"], {"ignore": "x\n!y"}),
    ],
)
def test_the_options_for_files(monkeypatch, arguments, changed):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert layer_options(parsed(*arguments), keep_root=True) == LayerOptions(**changed)


def test_a_path_that_exists_is_no_layer_of_an_image(tmp_path):
    make_image(tmp_path / "image", tar(f("x")), tar(f("y")))
    with contextlib.ExitStack() as opened:
        named = named_layer(f"{tmp_path / 'image'}#-1", parsed(), LayerOptions(), opened)
        assert isinstance(named.layer, Layer)
        assert (named.layer.index, named.created_by) == (1, None)
        (tmp_path / "image#-1").mkdir()
        named = named_layer(f"{tmp_path / 'image'}#-1", parsed("--prefix", "a//"), LayerOptions(), opened)
        assert isinstance(named.layer, NewLayer)
        assert named.created_by == "COPY image#-1 /a"
