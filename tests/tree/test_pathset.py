"""Names kept by component: a set of paths that has the ancestors of each."""

import tracemalloc

import hypothesis.strategies as st
from hypothesis import given

from oci_layers.tree.pathset import PathSet

PATHS = st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=4).map(b"/".join)


def with_ancestors(path):
    parts = path.split(b"/")
    return {b"/".join(parts[:size]) for size in range(1, len(parts) + 1)}


@given(st.lists(PATHS), PATHS)
def test_it_is_the_set_of_its_paths_and_all_above_them(added, asked):
    names, model = PathSet(), set()
    for path in added:
        names.add(path)
        model |= with_ancestors(path)
    assert (asked in names) == (asked in model)
    within = {path.rpartition(b"/")[2] for path in model if path.rpartition(b"/")[0] == asked}
    assert set(names.within(asked) or ()) == within
    assert set(names.within(b"")) == {path for path in model if b"/" not in path}


@given(st.lists(PATHS), PATHS)
def test_entering_a_directory_adds_it_and_keeps_what_is_in_it(added, entered):
    names, same = PathSet(), PathSet()
    for path in added:
        names.add(path)
        same.add(path)
    same.add(entered)
    within = names.enter(entered)
    assert within == (same.within(entered) or {})
    assert names.enter(entered) is within
    assert entered in names
    within.setdefault(b"new", None)
    assert entered + b"/new" in names
    assert b"new" in names.within(entered)


def test_looking_adds_nothing():
    names = PathSet()
    names.add(b"a/b")
    assert names.within(b"a/b/c") is None
    assert names.within(b"x/y") is None
    assert b"a/b/c/d" not in names
    assert b"x" not in names
    assert b"" not in names
    assert set(names.within(b"a")) == {b"b"}


def test_a_long_path_is_not_held_once_for_each_of_its_components():
    names = PathSet()
    paths = [b"/".join([b"%015d" % number] * 256) for number in range(100)]
    tracemalloc.start()
    try:
        for path in paths:
            names.add(path)
        assert tracemalloc.get_traced_memory()[0] < 100 * 256 * 400
    finally:
        tracemalloc.stop()
