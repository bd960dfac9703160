"""Hold what is skipped of a tree on disk until the final files are known.

A directory gets its attributes last, so its skips are reported at once. A higher layer may remove a file, so the skips
of a file are held by inode until the end: exact counts for each kind, and as many details as a report keeps. A file
that could not be created is remembered too, since it cannot be the target of a hard link.
"""

from collections import Counter
from collections.abc import Iterator

from oci_layers.report import Listing, Report, Skipped
from oci_layers.tree.node import Directory, Leaf, Node

__all__ = ["Skips"]

_MOST_SHARED = 1_000
_Skip = tuple[str, int | None, bytes | str, int]
"""What was skipped, the errno, a detail (the name of an attribute as bytes), and how often."""


class Skips:
    """The skips of the files that exist so far. Not thread-safe."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._now: list[_Skip] = []
        self._waiting: dict[int, tuple[_Skip, ...]] = {}
        self._shared: dict[tuple[_Skip, ...], tuple[_Skip, ...]] = {}
        self._absent: set[int] = set()
        self._linked: set[int] = set()

    def add(self, what: str, path: bytes, node: Node, number: int | None, detail: bytes | str = "") -> None:
        """Report a skip of a directory; collect a skip of a file until `keep`."""
        if isinstance(node, Directory):
            self._report.skipped.add(Skipped(what, path, node.layer, number, _text(detail)))
        else:
            self._now.append((what, number, detail, 1))

    def keep(self, node: Node) -> None:
        """Store the collected skips of a file that was just created."""
        if not self._now or isinstance(node, Directory):
            return
        skips = tuple(self._now[: Listing.CAP])
        rest = Counter(what for what, *_ in self._now[Listing.CAP :])
        # The skips above fill a listing alone, so the count of the others is enough.
        skips += tuple((what, None, "", count) for what, count in rest.items())
        self._now.clear()
        if len(self._shared) < _MOST_SHARED:
            skips = self._shared.setdefault(skips, skips)
        self._waiting[node.inode] = skips

    def absent(self, node: Leaf) -> None:
        """Remember a file that could not be created; the caller adds the reason with `add`."""
        self._absent.add(node.inode)

    def is_absent(self, node: Leaf) -> bool:
        """Return whether a file could not be created."""
        return node.inode in self._absent

    def link(self, node: Leaf) -> None:
        """Note that a file has another name, so that its skips stay when one name is removed."""
        if node.inode in self._waiting:
            self._linked.add(node.inode)

    def forget(self, node: Node) -> None:
        """Drop the skips of a removed node and of all files below it, except files that had several names."""
        if not self._waiting:
            return
        for each in _leaves(node) if isinstance(node, Directory) else (node,):
            if each.inode not in self._linked:
                self._waiting.pop(each.inode, None)
                self._absent.discard(each.inode)

    def list(self, path: bytes, node: Leaf) -> None:
        """Report the skips of a file of the final tree, at the first of its names.

        Each other name of a file that could not be created is reported as a skipped link.
        """
        if not self._waiting and not self._absent:
            return
        listing = self._report.skipped
        skips = self._waiting.pop(node.inode, ())
        for what, number, detail, count in skips:
            if count == 1:
                listing.add(Skipped(what, path, node.layer, number, _text(detail)))
            else:
                listing.count(what, count)
        if not skips and node.inode in self._absent:
            listing.add(Skipped("link", path, node.layer, None, "its target is not there"))


def _text(detail: bytes | str) -> str:
    return detail.decode("utf-8", "backslashreplace") if isinstance(detail, bytes) else detail


def _leaves(directory: Directory) -> Iterator[Leaf]:
    """Yield every node below a directory that is not a directory itself."""
    stack = [directory]
    while stack:
        for child in stack.pop().children.values():
            if isinstance(child, Directory):
                stack.append(child)
            else:
                yield child
