"""Trees: small ones, whose names and attributes meet, or of any names and attributes that there are."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from hypothesis import strategies as st

from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.tar.entry import Entry
from oci_layers.testing.strategies.name import Names, strategy_of
from oci_layers.testing.strategies.row import KINDS, MARKERS, Feature, Kind
from oci_layers.testing.strategies.stack import layers
from oci_layers.tree.content import Content, Inline
from oci_layers.tree.editor import Parent, TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Leaf, Node, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["nodes", "tree_of", "trees"]

_Draw = Callable[[st.SearchStrategy[Any]], Any]  # Any: whatever a strategy draws

NODES: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in MARKERS)
"""The kinds of entries that a tree is made of."""
ATTRIBUTES: tuple[Feature, ...] = ("modes", "owners", "times", "xattrs", "implied-parents", "root")
_OWNERS = st.integers(0, (1 << 32) - 2)
_NUMBERS = st.integers(0, (1 << 32) - 1)
_TEXT = st.binary(max_size=12)


def trees(
    *,
    entries: tuple[int, int] = (0, 8),
    kinds: Collection[Kind] = NODES,
    names: Names | None = None,
    depth: int = 3,
    features: Collection[Feature] = ATTRIBUTES,
    wide: bool = False,
    contents: st.SearchStrategy[Content] | None = None,
) -> st.SearchStrategy[FileTree]:
    """Return a strategy of trees, with their contents in memory.

    Args:
        entries: The fewest and the most entries, besides the directories that they imply.
        kinds: The kinds of entries; `link` is another name of a file.
        names: The names that paths are made of, or a strategy of names.
        depth: The most names of a path.
        features: What files may have: `modes`, `owners`, `times`, `xattrs`, `implied-parents`, `root`.
        wide: Draw every attribute from all that it can be, and any names, if no others are given, at any depth; slower,
            and such trees seldom have a name in common.
        contents: With `wide`, a strategy of the contents of files.
    """
    if wide:
        return _wide_trees(entries, tuple(kinds), strategy_of(names, hostile=True), contents)
    without = [kind for kind in kinds if kind not in MARKERS]
    return layers(entries=entries, kinds=without, names=names, depth=depth, features=features).map(tree_of)


def tree_of(layer: Iterable[Entry]) -> FileTree:
    """Return the tree that a layer makes."""
    tree = FileTree()
    apply(decode(layer), tree)
    return tree


def nodes(
    kinds: Collection[Kind] = NODES, *, contents: st.SearchStrategy[Content] | None = None
) -> st.SearchStrategy[Node]:
    """Return a strategy of single nodes, with attributes from all that they can be."""
    common = {
        "uid": _OWNERS,
        "gid": _OWNERS,
        "mtime_ns": st.integers(-(1 << 70), 1 << 70),
        "xattrs": st.dictionaries(_TEXT, _TEXT, max_size=3),
    }
    moded = {**common, "mode": st.integers(0, 0o7777)}
    device = {**moded, "major": _NUMBERS, "minor": _NUMBERS}
    by_kind: dict[Kind, st.SearchStrategy[Node]] = {
        "file": st.builds(File, **moded, content=st.binary(max_size=70).map(Inline) if contents is None else contents),
        "dir": st.builds(Directory, **moded),
        "symlink": st.builds(Symlink, **common, target=_TEXT),
        "fifo": st.builds(Fifo, **moded),
        "char": st.builds(Device, **device, kind=st.just("char")),
        "block": st.builds(Device, **device, kind=st.just("block")),
    }
    return st.one_of([found for kind, found in by_kind.items() if kind in kinds])


@st.composite
def _wide_trees(
    draw: _Draw,
    entries: tuple[int, int],
    kinds: tuple[Kind, ...],
    names: st.SearchStrategy[bytes],
    contents: st.SearchStrategy[Content] | None,
) -> FileTree:
    tree = FileTree()
    editor = TreeEditor(tree)
    editor.describe_root(draw(nodes(["dir"])))
    places = [Parent(b"", tree.writable_root())]
    made: list[tuple[bytes, Leaf]] = []
    least, most = entries
    drawn = draw(st.dictionaries(names, nodes(kinds, contents=contents), min_size=least, max_size=most))
    for name, node in drawn.items():
        place = draw(st.sampled_from(places))
        editor.put(place, name, node)
        path = place.path + b"/" + name if place.path else name
        if isinstance(node, Directory):
            places.append(Parent(path, node))
        else:
            made.append((path, node))
    if made and "link" in kinds:
        for number, target in enumerate(draw(st.lists(st.sampled_from(made), max_size=3))):
            editor.link(target, draw(st.sampled_from(places)), b"another name %d" % number)
    return tree
