"""The bytes of archives as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import NameFormatError
from oci_layers.testing.raw import parse_raw, raw_lines
from tests.support.blocks import END, member

PIECES = st.lists(
    st.one_of(st.binary(max_size=20), st.integers(1, 600).map(bytes), st.integers(1, 60).map(b"ab=".__mul__))
)


def test_lines_have_what_is_not_zero_and_the_length():
    assert list(raw_lines(member(b"x", b"a b\\") + END)) == [
        "0 x",
        "100 0000644",
        "108 0000000",
        "116 0000000",
        "124 00000000004",
        "136 00000000000",
        "148 006131",
        r"155 \x200",
        "257 ustar",
        "263 00",
        r"512 a\x20b\x5c",
        "2048 end",
    ]


def test_bytes_that_repeat_are_written_once():
    assert list(raw_lines(b"#" + b"junk" * 1000 + b"!")) == ["0 #", "1 junk *1000", "4001 !", "4002 end"]


def test_no_bytes_are_a_length():
    assert list(raw_lines(b"")) == ["0 end"]


@given(PIECES.map(b"".join))
def test_the_lines_of_any_bytes_give_them_back(data):
    assert parse_raw("\n".join(f"    {line}" for line in raw_lines(data))) == data


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("0 x", "0 x"),
        ("x end", "x end"),
        ("0 xy\n1 end", "1 end"),
        ("0 xy\n1 z\n3 end", "1 z"),
        ("0 é\n9 end", "0 é"),
        ("0 x *\n9 end", "0 x *"),
        ("0 end\n0 end", "0 end"),
        ("0 \\q\n9 end", "0 \\q"),
    ],
)
def test_what_is_no_such_text_is_an_error_of_its_line(text, line):
    with pytest.raises(NameFormatError) as caught:
        parse_raw(text)
    assert (caught.value.what, caught.value.text) == ("raw line", line)
