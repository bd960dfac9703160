"""Layers and stacks of layers: legal ones, tidy or awkward, those that are portable, and hostile ones."""

from collections.abc import Callable, Collection
from typing import Any, Literal

from hypothesis import strategies as st

from oci_layers.tar.entry import Entry
from oci_layers.testing.stack import Stack
from oci_layers.testing.strategies.legal import Legal, Pick
from oci_layers.testing.strategies.name import Names, few_names, path_table
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
        hostile: Draw any entries, as `wild_entries` does: layers that must be refused, or that have several readings.
        features: What layers may have, in place of what the three options say (`AWKWARD`, `TIDY`, `PORTABLE`).
        parents: What a path through a link of a lower layer means: as in a `Policy`, the place that the link leads to,
            or a directory in place of the link.
    """
    if hostile:
        each = st.lists(
            wild_entries(kinds=kinds, names=names, depth=depth, hostile=True), min_size=entries[0], max_size=entries[1]
        )
        several = st.lists(each.map(tuple), min_size=layers[0], max_size=layers[1])
        return several.map(lambda found: Stack(tuple(found)))
    chosen = _chosen(awkward, portable, features)
    few = few_names(names)
    if isinstance(few, tuple):
        return _stacks_of(few, layers, entries, tuple(kinds), depth, chosen, parents)
    return few.flatmap(lambda drawn: _stacks_of(drawn, layers, entries, tuple(kinds), depth, chosen, parents))


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


def _stacks_of(
    names: tuple[bytes, ...],
    layers: tuple[int, int],
    entries: tuple[int, int],
    kinds: tuple[Kind, ...],
    depth: int,
    features: frozenset[Feature],
    parents: str,
) -> st.SearchStrategy[Stack]:
    table = path_table(names, depth)
    each, indexes = st.sampled_from(rows(kinds, features, names)), st.integers(0, len(table) - 1)
    least, most = entries

    @st.composite
    def pick(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Pick:  # Any: a row, or an index
        return draw(each), draw(indexes)

    several = st.lists(st.lists(pick(), min_size=least, max_size=most), min_size=layers[0], max_size=layers[1])

    @st.composite
    def stack(draw: Callable[[st.SearchStrategy[list[list[Pick]]]], list[list[Pick]]]) -> Stack:
        legal = Legal(table, kinds, features, follow=parents == "follow")
        return Stack(tuple([legal.layer(each) for each in draw(several)]))

    return stack()
