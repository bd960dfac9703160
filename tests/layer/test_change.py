from oci_layers.layer import Add, Link, Opaque, Whiteout
from oci_layers.tree import Fifo


def test_an_addition_has_no_data_unless_given():
    node = Fifo(0o600, 0, 0, 0)
    change = Add(b"a", node)
    assert (change.path, change.node, change.data) == (b"a", node, None)


def test_changes_are_equal_when_they_say_the_same():
    node = Fifo(0o600, 0, 0, 0)
    assert Add(b"a", node) == Add(b"a", node) != Add(b"b", node)
    assert Link(b"a", b"b") == Link(b"a", b"b") != Link(b"a", b"c")
    assert Whiteout(b"a") == Whiteout(b"a") != Opaque(b"a")
