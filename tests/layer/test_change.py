from oci_layers.layer import Add, Link, Opaque, Whiteout
from oci_layers.tree import Fifo, File, Inline


def test_an_addition_has_no_data_unless_given():
    node = Fifo(0o600, 0, 0, 0)
    change = Add(b"a", node)
    assert (change.path, change.node, change.data) == (b"a", node, None)


def test_an_addition_of_a_node_streams_its_content():
    change = Add.of(b"a", File(0o600, 0, 0, 0, content=Inline(b"text")))
    assert b"".join(change.data) == b"text"
    assert [Add.of(b"a", node).data for node in (File(0o600, 0, 0, 0), Fifo(0o600, 0, 0, 0))] == [None, None]


def test_changes_are_equal_when_they_say_the_same():
    node = Fifo(0o600, 0, 0, 0)
    assert Add(b"a", node) == Add(b"a", node) != Add(b"b", node)
    assert Link(b"a", b"b") == Link(b"a", b"b") != Link(b"a", b"c")
    assert Whiteout(b"a") == Whiteout(b"a") != Opaque(b"a")
