"""Words for differences; `commands/test_diff` has whole outputs."""

import pytest

from oci_layers.cli.differences import Pair, Totals, difference_lines, is_below, signed_bytes
from oci_layers.layer import differences
from tests.support.layers import block, char, d, f, ln, sym, tar, wh
from tests.support.trees import merged


@pytest.mark.parametrize(
    ("count", "text"), [(0, "-"), (1, "+1 B"), (-1, "-1 B"), (1500, "+1.5 kB"), (-2_000_000, "-2.0 MB")]
)
def test_signed_bytes(count, text):
    assert signed_bytes(count) == text


@pytest.mark.parametrize(
    ("path", "tops", "expected"),
    [(b"a", [], True), (b"a", [b"a"], True), (b"a/b", [b"a"], True), (b"ab", [b"a"], False), (b"a", [b"b", b""], True)],
)
def test_is_below(path, tops, expected):
    assert is_below(path, tops) is expected


LINKED = [f("a", "11"), ln("b", "a"), ln("c", "a")]
ROWS = {
    "a new name of a file that was there": (LINKED, [ln("_", "b")], ["A         -  /_  (hard link to /a)"]),
    "a name less": (LINKED, [wh("a")], ["D         -  /a"]),
    "the last name": (LINKED, [wh("a"), wh("b"), wh("c")], ["D      -2 B  /a", "D         -  /b", "D         -  /c"]),
    "a file of its own": (
        [f("a", "11"), ln("b", "a")],
        [f("b", "11")],
        ["C         -  /a  (no hard link to /b any more)", "C      +2 B  /b  (no hard link to /a any more)"],
    ),
    "devices": ([char("x", 1, 3)], [block("x", 8, 1)], ["C         -  /x  (char device 1,3 -> block device 8,1)"]),
    "types": ([d("x/")], [sym("x", "y")], ["C         -  /x -> y  (directory -> symlink)"]),
    "attributes": (
        [f("x", xattrs={b"user.a": b"1", b"user.b": b"1"})],
        [f("x", xattrs={b"user.b": b"2", b"user.c": b"1"})],
        ["C         -  /x  (xattrs -user.a, user.b, +user.c)"],
    ),
    "odd times": (
        [f("x", mtime_ns=-1)],
        [f("x", mtime_ns=10**18 * 9 * 10)],
        ["C         -  /x  (mtime 1969-12-31 23:59:59.999999999 -> 4821-12-26 16:00:00)"],
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_lines(row):
    lower, upper, expected = ROWS[row]
    old, new = merged(tar(*lower)), merged(tar(*lower), tar(*upper))
    pair, totals = Pair(old, new, content=False, markers=False, layered=(True, True)), Totals()
    found = totals.counted(differences(old, new, content="always"), pair)
    assert "".join(line for each, size in found for line in difference_lines(each, size, pair)).splitlines() == expected
    assert totals.count == len(expected)
