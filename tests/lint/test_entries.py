import pytest

from oci_layers.lint.entries import entry_faults, is_ordinary
from tests.support.layers import block, char, d, f, fifo, sym

OVERLAY = "overlay-xattr"
NAMESPACES = {b"user.overlay.opaque": b"y", b"user.x": b"", b"trusted.overlay.\n": b""}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f("x", mode=0o6757), [("set-id", "6757"), ("world-writable", "6757")]),
        (f("x", mode=0o1777), [("world-writable", "1777")]),
        (d("x", mode=0o6777), [("world-writable", "6777")]),
        (d("x", mode=0o1777), []),
        (char("null", 1, 3, mode=0o666), []),
        (char("x", 0, 0), [("overlay-whiteout", "")]),
        (char("x", 0, 1), []),
        (block("x", 0, 0), []),
        (block("x", -1, 0), [("device-range", "-1:0")]),
        (sym("x", ""), [("empty-link", "")]),
        (sym("x", "a\0"), [("nul-name", "in the target of the link")]),
        (sym("x", "a"), []),
        (fifo("x", mode=0o622), []),
        (f("x", uid=-1), [("owner-range", "-1:0")]),
        (f("x", gid=2**32 - 1), [("owner-range", "0:4294967295")]),
        (f("x", mtime_ns=-1), [("negative-time", "")]),
        (
            f("x", xattrs=NAMESPACES),
            [(OVERLAY, "user.overlay.opaque"), (OVERLAY, "trusted.overlay.\\x0a")],
        ),
        (f("x", extents=()), [("sparse", "")]),
    ],
)
def test_what_is_odd_about_an_entry(given, expected):
    assert list(entry_faults(given)) == expected
    assert not (expected and is_ordinary(given))


@pytest.mark.parametrize("given", [f("x"), d("x", mode=0o1755), f("x", uid=2**32 - 2, mtime_ns=0), sym("x", "y")])
def test_nothing_is_odd_about_ordinary_entries(given):
    assert is_ordinary(given)
    assert list(entry_faults(given)) == []
