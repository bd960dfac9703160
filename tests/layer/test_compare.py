"""Nodes beside one another; the rows of `test_diff` have the modes and what is ignored."""

import itertools

import pytest

from oci_layers.errors import NameFormatError
from oci_layers.layer.compare import Comparison
from oci_layers.tree import Device, DigestContent, Directory, Fifo, File, Inline, Symlink
from oci_layers.tree.content import sha256

NANOSECONDS = 10**9 + 1
NODES = [
    File(0o644, 0, 0, 0),
    Fifo(0o644, 0, 0, 0),
    Symlink(0, 0, 0, target=b"a"),
    Symlink(0, 0, 0, target=b"b"),
    Device(0o644, 0, 0, 0, kind="char"),
    Device(0o644, 0, 0, 0, kind="block"),
    Device(0o644, 0, 0, 0, kind="char", major=1),
    Device(0o644, 0, 0, 0, kind="char", minor=1),
    File(0o644, 0, 0, 0, content=Inline(b"x")),
    File(0o644, 0, 0, 0, content=Inline(b"y")),
    File(0o644, 1, 0, 0),
    File(0o644, 0, 1, 0),
    File(0o600, 0, 0, 0),
    File(0o644, 0, 0, 1),
    File(0o644, 0, 0, 0, {b"user.k": b""}),
]


@pytest.mark.parametrize(("one", "two"), [*itertools.combinations(NODES, 2)])
def test_nodes_differ(one, two):
    same = Comparison("auto", ())
    assert not same.leaves(one, two)
    assert not same.leaves(two, one)


def test_a_node_is_like_itself_and_its_copies():
    same = Comparison("always", ())
    for node in NODES:
        copy = type(node)(**{key: getattr(node, key) for key in node.__slots__ if key != "__weakref__"})
        assert same.leaves(node, node)
        assert same.leaves(node, copy)


def test_contents_known_by_their_digest_are_compared_without_reading():
    known = DigestContent(1, sha256(Inline(b"x")))
    one = File(0o644, 0, 0, NANOSECONDS, content=known)
    for content, expected in ((Inline(b"x"), True), (Inline(b"y"), False), (DigestContent(1, "0" * 64), False)):
        assert Comparison("auto", ()).leaves(one, File(0o644, 0, 0, NANOSECONDS, content=content)) is expected


def test_directories_are_compared_without_what_is_in_them():
    full = Directory(0o755, 0, 0, 5, children={b"a": NODES[0]})
    assert Comparison("auto", ()).directories(full, full)
    assert Comparison("auto", ()).directories(full, Directory(0o755, 0, 0, 5, implicit=True))
    assert not Comparison("auto", ()).directories(full, Directory(0o755, 0, 0, 6))


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(NameFormatError, match="content mode 'size': there are auto, always, never"):
        Comparison("size", ())


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (10**9, 10**9 + 1, True),
        (0, 10**9 - 1, True),
        (-(10**9), -1, True),
        (10**9 + 1, 10**9 + 2, False),
        (10**9, 2 * 10**9, False),
        (10**9 - 1, 10**9, False),
    ],
)
def test_a_fraction_of_a_second_that_was_cut_off_is_ignored_on_request(one, two, same):
    cut, exact = Comparison("auto", {"nanoseconds"}), Comparison("auto", ())
    for times in ((one, two), (two, one)):
        nodes = [Fifo(0o644, 0, 0, time) for time in times]
        assert cut.leaves(*nodes) is same
        assert cut.aspects(*nodes) == (() if same else ("mtime",))
        assert exact.aspects(*nodes) == ("mtime",)
