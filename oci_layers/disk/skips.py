"""What is skipped of a tree on disk, until it is known which files there are in the end.

A directory gets its attributes when all is done, so what is skipped of it goes into the report at once. A file may be
removed by a higher layer, so what is skipped of it waits, by inode: exact numbers for each kind, and details up to as
many as a report keeps. A file that could not be made at all is remembered too, since no name can be linked to it.
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
    """What was skipped of the files that are there so far."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._now: list[_Skip] = []
        self._waiting: dict[int, tuple[_Skip, ...]] = {}
        self._shared: dict[tuple[_Skip, ...], tuple[_Skip, ...]] = {}
        self._absent: set[int] = set()
        self._linked: set[int] = set()

    def add(self, what: str, path: bytes, node: Node, number: int | None, detail: bytes | str = "") -> None:
        """List what is skipped of a directory; gather what is skipped of a file, until `keep`."""
        if isinstance(node, Directory):
            self._report.skipped.add(Skipped(what, path, node.layer, number, _text(detail)))
        else:
            self._now.append((what, number, detail, 1))

    def keep(self, node: Node) -> None:
        """Keep what was gathered of a file that has just been made."""
        if not self._now or isinstance(node, Directory):
            return
        skips = tuple(self._now[: Listing.CAP])
        rest = Counter(what for what, *_ in self._now[Listing.CAP :])
        # A listing has no room for these beside the others of the same file, so their number is enough.
        skips += tuple((what, None, "", count) for what, count in rest.items())
        self._now.clear()
        if len(self._shared) < _MOST_SHARED:
            skips = self._shared.setdefault(skips, skips)
        self._waiting[node.inode] = skips

    def absent(self, node: Leaf) -> None:
        """Remember a file that could not be made; why not is added beside."""
        self._absent.add(node.inode)

    def is_absent(self, node: Leaf) -> bool:
        """Tell whether a file could not be made."""
        return node.inode in self._absent

    def link(self, node: Leaf) -> None:
        """Note that a file has one more name, so that it stays when one of them is removed."""
        if node.inode in self._waiting:
            self._linked.add(node.inode)

    def forget(self, node: Node) -> None:
        """Forget what was removed, with all that is below it, unless it has had several names."""
        if not self._waiting:
            return
        for each in _leaves(node) if isinstance(node, Directory) else (node,):
            if each.inode not in self._linked:
                self._waiting.pop(each.inode, None)
                self._absent.discard(each.inode)

    def list(self, path: bytes, node: Leaf) -> None:
        """List a file that is there in the end: at the first of its names all that was skipped of it.

        Each other name of one that could not be made is listed as a link.
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
    """Yield everything below a directory that is none."""
    stack = [directory]
    while stack:
        for child in stack.pop().children.values():
            if isinstance(child, Directory):
                stack.append(child)
            else:
                yield child
