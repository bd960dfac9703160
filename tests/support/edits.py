"""Random edits of a tree: what a person does with files, hard links above all.

`edited` makes them on a fork, so that the two trees share what is not touched; `apart` makes an equal tree that shares
nothing with its original, as a second scan of a directory does.
"""

import attrs
from hypothesis import strategies as st

from oci_layers.tree import Directory, File, Inline, TreeEditor, dump, parse
from oci_layers.tree.editor import Parent
from tests.support.layers import block, char, d, f, fifo, sym, tar
from tests.support.trees import merged

names = st.sampled_from([b"a", b"b", b"c"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
TIMES = [0, 1, 10**9, 5 * 10**9 + 1]
attributes = st.one_of(
    st.builds(lambda value: {"mode": value}, st.sampled_from([0o644, 0o755, 0o4711, 0])),
    st.builds(lambda value: {"uid": value}, st.sampled_from([0, 1000])),
    st.builds(lambda value: {"mtime_ns": value}, st.sampled_from(TIMES)),
    st.builds(lambda value: {"xattrs": value}, st.sampled_from([{}, {b"user.k": b"w"}, {b"user.k": b"v"}])),
    st.builds(lambda value: {"content": Inline(value)}, st.sampled_from([b"", b"x", b"y"])),
)
kinds = st.sampled_from(
    [
        f("x"),
        f("x", "x", mtime_ns=5 * 10**9 + 1),
        f("x", "y", mtime_ns=5 * 10**9 + 1),
        d("x/"),
        d("x/", 0o700),
        sym("x", "a"),
        sym("x", "b"),
        fifo("x"),
        char("x"),
        block("x"),
    ]
)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("put"), paths, kinds),
        st.tuples(st.just("drop"), paths),
        st.tuples(st.just("link"), paths, paths),
        st.tuples(st.just("copy"), paths),
        st.tuples(st.just("change"), paths | st.just(b""), attributes),
    ),
    max_size=12,
)


def edited(tree, steps):
    """A fork of a tree with some edits; those that are not possible are left out."""
    fork = tree.fork()
    for what, path, *rest in steps:
        _edit(fork, what, path, *rest)
    return fork


def _edit(tree, what, path, value=None):
    editor = TreeEditor(tree, follow=False)
    here = tree.at(path)
    if what == "change":
        # The kernel allows attributes of users on files and directories alone, and links have no mode.
        kinds = (File, Directory) if {"xattrs", "mode"} & value.keys() else object
        if isinstance(here, kinds) and all(hasattr(here, key) for key in value):
            editor.change(path, **value)
        return
    parent, _, name = path.rpartition(b"/")
    if what == "put":
        editor.put(editor.open_parent(parent), name, attrs.evolve(_made(value)))
    elif what == "link":
        target = tree.at(value)
        inside = value.startswith(path + b"/") or path.startswith(value + b"/")
        if target is not None and not isinstance(target, Directory) and value != path and not inside:
            editor.link((value, target), editor.open_parent(parent), name)
    elif here is not None:
        at = editor.known_directory(parent)
        assert isinstance(at, Parent)
        if what == "drop":
            editor.drop(at, name)
        elif not isinstance(here, Directory):
            editor.put(at, name, attrs.evolve(here))


def _made(entry):
    return merged(tar(entry)).at(b"x")


def apart(tree):
    """An equal tree that shares no node with `tree`."""
    return parse(dump(tree))
