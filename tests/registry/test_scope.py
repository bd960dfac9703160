"""Scopes are split where the token specification says, keep words that servers made up, and merge by resource."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import NameFormatError
from oci_layers.registry.scope import Scope, in_order, merged


@pytest.mark.parametrize(
    ("text", "parts", "written"),
    [
        ("repository:a/b:pull", ("repository", "a/b", {"pull"}), None),
        ("repository:a/b:pull,push", ("repository", "a/b", {"pull", "push"}), "repository:a/b:push,pull"),
        (
            "repository:a:pull,delete,push",
            ("repository", "a", {"pull", "push", "delete"}),
            "repository:a:push,delete,pull",
        ),
        ("repository:host:5000/a:pull", ("repository", "host:5000/a", {"pull"}), None),
        ("repository(plugin):a:pull", ("repository(plugin)", "a", {"pull"}), None),
        ("registry:catalog:*", ("registry", "catalog", {"*"}), None),
        ("repository:a:", ("repository", "a", set()), None),
        ("repository:a:,pull,,pull", ("repository", "a", {"pull"}), "repository:a:pull"),
        ("aws", ("aws", "", set()), None),
        ("a:b", ("a:b", "", set()), None),
        ("::", ("::", "", set()), None),
        ("repository::pull", ("repository::pull", "", set()), None),
        ("https://x.example/.default", ("https://x.example/.default", "", set()), None),
    ],
)
def test_a_scope_is_split_at_its_first_and_last_colon(text, parts, written):
    scope = Scope.parse(text)
    assert (scope.type, scope.name, scope.actions) == parts
    assert str(scope) == (written or text)
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize("text", ["", "a b", "a\n", 'a"b', "a\\b", "\u00e4", "a" * 4097, "a\x7f"])
def test_what_no_scope_has_is_refused(text):
    with pytest.raises(NameFormatError) as caught:
        Scope.parse(text)
    assert caught.value.what == "scope"


@pytest.mark.parametrize(
    "parts",
    [
        ("a:b", "c", {"pull"}),
        ("repository", "a", {"pull,push"}),
        ("repository", "a", {"pu:ll"}),
        ("repository", "a", {""}),
        ("repository", "", {"pull"}),
        ("repository:a:pull", "", set()),
    ],
)
def test_a_part_has_no_separator_that_would_make_it_another(parts):
    kind, name, actions = parts
    with pytest.raises(NameFormatError):
        Scope(kind, name, frozenset(actions))


def test_a_scope_covers_the_same_resource_with_fewer_actions():
    both = Scope.repository("a", "pull", "push")
    assert both.covers(Scope.repository("a", "pull"))
    assert both.covers(both)
    assert not Scope.repository("a", "pull").covers(both)
    assert not both.covers(Scope.repository("b", "pull"))


def test_hints_and_challenge_are_merged_by_resource_and_writing_comes_first():
    hints = {Scope.repository("a", "pull"), Scope.repository("z", "push")}
    challenged = {Scope.repository("a", "push"), Scope.parse("aws")}
    assert list(map(str, in_order(merged(hints, challenged)))) == ["repository:a:push,pull", "repository:z:push", "aws"]


def test_a_challenge_decides_whether_deleting_has_an_action_of_its_own():
    delete = {Scope.repository("a", "delete")}
    assert merged(delete) == delete
    assert merged(delete, {Scope.repository("b", "pull")}) == delete | {Scope.repository("b", "pull")}
    assert merged(delete, {Scope.repository("a", "push")}) == {Scope.repository("a", "push")}
    assert merged(delete, {Scope.repository("a", "*", "delete")}) == {Scope.repository("a", "*", "delete")}


@given(st.text(max_size=40) | st.text(alphabet="ab:,*()/ ", max_size=20))
def test_any_text_is_a_scope_that_comes_back_or_an_error(text):
    try:
        scope = Scope.parse(text)
    except NameFormatError:
        return
    assert Scope.parse(str(scope)) == scope
    assert merged([scope], [scope]) == {scope} or "delete" in scope.actions
