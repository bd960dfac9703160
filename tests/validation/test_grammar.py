"""Forms of text: RFC 3339, RFC 3986, RFC 4648, SPDX, and what is asked of the modules of digests and media types."""

import base64
import datetime as dt
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.validation.grammar import decoded_base64, is_date_time, is_digest, is_licence, is_media_type, is_uri
from tests.validation.rule_cases import BAD_DATES, BAD_TYPES, BAD_URIS, GOOD_DATES, GOOD_TYPES, GOOD_URIS


@pytest.mark.parametrize(
    ("is_one", "good", "bad"),
    [(is_date_time, GOOD_DATES, BAD_DATES), (is_uri, GOOD_URIS, BAD_URIS), (is_media_type, GOOD_TYPES, BAD_TYPES)],
    ids=["date-time", "uri", "media type"],
)
def test_a_form_takes_what_its_standard_says_and_nothing_else(is_one, good, bad):
    assert [text for text in good if not is_one(text)] == []
    assert [text for text in bad if is_one(text)] == []


def test_a_digest_is_as_long_as_its_algorithm_says():
    assert is_digest("sha256:" + "a" * 64)
    assert not is_digest("sha256:" + "a" * 63)


zones = st.timedeltas(dt.timedelta(hours=-23, minutes=-59), dt.timedelta(hours=23, minutes=59)).map(
    lambda ahead: dt.timezone(dt.timedelta(minutes=ahead // dt.timedelta(minutes=1)))
)


@given(st.datetimes(timezones=zones | st.just(dt.UTC)))
def test_every_date_that_python_writes_is_one(when):
    assert is_date_time(when.isoformat())
    assert is_date_time(when.isoformat().lower().replace("+00:00", "z"))


@given(st.integers(1, 9999), st.integers(0, 99), st.integers(0, 99))
def test_a_day_is_one_of_the_calendar(year, month, day):
    try:
        dt.date(year, month, day)
        real = True
    except ValueError:
        real = False
    assert is_date_time(f"{year:04}-{month:02}-{day:02}T00:00:00Z") == real


@given(st.binary(max_size=40))
def test_base64_has_one_text_for_each_content(content):
    text = base64.b64encode(content).decode()

    assert decoded_base64(text) == content
    for other in [text + "\n", " " + text, text.rstrip("=") + "\t" + "=" * text.count("="), text + "="]:
        assert decoded_base64(other) is None


@given(st.text(alphabet="AZaz09+/=-_\n é", max_size=8))
def test_what_is_taken_for_base64_encodes_to_itself(text):
    content = decoded_base64(text)

    assert content is None or base64.b64encode(content).decode() == text


@given(st.text(alphabet="aA:/?#[]@!%41f.~ é\n", max_size=30))
def test_a_uri_is_ascii_with_a_scheme(text):
    if is_uri(text):
        assert text.isascii()
        assert text.partition(":")[0].isalnum()
        assert not set(text) & set(" \n")


@pytest.mark.parametrize("text", ["MIT", "A AND B", "(A OR B) AND C+", "GPL-2.0 WITH x", "DocumentRef-a:LicenseRef-b"])
def test_a_licence_expression_is_of_words_and_operators(text):
    assert is_licence(text)


@pytest.mark.parametrize(
    "text", ["", " ", "AND", "A B", "A AND", "(A", "A)", ")A(", "A (B)", "()", "A/B", "(A))", "A é"]
)
def test_another_text_is_not_a_licence_expression(text):
    assert not is_licence(text)


@pytest.mark.parametrize(
    ("is_one", "text"),
    [
        (is_uri, "a:" + "b" * 1_000_000 + " "),
        (is_uri, "a://" + "b@" * 500_000),
        (is_uri, "a://" + ":" * 1_000_000 + "["),
        (is_uri, "a:" + "/b" * 500_000 + "%"),
        (is_uri, "http://[" + ":" * 1_000_000 + "]"),
        (is_date_time, "2015-10-31T22:22:56." + "0" * 1_000_000),
        (is_digest, "a+" * 500_000),
        (is_media_type, "a" * 1_000_000),
        (is_licence, "(" * 1_000_000),
        (lambda text: decoded_base64(text) is not None, "A" * 1_000_001),
    ],
)
def test_a_megabyte_is_answered_at_once(is_one, text):
    start = time.process_time()

    assert not is_one(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "text",
    ["a:%4", "a:%", "a://%zz", "a://b@c@d", "a://b]", "a://[::1]x", "a://b:8a", "a:b#c#d", "a://[::1]:", "a:/b?%4g"],
)
def test_the_parts_of_a_uri_are_looked_at_each(text):
    assert is_uri(text) == (text == "a://[::1]:")
