"""Laws of transport folders: what is read from one gives it again, and changes lower layers as the layer does."""

import functools

import attrs
from hypothesis import given, reject
from hypothesis import strategies as st

from oci_layers.errors import LinkError
from oci_layers.layer import Add, Link, Whiteout, apply
from oci_layers.tree import Directory, File, Inline, Symlink, dump
from oci_layers.windows import from_transport, to_transport
from tests.property.test_windows_metadata import METADATA
from tests.support.windows import windir, windows_tree, winfile

BOOT = b"UtilityVM/Files/EFI/Microsoft/Boot"
DIRECTORIES = [b"Files", b"Files/d", b"Files/d/e", b"Hives", b"UtilityVM", b"UtilityVM/Files", BOOT]
LINKED = [b"Files/a", b"Files/d/b", b"Files/d/e/c", "Files/é".encode(), b"UtilityVM/Files/u", BOOT + b"/BCD"]
FILES = [*LINKED, b"Hives/System_Delta"]
GONE = [b"Files/gone", b"Files/d/gone", b"UtilityVM/Files/gone"]
LOWER = [
    *(windir(path.decode()) for path in DIRECTORIES),
    *(winfile(path.decode(), "lower") for path in (*FILES, *GONE)),
]


@functools.cache
def lower_tree():
    """The layer below, merged."""
    return windows_tree(LOWER)


SDDL = st.sampled_from([None, b"O:BAD:(A;;FA;;;SY)", b"O:DA", b"\xff"])
DIRECTORY_BIT = 0x10


@st.composite
def nodes(draw, kind):
    """A node of one kind, with any metadata or none."""
    windows = draw(st.none() | METADATA)
    if windows is not None:
        changed = {"sddl": draw(SDDL), "attributes": draw(st.none() | st.just(windows.attributes & ~DIRECTORY_BIT))}
        windows = attrs.evolve(windows, **changed)
    common = {"uid": draw(st.integers(0, 9)), "gid": 0, "mtime_ns": draw(st.integers(-9, 2**62)), "windows": windows}
    if kind is Symlink:
        return Symlink(**common, target=draw(st.sampled_from([b"C:\\x", b"..\\x", b"\\\\server\\x"])))
    if kind is File:
        common["content"] = Inline(draw(st.binary(max_size=9)))
    return kind(mode=draw(st.sampled_from([0, 0o644])), **common)


@st.composite
def layers(draw):
    """The changes of a layer in any order; those that make a link lead to a lower file are before its removal."""
    adds = [
        Add.of(path, draw(nodes(Directory))) for path in draw(st.lists(st.sampled_from(DIRECTORIES), unique=True))
    ] + [
        Add.of(path, draw(nodes(draw(st.sampled_from([File, File, Symlink])))))
        for path in draw(st.lists(st.sampled_from(FILES), unique=True))
    ]
    pairs = st.tuples(st.sampled_from(LINKED), st.sampled_from(LINKED)).filter(lambda pair: pair[0] != pair[1])
    links = [Link(*pair) for pair in draw(st.lists(pairs, max_size=3))]
    removed = draw(st.lists(st.sampled_from([*GONE, *LINKED]), max_size=3, unique=True))
    return [*draw(st.permutations(adds + links)), *map(Whiteout, removed)]


def folder_of(changes):
    """The folder of a layer, unless its hard links go in a circle."""
    try:
        return to_transport(changes, parents=["C:\\b"])
    except LinkError:
        reject()


@given(layers())
def test_the_folder_of_what_is_read_from_a_folder_is_the_same(changes):
    folder = folder_of(changes)
    again = to_transport(from_transport(folder), parents=["C:\\b"])
    assert dump(again).splitlines() == dump(folder).splitlines()


@given(layers())
def test_what_is_read_from_a_folder_is_the_layer(changes):
    lower = lower_tree()
    trees = [lower.fork(), lower.fork()]
    folder = folder_of(changes)
    apply(changes, trees[0])
    apply(from_transport(folder), trees[1])
    assert dump(trees[1]).splitlines() == dump(trees[0]).splitlines()
