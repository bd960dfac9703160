"""The owners of files on disk: those of the image, mapped ids, one fixed owner, or the calling user."""

from collections.abc import Callable

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["IdMap", "Owner", "map_id"]


_LARGEST = 2**32 - 2
"""The largest id; chown(2) reads the next one as "leave unchanged"."""


@attrs.frozen
class IdMap:
    """A range of ids of the image, and the range of ids on disk that replaces it.

    Raises:
        NameFormatError: The range contains invalid ids.
    """

    container: int
    host: int
    size: int

    def __attrs_post_init__(self) -> None:
        if min(self.container, self.host, self.size) < 0 or max(self.container, self.host) + self.size > _LARGEST + 1:
            raise NameFormatError("id map", str(self), f"ids go from 0 to {_LARGEST}")

    @classmethod
    def parse(cls, text: str) -> "IdMap":
        """Parse `CONTAINER:HOST[:SIZE]`, the form of umoci; SIZE is 1 by default.

        Raises:
            NameFormatError: The text has another form, or contains invalid ids.
        """
        parts = text.split(":")
        if len(parts) not in {2, 3} or not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
            raise NameFormatError("id map", text, "expected CONTAINER:HOST[:SIZE], three numbers")
        container, host, *size = map(int, parts)
        return cls(container, host, size[0] if size else 1)

    def on_host(self, number: int) -> int | None:
        """Return the id on disk of one of the image; None if it is not in the range."""
        return self.host + number - self.container if 0 <= number - self.container < self.size else None

    def in_container(self, number: int) -> int | None:
        """Return the id in the image of one on disk; None if it is not in the range."""
        return self.container + number - self.host if 0 <= number - self.host < self.size else None

    def __str__(self) -> str:
        return f"{self.container}:{self.host}:{self.size}"


@attrs.frozen(kw_only=True)
class Owner:
    """The mapping of owners in the image to owners on disk.

    With `same=False`, files belong to the calling user; with `fixed`, to one owner. Otherwise `uids` and `gids`, if
    given, map ranges; an id outside all ranges is refused, as the kernel refuses it in a user namespace.
    """

    same: bool = True
    fixed: tuple[int, int] | None = None
    uids: tuple[IdMap, ...] = ()
    gids: tuple[IdMap, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.fixed is not None and not all(0 <= number <= _LARGEST for number in self.fixed):
            raise NameFormatError("owner", "{}:{}".format(*self.fixed), f"ids go from 0 to {_LARGEST}")

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """Parse `UID[:GID]`, one owner for all files; GID is UID by default.

        Raises:
            NameFormatError: The text has another form, or contains invalid ids.
        """
        parts = text.split(":")
        if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
            raise NameFormatError("owner", text, "expected UID[:GID], numbers")
        return cls(fixed=(int(parts[0]), int(parts[-1])))

    @property
    def has_maps(self) -> bool:
        """Whether owners are mapped."""
        return bool(self.uids or self.gids)

    def on_disk(self, uid: int, gid: int) -> tuple[int, int] | None:
        """Return the owner on disk of a file of `uid` and `gid`, or None for the calling user.

        Raises:
            NameFormatError: A map is given and does not contain the id.
        """
        if not self.same:
            return None
        if self.fixed is not None:
            return self.fixed
        return (_mapped("uid", uid, self.uids), _mapped("gid", gid, self.gids)) if self.has_maps else (uid, gid)


def map_id(number: int, maps: tuple[IdMap, ...], way: Callable[[IdMap, int], int | None]) -> int | None:
    """Return what the first map that has an id makes of it; without maps the id itself, None if no map has it.

    Args:
        number: The id.
        maps: The maps.
        way: `IdMap.on_host` or `IdMap.in_container`.
    """
    if not maps:
        return number
    return next((mapped for each in maps if (mapped := way(each, number)) is not None), None)


def _mapped(what: str, number: int, maps: tuple[IdMap, ...]) -> int:
    mapped = map_id(number, maps, IdMap.on_host)
    if mapped is None:
        raise NameFormatError(what, str(number), f"the image uses it and the {what} map does not have it")
    return mapped
