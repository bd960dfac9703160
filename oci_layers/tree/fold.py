r"""Names that differ only in case are one name, as on NTFS; the first spelling is kept.

NTFS compares names unit by unit of UTF-16, each in upper case by a table that maps one unit to one, and never one that
is not ASCII to one that is (so U+0131, a small i without a dot, is not `i`; and sharp s, which has no upper case of one
unit, is only itself). `fold` does this with the tables of Unicode in Python. Bytes that are not UTF-8 stay.

    >>> from oci_layers.tree.fold import fold
    >>> fold("Straße".encode()) == fold("sTRAße".encode()), fold("Straße".encode()) == fold(b"STRASSE")
    (True, False)

A tree of a Windows image has `FoldedNames` in its directories: dicts by the names as they are spelled, which also know
the spelling of a name. So only what looks names up for a caller, or merges a layer, knows of folding.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

__all__ = ["FoldedNames", "fold", "spelling"]

V = TypeVar("V")

_MOST_BMP = 0xFFFF


def fold(name: bytes) -> bytes:
    """Return the folded form of a name, or of a path: equal for names that are one name on NTFS."""
    return name.upper() if name.isascii() else _fold_text(name)


@lru_cache(maxsize=4096)
def _fold_text(name: bytes) -> bytes:
    return "".join(map(_upper, name.decode("utf-8", "surrogateescape"))).encode("utf-8", "surrogateescape")


def _upper(character: str) -> str:
    upper = character.upper()
    one_unit = len(upper) == 1 and ord(character) <= _MOST_BMP and ord(upper) <= _MOST_BMP
    return upper if one_unit and character.isascii() == upper.isascii() else character


class FoldedNames(dict[bytes, V]):
    """The names in a directory, exactly as spelled, and the spelling of each folded form.

    The caller keeps no two names that fold alike; if it does, the last one set is the spelling.
    """

    __slots__ = ("_spellings",)

    def __init__(self, names: Mapping[bytes, V] | Iterable[tuple[bytes, V]] = ()) -> None:
        super().__init__(names)
        self._spellings = {fold(name): name for name in self}

    def spelling(self, name: bytes) -> bytes:
        """Return `name` as it is spelled here; `name` itself if it is not here."""
        return name if name in self else self._spellings.get(fold(name), name)

    def __setitem__(self, name: bytes, value: V) -> None:
        super().__setitem__(name, value)
        self._spellings[fold(name)] = name

    def __delitem__(self, name: bytes) -> None:
        super().__delitem__(name)
        folded = fold(name)
        if self._spellings.get(folded) == name:
            del self._spellings[folded]

    def pop(self, name: bytes) -> V:  # type: ignore[override]  # no default is used
        """Remove a name, and return what it had."""
        value = self[name]
        del self[name]
        return value

    def copy(self) -> "FoldedNames[V]":
        """Return a copy that changes independently."""
        other: FoldedNames[V] = FoldedNames()
        dict.update(other, self)
        other._spellings = self._spellings.copy()
        return other

    def __reduce__(self) -> tuple[Any, ...]:  # Any: as object.__reduce__
        return FoldedNames, (dict(self),)


def spelling(names: Mapping[bytes, object], name: bytes) -> bytes:
    """Return `name` as it is spelled in a directory of a tree; `name` itself where names do not fold."""
    return names.spelling(name) if isinstance(names, FoldedNames) else name
