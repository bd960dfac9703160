"""The pieces that rules are made of: a value that is right gives nothing, any other a fault with the way to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.validation.rule import (
    OK,
    array_of,
    each_matches,
    fault,
    has_type,
    map_of_objects,
    matches,
    must_be,
    quoted,
    required,
    severity_in,
    tolerant,
    unchecked,
)
from oci_layers.validation.rules import CHECKED_RULES

NULL = type(None)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("severity", "profile", "tolerated", "expected"),
    [
        ("error", "default", True, "error"),
        ("note", "default", False, "note"),
        ("error", "strict", True, "error"),
        ("warning", "strict", False, "error"),
        ("note", "strict", False, "warning"),
        ("error", "lenient", False, "error"),
        ("error", "lenient", True, "warning"),
        ("warning", "lenient", False, "warning"),
        ("note", "lenient", True, None),
    ],
)
def test_profiles_weigh(severity, profile, tolerated, expected):
    assert severity_in(severity, profile, tolerated=tolerated) == expected


def test_a_fault_has_a_way_and_a_message():
    assert fault("is bad", "a", 0) == ((("a", 0), "is bad"),)
    assert fault("is bad") == (((), "is bad"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", '"a"'),
        ("a\nb\x1b", '"a\\x0ab\\x1b"'),
        ("a" * 60, '"' + "a" * 60 + '"'),
        ("a" * 61, '"' + "a" * 60 + '..."'),
    ],
)
def test_text_in_a_message_is_short_and_printable(text, expected):
    assert quoted(text) == expected


@pytest.mark.parametrize(
    ("check", "value", "faults"),
    [
        (required("k", "a"), {"a": None}, []),
        (required("k", "a"), {"b": 1}, [(("a",), "is required")]),
        (has_type("k.a", int), 1, []),
        (has_type("k.a", int), True, [((), "must be an integer, not a boolean")]),
        (has_type("k.a", bool), 1, [((), "must be a boolean, not an integer")]),
        (array_of("k.a", str), ["a", "b"], []),
        (array_of("k.a", str), [], []),
        (array_of("k.a", str), {}, [((), "must be an array, not an object")]),
        (
            array_of("k.a", str),
            ["a", 1, "b", None],
            [((1,), "must be a string, not an integer"), ((3,), "must be a string, not null")],
        ),
        (map_of_objects("k.a"), {"a": {}, "b": {"c": 1}}, []),
        (map_of_objects("k.a"), [], [((), "must be an object, not an array")]),
        (map_of_objects("k.a"), {"a": {}, "b": []}, [(("b",), "must be an object, not an array")]),
        (matches("k.a", str.isdigit, "is no number"), "1", []),
        (matches("k.a", str.isdigit, "is no number"), "x", [((), '"x" is no number')]),
        (matches("k.a", str.isdigit, "is no number"), ["x"], []),
        (each_matches("k.a", str.isdigit, "is no number"), ["1", 1, "2"], []),
        (each_matches("k.a", str.isdigit, "is no number"), ["1", "x"], [((1,), '"x" is no number')]),
        (each_matches("k.a", str.isdigit, "is no number"), "x", []),
        (tolerant(array_of("k.a", str), whole=str, inside=NULL)[0], ["a", None, 5], [((2,), must_be(str, 5))]),
        (tolerant(array_of("k.a", str), whole=str, inside=NULL)[1], ["a", None, 5], [((1,), must_be(str, None))]),
        (tolerant(array_of("k.a", str), whole=str, inside=NULL)[0], "a", []),
        (tolerant(array_of("k.a", str), whole=str, inside=NULL)[1], "a", [((), must_be(list, "a"))]),
        (tolerant(array_of("k.a", str), whole=str, inside=NULL)[0], None, [((), must_be(list, None))]),
        (tolerant(array_of("k.a", str), inside=NULL)[1], "a", []),
    ],
)
def test_a_check_tells_what_is_wrong_and_where(check, value, faults):
    assert list(check.run(value)) == faults


@pytest.mark.parametrize(
    ("level", "severity"), [("MUST", "error"), ("MUST NOT", "error"), ("SHOULD NOT", "warning"), ("MAY", "note")]
)
def test_a_rule_without_a_check_says_why(level, severity):
    row = unchecked("ABC-01", level, "It is so.", "Nobody can see it.")

    assert (row.rule.severity, row.checks, row.rule.unchecked) == (severity, (), "Nobody can see it.")


@given(anything, st.dictionaries(st.sampled_from(["mediaType", "digest", "layers", "os", "data"]), anything))
def test_every_check_takes_values_of_any_type(value, node):
    """A check of a field takes anything; a check of an object as a whole takes any object."""
    for row in CHECKED_RULES:
        for check in row.checks:
            found = check.run(value if "." in check.at else node)
            assert found == OK or all(isinstance(message, str) for _, message in found)
