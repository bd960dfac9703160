"""The gate that bytes pass first: CON-04."""

import contextlib
import json
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_layers.errors import DocumentError, LimitError, Problem
from oci_layers.limits import Limits
from oci_layers.spec.strict_json import kind_of, load_json, pointer

TYPE = "application/example+json"


def problems(raw, limits=Limits()):  # noqa: B008  # Frozen.
    with pytest.raises(DocumentError) as caught:
        load_json(raw, media_type=TYPE, limits=limits)
    assert caught.value.media_type == TYPE
    return caught.value.problems


def test_a_json_object_is_read():
    raw = ' {"a": [1, -2.5, true, false, null, "\\u00e9\\ud83d\\ude00é"], "b": {}}\r\n\t'.encode()

    assert load_json(raw, media_type=TYPE) == {"a": [1, -2.5, True, False, None, "é😀é"], "b": {}}


@pytest.mark.parametrize(
    ("raw", "where", "message"),
    [
        pytest.param(raw, where, message, id=case)
        for case, raw, where, message in [
            ("CON-04 byte order mark", b'\xef\xbb\xbf{"a":1}', "", "begins with a byte order mark"),
            ("CON-04 not UTF-8", b'{"a":"\xff"}', "", "is not UTF-8 at byte 6"),
            ("CON-04 surrogate in UTF-8", b'{"a":"\xed\xa0\x80"}', "", "is not UTF-8 at byte 6"),
            ("CON-04 UTF-16", '{"a":1}'.encode("utf-16"), "", "is not UTF-8 at byte 0"),
            ("CON-04 equal keys", b'{"a":1,"b":2,"a":1}', "/a", "name is repeated in its object"),
            (
                "CON-04 equal keys, escaped",
                b'{"x":[{"a":1,"\\u0061":2}]}',
                "/x/0/a",
                "name is repeated in its object",
            ),
            ("CON-04 lone high surrogate", b'{"a":["\\ud800"]}', "/a/0", "holds half of a surrogate pair"),
            ("CON-04 lone low surrogate", b'{"a":"\\uDFFF"}', "/a", "holds half of a surrogate pair"),
            ("CON-04 top-level array", b"[]", "", "must be an object, not an array"),
            ("CON-04 top-level null", b"null", "", "must be an object, not null"),
            ("NaN", b'{"a":NaN}', "/a", "NaN is not a JSON number"),
            ("infinity", b'{"a":{"b":[-Infinity]}}', "/a/b/0", "-Infinity is not a JSON number"),
            ("a fraction past any double", b'{"a":1e999}', "/a", "is a number that no double can hold"),
            ("10,000 digits", b'{"a":' + b"9" * 10_000 + b"}", "/a", "is a number of 10000 digits"),
            ("NaN at the top", b"NaN", "", "NaN is not a JSON number"),
            ("empty", b"", "", "is not JSON at line 1 column 1: Expecting value"),
            ("trailing data", b"{}\n{}", "", "is not JSON at line 2 column 1: Extra data"),
            ("trailing NUL", b"{}\0", "", "is not JSON at line 1 column 3: Extra data"),
            ("white space of another kind", b"{}\x0c", "", "is not JSON at line 1 column 3: Extra data"),
            ("control character", b'{"a\x01":1}', "", "is not JSON at line 1 column 4: Invalid control character at"),
        ]
    ],
)
def test_what_is_not_one_strict_json_object_is_refused(raw, where, message):
    assert problems(raw) == (Problem(where, message),)


def test_a_thousand_problems_are_listed_and_all_are_counted():
    with pytest.raises(DocumentError) as caught:
        load_json(b'{"a":[' + b",".join([b"NaN"] * 1003) + b"]}", media_type=TYPE)
    assert [each.pointer for each in caught.value.problems] == [f"/a/{number}" for number in range(1000)]
    assert caught.value.total == 1003


def test_below_a_long_key_fewer_are_listed_and_all_are_counted():
    with pytest.raises(DocumentError) as caught:
        load_json(b'{"' + b"k" * (1 << 19) + b'":[NaN,NaN,NaN]}', media_type=TYPE)
    assert [each.pointer[-3:] for each in caught.value.problems] == ["k/0", "k/1"]
    assert caught.value.total == 3


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b"\xef\xbb\xbf{}", 0),
        (b'{"a":"\xff"}', 6),
        ('{"é":\n1 2}'.encode(), 9),
        (b"", 0),
        (b"[]", None),
        (b'{"a":NaN}', None),
    ],
)
def test_where_the_bytes_stop_being_json_is_known(raw, offset):
    assert [problem.offset for problem in problems(raw)] == [offset]


