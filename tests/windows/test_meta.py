import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import LayerError
from oci_layers.tree import File, FileTree, Inline, TreeEditor
from oci_layers.tree.content import same_content
from oci_layers.tree.windows import NO_STREAMS, same_windows
from oci_layers.windows.meta import json_lines, parse_text, parse_windows, text_json, windows_json
from tests.property.test_windows_metadata import METADATA


@given(METADATA)
def test_metadata_are_read_back_from_json(windows):
    value = json.loads(json.dumps(windows_json(windows)))
    assert same_windows(parse_windows(value), attrs.evolve(windows, streams=NO_STREAMS), same_content)
    assert None not in value.values()


@given(st.binary(max_size=20))
def test_a_name_is_text_and_exact(name):
    assert parse_text(json.loads(json.dumps(text_json("path", name))), "path") == name


@pytest.mark.parametrize(
    "value",
    [
        {"attributes": "32"},
        {"attributes": -1},
        {"attributes": 1 << 32},
        {"attributes": True},
        {"security_descriptor": "?"},
        {"security_descriptor": 5},
        {"sddl": 5},
        {"created": "soon"},
        {"extended_attributes": [{"name": "a"}]},
        {"extended_attributes": [{"data": ""}]},
        {"extended_attributes": [5]},
        {"extended_attributes": {"a": ""}},
    ],
)
def test_members_that_are_malformed_are_refused(value):
    with pytest.raises(ValueError):
        parse_windows(value)


def listed(data):
    tree = FileTree()
    editor = TreeEditor(tree)
    editor.put(editor.open_parent(b""), b"list", File(0, 0, 0, 0, content=Inline(data)))
    return tree


def test_a_list_has_an_object_a_line_and_a_limit():
    assert list(json_lines(listed(b'{"a": 1}\n{}\n'), b"list", 12)) == [{"a": 1}, {}]
    for tree, name, reason in (
        (listed(b'{}\n{"a": 1}\n'), b"list", "it has 12 bytes, at most 11 are possible"),
        (listed(b"{}\n[]"), b"list", "line 2 is no object"),
        (listed(b"{}\n\n{}"), b"list", "line 2 is malformed: Expecting value: line 1 column 1 (char 0)"),
        (listed(b""), b"none", "there is no such file"),
        (listed(b""), b"", "not a file"),
    ):
        with pytest.raises(LayerError) as raised:
            list(json_lines(tree, name, 11))
        assert (raised.value.path, raised.value.reason) == (name, reason)
