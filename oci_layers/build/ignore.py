"""Which files of a directory are left out, in the syntax of `.dockerignore`.

Patterns are relative to the directory, and each matches whole paths: a name alone matches at the top only. `*` and `?`
match no slash, `[a-z]` and `[^a-z]` one character, a backslash the next character itself, and `**` any number of
directories, none among them. A pattern that matches a directory matches all that is in it. A line that begins with `!`
takes files back in; of the lines that match a path or a directory above it, the last decides. These are the rules that
Docker documents and of moby/patternmatcher; those of `.gitignore` differ in each of them.

Where moby's code differs from what Docker documents, the documents count: of `a`, `!a/b`, `a*`, the last decides for
`a/b`, and `[*]` is an asterisk.

A pattern is matched by a regular expression, unless its wildcards could be tried in too many ways for the length of the
path: then by the set of all positions in the pattern where the path may have got to, in linear time.
"""

import itertools
import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import attrs

from oci_layers.errors import NameFormatError
from oci_layers.tree.path import AnyPath, clean, parent_and_name, to_bytes

__all__ = ["Ignore", "Selection", "selected"]

T = TypeVar("T")

Matches = tuple[bool, ...]
"""For each pattern, whether it matches a path or a directory above it."""

_BOM = "\ufeff"
_MAGIC = re.compile(r"[*?\[\]\\]")
_STAR, _DIRECTORIES, _ANYTHING = "[^/]*", "(?:.*/)?", ".*"
_WILDCARDS = frozenset({_STAR, _DIRECTORIES, _ANYTHING})
"""The parts of a regular expression that match any number of characters; every other part matches one."""
_SINGLE = {"*": _STAR, "?": "[^/]"}
_WAYS = 100_000
"""So many ways to place the wildcards of a pattern in a path are tried, which takes about a millisecond."""


@attrs.frozen
class _Rule:
    """One pattern; `literal` is its beginning up to the first wildcard, the whole of it if `is_literal`."""

    parts: tuple[str, ...]
    regex: re.Pattern[str]
    longest: int
    """The length of the longest path for which the regular expression takes little time."""
    is_exception: bool
    literal: str
    is_literal: bool

    def matches(self, path: str) -> bool:
        """Tell whether the pattern matches a path itself."""
        if len(path) <= self.longest:
            return self.regex.fullmatch(path) is not None
        return _matches_by_states(self.parts, path)

    def may_match_below(self, directory: str) -> bool:
        """Tell whether a path below a directory may match."""
        if self.literal.startswith(directory + "/"):
            return True
        return not self.is_literal and (directory + "/").startswith(self.literal)


@attrs.frozen
class Ignore:
    """Patterns, parsed. Thread-safe."""

    _rules: tuple[_Rule, ...] = ()

    @classmethod
    def parse(cls, lines: str | Iterable[str]) -> "Ignore":
        """Parse patterns: the text of a `.dockerignore` file, or its lines.

        Lines that are empty, or begin with `#`, have no meaning.

        Raises:
            NameFormatError: A pattern is malformed; the error has its text.
        """
        lines = lines.removeprefix(_BOM).split("\n") if isinstance(lines, str) else lines
        return cls(tuple(_rule(text) for line in lines if not line.startswith("#") and (text := line.strip())))

    def excludes(self, path: AnyPath) -> bool:
        """Tell whether a path, relative to the directory, is left out; the directory itself never is."""
        return Selection[object](self).excludes(clean(to_bytes(path)))

    def matches(self, path: str, above: Matches | None) -> Matches:
        """Return the matches of a clean path, given those of the directory above it; no pattern matches the top."""
        if above is None:
            return (False,) * len(self._rules)
        return tuple(known or rule.matches(path) for known, rule in zip(above, self._rules, strict=True))

    def decide(self, found: Matches) -> bool:
        """Tell whether a path of these matches is left out."""
        for rule, matched in zip(reversed(self._rules), reversed(found), strict=True):
            if matched:
                return not rule.is_exception
        return False

    def may_take_back(self, directory: str) -> bool:
        """Tell whether something in a directory that is left out may be taken back in."""
        return any(rule.is_exception and rule.may_match_below(directory) for rule in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)


def _rule(text: str) -> _Rule:
    is_exception = text.startswith("!")
    pattern = text[is_exception:].strip()
    if not pattern:
        raise NameFormatError("pattern", text, "there is nothing after the exclamation mark")
    pattern = posixpath.normpath(pattern).lstrip("/")
    magic = _MAGIC.search(pattern)
    literal = pattern if magic is None else pattern[: magic.start()]
    parts = _parts(pattern, text)
    regex = re.compile("".join(parts), re.DOTALL)
    return _Rule(tuple(parts), regex, _longest(parts), is_exception, literal, magic is None)


def _longest(parts: Iterable[str]) -> int:
    """Return the length of a path in which the wildcards can be placed in _WAYS ways."""
    wildcards = sum(part in _WILDCARDS for part in parts)
    if wildcards < 2:
        return _WAYS
    return next(length for length in itertools.count() if math.comb(length + 1, wildcards) > _WAYS)


