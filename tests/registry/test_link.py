"""Where the next page is (RFC 8288)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.registry.link import next_page


@pytest.mark.parametrize(
    ("values", "target"),
    [
        ([], None),
        (['</v2/x?last=b>; rel="next"'], "/v2/x?last=b"),
        (["<https://a/b>;rel=next"], "https://a/b"),
        (['<a>; rel="prev", <b>; rel="next"'], "b"),
        (['<a>; rel="prev"', '<b>; rel="next"'], "b"),
        (['<a>; title="x, <y>; rel=\\"next\\""; REL="start NEXT"'], "a"),
        (['<a>; n=1 ; rel = next ; rel="prev"'], "a"),
        (['<a>; rel="prev"; rel="next"'], None),  # The first relation counts.
        ([" ,, <a>; rel=prev ,<b>;;rel=next"], "b"),
        (["<a>"], None),
        (["a; rel=next"], None),
        (['<a; rel="next"'], None),
        (['<a> x; rel="next"'], None),
        (["<" + "a" * 9000 + ">; rel=next"], None),
        (["<>; rel=next"], ""),
    ],
)
def test_the_first_link_to_the_next_page_is_taken(values, target):
    assert next_page(values) == target


@given(st.lists(st.text('<>;=,"\\ anextrl', max_size=60)))
def test_any_text_has_an_answer(values):
    target = next_page(values)
    assert target is None or any(target in value for value in values)


WORDS = st.text("abz0-", min_size=1, max_size=4)
TEXTS = st.text('ab ,;<>="\\', max_size=6)


@given(st.text("ab/?&=", max_size=9), st.lists(st.tuples(WORDS.filter(lambda word: word != "rel"), TEXTS), max_size=3))
def test_parameters_may_have_anything_in_quotes(target, parameters):
    quoted = [
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in parameters
    ]
    assert next_page(["; ".join([f"<{target}>", *quoted, 'rel="next"'])]) == target
