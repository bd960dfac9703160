"""Differences between two trees as lines for a person and as JSON, with the lines that differ in text files.

The size of a difference is what it adds to the bytes of all files, of which each counts once, whatever its names.
"""

import difflib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from oci_layers.cli.output import human_bytes, node_json, one_line, path_json
from oci_layers.cli.trees import OPAQUE
from oci_layers.errors import escape
from oci_layers.layer.difference import Difference
from oci_layers.tree.node import Device, Directory, File, Leaf, Node, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["Pair", "Totals", "difference_json", "difference_lines", "is_below", "signed_bytes"]

_LETTERS = {"added": "A", "changed": "C", "removed": "D"}
_TEXT_BYTES = 1 << 17
"""The size of the largest file of which lines are shown."""
_CONTEXT = 3
_NANO = 10**9


def is_below(path: bytes, tops: Sequence[bytes]) -> bool:
    """Tell whether a path is at or below one of some paths; any is if there are none."""
    return not tops or any(not top or path == top or path.startswith(top + b"/") for top in tops)


def signed_bytes(count: int) -> str:
    """Return a number of bytes that were gained or lost, such as `+1.5 MB`; `-` for none."""
    return f"{'-' if count < 0 else '+'}{human_bytes(abs(count))}" if count else "-"


class _Names:
    """The names of the files of a tree that have several, seen from another tree."""

    def __init__(self, tree: FileTree, other: FileTree) -> None:
        self._tree = tree
        self._other = other
        self._known: dict[int, tuple[bytes | None, bytes | None, bytes]] = {}

    def size(self, path: bytes, node: Node | None) -> int:
        """Return the size of a file at one of its names; 0 at the others, and for anything else.

        That name is one that both trees have, if there is one.
        """
        if not isinstance(node, File):
            return 0
        found = self._first(path, node)
        return node.content.size if path == (found[0] or found[2]) else 0

    def joined(self, path: bytes, node: Node) -> str | None:
        """Return the name to which a name is a hard link: one that both trees have, or the first; None for that."""
        if isinstance(node, Directory):
            return None
        first, second, new = self._first(path, node)
        found = first or new if (first or new) != path else second
        return None if found is None else escape(b"/" + found)

    def _first(self, path: bytes, node: Leaf) -> tuple[bytes | None, bytes | None, bytes]:
        """Return the first two names of a file that the other tree has, too, and the first that is there."""
        if node.inode not in self._known:
            names = sorted(self._tree.link_names(node.inode))
            if not names:
                return None, None, path
            both = [*(name for name in names if self._other.at(name) is not None), None, None]
            self._known[node.inode] = both[0], both[1], names[0]
        return self._known[node.inode]


class Pair:
    """Two trees, and how their differences are shown."""

    def __init__(
        self, old: FileTree, new: FileTree, *, content: bool, markers: bool, layered: tuple[bool, bool]
    ) -> None:
        """Take both trees.

        Args:
            old: The first tree.
            new: The second tree.
            content: Whether the lines that differ in text files are shown.
            markers: Whether the trees are upper directories of mounts, which have markers.
            layered: Whether the nodes of each tree have the number of a layer.
        """
        self.content = content
        self.markers = markers
        self.layered = layered
        self.trees = old, new
        self.old, self.new = _Names(old, new), _Names(new, old)

    def size(self, each: Difference) -> int:
        """Return what a difference adds to the bytes of all files."""
        return self.new.size(each.path, each.new) - self.old.size(each.path, each.old)


@attrs.define
class Totals:
    """Counts differences."""

    kinds: Counter[str] = attrs.field(factory=Counter)
    bytes: int = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self.kinds.total()

    def counted(self, found: Iterable[Difference], pair: Pair) -> Iterator[tuple[Difference, int]]:
        """Yield differences, each with its size, and count them."""
        for each in found:
            size = pair.size(each)
            self.kinds[each.kind] += 1
            self.bytes += size
            yield each, size

    def json(self) -> dict[str, int]:
        """Return them as a JSON object."""
        return {**{kind: self.kinds[kind] for kind in _LETTERS}, "bytes": self.bytes}

    def __str__(self) -> str:
        if not self.count:
            return "no differences"
        numbers = ", ".join(f"{self.kinds[kind]} {kind}" for kind in _LETTERS if self.kinds[kind])
        return f"{numbers}: {signed_bytes(self.bytes)}" if self.bytes else numbers


def difference_lines(each: Difference, size: int, pair: Pair) -> Iterator[str]:
    """Yield the line of a difference and, with `content`, the lines that differ."""
    node = each.old if each.new is None else each.new
    assert node is not None
    name = escape(b"/" + each.path) + ("/" if isinstance(node, Directory) and each.path else "")
    if isinstance(node, Symlink):
        name += f" -> {escape(node.target)}"
    notes = ", ".join(_notes(each, pair))
    yield f"{_LETTERS[each.kind]} {signed_bytes(size):>9}  {name}{f'  ({notes})' if notes else ''}\n"
    if pair.content:
        for line in _text_diff(each):
            yield f"    {one_line(line)}\n"


