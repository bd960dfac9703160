"""Names of layers in files; `commands/test_pack` writes them."""

import pytest

from oci_layers.cli.layerfile import is_layer_file


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.tar.gz", True), ("a.tgz", True), ("d/a.tar.zst", True), ("a.tar", False), ("oci:d:v", False), ("a", False)],
)
def test_a_compressed_tar_is_a_layer_as_no_archive_of_images_is(name, expected):
    assert is_layer_file(name) is expected
