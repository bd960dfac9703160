"""Path patterns of `pathlib`: `match`, `full_match` and `glob`.

A pattern is a path whose components may have `*`, `?` and `[...]`, which never match a slash and do match a leading
dot; the component `**` is any number of components. Where releases of Python differ, the behavior is that of 3.13: `**`
matches files too, and `a**` is `a*`. A `**` does not follow links; any other component does.

A pattern is matched by a set of states, the indexes of the components that may come next, so the cost for each name is
at most proportional to the length of the pattern. Names are text, in which a byte that is not UTF-8 is one character.
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
    """A component that matches one name; `literal` is that name if the component has no wildcards."""

    regex: re.Pattern[str]
    literal: bytes | None

    def matches(self, name: str) -> bool:
        return self.regex.match(name) is not None


_ANY = None
"""The component `**`."""
_EVERY_NAME = _Name(re.compile(""), None)


@attrs.frozen
class Pattern:
    """A parsed pattern."""

    text: str
    parts: tuple[_Name | None, ...]
    absolute: bool
    only_directories: bool
    """Whether it ends with a slash, and so matches only directories and links to them."""

    @classmethod
    def parse(cls, pattern: AnyPath) -> "Pattern":
        """Parse a pattern; empty components and `.` are ignored."""
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

        A relative pattern can match only if it begins with `**`, since a path inside an image is absolute. A `**` at
        the end matches at least one name, unless it is the whole pattern.
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
        """Return an iterator over the paths below `path` that match; links to directories in them are not resolved.

        A directory precedes its children, and children are in the order of the bytes of their names.

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
                # A `**` does not follow the link; a component that matched its name does.
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
        """Return the names that may match; only the literal names if no state has a wildcard."""
        names: set[bytes] = set()
        for state in states:
            if state < len(self.parts):
                part = self.parts[state]
                if part is _ANY or part.literal is None:
                    return list(directory.children)
                names.add(part.literal)
        return [name for name in names if name in directory.children]

    def _step(self, states: frozenset[int], name: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the states after `name`: those in which `**` matched it, and those in which another component did."""
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
        """Add the states after each `**`, which may match zero components."""
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
    """Return the directory at `path`, links followed; None if there is none."""
    with contextlib.suppress(LinkError):
        node = tree.resolve(path, follow=True).node
        return node if isinstance(node, Directory) else None
    return None