def _notes(each: Difference, pair: Pair) -> Iterator[str]:
    """Yield what there is to say about a difference."""
    before, after = each.old, each.new
    if before is None or after is None:
        node = before if after is None else after
        assert node is not None
        if not isinstance(node, File | Directory | Symlink):
            yield _kind(node, pair)
        if after is not None and (joined := pair.new.joined(each.path, after)) is not None:
            yield f"hard link to {joined}"
        return
    for what in each.what:
        yield _note(what, each, before, after, pair)


def _note(what: str, each: Difference, before: Node, after: Node, pair: Pair) -> str:
    match what:
        case "type":
            return f"{_kind(before, pair)} -> {_kind(after, pair)}"
        case "content" if isinstance(before, File) and isinstance(after, File):
            sizes = human_bytes(before.content.size), human_bytes(after.content.size)
            return f"content {sizes[0]} -> {sizes[1]}" if sizes[0] != sizes[1] else "content"
        case "target" if isinstance(before, Symlink):
            return f"was -> {escape(before.target)}"
        case "device":
            return f"{_kind(before, pair)} -> {_kind(after, pair)}"
        case "links":
            joined, was = pair.new.joined(each.path, after), pair.old.joined(each.path, before)
            return f"no hard link to {was} any more" if joined is None else f"hard link to {joined}"
        case "mode":
            return f"mode {before.mode:04o} -> {after.mode:04o}"
        case "owner":
            return f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}"
        case "mtime":
            if each.what != ("mtime",):
                return "mtime"
            times = _time(before.mtime_ns), _time(after.mtime_ns)
            return f"mtime {times[0]} -> {times[1]}"
        case _:
            names = ", ".join(_xattrs(before, after))
            return names.replace(OPAQUE.decode(), "opaque") if pair.markers else f"xattrs {names}"


def _kind(node: Node, pair: Pair) -> str:
    if pair.markers and _is_whiteout(node):
        return "whiteout"
    if isinstance(node, Device):
        return f"{node.kind} device {node.major},{node.minor}"
    return type(node).__name__.lower()


def _is_whiteout(node: Node) -> bool:
    return isinstance(node, Device) and (node.kind, node.major, node.minor) == ("char", 0, 0)


def _xattrs(before: Node, after: Node) -> Iterator[str]:
    for name in sorted(before.xattrs.keys() | after.xattrs.keys()):
        if name not in before.xattrs:
            yield f"+{escape(name)}"
        elif name not in after.xattrs:
            yield f"-{escape(name)}"
        elif before.xattrs[name] != after.xattrs[name]:
            yield escape(name)


def _time(mtime_ns: int) -> str:
    seconds, rest = divmod(mtime_ns, _NANO)
    try:
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        text = str(seconds)
    return f"{text}.{rest:09}" if rest else text


def difference_json(each: Difference, size: int, pair: Pair) -> dict[str, Any]:  # Any: JSON
    """Return a difference as a JSON object."""
    value: dict[str, Any] = {  # Any: JSON
        **path_json(b"/" + each.path),
        "change": each.kind,
        "what": list(each.what),
        "bytes": size,
        "old": _node_json(each.path, each.old, pair, 0),
        "new": _node_json(each.path, each.new, pair, 1),
    }
    if pair.content:
        value["diff"] = list(_text_diff(each))
    return value


def _node_json(path: bytes, node: Node | None, pair: Pair, which: int) -> dict[str, Any] | None:  # Any: JSON
    """Return a node of one of the trees, without its path."""
    if node is None:
        return None
    value = node_json(path, node)
    gone = {"path", "path_base64"} if pair.layered[which] else {"path", "path_base64", "layer"}
    if not isinstance(node, Directory):
        value["nlink"] = pair.trees[which].link_count(node)
    if pair.markers and _is_whiteout(node):
        return {"type": "whiteout"}
    if pair.markers and OPAQUE in node.xattrs:
        value["opaque"] = True
        value["xattrs"].pop(OPAQUE.decode())
    return {key: item for key, item in value.items() if key not in gone and item != {}}


def _text_diff(each: Difference) -> Iterator[str]:
    """Yield the unified diff of a file, without the lines that name it; nothing unless both sides are short texts."""
    if each.old is not None and each.new is not None and "content" not in each.what:
        return
    old = _text(each.old)
    new = None if old is None else _text(each.new)
    if old is None or new is None:
        return
    lines = difflib.unified_diff(_lines(old), _lines(new), n=_CONTEXT)
    next(lines, None)
    next(lines, None)
    for line in lines:
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    """Return lines with their ends; only a newline ends one."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _text(node: Node | None) -> str | None:
    """Return the content of a short text file, nothing for a missing one, and None for anything else."""
    if node is None:
        return ""
    if not isinstance(node, File) or node.content.size > _TEXT_BYTES:
        return None
    try:
        text = b"".join(node.content.chunks()).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
