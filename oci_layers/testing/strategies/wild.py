"""Single entries of any sort, which know nothing of one another: for layers that nothing makes legal."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st

from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.tar.entry import CHARACTER, DIRECTORY, HARDLINK, SYMLINK, Entry
from oci_layers.testing.notation import DEFAULT_MTIME_NS
from oci_layers.testing.strategies.name import Names, few_names, path_table
from oci_layers.testing.strategies.row import AWKWARD, KINDS, Feature, Kind, Row, rows

__all__ = ["entries"]


def entries(
    *,
    kinds: Collection[Kind] = KINDS,
    names: Names | None = None,
    depth: int = 3,
    features: Collection[Feature] = AWKWARD,
    hostile: bool = False,
) -> st.SearchStrategy[Entry]:
    """Return a strategy of single entries: a list of them is a layer that may well have to be refused.

    Names are there twice, hard links have no target, links lead in circles, and what is used is removed.

    Args:
        kinds: The kinds of entries.
        names: The names that paths are made of, or a strategy of names, of which each entry takes three.
        depth: The most names of a path.
        features: What entries may have: `modes`, `owners`, `times`, `xattrs`, `spellings`, `root`.
        hostile: Also draw what no layer may have: paths and targets that climb above the root, names that begin with
            `.wh.`, markers of any type, unknown types, owners out of range.
    """
    few = few_names(names)
    if isinstance(few, tuple):
        return _entries(tuple(kinds), few, depth, frozenset(features), hostile)
    return few.flatmap(lambda drawn: _entries(tuple(kinds), drawn, depth, frozenset(features), hostile))


def _entries(
    kinds: tuple[Kind, ...], names: tuple[bytes, ...], depth: int, features: frozenset[Feature], hostile: bool
) -> st.SearchStrategy[Entry]:
    table = path_table(names, depth)
    each, paths = st.sampled_from(rows(kinds, features, names)), st.sampled_from(table)
    targets = st.sampled_from((*table, *_climbing(names))) if hostile else paths

    @st.composite
    def entry(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Entry:  # Any: a row or a path
        row: Row = draw(each)
        path: bytes = draw(paths)
        if row.kind == "link":
            return attrs.evolve(row.entry(path, draw(targets)), mtime_ns=DEFAULT_MTIME_NS)
        if row.kind == "opaque" and row.number % 4 == 3:
            path = path.rpartition(b"/")[0]
        return row.entry(path)

    if not hostile:
        return entry()
    return entry() | st.sampled_from(_bad(kinds, names))


def _climbing(names: Sequence[bytes]) -> tuple[bytes, ...]:
    first = names[0]
    return (b"..", b"../" + first, first + b"/../../" + first, b"../../../etc/passwd", b"/../" + first)


def _bad(kinds: tuple[Kind, ...], names: tuple[bytes, ...]) -> tuple[Entry, ...]:
    """Return entries that no layer may have, or that programs trip over."""
    first, second = names[0], names[-1]
    time = {"mtime_ns": DEFAULT_MTIME_NS}
    found: list[Entry] = []
    if "file" in kinds:
        found += [Entry(name, **time) for name in (*_climbing(names), b".", b"", b"/", first + b"//" + second)]
        found += [Entry(name, **time) for name in (PREFIX + first + b"/" + second, first + b"/" + PREFIX + b"./x")]
        found += [Entry(first, uid=(1 << 32) - 1, **time), Entry(first, gid=1 << 40, **time)]
        found += [Entry(first, b"Z", **time), Entry(first + b"/", **time), Entry(b"/".join([first] * 300), **time)]
    if "dir" in kinds:
        found += [Entry(name + b"/", DIRECTORY, 0o755, **time) for name in (b"..", PREFIX + first, b"../" + first)]
    if "symlink" in kinds:
        found += [
            Entry(name, SYMLINK, 0o777, linkname=target, **time)
            for name, target in (
                *((first, first), (first, b""), (first, first + b"/" + second), (b".", first), (PREFIX + second, first)),
                *((first, b"../../../../etc"), (first, b"/etc"), (second, b"x" * 5000), (second, second + b"/..")),
            )
        ]
    if "link" in kinds:
        targets = (first, b"", b".", b"../../../../etc/passwd", b"/etc/passwd", PREFIX + first, b"none")
        found += [Entry(first, HARDLINK, linkname=target, **time) for target in targets]
    if "char" in kinds:
        found.append(Entry(first, CHARACTER, devmajor=0, devminor=0, **time))
    if "whiteout" in kinds:
        found += [Entry(name, mode=0) for name in (PREFIX, PREFIX + b".", PREFIX + b"..", first + b"/" + PREFIX)]
        found += [Entry(PREFIX + PREFIX + first, mode=0), Entry(b"../" + PREFIX + first, mode=0)]
        found += [Entry(PREFIX + first + b"/", DIRECTORY, 0), Entry(PREFIX + first, HARDLINK, linkname=second)]
        found += [Entry(name, mode=0) for name in (b".wh..wh.plnk", b".wh..wh.aufs", b".wh..wh.orph/x")]
    if "opaque" in kinds:
        found += [Entry(b"../" + OPAQUE_NAME, mode=0), Entry(OPAQUE_NAME + b"/" + first, mode=0)]
        found += [Entry(OPAQUE_NAME + b"/", DIRECTORY, 0), Entry(PREFIX + first + b"/" + OPAQUE_NAME, mode=0)]
    return tuple(found)
