"""Patterns, as `pathlib` of Python 3.13 has them; tests/property compares many more with what is installed."""

import pytest

from oci_layers.errors import UnsafePathError
from oci_layers.image.pattern import Pattern
from tests.support.layers import f, sym, tar
from tests.support.trees import merged

LAYER = tar(
    f("a/b/g"),
    f("a/b/.h/x"),
    f("a/f"),
    f(".x"),
    f("n\udce9"),
    sym("l", "a"),
    sym("n", "none"),
    sym("o", "o"),
    sym("to-file", "a/f"),
    sym("a/b/up", ".."),
)


@pytest.fixture(scope="module")
def tree():
    return merged(LAYER)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ".x a l n n\udce9 o to-file"),
        ("?", "a l n o"),
        ("[!a-m]", "n o"),
        ("n?", "n\udce9"),
        (b"n\xe9", "n\udce9"),
        ("*/", "a l"),
        ("*/*", "a/b a/f l/b l/f"),
        ("*/f", "a/f l/f"),
        ("*//./f", "a/f l/f"),
        ("n", "n"),
        ("n/", ""),
        ("o/x", ""),
        ("to-file", "to-file"),
        ("to-file/", ""),
        ("to-file/*", ""),
        ("a/f/*", ""),
        ("a/none/*", ""),
        ("[", ""),
        ("a**", "a"),
        ("**", ". .x a a/b a/b/.h a/b/.h/x a/b/g a/b/up a/f l n n\udce9 o to-file"),
        ("**/*", ".x a a/b a/b/.h a/b/.h/x a/b/g a/b/up a/f l n n\udce9 o to-file"),
        ("**/**", ". .x a a/b a/b/.h a/b/.h/x a/b/g a/b/up a/f l n n\udce9 o to-file"),
        ("**/", ". a a/b a/b/.h"),
        ("**/f", "a/f"),
        ("**/l/*", "l/b l/f"),
        ("**/b/*", "a/b/.h a/b/g a/b/up"),
        ("**/up/f", "a/b/up/f"),
        ("**/*/f", "a/b/up/f a/f l/f"),
        ("**/up/", "a/b/up"),
        ("a/**/x", "a/b/.h/x"),
        ("l/**", "l l/b l/b/.h l/b/.h/x l/b/g l/b/up l/f"),
        ("l/b/up/b/up/f", "l/b/up/b/up/f"),
    ],
)
def test_glob_finds_what_pathlib_does_in_the_order_of_names(tree, pattern, expected):
    found = [path.decode("utf-8", "surrogateescape") or "." for path in Pattern.parse(pattern).glob(tree, b"")]
    assert found == expected.split()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a/b", "a/b a/b/.h a/b/.h/x a/b/g a/b/up"),
        (b"a/b/up", "a/b/up a/b/up/b a/b/up/b/.h a/b/up/b/.h/x a/b/up/b/g a/b/up/b/up a/b/up/f"),
        (b"a/f", ""),
        (b"none", ""),
        (b"a/f/x", ""),
        (b"n", ""),
        (b"o", ""),
    ],
)
def test_glob_begins_where_the_path_leads(tree, path, expected):
    assert b" ".join(Pattern.parse("**").glob(tree, path)).decode() == expected


@pytest.mark.parametrize(
    ("pattern", "same"), [("f", "**/f"), ("b/", "**/b/"), ("", "**/"), ("*", "**/*"), ("**", "**"), ("**/f", "**/f")]
)
def test_a_recursive_pattern_is_one_with_two_stars_before_it(tree, pattern, same):
    found = list(Pattern.parse(pattern).recursive().glob(tree, b""))
    assert found == list(Pattern.parse(same).glob(tree, b""))


@pytest.mark.parametrize(
    ("pattern", "kind", "reason"),
    [
        ("", ValueError, "pattern '' is empty"),
        (".", ValueError, "pattern '.' is empty"),
        ("/a", NotImplementedError, "pattern '/a' is absolute, and must be relative to the path"),
        ("a/../b", ValueError, "pattern 'a/../b' has a '..', start from the parent instead"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused_at_once(tree, pattern, kind, reason):
    with pytest.raises(kind) as raised:
        Pattern.parse(pattern).glob(tree, b"")
    assert str(raised.value) == reason


def test_a_pattern_that_is_no_text_is_refused():
    with pytest.raises(UnsafePathError):
        Pattern.parse("\ud800")
    with pytest.raises(TypeError):
        Pattern.parse(5)


@pytest.mark.parametrize(
    ("path", "pattern", "match", "full"),
    [
        ("/a/b.py", "b.py", True, False),
        ("/a/b.py", "*.py", True, False),
        ("/a/b.py", "a/*.py", True, False),
        ("/a/b.py", "/a/*.py", True, True),
        ("/a/b.py", "/*.py", False, False),
        ("/a/b.py", "/*/*", True, True),
        ("/a/b.py", "*/*/*", False, False),
        ("/a/b.py", "/a/", False, False),
        ("/a", "/a/", True, True),
        ("/a", "/./a", True, True),
        ("/", "/", True, True),
        ("/", "*", False, False),
        ("/", "**", False, True),
        ("/", "/**", False, True),
        ("/a", "/**", True, True),
        ("/a/b/c", "/**", False, True),
        ("/a", "**", True, True),
        ("/a/b", "/a/**", True, True),
        ("/a", "/a/**", False, False),
        ("/a/b/c/d", "/a/**/d", False, True),
        ("/a/d", "/a/**/d", False, True),
        ("/a/b/c/d", "/a/**/b/**/d", False, True),
        ("/a/b/c/d", "**/c/**", True, True),
        ("/a/b/c", "**/c/**", False, False),
        ("/b", "/**/b", False, True),
        ("/b", "**/b", False, True),
        ("/a", "/b/../a", False, False),
        ("/ab", "/a**b", True, True),
        ("/a\nb", "/a?b", True, True),
        ("/a*", "/a[*]", True, True),
    ],
)
def test_paths_match_patterns(path, pattern, match, full):
    names = [name for name in path.split("/") if name]
    parsed = Pattern.parse(pattern)
    assert (parsed.match(names), parsed.full_match(names)) == (match, full)


def test_an_empty_pattern_matches_nothing():
    with pytest.raises(ValueError, match="empty pattern"):
        Pattern.parse("").match(["a"])
    assert not Pattern.parse("").full_match(["a"])


def test_a_pattern_of_many_stars_costs_no_more_than_its_length():
    names = ["a"] * 200
    assert not Pattern.parse("/" + "**/a/" * 100 + "b").full_match(names)
    assert not Pattern.parse("/" + "*a" * 50 + "b").full_match(["a" * 200])
