"""What a name names, and layers in files as trees; `commands/test_diff` has what is done with them."""

import gzip

import pytest

from oci_layers.cli.trees import OPAQUE, kind_of, opened_layer_file
from oci_layers.errors import LimitError, PlaceMissingError, StoreError
from oci_layers.layer import Policy
from oci_layers.limits import Limits
from oci_layers.tree import Device
from tests.support.layers import d, f, opq, tar, wh
from tests.support.layers import image as make_image


def test_the_kind_is_that_of_the_transport_or_of_what_is_there(tmp_path):
    make_image(tmp_path / "image", tar())
    (tmp_path / "file").touch()
    names = {"image": "image", "": "directory", "file": "file", "file/none": None, "none": None}
    for name, kind in names.items():
        if kind is None:
            with pytest.raises(PlaceMissingError):
                kind_of(str(tmp_path / name))
        else:
            assert kind_of(str(tmp_path / name)) == kind
    assert (kind_of("oci:none"), kind_of("-")) == ("image", "file")


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_layer_is_a_tree_of_which_contents_can_be_read_while_it_is_open(tmp_path, packed):
    file = tmp_path / "layer"
    file.write_bytes(packed(tar(f("a/x", "content"), wh("a/y"), wh("a/x"), opq("b"), wh("c/d/e"))))
    with opened_layer_file(str(file), Limits(), str(tmp_path)) as layer:
        plain, marked = layer.tree(Policy()), layer.tree(Policy(), with_markers=True)
        assert b"".join(plain.require("a/x").content.chunks()) == b"content"
        assert not layer.is_image()
    assert [path for path, _ in plain.walk()] == [b"", b"a", b"a/x"]
    assert [path for path, _ in marked.walk()] == [b"", b"a", b"a/x", b"a/y", b"b", b"c", b"c/d", b"c/d/e"]
    assert isinstance(marked.require("a/y"), Device)
    assert marked.require("b").xattrs == {OPAQUE: b"y"}
    with pytest.raises(StoreError):
        b"".join(plain.require("a/x").content.chunks())
    assert [each.name for each in tmp_path.iterdir()] == ["layer"]


def test_an_archive_of_images_is_one_wherever_its_marks_are(tmp_path):
    file = tmp_path / "archive"
    file.write_bytes(tar(d("blobs/"), f("./manifest.json", "[]")))
    with opened_layer_file(str(file), Limits(), None) as layer:
        assert layer.is_image()


def test_a_compressed_layer_is_held_to_the_limit_on_temporary_files(tmp_path):
    file = tmp_path / "layer"
    file.write_bytes(gzip.compress(tar(f("x", "x" * 5000))))
    with (
        pytest.raises(LimitError, match="temporary_bytes"),
        opened_layer_file(str(file), Limits(temporary_bytes=5000), None),
    ):
        pass
