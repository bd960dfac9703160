"""The patterns of `.dockerignore`: the rules that Docker documents, as a table, and what is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.build import ignore as module
from oci_layers.build.ignore import Ignore, Selection, selected
from oci_layers.errors import NameFormatError, UnsafePathError

YES, NO = True, False

TABLE = [
    # A name alone is one at the top, and a directory takes with it all that it holds.
    ("build", "build", YES),
    ("build", "build/a/b", YES),
    ("build", "src/build", NO),
    ("build", "builder", NO),
    ("a/b", "a/b/c", YES),
    ("a/b", "a/c", NO),
    # A slash at the beginning or at the end changes nothing; the path is cleaned.
    ("/build", "build", YES),
    ("build/", "build", YES),
    ("//build", "build", YES),
    ("./a/../build/.", "build/x", YES),
    (".", "anything", NO),
    ("/", "anything", NO),
    ("..", "anything", NO),
    # What has no wildcards has no other meaning, whatever a regular expression would make of it.
    ("a.b", "axb", NO),
    ("a+(b)|{c}$^", "a+(b)|{c}$^", YES),
    ("pkg-1.0+x-py3.whl", "pkg-1.0+x-py3.whl", YES),
    # The wildcards match no slash.
    ("*", "a", YES),
    ("*", "a/b", YES),  # Its directory is matched.
    ("*/temp*", "somedir/temporary.txt", YES),
    ("*/temp*", "somedir/temp/file", YES),
    ("*/temp*", "temporary.txt", NO),
    ("*/*/temp*", "somedir/subdir/temporary.txt", YES),
    ("*/*/temp*", "somedir/temporary.txt", NO),
    ("temp?", "tempa", YES),
    ("temp?", "temp", NO),
    ("temp?", "tempab", NO),
    ("a?b", "a/b", NO),
    ("*.md", "README.md", YES),
    ("*.md", "docs/README.md", NO),
    (".*", ".git", YES),
    (".*", "git", NO),
    ("*", ".hidden", YES),
    ("a?c", "a\u263ac", YES),
    ("a??c", "a\u263ac", NO),
    ("a?c", "a\udcffc", YES),
    # Classes.
    ("a[b-d]e", "ace", YES),
    ("a[b-d]e", "aae", NO),
    ("a[^b-d]e", "aze", YES),
    ("a[^b-d]e", "ace", NO),
    ("a[!b]c", "a!c", YES),  # Only ^ negates.
    ("a[!b]c", "axc", NO),
    ("[a-\u03b6]x", "\u03b1x", YES),
    ("[*]", "*", YES),
    ("[*]", "a", NO),
    (r"[\]-]".replace("-]", r"\-]"), "-", YES),
    (r"[\]a]", "]", YES),
    ("a]", "a]", YES),
    # A backslash takes the next character for itself.
    (r"a\*b", "a*b", YES),
    (r"a\*b", "axb", NO),
    (r"\[a]", "[a]", YES),
    (r"a\\b", r"a\b", YES),
    # Any number of directories, none among them.
    ("**", "a/b/c", YES),
    ("**/", "a", YES),
    ("**/**", "a/b", YES),
    ("**/*.go", "main.go", YES),
    ("**/*.go", "a/b/main.go", YES),
    ("**/*.go", "a/b/main.gob", NO),
    ("**/node_modules", "node_modules/x", YES),
    ("**/node_modules", "a/b/node_modules/x", YES),
    ("**/node_modules", "a/my_node_modules", NO),
    ("a/**/b", "a/b", YES),
    ("a/**/b", "a/x/y/b", YES),
    ("a/**/b", "a/xb", NO),
    ("dir/**", "dir", NO),
    ("dir/**", "dir/a", YES),
    ("dir/**", "dir/a/b", YES),
    ("dir/**", "dirt/a", NO),
    ("a**", "a", YES),
    ("a**", "ab/c", YES),
    ("a**/*.txt", "a/b/c.txt", YES),
    ("**file", "a/file", YES),
    ("**file", "a/profile", YES),
    ("**/foo/bar", "x/foo/bar", YES),
    ("**/foo/bar", "x/foo/baz", NO),
    ("**/*\n*", "a/b\nc", YES),
    # Exceptions: the last line that matches decides.
    ("*.md\n!README.md", "README.md", NO),
    ("*.md\n!README.md", "other.md", YES),
    ("!README.md\n*.md", "README.md", YES),
    ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", YES),
    ("*.md\n!README*.md\nREADME-secret.md", "README-public.md", NO),
    ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", NO),
    ("docs\n!docs/README.md", "docs/README.md", NO),
    ("docs\n!docs/README.md", "docs/other", YES),
    ("docs/\n!docs/keep", "docs/keep/a/b", NO),
    ("docs\n!docs/keep\ndocs/keep/not", "docs/keep/not/x", YES),
    ("**\n!dist/*.whl", "dist/a.whl", NO),
    ("a\n!a/b\na*", "a/b", YES),
    ("*\n!**/keep", "x/y/keep", NO),
    # Lines: blanks around a pattern, comments, the mark of UTF-8, and the ends of lines of Windows have no meaning.
    ("  build \t\r\n", "build", YES),
    ("#build", "#build", NO),
    (" #build", "#build", YES),
    ("\ufeffbuild", "build", YES),
    ("*\n  ! \t keep", "keep", NO),
    ("*\n! /keep", "keep", NO),
    ("\n\n", "a", NO),
    ("", "a", NO),
]


@pytest.fixture(params=["regex", "states"])
def engine(request, monkeypatch):
    """Either of the two ways to match a pattern."""
    if request.param == "states":
        monkeypatch.setattr(module, "_WAYS", -1)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("lines", "path", "left_out"), TABLE)
def test_a_path_is_left_out_as_docker_documents(lines, path, left_out):
    lines = [lines] if lines == "**/*\n*" else lines
    assert Ignore.parse(lines).excludes(path) is left_out


def test_the_top_is_never_left_out():
    assert not Ignore.parse("**\n*\n.").excludes("")


def test_lines_may_be_a_list_and_paths_bytes():
    assert Ignore.parse(["a*", "!ab"]).excludes(b"a\xff")
    assert not Ignore.parse(["a*", "!ab"]).excludes("/ab/")
    with pytest.raises(UnsafePathError):
        Ignore.parse(["a"]).excludes("../a")


def test_patterns_are_equal_and_true_if_there_are_any():
    assert Ignore.parse("a\n\n# b") == Ignore.parse(["a"])
    assert Ignore.parse("a") != Ignore.parse("b")
    assert (bool(Ignore.parse("# a")), bool(Ignore.parse("a"))) == (False, True)


@pytest.mark.parametrize(
    "pattern", ["[", "a[", "[^", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[b-a]", "[^bc", "\\", "a[\\", "!", " !  "]
)
def test_a_malformed_pattern_is_an_error_with_its_text(pattern):
    with pytest.raises(NameFormatError) as caught:
        Ignore.parse(["fine", pattern])
    assert (caught.value.what, caught.value.text) == ("pattern", pattern.strip())


@pytest.mark.parametrize(
    ("lines", "directory", "expected"),
    [
        ("a", "a", NO),
        ("a\n!b", "a", NO),
        ("a\n!a/b", "a", YES),
        ("a\n!a/b", "a/c", NO),
        ("a\n!a*/b", "a", YES),
        ("a\n!ab/*", "a", NO),
        ("a\n!**/b", "a/c", YES),
        ("a\n!a", "a", NO),
    ],
)
def test_a_directory_is_visited_only_if_something_in_it_may_be_taken_back(lines, directory, expected):
    assert Ignore.parse(lines).may_take_back(directory) is expected


def test_a_directory_that_is_left_out_comes_before_what_is_taken_of_it_and_once():
    items = ["a", "a/b", "a/b/keep", "a/b/more", "a/c", "a/c/not", "d"]
    directories = {"a", "a/b", "a/c"}
    ignore = Ignore.parse("a\n!a/b/keep\n!a/b/more")
    walked = ((path.encode(), path in directories, path) for path in items)
    assert list(selected(walked, ignore)) == ["a", "a/b", "a/b/keep", "a/b/more", "d"]


def test_without_patterns_everything_is_taken():
    selection = Selection(Ignore())
    assert (selection.enter(b"a"), selection.excludes(b"a/b"), list(selection.release(b"a/b"))) == (True, False, [])


def test_repeated_wildcards_take_little_time():
    ignore = Ignore.parse(["**/" * 30 + "x*y"])
    assert not ignore.excludes("a/" * 100 + "x")
    assert ignore.excludes("a/" * 100 + "xy")


@pytest.mark.parametrize(
    ("pattern", "path", "left_out"),
    [
        ("*a" * 30 + "b", "a" * 200, NO),
        ("*a" * 30 + "b", "a" * 200 + "b", YES),
        ("**/a/" * 20 + "b", "a/" * 60 + "a", NO),
        ("**/a/" * 20 + "b", "a/" * 60 + "b", YES),
        ("a**/" * 20 + "*b", "a/" * 40 + "a", NO),
        ("*" * 400 + "b", "a" * 200, NO),
    ],
)
def test_many_wildcards_take_little_time(pattern, path, left_out):
    """Fewer ways than there are to place them; the test would not end."""
    assert Ignore.parse([pattern]).excludes(path) is left_out


patterns = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "**/", "?", "[^b]", "/**/"]), max_size=8).map("".join)
paths = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@given(patterns, paths)
def test_both_ways_to_match_agree(pattern, path):
    for rule in Ignore.parse([pattern])._rules:
        by_states = module._matches_by_states(rule.parts, path)
        assert by_states == (rule.regex.fullmatch(path) is not None)
