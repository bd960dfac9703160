"""Challenges as RFC 9110 writes them and as servers do; any text gives some in linear time."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_layers.registry.challenge import Challenge, parse_challenges

NEGOTIATE = ("negotiate", {})
TOKEN = ("bearer", {"realm": "https://a/t", "service": "s"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (['Bearer realm="https://a/t",service="s"'], [TOKEN]),
        (['BEARER  Realm = "https://a/t" ,\tSERVICE=s'], [TOKEN]),
        (["Bearer realm=https://a/t,service=s"], [TOKEN]),
        (['Bearer realm="https://a/t" service="s"'], [TOKEN]),
        ([',,Bearer ,realm="https://a/t",,service="s",'], [TOKEN]),
        (
            ['Bearer realm="r",scope="repository:a:pull repository:b:pull,push"'],
            [("bearer", {"realm": "r", "scope": "repository:a:pull repository:b:pull,push"})],
        ),
        ([r'Basic realm="a \"quoted\" \\ r\ealm, b=c"'], [("basic", {"realm": r'a "quoted" \ realm, b=c'})]),
        (['Basic realm=""'], [("basic", {"realm": ""})]),
        (['Basic realm="a", realm="b"'], [("basic", {"realm": "a"})]),
        (["Negotiate", 'Basic realm="r"'], [NEGOTIATE, ("basic", {"realm": "r"})]),
        (['Negotiate, Basic realm="r"'], [NEGOTIATE, ("basic", {"realm": "r"})]),
        (['Negotiate YII/+a==, Basic realm="r"'], [NEGOTIATE, ("basic", {"realm": "r"})]),
        (["NTLM", 'Digest realm="d", qop="auth,auth-int", nonce=x, Bearer realm="https://a/t",service="s"'],
         [("ntlm", {}), ("digest", {"realm": "d", "qop": "auth,auth-int", "nonce": "x"}), TOKEN]),
        (["Basic"], [("basic", {})]),
        (["Basic , , Basic"], [("basic", {}), ("basic", {})]),
        (
            ['A a="1", B b="2", C, D t68=, E e="5"'],
            [("a", {"a": "1"}), ("b", {"b": "2"}), ("c", {}), ("d", {}), ("e", {"e": "5"})],
        ),
        (['Basic realm="never closed, Bearer realm="x"'], [("basic", {})]),
        (['realm="x"'], []),
        (['Basic realm="r" "x", Bearer realm="y"'], [("basic", {"realm": "r"})]),
        (['"x"', 'Basic realm="r"'], [("basic", {"realm": "r"})]),
    ],
)  # fmt: skip
def test_challenges_are_read(values, expected):
    assert parse_challenges(values) == tuple(Challenge(*each) for each in expected)


def test_eight_kibibytes_are_read_and_no_more():
    short, long = 'Basic realm="r"', f'Basic realm="{"r" * 8192}"'
    assert parse_challenges([short, long, short]) == (Challenge("basic", {"realm": "r"}),)


WORDS = st.text(alphabet="abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
PARAMETERS = st.dictionaries(WORDS.map(str.lower), st.text(max_size=12), max_size=3)


@given(st.lists(st.tuples(WORDS, PARAMETERS), max_size=4), st.sampled_from([",", ", ", " , ", ",,"]), st.booleans())
def test_what_is_written_by_the_rules_comes_back(challenges, comma, several):
    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    values = [
        f"{scheme} " + comma.join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    ]
    expected = tuple(Challenge(scheme.lower(), parameters) for scheme, parameters in challenges)
    assert parse_challenges(values if several else [comma.join(values)]) == expected


@given(st.lists(st.text(max_size=60) | st.text(alphabet='aB=", \\\t~', max_size=60), max_size=3))
@example(['Basic realm="\\'])
def test_any_text_gives_challenges(values):
    for each in parse_challenges(values):
        assert each.scheme == each.scheme.lower() != ""


@pytest.mark.parametrize("piece", ['a="', "a=b,", "a ", "a=", '\\"', "a\t", ",", '"', "a==", "B a=\\", "=", "\\"])
def test_no_text_takes_long(piece):
    begun = time.process_time()
    for lead in ("", "Basic ", 'Basic a="', "Basic a"):
        parse_challenges([(lead + piece * 8192)[:8192]])
    assert time.process_time() - begun < 1
