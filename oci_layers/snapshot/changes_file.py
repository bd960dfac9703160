"""The changes of one layer of a room as a file, beside the directory that has them: what the directory should hold.

A line is a JSON array: a path and what became of it. Paths and attributes are text in which bytes that are not UTF-8
are lone surrogates, as Python's `surrogateescape` makes them. The paths are those of the merged tree, with no link to
follow; a directory comes before what is in it, and a file before further names of it. So one pass makes the tree above
of the tree below, and nothing on the disk is read for it.

    ["etc", "dir", 493, 0, 0, 1700000000000000000, {}]
    ["etc/motd", "file", 420, 0, 0, 1700000000000000000, {}, 3, "text", "bGl0"]
    ["etc/issue", "file", 420, 0, 0, 0, {}, 70, "sha256", "9f86...", null]
    ["etc/motd.old", "whiteout"]

A small file has its bytes in base64; another one its SHA-256 and, if it has holes, the pieces between them. Where a
node has metadata of Windows, `[xattrs, words]` with the words of `tree.dump` stands for the attributes.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Protocol, assert_never

import attrs

from oci_layers.errors import StoreError
from oci_layers.layer.overlay import escaped
from oci_layers.snapshot.overlay import NAMESPACE
from oci_layers.tree.content import EMPTY, Content, Inline
from oci_layers.tree.dump import parse_fields, parse_windows, windows_words
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import NO_XATTRS, Device, Directory, Fifo, File, Node, Symlink
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = [
    "SMALL",
    "ContentOpener",
    "StoredContent",
    "apply_lines",
    "link_line",
    "node_line",
    "stored_files",
    "whiteout_line",
]

_DAMAGED = (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, RecursionError)
SMALL = 64
"""The most bytes of a file that are in its line."""


@attrs.frozen
class StoredContent:
    """What a line has of the bytes of a file that is not small."""

    size: int
    sha256: str
    """In lower-case hex, of the bytes with zeros for holes."""
    extents: tuple[tuple[int, int], ...] | None = None


class ContentOpener(Protocol):
    """Returns the content of a file of a layer that is in a room, by its path there."""

    def __call__(self, path: bytes, stored: StoredContent, /) -> Content:
        """Return the content."""
        ...


def node_line(path: bytes, node: Node, content: StoredContent | Inline = EMPTY) -> str:
    """Return the line of a node at a path, with its line end; `content` is what is known of the bytes of a file."""
    content_fields = _content(content) if isinstance(node, File) else ""
    return f"[{_quoted(path)},{_fields(node)}{content_fields}]\n"


def link_line(path: bytes, target: bytes) -> str:
    """Return the line of another name of the file at `target`, with its line end."""
    return f'[{_quoted(path)},"link",{_quoted(target)}]\n'


def whiteout_line(path: bytes) -> str:
    """Return the line of a name that is removed, with its line end."""
    return f'[{_quoted(path)},"whiteout"]\n'


def _fields(node: Node) -> str:
    """Return the kind of a node and its attributes as items of JSON. Written out, as there is one for each file."""
    xattrs = "{}"
    if node.xattrs:
        xattrs = json.dumps({_text(key): base64.b64encode(value).decode() for key, value in node.xattrs.items()})
    if node.windows is not None:
        xattrs = f"[{xattrs},{json.dumps(list(windows_words(node.windows)))}]"
    common = f"{node.mode},{node.uid},{node.gid},{node.mtime_ns},{xattrs}"
    match node:
        case Directory():
            return f'"dir",{common}'
        case File():
            return f'"file",{common}'
        case Symlink():
            return f'"symlink",{common},{_quoted(node.target)}'
        case Device():
            return f'"{node.kind}",{common},{node.major},{node.minor}'
        case Fifo():
            return f'"fifo",{common}'
        case _:
            assert_never(node)


def _content(content: StoredContent | Inline) -> str:
    if isinstance(content, Inline):
        return f',{content.size},"text","{base64.b64encode(content.data).decode()}"'
    extents = "null" if content.extents is None else json.dumps(content.extents)
    return f',{content.size},"sha256","{content.sha256}",{extents}'


def _quoted(raw: bytes) -> str:
    """Return bytes as a string of JSON."""
    return encode_basestring_ascii(_text(raw))


def apply_lines(
    lines: Iterable[bytes], tree: FileTree, *, layer: int, opener: ContentOpener, place: str, upper: bool = False
) -> None:
    """Apply the changes of a layer of a room to the tree of the layers below, in place.

    Args:
        lines: The lines of the file.
        tree: The tree below.
        layer: The number of the layer, which its nodes get.
        opener: Returns the content of a file that is not small.
        place: The name of the file in errors.
        upper: Whether the tree, which is empty, becomes that of the directory itself, in overlay form.

    Raises:
        StoreError: A line is damaged, or is not one over this tree.
        LimitError: The tree becomes larger than its limits allow.
    """
    editor = TreeEditor(tree, layer=layer, follow=False)
    for number, line in enumerate(lines, 1):
        try:
            _apply(editor, json.loads(line), layer, opener, upper=upper)
        except _DAMAGED as error:
            raise StoreError(place, f"line {number} is damaged") from error


def stored_files(lines: Iterable[bytes], place: str) -> Iterator[tuple[bytes, File, StoredContent]]:
    """Yield the path, the node without its content, and the content of each file that is not small.

    Raises:
        StoreError: A line is damaged; `place` is the name of the file.
    """
    found: list[StoredContent] = []

    def opener(_: bytes, stored: StoredContent) -> Content:
        found.append(stored)
        return EMPTY

    for number, line in enumerate(lines, 1):
        if b'"sha256"' in line:
            try:
                row = json.loads(line)
                path = _bytes(row[0])
                node = _node(path, row[1], row, 0, opener)
            except _DAMAGED as error:
                raise StoreError(place, f"line {number} is damaged") from error
            if isinstance(node, File) and found:
                yield path, node, found.pop()
            found.clear()


def _apply(
    editor: TreeEditor,
    row: list[Any],  # Any: JSON
    layer: int,
    opener: ContentOpener,
    *,
    upper: bool,
) -> None:
    path, kind = _bytes(row[0]), row[1]
    if not path:
        node = _shown(_node(b"", kind, row, layer, opener), upper=upper)
        if not isinstance(node, Directory):
            raise ValueError("the root is a directory")
        editor.describe_root(node)
        return
    parent, name = parent_and_name(path)
    here = editor.open_parent(parent)
    if kind == "whiteout":
        if upper:
            editor.put(here, name, Device(0, 0, 0, 0))
        else:
            editor.drop(here, name)
    elif kind == "link":
        target = editor.find(_bytes(row[2]))
        if target is None:
            raise ValueError("the target of the link does not exist")
        editor.link(target, here, name)
    else:
        editor.put(here, name, _shown(_node(path, kind, row, layer, opener), upper=upper))


def _shown(node: Node, *, upper: bool) -> Node:
    """Return a node as it is in the directory, with `upper`; otherwise itself."""
    return escaped(node, NAMESPACE) if upper else node


def _node(path: bytes, kind: str, row: list[Any], layer: int, opener: ContentOpener) -> Node:  # Any: JSON
    mode, uid, gid, mtime_ns, texts, *rest = row[2:]
    windows = None
    if isinstance(texts, list):
        texts, words = texts
        windows = parse_windows(parse_fields(words))
    xattrs: Mapping[bytes, bytes] = NO_XATTRS
    if texts:
        xattrs = {_bytes(key): base64.b64decode(value, validate=True) for key, value in texts.items()}
    match kind:
        case "dir":
            return Directory(mode, uid, gid, mtime_ns, xattrs, layer, windows=windows)
        case "file":
            size, form, value, *extents = rest
            content: Content = EMPTY
            if form == "sha256":
                pieces = None if extents[0] is None else tuple((start, length) for start, length in extents[0])
                content = opener(path, StoredContent(size, value, pieces))
            elif size:
                content = Inline(base64.b64decode(value, validate=True))
            return File(mode, uid, gid, mtime_ns, xattrs, layer, content=content, windows=windows)
        case "symlink":
            return Symlink(uid, gid, mtime_ns, xattrs, layer, target=_bytes(rest[0]), windows=windows)
        case "char" | "block":
            major, minor = rest
            return Device(
                mode,
                uid,
                gid,
                mtime_ns,
                xattrs,
                layer,
                kind="char" if kind == "char" else "block",
                major=major,
                minor=minor,
                windows=windows,
            )
        case "fifo":
            return Fifo(mode, uid, gid, mtime_ns, xattrs, layer, windows=windows)
        case _:
            raise ValueError(f"unknown kind of node {kind!r}")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
