"""Two file systems, wherever they are, into what differs between them, as the lines of their dumps.

A side is a `FileTree`, an `Image`, a `Stack` (what this library makes of it), a directory (a `pathlib.Path`, scanned),
or text: the lines of a dump (`tree.dump`), shortened as `notation.parse_tree` allows. What a name is always counts: its
type, the target of a link, the numbers of a device. `attributes` says what counts besides.

A directory that the expected side only implies has no attributes that the spec gives (layer.md, Creating the tar), so
they are not compared unless `implied` is true: an expected text without a line for `/etc` leaves open whose it is.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Literal, get_args

import attrs

from oci_layers.build.options import is_portable_xattr
from oci_layers.disk.scan import scan
from oci_layers.errors import NameFormatError, UnsupportedError
from oci_layers.image.image import Image
from oci_layers.layer.compare import Aspect, Comparison
from oci_layers.report import Skipped
from oci_layers.testing.notation import parse_tree
from oci_layers.testing.stack import Stack
from oci_layers.tree.content import EMPTY
from oci_layers.tree.dump import escape, node_words
from oci_layers.tree.node import Device, Directory, File, Node, Symlink
from oci_layers.tree.tree import FileTree

__all__ = ["ALL", "Attribute", "Difference", "Side", "assert_same_tree", "differences", "show_differences", "tree_of"]

Attribute = Literal["mode", "owner", "mtime", "directory-mtime", "nanoseconds", "xattrs", "content", "links"]
"""What counts of a name besides what it is: `links` are names that share a file; times are as in `layer.diff`."""
ALL: tuple[Attribute, ...] = get_args(Attribute)
"""Every attribute."""

Side = FileTree | Image | Stack | os.PathLike[str] | str
"""A file system to compare."""

_LINES = 60
_LINE = 400
_CONTEXT = 1
_WORDS = ("mode", "owner", "mtime")
"""What the words of a line are after the kind."""
_ATTRIBUTES = (*_WORDS, "xattrs")


@attrs.frozen
class Difference:
    """A name that two file systems do not have alike."""

    path: bytes
    """The path; empty for the root."""
    what: tuple[str, ...]
    """`missing`, `unexpected`, or what differs: `type`, `target`, `device`, or attributes."""
    expected: str | None
    """The line of the expected dump, with `*` for what does not count; None if the name is unexpected."""
    actual: str | None
    """The line of the actual dump; None if the name is missing."""

    def __str__(self) -> str:
        """Return the lines of a diff: `-` before the expected one, `+` before the actual one."""
        lines = [] if self.expected is None else [f"- {_cut(self.expected)}"]
        if self.actual is not None:
            lines.append(f"+ {_cut(self.actual)}")
        return "\n".join(lines) + f"  # {', '.join(self.what)}"


def differences(
    expected: Side,
    actual: Side,
    *,
    attributes: Collection[Attribute] = ALL,
    implied: bool = False,
    touched: Collection[bytes] = (),
) -> list[Difference]:
    """Return the names in which two file systems differ, in the order of `FileTree.walk`; empty if in none.

    Contents are read where their sizes are equal. Time and memory grow with the names of both.

    Args:
        expected: What there should be.
        actual: What there is.
        attributes: The attributes that count.
        implied: Whether the attributes count of directories that `expected` only implies.
        touched: The paths of directories whose time does not count, such as `Case.touched`.

    Raises:
        NameFormatError: There is no such attribute, or a text is not in the notation.
        UnsupportedError: A directory holds a socket, which no tree can.
        OCIError: A layer of an image or a stack cannot be applied.
        OSError: A directory cannot be read.
    """
    return [row for row in _rows(expected, actual, attributes, implied=implied, touched=touched) if row.what]


def show_differences(
    expected: Side,
    actual: Side,
    *,
    attributes: Collection[Attribute] = ALL,
    implied: bool = False,
    touched: Collection[bytes] = (),
) -> str:
    """Return what `differences` finds as a diff of the two dumps, for a person; empty if they are the same.

    Names that are the same are left out, but for those right before and after one that is not. The text has at most
    60 lines.
    """
    rows = list(_rows(expected, actual, attributes, implied=implied, touched=touched))
    different = [at for at, row in enumerate(rows) if row.what]
    if not different:
        return ""
    lines = [f"{len(different)} of {len(rows)} names differ (- expected, + actual):"]
    before, shown = 0, 0
    for at in sorted({near for here in different for near in range(here - _CONTEXT, here + _CONTEXT + 1)}):
        if not 0 <= at < len(rows):
            continue
        if len(lines) >= _LINES:
            lines.append(f"  ... and {len(different) - shown} more")
            break
        if at > before:
            lines.append("  ...")
        before = at + 1
        row = rows[at]
        shown += bool(row.what)
        lines += str(row).split("\n") if row.what else [f"  {_cut(row.expected or '')}"]
    return "\n".join(lines)


def assert_same_tree(
    actual: Side, expected: Side, *, ignore: Collection[Attribute] = (), implied: bool = False
) -> None:
    """Assert that two file systems are the same; the message is a diff of the two dumps.

    Args:
        actual: What there is.
        expected: What there should be.
        ignore: The attributes that do not count: `mode`, `owner`, `mtime`, `directory-mtime`, `nanoseconds`, `xattrs`,
            `content`, `links`.
        implied: Whether the attributes count of directories that `expected` only implies.

    Raises:
        AssertionError: They differ.
        NameFormatError: There is no such attribute to ignore; and as `differences`.
    """
    __tracebackhide__ = True
    _check(ignore)
    counted = [attribute for attribute in ALL if attribute not in ignore]
    text = show_differences(expected, actual, attributes=counted, implied=implied)
    if text:
        raise AssertionError(text)


def tree_of(side: Side) -> FileTree:
    """Return the tree of a side. Contents on disk and in an image are read later, where they are needed.

    Labels that belong to a machine, such as those of SELinux, are left out of a directory's.

    Raises:
        NameFormatError: A text is not in the notation.
        UnsupportedError: A directory holds a socket.
        OCIError: A layer of an image or a stack cannot be applied.
        OSError: A directory cannot be read.
    """
    match side:
        case FileTree():
            return side
        case Image() | Stack():
            return side.tree()
        case str():
            try:
                return parse_tree(side)
            except NameFormatError as error:
                error.add_note("a str is the text of a tree; a directory is given as a pathlib.Path")
                raise
        case _:
            return _scanned(side)


def _scanned(directory: os.PathLike[str]) -> FileTree:
    tree = scan(directory, skip=_refuse)
    for _, node in tree.walk():
        if node.xattrs:
            node.xattrs = {key: value for key, value in node.xattrs.items() if not _is_label(key)}
    return tree


def _is_label(xattr: bytes) -> bool:
    """Tell whether the machine labels a file with an attribute; what overlayfs keeps is written by programs."""
    return not is_portable_xattr(xattr) and b".overlay." not in xattr


def _refuse(skipped: Skipped) -> None:
    raise UnsupportedError(f"comparison of a {skipped.what}", escape(b"/" + skipped.path))


def _check(attributes: Collection[str]) -> None:
    for attribute in attributes:
        if attribute not in ALL:
            raise NameFormatError("attribute", attribute, f"there are {', '.join(ALL)}")


# --- The comparison ---------------------------------------------------------------------------------------------------


def _rows(
    expected: Side, actual: Side, attributes: Collection[Attribute], *, implied: bool, touched: Collection[bytes]
) -> Iterator[Difference]:
    """Yield a row for each name of the two file systems; `what` is empty if they have it alike."""
    _check(attributes)
    old, new = dict(tree_of(expected).walk()), dict(tree_of(actual).walk())
    shared = [path for path in old if _is_leaf(old[path]) and _is_leaf(new.get(path))] if "links" in attributes else ()
    before, after = _Side(old, shared, attributes), _Side(new, shared, attributes)
    comparison = Comparison("always", [aspect for aspect in get_args(Aspect) if aspect not in attributes])
    for path in sorted({*old, *new}, key=lambda path: path.split(b"/")):
        one, two = old.get(path), new.get(path)
        if one is None:
            yield Difference(path, ("unexpected",), None, after.line(path))
        elif two is None:
            yield Difference(path, ("missing",), before.line(path), None)
        else:
            free: Collection[str] = ()
            if isinstance(one, Directory) and one.implicit and not implied:
                free = _ATTRIBUTES
            elif path in touched:
                free = ("mtime",)
            what: list[str] = []
            leader, other = before.leaders.get(path, path), after.leaders.get(path, path)
            if leader == path or leader != other:  # The name that both are links to has been compared.
                what += _compared(one, two, comparison if "content" in attributes else None)
                what += (aspect for aspect in comparison.aspects(one, two) if aspect not in free)
            if leader != other:
                what.append("links")
            yield Difference(path, tuple(what), before.line(path, free), after.line(path, free))


def _is_leaf(node: Node | None) -> bool:
    return not isinstance(node, Directory | None)


def _compared(one: Node, two: Node, content: Comparison | None) -> Iterator[str]:
    """Yield what differs of what two nodes are, and of their contents."""
    match one, two:
        case File(), File():
            if content is not None and not content.contents(one, two):
                yield "content"
        case Symlink(), Symlink():
            if one.target != two.target:
                yield "target"
        case Device(), Device():
            if one.number != two.number:
                yield "device" if one.kind == two.kind else "type"
        case _:
            if type(one) is not type(two):
                yield "type"


class _Side:
    """The lines of one file system: those of its dump, with `*` for what does not count."""

    def __init__(
        self, nodes: Mapping[bytes, Node], shared: Collection[bytes], attributes: Collection[Attribute]
    ) -> None:
        """Take the nodes by path, and which names both file systems have, in order."""
        self.nodes = nodes
        self.attributes = attributes
        self.leaders: dict[bytes, bytes] = {}
        """The first name of each file that has several, by name."""
        first: dict[int, bytes] = {}
        for path in (*shared, *(path for path in nodes if "links" in attributes)):
            node = nodes[path]
            if path not in self.leaders and not isinstance(node, Directory):
                self.leaders[path] = first.setdefault(node.inode, path)

    def line(self, path: bytes, free: Collection[str] = ()) -> str:
        """Return the line of a name; the attributes of `free` do not count, either."""
        name, leader = escape(b"/" + path), self.leaders.get(path, path)
        if leader != path:
            return f"{name} link {escape(b'/' + leader)}"
        node = self.nodes[path]
        counted = {attribute for attribute in self.attributes if attribute not in free}
        if isinstance(node, Directory) and "directory-mtime" not in counted:
            counted.discard("mtime")
        if isinstance(node, File) and "content" not in counted:
            node = attrs.evolve(node, content=EMPTY)
        kind, *words = node_words(node)
        attributes = [word if what in counted else "*" for what, word in zip(_WORDS, words, strict=False)]
        rest = [
            word
            for word in words[len(_WORDS) :]
            if ("content" in counted or not word.startswith("text="))
            and ("xattrs" in counted or not word.startswith("xattr."))
        ]
        return " ".join([name, kind, *attributes, *rest])


def _cut(line: str) -> str:
    """Return a line without its middle if it is too long."""
    return line if len(line) <= _LINE else f"{line[: _LINE - 103]}...{line[-100:]}"
