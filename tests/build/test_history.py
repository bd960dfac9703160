"""Which entry of a history is of which layer."""

import pytest

from oci_layers.build.history import aligned, as_empty, is_empty, layer_positions, say

A, B, STEP = {"created_by": "a"}, {"created_by": "b", "x": 1}, {"created_by": "s", "empty_layer": True}


@pytest.mark.parametrize(
    ("history", "layers", "found"),
    [
        ([], 0, []),
        ([], 2, [{}, {}]),
        ([A, STEP, B], 2, [A, STEP, B]),
        ([STEP, A], 3, [{}, {}, STEP, A]),
        ([STEP, A, B], 1, [STEP, {"created_by": "a", "empty_layer": True}, B]),
        ([STEP], 0, [STEP]),
    ],
)
def test_a_history_gets_one_entry_for_each_layer(history, layers, found):
    assert aligned(history, layers) == found
    assert len(layer_positions(aligned(history, layers))) == layers
    assert aligned(aligned(history, layers), layers) == found


def test_an_entry_says_whether_it_is_of_a_layer():
    assert not is_empty({"empty_layer": False})
    assert not is_empty({"empty_layer": None})
    assert is_empty(as_empty(B))
    assert as_empty({"empty_layer": False, "x": 1}) == {"x": 1, "empty_layer": True}


def test_a_new_entry_has_only_what_it_says():
    assert say() == {}
    assert list(say(comment="c", created="t", created_by="b", author="a", empty=True)) == [
        *("created", "created_by", "author", "comment", "empty_layer"),
    ]