def _parts(pattern: str, text: str) -> list[str]:
    """Return the regular expression for a pattern, in parts: each is one of _WILDCARDS, or matches one character."""
    if pattern.startswith("**") and pattern[2:3] != "/" and _MAGIC.search(pattern, 2) is None:
        return [_ANYTHING, *map(re.escape, pattern[2:])]  # `**.o` is any path that ends in `.o`.
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("/", at + 2) else 2
            part = _DIRECTORIES if at < len(pattern) else _ANYTHING
            if parts[-1:] != [_DIRECTORIES] or part == _ANYTHING:  # Twice in a row is as once, but costs more.
                parts.append(part)
            continue
        if char == "[":
            part, at = _class(pattern, at + 1, text)
            parts.append(part)
            continue
        if char == "\\":
            char, at = _escaped(pattern, at, text)
            parts.append(re.escape(char))
            continue
        parts.append(_SINGLE.get(char) or re.escape(char))
        at += 1
    return parts


def _matches_by_states(parts: Sequence[str], path: str) -> bool:
    """Tell whether a path matches; the time is at most proportional to the product of the lengths.

    A state is the number of parts that are done with. In a state before a wildcard, the wildcard may go on, or be over.
    """
    states = _closed(parts, {0})
    for char in path:
        reached: set[int] = set()
        inside: set[int] = set()  # Within `**/`: over only after a slash.
        for state in states:
            part = parts[state] if state < len(parts) else ""
            if part == _DIRECTORIES:
                inside.add(state)
                if char == "/":
                    reached.add(state + 1)
            elif part in _WILDCARDS:
                if part == _ANYTHING or char != "/":
                    reached.add(state)
            elif re.fullmatch(part, char, re.DOTALL):
                reached.add(state + 1)
        states = _closed(parts, reached) | inside
    return len(parts) in states


def _closed(parts: Sequence[str], states: set[int]) -> set[int]:
    """Add to states those in which the wildcards that follow have matched nothing."""
    found = set(states)
    for state in states:
        following = state
        while following < len(parts) and parts[following] in _WILDCARDS:
            following += 1
            found.add(following)
    return found


def _escaped(pattern: str, at: int, text: str) -> tuple[str, int]:
    """Return the character at a position, or the one after a backslash there, and the position after it."""
    at += pattern.startswith("\\", at)
    if at == len(pattern):
        raise NameFormatError("pattern", text, "it ends where another character is expected")
    return pattern[at], at + 1


def _class(pattern: str, at: int, text: str) -> tuple[str, int]:
    """Return the regular expression of the class whose content begins at a position, and the position after it."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while not ranges or not pattern.startswith("]", at):
        if pattern.startswith(("-", "]"), at):
            raise NameFormatError("pattern", text, "a class begins with - or ], or has a range without an end")
        first, at = _escaped(pattern, at, text)
        last = first
        if pattern.startswith("-", at):
            if pattern.startswith(("-", "]"), at + 1):
                raise NameFormatError("pattern", text, "a class has a range without an end")
            last, at = _escaped(pattern, at + 1, text)
        if last < first:
            raise NameFormatError("pattern", text, "a class has a range that is empty")
        ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


class Selection(Generic[T]):
    """What of a tree is taken, while it is walked with the parents first. Memory: something for each directory.

    A directory that is left out is needed after all where something in it is taken, so the caller gives it to `hold`,
    and calls `release` before it takes anything.
    """

    def __init__(self, ignore: Ignore) -> None:
        self.ignore = ignore
        self._matches: dict[bytes, Matches] = {b"": ignore.matches("", None)}
        self._held: dict[bytes, T] = {}

    def excludes(self, path: bytes) -> bool:
        """Tell whether a clean path is left out."""
        return bool(self.ignore) and self.ignore.decide(self._found(path))

    def _found(self, path: bytes) -> Matches:
        known = self._matches.get(path)
        if known is None:
            known = self.ignore.matches(_text(path), self._found(parent_and_name(path)[0]))
        return known

    def enter(self, path: bytes) -> bool:
        """Tell whether a directory that was visited has anything to visit, and remember how it matches."""
        if not self.ignore:
            return True
        found = self._matches[path] = self._found(path)
        return not self.ignore.decide(found) or self.ignore.may_take_back(_text(path))

    def hold(self, path: bytes, item: T) -> None:
        """Keep a directory that is left out."""
        self._held[path] = item

    def release(self, path: bytes) -> Iterator[T]:
        """Yield the directories above a path that were held, the uppermost first; none twice."""
        if self._held:
            above, parents = path, []
            while above:
                above, _ = parent_and_name(above)
                parents.append(above)
            for parent in reversed(parents):
                if parent in self._held:
                    yield self._held.pop(parent)


def selected(items: Iterable[tuple[bytes, bool, T]], ignore: Ignore) -> Iterator[T]:
    """Yield the items that are taken, of those given with their clean paths and whether they are directories."""
    selection = Selection[T](ignore)
    for path, is_directory, item in items:
        if is_directory:
            selection.enter(path)
        if not selection.excludes(path):
            yield from selection.release(path)
            yield item
        elif is_directory:
            selection.hold(path, item)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