def test_half_a_surrogate_pair_in_a_key_is_refused_in_one_printable_line():
    with pytest.raises(DocumentError) as caught:
        load_json(b'{"\\ud800":1}', media_type=TYPE)
    assert caught.value.pointer == "/\ud800"
    assert str(caught.value) == f"{TYPE}: /\\xed\\xa0\\x80: is a key that holds half of a surrogate pair"


def test_all_that_is_wrong_is_reported_at_once():
    raw = b'{"a":NaN,"b":["\\udc00",{"c":1,"c":2,"c":3}],"d/~":1e999}'

    assert problems(raw) == (
        Problem("/a", "NaN is not a JSON number"),
        Problem("/b/0", "holds half of a surrogate pair"),
        Problem("/b/1/c", "name is repeated in its object"),
        Problem("/d~1~0", "is a number that no double can hold"),
    )


@pytest.mark.parametrize("digits", [1, 309])
def test_a_number_of_as_many_digits_as_a_double_has_is_read(digits):
    assert load_json(b'{"a":' + b"9" * digits + b"}", media_type=TYPE) == {"a": int("9" * digits)}


@pytest.mark.parametrize("limit", ["document_bytes", "config_bytes"])
def test_a_document_may_be_as_long_as_its_limit(limit):
    raw = b'{"a":1}'

    assert load_json(raw, media_type=TYPE, limits=Limits(**{limit: 7}), limit=limit) == {"a": 1}
    with pytest.raises(LimitError) as caught:
        load_json(raw, media_type=TYPE, limits=Limits(**{limit: 6}), limit=limit)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == (limit, 6, 7)


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_a_document_may_be_as_deep_as_its_limit():
    limits = Limits(json_depth=5)

    assert load_json(nested(5), media_type=TYPE, limits=limits)
    with pytest.raises(LimitError) as caught:
        load_json(nested(6), media_type=TYPE, limits=limits)
    assert (caught.value.limit, caught.value.allowed, caught.value.seen) == ("json_depth", 5, 6)


def test_brackets_in_strings_and_side_by_side_are_not_depth():
    raw = b'{"a\\"[[[[[[[[":["[[[[[[[[[[\\\\",[],[],[],[],[],[]],"b":"{{{{{{{"}'

    assert load_json(raw, media_type=TYPE, limits=Limits(json_depth=3)) == json.loads(raw)


@pytest.mark.parametrize(
    "raw", [b"[" * 1_000_000, b'{"a":' * 500_000, b'{"a":"b\n"' + b"[" * 200], ids=["arrays", "objects", "not JSON"]
)
def test_deep_nesting_stops_at_the_limit_whatever_follows(raw):
    with pytest.raises(LimitError) as caught:
        load_json(raw, media_type=TYPE)
    assert caught.value.seen == 101


@pytest.mark.parametrize("ending", [b"", b"\\", b'\\"'])
def test_brackets_in_a_string_that_nothing_closes_are_not_depth(ending):
    assert problems(b'{"a":"' + b"[" * 200 + ending)[0].message.startswith("is not JSON at line 1 column 6")


def test_a_limit_above_what_the_interpreter_can_follow_is_still_a_document_error():
    depth = sys.getrecursionlimit() * 100
    limits = Limits(json_depth=depth)

    assert problems(nested(depth), limits) == (Problem("", "is nested more deeply than this interpreter can follow"),)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u d8e1-.NaI\n', max_size=60).map(str.encode))
@example(b'{"\\u":1}')
@example(b'{"a":-}')
def test_any_bytes_are_an_object_or_a_document_error(raw):
    with contextlib.suppress(DocumentError):
        assert load_json(raw, media_type=TYPE) == json.loads(raw)


@given(st.text(alphabet='[]{}"\\a', max_size=40), st.integers(1, 6))
def test_depth_is_counted_as_a_parser_would(text, allowed):
    """A reading one character at a time is the reference."""
    depth, in_string, deepest, characters = 0, False, 0, iter(text)
    for char in characters:
        if in_string:
            if char == "\\":
                next(characters, None)
            in_string = char != '"'
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    with pytest.raises(LimitError if deepest > allowed else DocumentError):
        load_json(f"{text}!".encode(), media_type=TYPE, limits=Limits(json_depth=allowed))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "", id="RFC 6901 whole document"),
        pytest.param(("a", 0, ""), "/a/0/", id="RFC 6901 empty key"),
        pytest.param(("a/b", "m~n", "~1"), "/a~1b/m~0n/~01", id="RFC 6901 escapes"),
    ],
)
def test_a_path_becomes_a_json_pointer(path, text):
    assert pointer(path) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, "an object"),
        ([], "an array"),
        ("", "a string"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.0, "a number with a fraction or exponent"),
        (None, "null"),
    ],
)
def test_a_value_is_named_by_its_json_type(value, kind):
    assert kind_of(value) == kind
