"""The empty mapping that entries and nodes share which have no extended attributes.

A dict, so that asking it for its truth costs what a dict costs; there is one, so that it is also known by identity, in
copies and after pickling too.
"""

from typing import Any, Final, NoReturn

__all__ = ["NO_XATTRS"]


class _Empty(dict[bytes, bytes]):
    """A dict that cannot be changed."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:  # Any: the arguments of any method of dict
        raise TypeError("the shared empty mapping cannot be changed: give the entry or node a dict of its own")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> str:
        return "NO_XATTRS"


NO_XATTRS: Final[dict[bytes, bytes]] = _Empty()
