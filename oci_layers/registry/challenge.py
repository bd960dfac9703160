"""`WWW-Authenticate` to challenges (RFC 9110, 11.6.1).

The field may come several times, and one value may hold several challenges. What servers really send is read as well:
values without quotes that need them, parameters without a comma between them. Text that is neither ends the value in
which it is found; the challenges before it count.
"""

import re
from collections.abc import Iterable, Mapping

import attrs

__all__ = ["Challenge", "parse_challenges"]

_LONGEST = 8 << 10
"""Characters of all values together; more are not read."""

# Repetitions are possessive, so each is matched in linear time.
_BETWEEN = re.compile(r"[ \t,]*+")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_SCHEME = re.compile(rf"({_WORD})(?=[ \t,]|\Z)")
_TOKEN68 = re.compile(r"[ \t]++[0-9A-Za-z._~+/-]++=*+(?=[ \t]*+(?:,|\Z))")
_PARAMETER = re.compile(rf'({_WORD})[ \t]*+=[ \t]*+(?:"((?:[^"\\]++|\\.)*+)"|([^ \t,"]*+))(?=[ \t,]|\Z)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@attrs.frozen
class Challenge:
    """One way in which a server wants to be asked."""

    scheme: str
    """The scheme in lower case, such as `bearer`."""
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    """The parameters by name, in lower case; the first counts of several with one name."""


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all values of the field, in order. Takes linear time, and reads at most 8 KiB."""
    found: list[Challenge] = []
    left = _LONGEST
    for value in values:
        left -= len(value)
        if left < 0:
            break
        found += _challenges(value)
    return tuple(found)


def _challenges(value: str) -> Iterable[Challenge]:
    scheme: str | None = None
    parameters: dict[str, str] = {}
    at = 0
    while (at := _end(_BETWEEN, value, at)) < len(value):
        if scheme is not None and (parameter := _PARAMETER.match(value, at)):
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
            at = parameter.end()
        elif found := _SCHEME.match(value, at):
            if scheme is not None:
                yield Challenge(scheme, parameters)
            scheme, parameters = found[1].lower(), {}
            at = _end(_TOKEN68, value, found.end())
        else:
            break
    if scheme is not None:
        yield Challenge(scheme, parameters)


def _end(pattern: re.Pattern[str], value: str, at: int) -> int:
    """Return where a match at `at` ends, or `at` if there is none."""
    found = pattern.match(value, at)
    return found.end() if found else at
