"""Stacks: text and back, archives, and layouts that are the same bytes each time."""

import pytest

import oci_layers as oci
from oci_layers.errors import StoreError
from oci_layers.testing.stack import Stack
from oci_layers.tree import dump

TEXT = """\
layer
    a/ dir 0700
    a/x file text=1
layer
    a/x whiteout
    a/y link b
layer"""


def test_text_and_back():
    stack = Stack.parse(TEXT)
    assert [len(layer) for layer in stack.layers] == [2, 2, 0]
    assert str(stack) == TEXT
    assert Stack.parse("") == Stack()
    assert str(Stack()) == ""


def test_the_first_layer_needs_no_line():
    assert Stack.parse("a file") == Stack.parse("layer\na file")


def test_a_layout_is_an_image_and_the_same_bytes(tmp_path):
    stack = Stack.parse("layer\n  a/x file text=1\n  b file\nlayer\n  a/x whiteout")
    places = [stack.write(tmp_path / name) for name in ("one", "two")]
    with oci.open_image(f"oci:{places[0]}:case") as image:
        assert [line.split()[0] for line in dump(image.tree()).splitlines()] == ["/", "/a", "/b"]
    files = [
        sorted((p.relative_to(tmp_path / n), p.read_bytes()) for p in (tmp_path / n).rglob("*") if p.is_file())
        for n in ("one", "two")
    ]
    assert files[0] == files[1]


def test_a_directory_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(StoreError):
        Stack().write(tmp_path)
