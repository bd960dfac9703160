"""Layers and stacks of layers: legal ones, tidy or awkward, those that are portable, and hostile ones."""

from collections.abc import Callable, Collection
from typing import Any, Literal

from hypothesis import strategies as st

from oci_layers.tar.entry import Entry
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies.legal import Legal, Pick
from oci_layers.testing.strategies.name import FEW, FewNames, Names, few_names, path_table
from oci_layers.testing.strategies.row import AWKWARD, KINDS, PORTABLE, TIDY, Feature, Kind, rows
from oci_layers.testing.strategies.wild import entries as wild_entries

__all__ = ["layers", "stacks"]


def stacks(
    *,
    layers: tuple[int, int] = (1, 3),
    entries: tuple[int, int] = (0, 8),
    kinds: Collection[Kind] = KINDS,
    names: Names | None = None,
    depth: int = 3,
    awkward: bool = True,
    portable: bool = False,
    hostile: bool = False,
    features: Collection[Feature] | None = None,
    parents: Literal["follow", "replace"] = "follow",
) -> st.SearchStrategy[Stack]:
    """Return a strategy of stacks of layers.

    Unless `hostile`, every layer is legal by the spec and has one meaning: no name is in it twice, hard links have
    their targets, paths stay in the root. It never removes a name that it also uses, as the target of a hard link or as
    a link in a path: what such a layer means depends on the order of its entries.

    Args:
        layers: The fewest and the most layers.
        entries: The fewest and the most entries of a layer. A layer has fewer if there are no more legal names.
        kinds: The kinds of entries.
        names: The names that paths are made of, or a strategy of names, of which each example takes three.
        depth: The most names of a path.
        awkward: Draw all that is legal; otherwise only what tidy generators emit.
        portable: Draw only what programs and overlay file systems make the same of.
        hostile: Draw any entries, as the strategy `entries` does: layers that have to be refused, or have several
            readings.
        features: What layers may have, in place of what the three options say (`AWKWARD`, `TIDY`, `PORTABLE`).
        parents: What a path through a link of a lower layer means: as in a `Policy`, the place that the link leads to,
            or a directory in place of the link.
    """
    few = few_names(names)
    if hostile:
        return _hostile(few, layers, entries, tuple(kinds), depth)
    return _legal(few, layers, entries, tuple(kinds), depth, _chosen(awkward, portable, features), parents)


def layers(
    *,
    entries: tuple[int, int] = (0, 8),
    kinds: Collection[Kind] = KINDS,
    names: Names | None = None,
    depth: int = 3,
    awkward: bool = True,
    portable: bool = False,
    hostile: bool = False,
    features: Collection[Feature] | None = None,
) -> st.SearchStrategy[tuple[Entry, ...]]:
    """Return a strategy of single layers, each the lowest of its stack; the options are those of `stacks`."""
    one = stacks(
        layers=(1, 1),
        entries=entries,
        kinds=kinds,
        names=names,
        depth=depth,
        awkward=awkward,
        portable=portable,
        hostile=hostile,
        features=features,
    )
    return one.map(lambda stack: stack.layers[0])


def _chosen(awkward: bool, portable: bool, features: Collection[Feature] | None) -> frozenset[Feature]:
    if features is not None:
        return frozenset(features)
    return (PORTABLE if portable else AWKWARD) & (AWKWARD if awkward else TIDY)


def _legal(
    few: FewNames,
    layers: tuple[int, int],
    entries: tuple[int, int],
    kinds: tuple[Kind, ...],
    depth: int,
    features: frozenset[Feature],
    parents: str,
) -> st.SearchStrategy[Stack]:
    # What is drawn are indexes: the tables for other names are as long.
    names = few if isinstance(few, tuple) else FEW
    row_indexes = st.integers(0, len(rows(kinds, features, names)) - 1)
    path_indexes = st.integers(0, len(path_table(names, depth)) - 1)

    @st.composite
    def pick(draw: Callable[[st.SearchStrategy[int]], int]) -> Pick:
        return draw(row_indexes), draw(path_indexes)

    layer = st.lists(pick(), min_size=entries[0], max_size=entries[1])
    several = st.lists(layer, min_size=layers[0], max_size=layers[1])

    @st.composite
    def stack(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Stack:  # Any: names, or picks
        names = few if isinstance(few, tuple) else draw(few)
        tables = rows(kinds, features, names), path_table(names, depth)
        legal = Legal(*tables, kinds, features, follow=parents == "follow")
        return Stack(tuple([legal.layer(each) for each in draw(several)]))

    return stack()


def _hostile(
    few: FewNames, layers: tuple[int, int], entries: tuple[int, int], kinds: tuple[Kind, ...], depth: int
) -> st.SearchStrategy[Stack]:
    if not isinstance(few, tuple):
        return few.flatmap(lambda names: _hostile(names, layers, entries, kinds, depth))
    each = wild_entries(kinds=kinds, names=few, depth=depth, hostile=True)
    layer = st.lists(each, min_size=entries[0], max_size=entries[1]).map(tuple)
    several = st.lists(layer, min_size=layers[0], max_size=layers[1]).map(tuple)
    return several.map(Stack)
