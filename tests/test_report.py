import pytest

from oci_layers.report import Finding, Listing, Report, Skipped


def test_a_report_begins_empty():
    report = Report()
    assert (report.entries, report.files, report.bytes, report.layers) == (0, 0, 0, [])
    assert (len(report.skipped), len(report.findings)) == (0, 0)
    assert report.leftovers == []
    assert Report().skipped is not report.skipped


def test_a_listing_counts_all_and_keeps_the_first_thousand():
    listing = Listing()
    for number in range(Listing.CAP + 500):
        listing.add(Finding("even" if number % 2 == 0 else "odd", b"%d" % number, 0))
    assert len(listing) == 1500
    assert listing.totals == {"even": 750, "odd": 750}
    assert [item.path for item in listing] == [b"%d" % number for number in range(1000)]
    assert repr(listing) == "<Listing {'even': 750, 'odd': 750}>"
    listing.count("odd", 5)
    assert (listing.totals, len(listing), len(listing.items)) == ({"even": 750, "odd": 755}, 1505, 1000)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (Finding("duplicate", b"a/b", 3), "layer 3: a/b: duplicate"),
        (Finding("refused", b"", 0, "no target"), "layer 0: /: refused: no target"),
        (Finding("refused", b"\x1b\xff", 0, "to \x1b[2J\n"), "layer 0: \\x1b\\xff: refused: to \\x1b[2J\\x0a"),
        (Skipped("owner", b"a", 1, 1), "layer 1: a: owner"),
        (Skipped("xattr", b"a", 1, 95, "user.\x07"), "layer 1: a: xattr: user.\\x07"),
        (Skipped("socket", b"", 0, None), "layer 0: /: socket"),
    ],
)
def test_each_item_is_one_line(item, line):
    assert str(item) == line
