import itertools
import tracemalloc

import pytest

from oci_layers.disk.skips import Skips
from oci_layers.report import Listing, Report, Skipped
from oci_layers.tree import Device, Directory, File

INODES = itertools.count(1)


def file():
    return File(0o644, 0, 0, 0, inode=next(INODES))


def device():
    return Device(0o600, 0, 0, 0, inode=next(INODES), kind="char", major=1, minor=3)


@pytest.fixture
def report():
    return Report()


@pytest.fixture
def skips(report):
    return Skips(report)


def made(skips, *rows, node=None):
    """A file of which this and that was skipped."""
    node = node or file()
    for what, number, detail in rows:
        skips.add(what, b"path", node, number, detail)
    skips.keep(node)
    return node


def test_what_is_skipped_of_a_directory_is_listed_at_once(skips, report):
    skips.add("xattr", b"dir", Directory(0o755, 0, 0, 0, layer=3), 95, b"user.\xff")
    assert list(report.skipped) == [Skipped("xattr", b"dir", 3, 95, "user.\\xff")]


def test_what_is_skipped_of_a_file_is_listed_at_its_first_name_in_the_end(skips, report):
    node = made(skips, ("owner", 1, ""), ("xattr", 95, b"user.a"))
    assert list(report.skipped) == []
    skips.list(b"first", node)
    skips.list(b"second", node)
    skips.list(b"third", file())
    assert list(report.skipped) == [Skipped("owner", b"first", 0, 1), Skipped("xattr", b"first", 0, 95, "user.a")]


def test_what_is_gathered_of_one_file_is_not_of_the_next(skips, report):
    first, second = made(skips, ("owner", 1, "")), made(skips, ("mode", 1, ""))
    skips.list(b"second", second)
    skips.list(b"first", first)
    assert [(item.what, item.path) for item in report.skipped] == [("mode", b"second"), ("owner", b"first")]


def test_what_is_removed_is_not_listed(skips, report):
    below, beside = made(skips, ("owner", 1, "")), made(skips, ("owner", 1, ""))
    inner = Directory(0o755, 0, 0, 0, children={b"file": below})
    skips.forget(Directory(0o755, 0, 0, 0, children={b"dir": inner}))
    skips.forget(beside)
    skips.list(b"a", below)
    skips.list(b"b", beside)
    assert list(report.skipped) == []


def test_what_has_had_several_names_is_listed_though_one_is_removed(skips, report):
    node = made(skips, ("owner", 1, ""))
    skips.link(node)
    skips.forget(node)
    skips.list(b"other", node)
    assert list(report.skipped) == [Skipped("owner", b"other", 0, 1)]


def test_names_of_what_could_not_be_made_are_listed_as_links(skips, report):
    node = device()
    skips.absent(node)
    made(skips, ("device", 1, ""), node=node)
    assert (skips.is_absent(node), skips.is_absent(file())) == (True, False)
    for path in (b"a", b"b"):
        skips.list(path, node)
    assert list(report.skipped) == [
        Skipped("device", b"a", 0, 1),
        Skipped("link", b"b", 0, None, "its target is not there"),
    ]
    other = made(skips, ("device", 1, ""), node=device())
    skips.absent(other)
    skips.forget(other)
    assert not skips.is_absent(other)


@pytest.mark.parametrize("more", [0, 1, 2, 19_000])
def test_more_than_a_report_keeps_is_counted(skips, report, more):
    rows = [("xattr", 95, b"%d" % number) for number in range(Listing.CAP + more)] + [("mode", 1, "")]
    skips.list(b"a", made(skips, *rows))
    assert report.skipped.totals == {"xattr": Listing.CAP + more, "mode": 1}
    assert [item.detail for item in report.skipped] == [str(number) for number in range(Listing.CAP)]


@pytest.mark.thorough
def test_many_skips_of_many_files_take_little_memory(skips):
    names = [b"%d" % number for number in range(20_000)]
    tracemalloc.start()
    try:
        for _ in range(20):
            made(skips, *(("xattr", 95, name) for name in names))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_files_of_which_the_same_is_skipped_share_it(skips):
    tracemalloc.start()
    try:
        for _ in range(10_000):
            made(skips, ("owner", 1, ""), ("mode", 1, ""))
        assert tracemalloc.get_traced_memory()[0] < 5 << 20
    finally:
        tracemalloc.stop()
