"""What differs becomes the law that is broken, or the question that the spec leaves open."""

import pytest

from oci_layers.errors import NameFormatError
from oci_layers.testing.judge.classify import FRACTION, breaches, compared, counted
from oci_layers.testing.judge.expect import Expectation
from oci_layers.testing.judge.laws import LAWS, law
from oci_layers.testing.stack import Stack
from oci_layers.tree import parse

T = "1700000000.123456789"

ROWS = {
    "a marker's directory that is made": (
        "layer\na/c file\nlayer\na whiteout\na/a opaque",
        "/a dir 0755 0:0 T\n/a/a dir 0755 0:0 T",
        {"EDGE-06": [b"a", b"a/a"]},
    ),
    "what is left in a marker's directory": (
        "layer\na/a/c file\nlayer\na whiteout\na/a opaque",
        "/a dir 0755 0:0 T\n/a/a dir 0755 0:0 T\n/a/a/c file 0644 0:0 T text=",
        {"EDGE-07b": [b"a", b"a/a"], "WHT-01": [b"a/a/c"]},
    ),
    "a directory in place of a file": (
        "layer\nx/a file\nlayer\nx file text=1",
        "/x dir 0755 0:0 0.0\n/x/a file 0644 0:0 T text=",
        {"LYR-16": [b"x"]},
    ),
    "a hard link of its own": (
        "layer\na file text=1\nb link a\nlayer\nb file text=2",
        "/a file 0644 0:0 T text=1\n/b link /a",
        {"LYR-06/content": [b"b"], "LYR-16/links": [b"b"]},
    ),
    "a hard link that is missing": ("a file\nb link a", "/a file 0644 0:0 T text=", {"LYR-08": [b"b"]}),
    "a name too many that was removed by what took the place of its directory": (
        "layer\nx/a file\nlayer\nx/ dir\nx/a whiteout",
        "/x dir 0755 0:0 T\n/x/a file 0644 0:0 T text=",
        {"WHT-01": [b"x/a"]},
    ),
    "the content of a file": ("a file text=1", "/a file 0644 0:0 T text=2", {"LYR-06/content": [b"a"]}),
    "the mode of a new directory": ("d/ dir 0700", "/d dir 0755 0:0 T", {"LYR-06/mode": [b"d"]}),
    "the mode of a directory that was removed and implied": (
        "a/ dir 0700 1:2\na whiteout\na/b/ dir",
        "/a dir 0755 0:0 T\n/a/b dir 0755 0:0 T",
        {"WHT-06": [b"a"]},
    ),
    "the time of a directory in which a marker came late": (
        "a/ dir\na/b/ dir\na opaque",
        "/a dir 0755 0:0 T\n/a/b dir 0755 0:0 5.0",
        {"LYR-06/mtime": [b"a/b"]},
    ),
    "the mode of the root": ("./ dir 0700", "/ dir 0755 0:0 T", {"LYR-15/root-mode": [b""]}),
    "a fraction": ("a file", "/a file 0644 0:0 1700000000.0 text=", {"LYR-06/fraction": [b"a"]}),
    "an empty attribute": ("a file xattr.user.k=", "/a file 0644 0:0 T text=", {"ATT-02": [b"a"]}),
    "several questions": (
        "a file -1.5 xattr.user.k=",
        "/a file 0644 0:0 0.0 text=",
        {"ATT-02": [b"a"], "ATT-08": [b"a"]},
    ),
}


@pytest.mark.parametrize(("layers", "actual", "broken"), ROWS.values(), ids=ROWS)
def test_what_differs_is_a_law_or_a_question(layers, actual, broken):
    found = judged(layers, actual)
    assert sorted((each.law.id, each.path) for each in found) == sorted(
        (id_, path) for id_, paths in broken.items() for path in paths
    )


def judged(layers, actual, **options):
    expectation = Expectation(Stack.parse(layers).layers)
    tree = parse(actual.replace(" T", f" {T}"))
    how = counted(**options)
    return breaches(expectation, tree, compared(expectation.tree, tree, how, touched=expectation.touched))


def test_implied_attributes_and_open_times_count_if_asked_for():
    layers = "layer\np/ dir\nd/a file\nlayer\np/b file"
    actual = "/p dir 0755 0:0 5.0\n/p/b file 0644 0:0 T text=\n/d dir 0700 0:0 0.0\n/d/a file 0644 0:0 T text="
    assert judged(layers, actual) == []
    assert [str(each) for each in judged(layers, actual, implied=True)] == ["EDGE-11 at /d", "EDGE-27 at /p"]


def test_who_cannot_give_owners_cannot_give_set_id_bits():
    def aspects(**options):
        expected, actual = parse("/a file 4755 5:5 0.0 text="), parse("/a file 0755 0:0 0.0 text=")
        return [each.what for each in compared(expected, actual, counted(**options))]

    assert aspects() == [("mode", "owner")]
    assert aspects(ignore=["owner"]) == []


def test_only_times_in_the_same_second_differ_by_a_fraction():
    expected = parse(f"/a file 0644 0:0 {T} text=\n/b fifo 0644 0:0 {T}")
    actual = parse("/a file 0644 0:0 1700000000.0 text=\n/b fifo 0644 0:0 1700000001.0")
    assert [each.what for each in compared(expected, actual, counted())] == [(FRACTION,), ("mtime",)]


def test_an_attribute_that_is_none_is_refused():
    with pytest.raises(NameFormatError, match="there are mode"):
        counted(["colour"])


def test_owners_count_for_root_alone(monkeypatch):
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (5, 5))
    assert "owner" not in counted().attributes
    monkeypatch.setattr("oci_layers.system.effective_ids", lambda: (0, 0))
    assert "owner" in counted().attributes


def test_every_law_has_a_sentence_and_a_rule():
    assert all(each.sentence.endswith(".") and each.id.startswith(each.rule) for each in LAWS.values())
    assert law("EDGE-12").level == "decided"
    with pytest.raises(KeyError):
        law("nothing")
