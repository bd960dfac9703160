"""The header field `Link`: where the next page of a list is (RFC 8288)."""

import re
from collections.abc import Iterable

__all__ = ["next_page"]

_LONGEST = 8 << 10
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PARAMETER = re.compile(rf"[ \t]*+;[ \t]*+(?:({_WORD})[ \t]*+(?:=[ \t]*+({_WORD}|{_QUOTED}))?+)?+", re.ASCII)
_TARGET = re.compile(r"[ \t,]*+<([^<>]*+)>")


def next_page(values: Iterable[str]) -> str | None:
    """Return the target of the first link of the relation `next`, as it was written; None if there is none.

    A value that is no list of links ends the search in it, as does one longer than 8 KiB.
    """
    for value in values:
        at = 0
        while len(value) <= _LONGEST and (target := _TARGET.match(value, at)):
            at, relation = target.end(), None
            while parameter := _PARAMETER.match(value, at):
                at = parameter.end()
                name, text = parameter.groups()
                if relation is None and name is not None and name.lower() == "rel":
                    relation = re.sub(r"\\(.)", r"\1", (text or "").removeprefix('"').removesuffix('"'))
            if relation is not None and "next" in relation.lower().split():
                return target[1]
            if not re.compile(r"[ \t]*+(?:,|$)").match(value, at):
                break
    return None
