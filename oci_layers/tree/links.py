"""The names of files with several names (hard links), shared by the forks of a tree.

Forks differ in few names, so adding a name copies neither the names of its file nor the table of files. The names of a
file are an append-only list, and a count of those that a version has: a version that has all of the list appends in
place. The files are in a few tables, the newest first, each at least twice as long as the one before; only the newest
is written. Names that the tree no longer has stay in the list: the tree checks which still exist.
"""

from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["LinkNames"]

_Names: TypeAlias = tuple[list[bytes], int]
"""An append-only list of names, and how many of them this version has."""


class LinkNames:
    """The names of files by inode id. Written by one thread."""

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, _Names] = {}
        self._old: tuple[dict[int, _Names], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._new or self._old)

    def fork(self) -> "LinkNames":
        """Return an equal copy that changes independently; this one must not be changed afterwards."""
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
        """Add the name `path` to a file that has the name `first`."""
        names, count = self._find(inode) or ([first], 1)
        if count < len(names):
            names = names[:count]
        names.append(path)
        self._new[inode] = names, count + 1

    def replace(self, inode: int, names: Iterable[bytes]) -> None:
        """Replace all names of a file."""
        new = list(names)
        self._new[inode] = new, len(new)

    def inodes(self) -> set[int]:
        """Return the ids of all files that ever had several names."""
        return set().union(self._new, *self._old)

    def names(self, inode: int) -> list[bytes]:
        """Return all names that a file ever had, each once, in the order added; empty for a file with one name."""
        names, count = self._find(inode) or ([], 0)
        return list(dict.fromkeys(names[:count]))
