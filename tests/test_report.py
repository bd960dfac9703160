import pytest

from oci_layers.report import Listing, Report, Skipped
from tests.support.findings import in_layer


def test_a_report_begins_empty():
    report = Report()
    assert (report.entries, report.files, report.bytes, report.layers) == (0, 0, 0, [])
    assert (len(report.skipped), len(report.findings)) == (0, 0)
    assert report.leftovers == []
    assert Report().skipped is not report.skipped


def test_a_listing_counts_all_and_keeps_the_first_thousand():
    listing = Listing()
    for number in range(Listing.CAP + 500):
        listing.add(in_layer("aufs" if number % 2 == 0 else "duplicate", b"%d" % number, 0))
    assert len(listing) == 1500
    assert listing.totals == {"aufs": 750, "duplicate": 750}
    assert [item.location.path for item in listing] == [b"%d" % number for number in range(1000)]
    assert repr(listing) == "<Listing {'aufs': 750, 'duplicate': 750}>"
    listing.count("duplicate", 5)
    assert (listing.totals, len(listing), len(listing.items)) == ({"aufs": 750, "duplicate": 755}, 1505, 1000)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (in_layer("duplicate", b"a/b", 3), "error duplicate layer 3: a/b"),
        (in_layer("refused", b"", 0, "no target"), "error refused layer 0: /: no target"),
        (in_layer("refused", b"\x1b\xff", 0, "to \x1b[2J\n"), "error refused layer 0: \\x1b\\xff: to \\x1b[2J\\x0a"),
        (Skipped("owner", b"a", 1, 1), "layer 1: a: owner"),
        (Skipped("xattr", b"a", 1, 95, "user.\x07"), "layer 1: a: xattr: user.\\x07"),
        (Skipped("socket", b"", 0, None), "layer 0: /: socket"),
    ],
)
def test_each_item_is_one_line(item, line):
    assert str(item) == line
