"""The order check by itself; what it is for is in `property/test_order_is_reported_exactly`."""

from oci_layers.layer.change import Add, Whiteout
from oci_layers.layer.order import OrderCheck, from_one_entry
from oci_layers.tree import NOWHERE, DigestContent, Inline, RangeContent
from oci_layers.tree.node import File


def test_without_a_dispute_or_a_doubt_there_is_no_other_order():
    order = OrderCheck(keep=True)
    order.keep(Whiteout(b"a"))
    order.use(b"b", 1)
    order.mark(b"", b".wh.a", b"a", 2)
    assert order.orders() == []


def test_a_name_that_is_used_and_removed_has_its_turn_and_two_orders():
    node = File(0o644, 0, 0, 0)
    for removed_first in (False, True):
        order = OrderCheck(keep=True)
        for change in (Whiteout(b"a"), Add(b"x", node, iter(()))):
            order.keep(change)
        if removed_first:
            order.mark(b"", b".wh.a", b"a", "marker")
        order.use(b"a/b", "entry")
        if not removed_first:
            order.mark(b"", b".wh.a", b"a", "marker")
        first, last = order.orders()
        assert (first, last) == ([Whiteout(b"a"), Add(b"x", node)], [Add(b"x", node), Whiteout(b"a")])
        path, turn, _ = order.findings()[0]
        assert (path, turn) == ((b"a/b", "entry") if removed_first else (b"a", "marker"))


def test_the_first_doubt_counts_and_only_with_markers():
    order = OrderCheck(keep=True)
    order.doubt(b"x", 1)
    order.doubt(b"y", 2)
    assert order.orders() == []
    order.keep(Whiteout(b"a"))
    assert len(order.orders()) == 2
    assert order.findings() == [(b"x", 1, "the layer removes what this needs: read in tar order")]
    order.discard()
    assert order.orders() == []


def test_contents_are_of_one_entry_if_they_are_one_object_or_equal_in_memory():
    one, other = RangeContent(NOWHERE, 0, 1), RangeContent(NOWHERE, 0, 1)
    assert from_one_entry(one, one)
    assert from_one_entry(Inline(b"x"), Inline(b"x"))
    assert not from_one_entry(one, other)
    assert not from_one_entry(DigestContent(1, "a"), DigestContent(1, "a"))
    assert not from_one_entry(Inline(b"x"), Inline(b"y"))
