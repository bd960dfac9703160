"""Single entries of any sort, which know nothing of one another: for layers that nothing makes legal."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from oci_layers.tar.entry import Entry
from oci_layers.testing.notation import DEFAULT_MTIME_NS, parse_layer
from oci_layers.testing.strategies.name import Names, few_names, path_table
from oci_layers.testing.strategies.row import KINDS, LOOKS, Feature, Kind, Row, rows
from oci_layers.tree.dump import escape

__all__ = ["entries"]


def entries(
    *,
    kinds: Collection[Kind] = KINDS,
    names: Names | None = None,
    depth: int = 3,
    features: Collection[Feature] = LOOKS,
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
    targets = st.sampled_from((*table, *_CLIMBING)) if hostile else paths

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


def _bad(kinds: tuple[Kind, ...], names: tuple[bytes, ...]) -> tuple[Entry, ...]:
    """Return entries that no layer may have, or that programs trip over."""
    words = {"{a}": names[0], "{b}": names[-1], "{long}": b"x" * 5000, "{deep}": b"/".join([names[0]] * 300)}
    text = "\n".join(_BAD[kind] for kind in kinds if kind in _BAD)
    for word, value in words.items():
        text = text.replace(word, escape(value))
    return parse_layer(text)


_CLIMBING = (b"..", b"../a", b"a/../../a", b"../../../etc/passwd", b"/../a")
"""Targets of hard links that lead above the root."""

_BAD: Mapping[Kind, str] = {
    "file": """
        .. file
        ../{a} file
        {a}/../../{b} file
        ../../../etc/passwd file
        /../{a} file
        . file
        "" file
        / file
        {a}//{b} file
        {a}/ file
        {deep} file
        .wh.{a}/{b} file
        {a}/.wh../{b} file
        {a} file 4294967295:0
        {a} file 0:1099511627776
        {a} file type=Z
        {a} file type=7
        {a} file type=g pax.comment=x
        {a}.wh.{b} file
        {a}/wh.{b} file
    """,
    "dir": """
        ../ dir
        ../{a}/ dir
        .wh.{a}/ dir
    """,
    "symlink": """
        {a} symlink target={a}
        {a} symlink target=""
        {a} symlink target={a}/{b}
        {b} symlink target={b}/..
        {a} symlink target=../../../../etc
        {a} symlink target=/etc
        {b} symlink target={long}
        . symlink target={a}
        .wh.{b} symlink target={a}
    """,
    "link": """
        {a} link {a}
        {a} link ""
        {a} link .
        {a} link none
        {a} link ../../../../etc/passwd
        {a} link /etc/passwd
        {a} link .wh.{a}
    """,
    "char": """
        {a} char device=0:0
    """,
    "whiteout": """
        .wh. file 0000
        .wh.. file 0000
        .wh... file 0000
        {a}/.wh. file 0000
        .wh..wh.{a} file 0000
        ../.wh.{a} file 0000
        .wh.{a}/ dir 0000
        .wh.{a} link {b}
        .wh.{a} file text=x
        .wh..wh.plnk file 0000
        .wh..wh.aufs file 0000
        .wh..wh.orph/x file 0000
    """,
    "opaque": """
        ../.wh..wh..opq file 0000
        .wh..wh..opq/{a} file 0000
        .wh..wh..opq/ dir 0000
        .wh.{a}/.wh..wh..opq file 0000
    """,
}
"""By kind, the lines of the entries that are no good (`notation`)."""
