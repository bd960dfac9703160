"""The names of files that have several, shared by the forks of a tree.

Forks differ in few names, so neither all names of a file nor all files are copied for one more. The names of a file are
a list that only grows, with how many of them count: a version that knows all of a list appends to it in place. The
files are in a few tables, the newest first, each at least twice as long as the one before; only the newest is written.
Names that are gone are not taken out: the tree says which are still there.
"""

from typing import TypeAlias

__all__ = ["LinkNames"]

_Names: TypeAlias = tuple[list[bytes], int]
"""Names, and how many of them count."""


class LinkNames:
    """The names of files by their inode ids. Written by one thread."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, _Names] = {}
        self._old: tuple[dict[int, _Names], ...] = ()

    def fork(self) -> "LinkNames":
        """Return an equal one that changes on its own; this one must not be changed after that."""
        other = LinkNames()
        tables = [self._new, *self._old] if self._new else [*self._old]
        while len(tables) > 1 and 2 * len(tables[0]) > len(tables[1]):
            tables[:2] = [tables[1] | tables[0]]
        other._old = tuple(tables)
        return other

    def _find(self, inode: int) -> _Names | None:
        for table in (self._new, *self._old):
            found = table.get(inode)
            if found is not None:
                return found
        return None

    def add(self, inode: int, first: bytes, path: bytes) -> None:
        """Add the name `path` of a file that has the name `first`."""
        names, count = self._find(inode) or ([first], 1)
        if count < len(names):
            names = names[:count]
        names.append(path)
        self._new[inode] = names, count + 1

    def names(self, inode: int) -> list[bytes]:
        """Return all names that a file ever had, each once and in their order; none for a file with one name."""
        names, count = self._find(inode) or ([], 0)
        return list(dict.fromkeys(names[:count]))
