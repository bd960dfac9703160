"""What a token is asked for: `repository:NAME:pull,push`, and sets of that (the token specification of distribution).

A scope is a type, a name and actions. The name may have colons, so the text is split at the first and at the last one.
A registry may also use words of its own, such as `aws`; these are kept as they are.
"""

import re
from collections.abc import Collection, Iterable
from typing import Self

import attrs

from oci_layers.errors import NameFormatError

__all__ = ["Scope", "in_order", "merged"]

_TOKEN = re.compile(r"[!#-\[\]-~]++")  # RFC 6749, 3.3
_WRITES = "push"
_DELETES = "delete"
_LONGEST = 4096


@attrs.frozen
class Scope:
    """Actions on one resource.

    Raises:
        NameFormatError: A part has characters that no scope has, or would be read as another part.
    """

    type: str
    """The kind of the resource, such as `repository`; the whole text of a scope that has no three parts."""
    name: str = ""
    actions: frozenset[str] = frozenset()
    """Such as `pull`, `push`, `delete` or `*`."""

    def __attrs_post_init__(self) -> None:
        text = str(self)
        if not _TOKEN.fullmatch(text) or len(text) > _LONGEST:
            raise NameFormatError("scope", text, f"expected 1 to {_LONGEST} characters of ASCII without blanks")
        if _parts(text) != (self.type, self.name, self.actions):
            raise NameFormatError("scope", text, "a part has a separator that it cannot have")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `TYPE:NAME:ACTION[,ACTION...]`.

        Raises:
            NameFormatError: The text is no scope.
        """
        return cls(*_parts(text))

    @classmethod
    def repository(cls, path: str, *actions: str) -> Self:
        """Return the scope of actions on a repository."""
        return cls("repository", path, frozenset(actions))

    def covers(self, other: "Scope") -> bool:
        """Tell whether who has this scope has the other one."""
        return (self.type, self.name) == (other.type, other.name) and self.actions >= other.actions

    def __str__(self) -> str:
        """Return the text, `push` first: some servers look at the first action alone."""
        if not self.name:
            return self.type
        return f"{self.type}:{self.name}:{','.join(sorted(self.actions, key=_push_first))}"


def _push_first(action: str) -> tuple[bool, str]:
    return action != _WRITES, action


def _parts(text: str) -> tuple[str, str, frozenset[str]]:
    kind, _, rest = text.partition(":")
    name, colon, actions = rest.rpartition(":")
    if not (kind and name and colon):
        return text, "", frozenset()
    return kind, name, frozenset(filter(None, actions.split(",")))


def merged(hints: Iterable[Scope], challenged: Collection[Scope] = ()) -> frozenset[Scope]:
    """Return what to ask for: the hints of an operation and the scopes of a challenge, one scope for each resource.

    `delete` is asked for only if the challenge asks for it, where the challenge names the resource: a server may refuse
    a whole request for an action that it does not know.
    """
    named = {(each.type, each.name): each.actions for each in challenged}
    actions: dict[tuple[str, str], frozenset[str]] = {}
    for each in (*hints, *challenged):
        key = (each.type, each.name)
        new = each.actions if _DELETES in named.get(key, {_DELETES}) else each.actions - {_DELETES}
        actions[key] = actions.get(key, frozenset()) | new
    return frozenset(Scope(*key, found) for key, found in actions.items())


def in_order(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return scopes in the order of a request: those that write first, as some servers look at the first alone."""
    return tuple(sorted(scopes, key=lambda each: (_WRITES not in each.actions, str(each))))
