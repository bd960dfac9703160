"""Sets of clean paths with all their ancestors, stored component by component.

A plain set that has every ancestor of each of its paths takes half a MiB for one path of 4 KiB, as each of its 256
components is in up to 256 keys. Here each component is stored once, so that memory grows with the bytes of an archive.
"""

from typing import TypeAlias

from oci_layers.tree.path import parent_and_name

__all__ = ["Branch", "PathSet"]

Branch: TypeAlias = dict[bytes, "Branch | None"]
"""The names in one directory; each has the names below it, or None if there are none."""


class PathSet:
    """A set of clean paths that has every ancestor of its paths, too."""

    def __init__(self) -> None:
        self._root: Branch = {}
        self._known: dict[bytes, Branch] = {b"": self._root}

    def within(self, directory: bytes) -> Branch | None:
        """Return the names in the directory at a clean path, not to be changed; None if there are none."""
        known = self._known.get(directory)
        if known is not None:
            return known
        branch: Branch | None = self._root
        for name in directory.split(b"/"):
            if branch is None:
                break
            branch = branch.get(name)
        return branch

    def enter(self, directory: bytes) -> Branch:
        """Add the directory at a clean path, and return the names in it; `setdefault(name, None)` adds one."""
        branch = self._known.get(directory)
        if branch is None:
            branch = self._root
            for name in directory.split(b"/"):
                below = branch.get(name)
                if below is None:
                    below = branch[name] = {}
                branch = below
            self._known[directory] = branch
        return branch

    def add(self, path: bytes) -> None:
        """Add a clean path and all its ancestors."""
        parent, name = parent_and_name(path)
        self.enter(parent).setdefault(name, None)

    def __contains__(self, path: bytes) -> bool:
        parent, name = parent_and_name(path)
        return name in (self.within(parent) or ())
