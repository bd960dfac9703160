import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.tree.links import LinkNames


def test_a_file_has_the_names_that_it_got_each_once_and_in_order():
    links = LinkNames()
    links.add(1, b"a", b"b")
    links.add(2, b"x", b"y")
    links.add(1, b"a", b"c")
    links.add(1, b"a", b"b")
    assert links.names(1) == [b"a", b"b", b"c"]
    assert links.names(2) == [b"x", b"y"]
    assert links.names(3) == []


def test_all_names_of_a_file_can_be_replaced_in_one_of_two_forks():
    links = LinkNames()
    links.add(1, b"a", b"b")
    fork = links.fork()
    fork.replace(1, [b"c", b"b"])
    fork.add(1, b"c", b"d")
    assert links.names(1) == [b"a", b"b"]
    assert fork.names(1) == [b"c", b"b", b"d"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.sampled_from([b"a", b"b", b"c"])), max_size=60))
def test_forks_are_as_copies_would_be(steps):
    forks, copies = [LinkNames()], [{}]
    for which, inode, name in steps:
        at = which % len(forks)
        fork, copy = forks[at].fork(), {key: list(names) for key, names in copies[at].items()}
        fork.add(inode, b"first", name)
        copy.setdefault(inode, [b"first"]).append(name)
        forks.append(fork)
        copies.append(copy)
    for fork, copy in zip(forks, copies, strict=True):
        assert {inode: fork.names(inode) for inode in range(1, 5) if fork.names(inode)} == {
            inode: list(dict.fromkeys(names)) for inode, names in copy.items()
        }


def test_no_name_is_lost_however_many_forks_there_are():
    links = LinkNames()
    for number in range(20):
        links = links.fork()
        links.add(number, b"a", b"%d" % number)
    assert [links.names(number) for number in range(20)] == [[b"a", b"%d" % number] for number in range(20)]


def test_a_fork_of_none_has_none():
    assert not LinkNames().fork().fork()


def growth(forks):
    """The memory that so many forks take, each with one name more of one of many files with many names."""
    links = LinkNames()
    for number in range(20_000):
        links.add(0, b"a", b"%d" % number)
        links.add(number, b"a", b"b")
    tracemalloc.start()
    kept = [links]
    for number in range(forks):
        kept.append(kept[-1].fork())
        kept[-1].add(0, b"a", b"x%d" % number)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size


def test_a_fork_takes_what_changed_and_not_all_names():
    assert growth(200) < 200 * 2_000
