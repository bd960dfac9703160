"""A path inside an image as text: its names, its parents, and what it is compared with.

What `pathlib.PurePosixPath` is to `pathlib.Path`: nothing here asks the tree what exists. Paths are absolute and clean:
`..` takes back a name without a look at what it is, and the parent of the root is the root.
"""

from itertools import takewhile
from pathlib import PurePosixPath
from typing import ClassVar, Self

from oci_layers.errors import escape
from oci_layers.image.pattern import Pattern
from oci_layers.tree.path import AnyPath, clean, join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["PureImagePath"]


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


class PureImagePath:
    """A path of a tree. Immutable; equal to paths of the same tree and bytes.

    If a method compares this path with another, `str` and `bytes` are paths from the root of the image.
    """

    __slots__ = ("_path", "_tree")

    drive: ClassVar[str] = ""
    root: ClassVar[str] = "/"
    anchor: ClassVar[str] = "/"

    def __init__(self, tree: FileTree, path: AnyPath = b"") -> None:
        self._tree = tree
        self._path = clean(to_bytes(path), clamp=True, limits=tree.limits)

    def __image_path__(self) -> bytes:
        return bytes(self)

    def __str__(self) -> str:
        return "/" + _text(self._path)

    def __bytes__(self) -> bytes:
        return b"/" + self._path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PureImagePath):
            return NotImplemented
        return self._tree is other._tree and self._path == other._path

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, PureImagePath):
            return NotImplemented
        return self._path < other._path

    def __le__(self, other: object) -> bool:
        if not isinstance(other, PureImagePath):
            return NotImplemented
        return self._path <= other._path

    def __hash__(self) -> int:
        return hash((id(self._tree), self._path))

    def _at(self, path: bytes) -> Self:
        made = type(self).__new__(type(self))
        made._tree, made._path = self._tree, path  # noqa: SLF001  # one of its own
        return made

    def _clean(self, path: bytes) -> Self:
        return self._at(clean(path, clamp=True, limits=self._tree.limits))

    def as_posix(self) -> str:
        """Return the path as text, as `str` does."""
        return str(self)

    def is_absolute(self) -> bool:
        """Return True: each path begins at the root of the image."""
        return True

    def absolute(self) -> Self:
        """Return the path itself."""
        return self

    @property
    def name(self) -> str:
        """The last component; empty for the root."""
        return _text(parent_and_name(self._path)[1])

    @property
    def suffix(self) -> str:
        """The last component from its last dot on; empty if that dot is the first character or the last."""
        stem, dot, suffix = self.name.rpartition(".")
        return dot + suffix if stem and suffix else ""

    @property
    def suffixes(self) -> list[str]:
        """The suffixes of the last component, each with its dot; none if the component ends with a dot."""
        name = self.name
        return [] if name.endswith(".") else ["." + each for each in name.lstrip(".").split(".")[1:]]

    @property
    def stem(self) -> str:
        """The last component without its suffix."""
        return self.name.removesuffix(self.suffix)

    @property
    def parent(self) -> Self:
        """The path without its last component; the root's parent is the root."""
        return self._at(parent_and_name(self._path)[0])

    @property
    def parents(self) -> tuple[Self, ...]:
        """The parent, its parent, and so on up to the root; none for the root."""
        found = []
        path = self._path
        while path:
            path, _ = parent_and_name(path)
            found.append(self._at(path))
        return tuple(found)

    @property
    def parts(self) -> tuple[str, ...]:
        """The components, after the root `/`."""
        return ("/", *self._names())

    def _names(self) -> list[str]:
        return _text(self._path).split("/") if self._path else []

    def joinpath(self, *descendants: AnyPath) -> Self:
        """Return this path with other components appended; an absolute path starts from the root."""
        path = self._path
        for each in descendants:
            below = to_bytes(each)
            path = below if below.startswith(b"/") else path + b"/" + below
        return self._clean(path)

    def __truediv__(self, child: AnyPath) -> Self:
        return self.joinpath(child)

    def with_name(self, name: bytes | str) -> Self:
        """Return the path with another last component.

        Raises:
            ValueError: This is the root, or `name` is not a single name.
        """
        if not self._path:
            raise ValueError("the root has no name that could be another")
        given = to_bytes(name)
        if b"/" in given or given in {b"", b".", b".."}:
            raise ValueError(f"{escape(given)!r} is not the name of a file")
        return self._clean(join(parent_and_name(self._path)[0], given))

    def with_stem(self, stem: str) -> Self:
        """Return the path with another last component and the same suffix; raises ValueError as `with_name`."""
        if self.suffix and not stem:
            raise ValueError(f"{escape(bytes(self))} has a suffix, which cannot be all of a name")
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix: str) -> Self:
        """Return the path with another suffix, or without one if `suffix` is empty.

        Raises:
            ValueError: This is the root, or `suffix` does not begin with a dot, is only a dot, or has a slash.
        """
        if suffix == "." or (suffix and not suffix.startswith(".")):
            raise ValueError(f"{escape(suffix)!r} is not a suffix: expected a dot followed by text")
        return self.with_name(self.stem + suffix)

    def relative_to(self, other: AnyPath, *, walk_up: bool = False) -> PurePosixPath:
        """Return the relative path from `other` to this path. Only names are compared: no link is followed.

        Args:
            other: The start; the tree of an ImagePath is ignored.
            walk_up: Begin with a `..` for each component of `other` that this path does not have.

        Raises:
            ValueError: This path is not below `other`, and `walk_up` is False.
        """
        start = self._clean(to_bytes(other))
        ours, theirs = self.parts, start.parts
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))
        if common < len(theirs) and not walk_up:
            raise ValueError(f"{escape(bytes(self))} is not below {escape(bytes(start))}")
        return PurePosixPath(*[".."] * (len(theirs) - common), *ours[common:])

    def is_relative_to(self, other: AnyPath) -> bool:
        """Tell whether this is `other` or below it. Only names are compared: no link is followed."""
        start = self._clean(to_bytes(other)).parts
        return self.parts[: len(start)] == start

    def match(self, pattern: AnyPath) -> bool:
        """Tell whether the last components match a pattern (all of them, if it is absolute); `**` is as `*` here.

        Raises:
            ValueError: The pattern is empty.
        """
        return Pattern.parse(pattern).match(self._names())

    def full_match(self, pattern: AnyPath) -> bool:
        """Tell whether the whole path matches a pattern, in which the component `**` is any number of components.

        The path is absolute, so only a pattern that begins with a slash or with `**` can match.
        """
        return Pattern.parse(pattern).full_match(self._names())
