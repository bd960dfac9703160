"""Whose the files on disk are: the image's owners as they stand, mapped, one for all, or the caller's own."""

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["IdMap", "Owner"]


_LARGEST = 2**32 - 2
"""The largest id; the one after it means "leave it as it is" to the system."""


@attrs.frozen
class IdMap:
    """A range of ids of the image that lies elsewhere on disk.

    Raises:
        NameFormatError: It has ids that there are not.
    """

    container: int
    host: int
    size: int

    def __attrs_post_init__(self) -> None:
        if min(self.container, self.host, self.size) < 0 or max(self.container, self.host) + self.size > _LARGEST + 1:
            text = f"{self.container}:{self.host}:{self.size}"
            raise NameFormatError("id map", text, f"ids go from 0 to {_LARGEST}")

    @classmethod
    def parse(cls, text: str) -> "IdMap":
        """Parse `CONTAINER:HOST[:SIZE]`, as umoci writes it; the size is 1 where it is left out.

        Raises:
            NameFormatError: It is no such thing.
        """
        parts = text.split(":")
        if len(parts) not in {2, 3} or not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
            raise NameFormatError("id map", text, "expected CONTAINER:HOST[:SIZE], three numbers")
        container, host, *size = map(int, parts)
        return cls(container, host, size[0] if size else 1)


@attrs.frozen(kw_only=True)
class Owner:
    """How owners in the image become owners on disk.

    `same` False leaves everything to the caller; `fixed` gives all to one owner; else `uids` and `gids`, where given,
    map ranges, and an id outside all of them is refused as the system would refuse it.
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
        """Parse `UID[:GID]`, one owner for all; the group is the same number where it is left out.

        Raises:
            NameFormatError: It is no such thing.
        """
        parts = text.split(":")
        if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
            raise NameFormatError("owner", text, "expected UID[:GID], numbers")
        return cls(fixed=(int(parts[0]), int(parts[-1])))

    def on_disk(self, uid: int, gid: int) -> tuple[int, int] | None:
        """Return the owner that a file of `uid` and `gid` gets, or None to leave it to the caller.

        Raises:
            NameFormatError: There is a map, and it does not have the id.
        """
        if not self.same:
            return None
        if self.fixed is not None:
            return self.fixed
        return (
            (_mapped("uid", uid, self.uids), _mapped("gid", gid, self.gids)) if self.uids or self.gids else (uid, gid)
        )


def _mapped(what: str, number: int, maps: tuple[IdMap, ...]) -> int:
    for each in maps:
        if each.container <= number < each.container + each.size:
            return each.host + number - each.container
    if not maps:
        return number
    raise NameFormatError(what, str(number), f"the image uses it and the {what} map does not have it")
