import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.tree.content import same_content
from oci_layers.tree.windows import NO_STREAMS, same_windows
from oci_layers.windows.meta import parse_text, parse_windows, text_json, windows_json
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
