"""What layers must make, which attributes of it are open, and which questions they raise."""

import pytest

from oci_layers.testing.cases import cases
from oci_layers.testing.judge.expect import Expectation, tree_of
from oci_layers.testing.oracle import RefusedError, merge
from oci_layers.testing.stack import Stack
from oci_layers.tree.dump import dump

STACKS = [case for case in cases() if case.stack is not None and None not in case.accepted and not case.also]


@pytest.mark.parametrize("case", STACKS, ids=[case.id for case in STACKS])
def test_the_expected_tree_of_a_case_is_that_of_the_oracle(case):
    expectation = Expectation(case.stack.layers)
    assert expectation.tree == case.expected
    assert implied(expectation.tree) == case.implied
    if "EDGE-27" not in case.rules and not case.id.startswith(("order/", "symlinks/")):
        # Those are about these times, and about paths whose outcome depends on answers that the spec does not give.
        assert expectation.touched == case.touched


def implied(tree):
    return {path for path, node in tree.walk() if getattr(node, "implicit", False)}


def test_layers_that_make_nothing_are_refused():
    with pytest.raises(RefusedError):
        Expectation(Stack.parse("h link nowhere").layers)


def test_a_tree_of_the_oracle_has_its_hard_links():
    facts = merge(Stack.parse("./ dir 0700\nf file text=x\ng link f\nd/h link g\nd/p fifo\nd/c char device=1:3").layers)
    assert dump(tree_of(facts)).splitlines() == [
        "/ dir 0700 0:0 1700000000.123456789",
        "/d dir 0755 0:0 0.000000000",
        "/d/c char 0644 0:0 1700000000.123456789 device=1:3",
        "/d/h file 0644 0:0 1700000000.123456789 text=x",
        "/d/p fifo 0644 0:0 1700000000.123456789",
        "/f link /d/h",
        "/g link /d/h",
    ]


QUESTIONS = {
    "d/ dir\nd/f file text=x": {},
    "layer\nf file\nlayer\nf whiteout\nf file": {},
    "layer\nd/f file\nlayer\nd/g whiteout": {},
    "layer\no file\nlayer\nd/g whiteout": {"EDGE-07b": {b"d"}},
    "layer\no file\nlayer\nd opaque": {"EDGE-06": {b"d"}},
    "a file\na file": {"EDGE-15": {b"a"}},
    "layer\np file\nlayer\np/a file": {"EDGE-10": {b"p"}},
    "layer\nd/ dir\nl symlink target=d\nlayer\nl/a file": {"EDGE-12": {b"l", b"l/a", b"d/a"}},
    "layer\nf file\ng link f\nlayer\nh link g": {"EDGE-13": {b"f", b"g", b"h"}},
    "f file 0600\ng link f": {"EDGE-13": {b"f", b"g"}},
    "f file\ng link /f": {"EDGE-14c": {b"f", b"g"}},
    "f file xattr.user.k=": {"ATT-02": {b"f"}},
    "s symlink target=x xattr.user.k=v": {"ATT-04": {b"s"}},
    "f file -1.5": {"ATT-08": {b"f"}},
    "z char device=0:0": {"ATT-11": {b"z"}},
}


@pytest.mark.parametrize(("text", "asked"), QUESTIONS.items(), ids=map(repr, QUESTIONS))
def test_layers_raise_the_questions_that_the_spec_leaves_open(text, asked):
    found = Expectation(Stack.parse(text).layers).questions
    assert {each.id: each.paths for each in found} == asked


def test_a_question_is_about_its_paths_and_what_is_above_and_below():
    (question,) = Expectation(Stack.parse("a/b/ dir xattr.user.k=\na/b/c file").layers).questions
    assert question.id == "ATT-02"
    assert [question.is_about(path, "xattrs") for path in (b"", b"a", b"a/b", b"a/b/c", b"a/bc", b"b")] == [
        *(True, True, True, True),
        *(False, False),
    ]
    assert not question.is_about(b"a/b", "mode")


TOUCHED = {
    "layer\np/ dir\np/a file\nlayer\np/b file": {b"p"},
    "layer\np/ dir\np/a file\nlayer\np/b file\np/ dir": set(),
    "layer\np/ dir\np/a file\nlayer\np/a whiteout": {b"p"},
    "layer\np/ dir\np/a file\nlayer\np opaque": {b"p"},
    "layer\np/ dir\np/a file\nlayer\np/c whiteout": set(),
    "layer\np/ dir\np/a/ dir\nlayer\np/a/ dir": set(),
    "layer\np/ dir\np/a/ dir\nlayer\np/a/b file": {b"p/a"},
    "p/ dir\np/a file": set(),
    "layer\n./ dir\nlayer\na file": {b""},
}


@pytest.mark.parametrize(("text", "touched"), TOUCHED.items(), ids=map(repr, TOUCHED))
def test_directories_in_which_a_layer_without_an_entry_changes_names_are_touched(text, touched):
    assert Expectation(Stack.parse(text).layers).touched == touched
