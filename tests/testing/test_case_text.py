"""Cases as text."""

import pytest

from oci_layers.errors import LinkError, NameFormatError
from oci_layers.testing.case import Outcome, Refusal
from oci_layers.testing.case_text import parse_cases
from oci_layers.tree import dump

HEAD = "case: theme/name\nrules: LYR-16\nlevel: spec\nsays: One thing\n    and another.\n"


def only(text):
    (case,) = parse_cases(text)
    return case


def test_a_case_has_what_its_items_say():
    case = only(HEAD + "layer:\n    a file text=x\nlayer:\n    a whiteout\nexpect: nothing\n")
    assert (case.id, case.rules, case.level, case.sentence) == (
        "theme/name",
        ("LYR-16",),
        "spec",
        "One thing and another.",
    )
    assert case.text == str(case.stack) == "layer\n    a file text=x\nlayer\n    a whiteout"
    assert case.layers == tuple(case.stack.tars())
    assert dump(case.expected) == "/ dir 0755 0:0 0.000000000\n"
    assert case.outcomes == {"default": Outcome(case.expected)}
    assert (case.also, case.touched, case.implied, case.disk, case.skipped) == ((), frozenset(), {b""}, None, ())


def test_a_file_has_cases_comments_and_empty_lines():
    text = HEAD + "expect: nothing\n"
    cases = list(parse_cases(f"# A theme.\n\n{text}\n# More.\n{text.replace('name', 'other')}"))
    assert [case.id for case in cases] == ["theme/name", "theme/other"]


def test_no_text_is_no_case():
    assert list(parse_cases("# Nothing.\n\n")) == []


def test_a_tree_leaves_out_what_entries_leave_out():
    case = only(
        HEAD
        + r"""
expect:
    / dir 0700
    /d dir touched
    /d/f file 0600 1:2 5.5 text=a\x20b xattr.user.k=v
    /d/l symlink target=x
    /e dir implied
    /e/c char device=1:3
    /e/h link /d/f
    /i dir implied
"""
    )
    assert dump(case.expected) == (
        "/ dir 0700 0:0 1700000000.123456789\n"
        "/d dir 0755 0:0 1700000000.123456789\n"
        "/d/f file 0600 1:2 5.500000000 text=a\\x20b xattr.user.k=v\n"
        "/d/l symlink 0777 0:0 1700000000.123456789 target=x\n"
        "/e dir 0755 0:0 0.000000000\n"
        "/e/c char 0644 0:0 1700000000.123456789 device=1:3\n"
        "/e/h link /d/f\n"
        "/i dir 0755 0:0 0.000000000\n"
    )
    assert (case.touched, case.implied) == ({b"d"}, {b"e", b"i"})


def test_other_outcomes_are_accepted_too():
    case = only(HEAD + "expect: refuse\nor:\n    /a file touched text=\nor: refuse\ndefault:\n    error LinkError\n")
    assert case.expected is None
    assert [tree and tree.get("a").mode for tree in case.accepted] == [None, 0o644, None]


def test_our_own_outcomes_are_trees_errors_and_findings():
    case = only(
        HEAD
        + r"""
expect:
    /a file text=
default:
    finding duplicate a\x20b
    finding order ""
strict:
    finding order a
    error LinkError "" is one thing, or another
lenient:
    nothing
replace:
    /b file text=
disk:
    /c file text=
skipped:
    xattr a
"""
    )
    default, strict, lenient, replace = (case.outcomes[name] for name in ("default", "strict", "lenient", "replace"))
    assert default == Outcome(case.expected, findings=(("duplicate", b"a b"), ("order", b"")))
    assert strict == Outcome(None, Refusal(LinkError, b"", "is one thing, or another"), (("order", b"a"),))
    assert [sorted(each.tree.root.children) for each in (lenient, replace)] == [[], [b"b"]]
    assert sorted(case.disk.root.children) == [b"c"]
    assert case.skipped == (("xattr", b"a"),)


def test_a_layer_of_bytes_makes_a_case_without_a_stack():
    case = only(HEAD + "layer:\n    a whiteout\nlayer: raw\n    0 x\n    3 end\nexpect: nothing\n")
    assert case.stack is None
    assert case.layers[1] == b"x\0\0"
    assert case.text == "layer\n    a whiteout\nlayer raw\n    0 x\n    3 end"


@pytest.mark.parametrize(
    "text",
    [
        "expect: nothing\n",
        HEAD,
        HEAD.replace("spec", "any") + "expect: nothing\n",
        HEAD + "expect: refuse\n",
        HEAD + "expect: nothing\nother:\n",
        HEAD + "expect:\n    /a thing\n",
        HEAD + "expect:\n    /a\n",
        HEAD + "expect:\n    /a file 12 text=\n",
        HEAD + "expect:\n    /a file implied text=\n",
        HEAD + "expect: nothing\nlayer:\n    a thing\n",
        HEAD + "expect: nothing\nlayer: raw\n    x\n",
        HEAD + "expect: nothing\nlayer: zip\n",
        HEAD + "expect: nothing\nstrict:\n    error NoError a b\n",
        HEAD + "expect: nothing\nstrict:\n    error Mapping a b\n",
        HEAD + "expect: nothing\nskipped:\n    xattr\n",
    ],
)
def test_what_is_no_case_is_an_error_that_names_it(text):
    with pytest.raises(NameFormatError) as caught:
        list(parse_cases(text))
    assert (caught.value.what, caught.value.text) == ("case", "theme/name" if "case:" in text else "nothing")
