"""Patterns over paths, as `pathlib` has them: `match`, `full_match` and `glob`.

A pattern is a path whose components may have `*`, `?` and `[...]`, which never match a slash and do match a leading
dot; the component `**` is any number of components. Where releases of Python differ, this does as 3.13 does: `**`
yields files, too, and `a**` is `a*`. A `**` does not follow links, any other component does.

A pattern is run as a set of states, the indexes of the components that may come next, so that no pattern costs more
than its length for each name. All of it is text, where a byte that is not UTF-8 is one character.
"""

import contextlib
import fnmatch
import re
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.errors import LinkError
from oci_layers.tree.node import Directory, Node, Symlink
from oci_layers.tree.path import AnyPath, join, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["Pattern"]

_has_magic = re.compile(r"[*?[]").search


@attrs.frozen
class _Name:
    """A component that is one name; `literal` is that name where there is nothing to match."""

    regex: re.Pattern[str]
    literal: bytes | None

    def matches(self, name: str) -> bool:
        return self.regex.match(name) is not None


_ANY = None
"""The component `**`."""
_EVERY_NAME = _Name(re.compile(""), None)


@attrs.frozen
class Pattern:
    """A pattern, taken apart."""

    text: str
    parts: tuple[_Name | None, ...]
    absolute: bool
    only_directories: bool
    """It ends with a slash, so that only directories and links to them are found."""

    @classmethod
    def parse(cls, pattern: AnyPath) -> "Pattern":
        """Take a pattern apart; empty components and `.` mean nothing."""
        text = to_bytes(pattern).decode("utf-8", "surrogateescape")
        parts = [part for part in text.split("/") if part not in {"", "."}]
        return cls(text, tuple(map(_part, parts)), text.startswith("/"), text.endswith("/"))

    def match(self, names: Sequence[str]) -> bool:
        """Tell whether the last of `names` match, or all of them for an absolute pattern; `**` is one name here.

        Raises:
            ValueError: The pattern is empty.
        """
        if not self.parts and not self.absolute:
            raise ValueError("empty pattern")
        if len(names) < len(self.parts) or (self.absolute and len(names) > len(self.parts)):
            return False
        return all(
            part is _ANY or part.matches(name)
            for part, name in zip(reversed(self.parts), reversed(names), strict=False)
        )

    def full_match(self, names: Sequence[str]) -> bool:
        """Tell whether all of `names`, from the root on, match.

        A relative pattern can match only where it begins with `**`, since a path inside an image is absolute. A `**` at
        the end is at least one name, unless it is all of the pattern.
        """
        if not self.absolute and self.parts[:1] != (_ANY,):
            return False
        if self.parts[-1:] == (_ANY,) and any(part is not _ANY for part in self.parts):
            return attrs.evolve(self, parts=(*self.parts, _EVERY_NAME)).full_match(names)
        states = self._closed({0})
        for name in names:
            walked, matched = self._step(states, name)
            states = walked | matched
        return len(self.parts) in states

    def recursive(self) -> "Pattern":
        """Return the pattern with `**/` before it."""
        return attrs.evolve(self, parts=(_ANY, *self.parts), only_directories=self.only_directories or not self.parts)

    def glob(self, tree: FileTree, path: bytes) -> Iterator[bytes]:
        """Return the paths below `path` that match, links to directories in them as they were taken.

        A directory comes before what is in it, and names in one directory come in the order of their bytes.

        Raises:
            NotImplementedError: The pattern is absolute.
            ValueError: The pattern is empty, or has a `..`.
        """
        if self.absolute:
            raise NotImplementedError(f"pattern {self.text!r} is absolute, and must be relative to the path")
        if not self.parts:
            raise ValueError(f"pattern {self.text!r} is empty")
        if ".." in self.text.split("/"):
            raise ValueError(f"pattern {self.text!r} has a '..', start from the parent instead")
        return self._glob(tree, path)

    def _glob(self, tree: FileTree, path: bytes) -> Iterator[bytes]:
        start = _directory(tree, path)
        if start is None:
            return
        none: frozenset[int] = frozenset()
        stack: list[tuple[bytes, Node, frozenset[int], frozenset[int]]] = [(path, start, self._closed({0}), none)]
        end = len(self.parts)
        while stack:
            here, node, walked, matched = stack.pop()
            directory = node if isinstance(node, Directory) else None
            if isinstance(node, Symlink):
                # What `**` has walked over ends here; what was named goes on where the link leads.
                directory = _directory(tree, here) if matched else None
                walked = none if self.only_directories else walked & {end}
            states = walked | matched
            if end in states and (directory is not None or not self.only_directories):
                yield here
            if directory is not None:
                for name in sorted(self._candidates(directory, states), reverse=True):
                    steps = self._step(states, name.decode("utf-8", "surrogateescape"))
                    if any(steps):
                        stack.append((join(here, name), directory.children[name], *steps))

    def _candidates(self, directory: Directory, states: frozenset[int]) -> list[bytes]:
        """Return the names that may match; only those that the pattern spells out where it does."""
        names: set[bytes] = set()
        for state in states:
            if state < len(self.parts):
                part = self.parts[state]
                if part is _ANY or part.literal is None:
                    return list(directory.children)
                names.add(part.literal)
        return [name for name in names if name in directory.children]

    def _step(self, states: frozenset[int], name: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the states after `name`: those where `**` has taken it, and those where another component has."""
        walked = set()
        matched = set()
        for state in states:
            if state < len(self.parts):
                part = self.parts[state]
                if part is _ANY:
                    walked.add(state)
                elif part.matches(name):
                    matched.add(state + 1)
        return self._closed(walked), self._closed(matched)

    def _closed(self, states: set[int]) -> frozenset[int]:
        """Add the states after each `**`, which may be no component at all."""
        for state in sorted(states):
            following = state
            while following < len(self.parts) and self.parts[following] is _ANY:
                following += 1
                states.add(following)
        return frozenset(states)


def _part(text: str) -> _Name | None:
    if text == "**":
        return _ANY
    literal = None if _has_magic(text) else text.encode("utf-8", "surrogateescape")
    return _Name(re.compile(fnmatch.translate(text)), literal)


def _directory(tree: FileTree, path: bytes) -> Directory | None:
    """Return the directory that is at `path` or that a link there leads to."""
    with contextlib.suppress(LinkError):
        node = tree.resolve(path, follow=True).node
        return node if isinstance(node, Directory) else None
    return None
