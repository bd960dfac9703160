"""How layers are compressed; the tests of the commands have the results."""

import argparse
import subprocess
import sys

import pytest

from oci_layers.blob import compressor
from oci_layers.build import Codec
from oci_layers.cli.codecs import codec_arguments, codec_of
from oci_layers.errors import NameFormatError


def parsed(*arguments):
    """The options of a command line."""
    parser = argparse.ArgumentParser()
    codec_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "codec"),
    [
        ([], Codec()),
        (["--compression", "none"], Codec(compression="")),
        (["--compression", "zstd", "--level", "22"], Codec(compression="zstd", level=22)),
        (["--level", "0"], Codec(level=0)),
        (["--encoder", "isal", "--level", "3"], Codec(encoder="isal", level=3)),
        (["--encoder", "zlib", "--compression", "gzip"], Codec()),
    ],
)
def test_the_compression_of_new_layers(arguments, codec):
    assert codec_of(parsed(*arguments)) == codec


@pytest.mark.parametrize(("compression", "level"), [("gzip", "10"), ("gzip", "-1"), ("zstd", "0"), ("none", "0")])
def test_a_level_that_is_none_is_refused(compression, level):
    with pytest.raises(NameFormatError) as raised:
        codec_of(parsed("--compression", compression, f"--level={level}"))
    assert (raised.value.what, raised.value.text) == ("level of compression", level)


def test_an_encoder_has_its_own_levels_and_makes_gzip_alone():
    with pytest.raises(NameFormatError) as raised:
        codec_of(parsed("--encoder", "isal", "--level", "4"))
    assert (raised.value.text, raised.value.reason) == ("4", "gzip has 0 to 3")
    with pytest.raises(NameFormatError) as raised:
        codec_of(parsed("--encoder", "isal", "--compression", "zstd"))
    assert (raised.value.what, raised.value.text) == ("encoder", "isal")


def test_an_encoder_that_is_not_installed_is_one_line_and_nothing_is_written(run, image, tmp_path, monkeypatch):
    monkeypatch.setattr(compressor, "isal_zlib", None)
    for verb in (["squash", image, "-o"], ["copy", image, "--compression", "gzip"]):
        ran = run(*verb, tmp_path / "out", "--encoder", "isal")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            "oci-layers: error: unsupported encoder of gzip: isal (it is not installed: pip install isal)\n"
        )
        assert not (tmp_path / "out").exists()


def test_a_copy_imports_nothing_that_builds():
    code = (
        "import sys; from oci_layers.cli.main import parser; parser('copy'); "
        "sys.exit(any(name.startswith('oci_layers.build') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
