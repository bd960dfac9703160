"""Pointers into places: line, column and bytes, in good documents and in bad ones."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.spec.strict_json import pointer
from oci_layers.validation.positions import Extent, locate, positions

DOCUMENT = """{
  "a": [1, {"b": null}, "é\\u00e9", [[], {}]],
  "é\\n": {"~/": -1.5e3, "": true},
  "a/b": "x"
}
""".encode()


def spot(raw, at):
    return locate(raw, [at])[at]


@pytest.mark.parametrize(
    ("at", "line", "column", "text"),
    [
        ("", 1, 1, DOCUMENT.strip()),
        ("/a", 2, 8, b'[1, {"b": null}, "\xc3\xa9\\u00e9", [[], {}]]'),
        ("/a/0", 2, 9, b"1"),
        ("/a/1", 2, 12, b'{"b": null}'),
        ("/a/1/b", 2, 18, b"null"),
        ("/a/2", 2, 25, b'"\xc3\xa9\\u00e9"'),
        ("/a/3", 2, 36, b"[[], {}]"),
        ("/a/3/1", 2, 41, b"{}"),
        ("/é\n", 3, 10, b'{"~/": -1.5e3, "": true}'),
        ("/é\n/~0~1", 3, 17, b"-1.5e3"),
        ("/é\n/", 3, 29, b"true"),
        ("/a~1b", 4, 10, b'"x"'),
    ],
)
def test_a_pointer_leads_to_its_value(at, line, column, text):
    found = spot(DOCUMENT, at)
    assert (found.line, found.column, found.found) == (line, column, True)
    assert DOCUMENT[found.offset : found.end] == text


@pytest.mark.parametrize(
    ("at", "line", "column"),
    [("/none", 1, 1), ("/a/7", 2, 8), ("/a/1/c/d/e", 2, 12), ("/a/0/x", 2, 9), ("/a/-", 2, 8), ("/a/00", 2, 8)],
)
def test_what_is_missing_is_at_the_nearest_value_around_it(at, line, column):
    found = spot(DOCUMENT, at)
    assert (found.line, found.column, found.found) == (line, column, False)


def test_of_equal_names_the_last_counts():
    raw = b'{"a": 1, "b": 2, "\\u0061": 3}'
    assert spot(raw, "/a") == Extent(line=1, column=28, offset=27, end=28, found=True)


def test_many_pointers_are_found_at_once():
    found = locate(DOCUMENT, ["/a/0", "/a/1/b", "/a/0", ""])
    assert list(found) == ["/a/0", "/a/1/b", ""]
    assert found["/a/1/b"] == spot(DOCUMENT, "/a/1/b")
    assert locate(DOCUMENT, []) == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


def paths(value, here=()):
    yield here, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*here, key))


@given(st.dictionaries(st.text(max_size=3), values, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_the_text_at_a_place_is_the_value_that_the_pointer_names(value, indent, ascii_only):
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    expected = {pointer(path): item for path, item in paths(value)}
    found = locate(raw, expected)
    lines = raw.decode().split("\n")
    for at, item in expected.items():
        here = found[at]
        assert here.found
        assert json.loads(raw[here.offset : here.end]) == item
        rest = "\n".join([lines[here.line - 1][here.column - 1 :], *lines[here.line :]])
        assert rest.encode() == raw[here.offset :]


@given(st.binary(max_size=80) | st.text('{}[]":,\\ a1/~\n', max_size=80).map(str.encode), st.text("/a1~", max_size=6))
def test_any_bytes_have_a_place_for_any_pointer(raw, at):
    found = spot(raw, at)
    assert 0 <= found.offset <= found.end <= len(raw)
    assert found.line == raw.count(b"\n", 0, found.offset) + 1


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        (b'{"a": [1, 2', "/a/1", b"2"),
        (b'{"a": [1, 2', "/a", b"[1, 2"),
        (b'{"a": {"b": "x', "/a/b", b'"x'),
        (b'{"\\x": 1}', "/\\x", b"1"),
        (b'{"\xff": 1}', "/\ufffd", b"1"),
        (b"17 {}", "", b"17"),
        (b"]{}", "", b"]{}"),
        (b',{"a":1}', "/a", b"1"),
    ],
)
def test_a_document_that_is_cut_short_or_wrong_has_places_as_far_as_it_goes(raw, at, text):
    found = spot(raw, at)
    assert raw[found.offset : found.end] == text


@pytest.mark.thorough
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_costs_neither_recursion_nor_memory(opening):
    raw = opening * 200_000
    tracemalloc.start()
    try:
        found = locate(raw, ["/x/y", "/a", "/0/0/0"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert all(each.end == len(raw) for each in found.values())
    assert peak < 1 << 20


def test_positions_count_lines_and_characters_whatever_is_between():
    raw = "é😀\nxé\n".encode()
    assert positions(raw, [0, 2, 6, 7, 8, 10, 11]) == {
        0: (1, 1),
        2: (1, 2),
        6: (1, 3),
        7: (2, 1),
        8: (2, 2),
        10: (2, 3),
        11: (3, 1),
    }
