r"""A layer for Windows as the folder that ImportLayer takes and ExportLayer gives (hcsshim, legacy layers), and back.

    Files\a\f                   the attributes of the file, four bytes, and its backup stream
    Files\a, Files\a.$wcidirs$  a directory, empty or not, and the attributes and backup stream of the directory
    UtilityVM\Files\x           a file of the utility virtual machine, as those below Files
    Hives\x                     the contents of a hive, with nothing before them
    tombstones.txt              what the layer removes, one path a line, below Files
    layerchain.json             where the layers below are, the nearest first; left out for a base
    oci-layers.jsonl            what none of these has: hard links, times other than the last write, and the rest

The time of the last write is that of each file. The last file has one JSON object a line: `path` and metadata; `path`
and `link`, since Windows makes hard links only when the layer is imported; or `path` and `removed`, for what is removed
from the utility virtual machine. That has no layers: whoever imports the folder makes a copy of the one below, and
changes it as the folder says. What Windows itself makes of a folder (virtual disks, merged hives, reparse points of its
filter, `bcd.bak`) is not here.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from oci_layers.errors import LayerError, UnsafePathError, UnsupportedError, shortened
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.windows_apply import is_stream
from oci_layers.layer.windows_name import file_and_stream
from oci_layers.report import Skipped
from oci_layers.tree.content import EMPTY, Content, Inline
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import DIRECTORY, WindowsMetadata
from oci_layers.windows.backup import decode_backup, encode_backup
from oci_layers.windows.content import Joined, Part
from oci_layers.windows.meta import parse_number, parse_text, parse_windows, text_json, windows_json

__all__ = ["from_transport", "to_transport"]

_FILES, _HIVES, _MACHINE = b"Files", b"Hives", b"UtilityVM"
_WCIDIRS = b".$wcidirs$"
_TOMBSTONES, _CHAIN, _REST = b"tombstones.txt", b"layerchain.json", b"oci-layers.jsonl"
_FIRST_LINE = b"\xef\xbb\xbfVersion 1.0"
_RECYCLE_BIN = b"Files/$Recycle.Bin"
_ATTRIBUTES = 4
_MOST_LIST = 64 << 20
"""The most bytes of a file that lists names."""

OnSkip = Callable[[Skipped], None]


def to_transport(changes: Iterable[Change], *, parents: Sequence[str] = (), skip: OnSkip | None = None) -> FileTree:
    r"""Return the folder of a layer; contents are read when those of the folder are.

    Args:
        changes: The changes of the layer, as `decode(..., windows=True)` yields them.
        parents: Where the layers below are on Windows (`C:\...`), the nearest first; none for a base.
        skip: Called with what is not in the folder: names beside the three roots, and whiteouts of hives.

    Raises:
        LayerError: A device or pipe, an opaque marker, or metadata that a backup stream cannot hold.
        UnsafePathError: A name that a folder has for itself.
    """
    writer = _Writer(skip or _ignore)
    for change in changes:
        writer.take(change)
    return writer.folder(parents)


def _ignore(_: Skipped) -> None:
    """Ignore what is left out."""


class _Writer:
    """Collects the nodes of a layer, with their streams, and what goes to the lists."""

    def __init__(self, skip: OnSkip) -> None:
        self.skip = skip
        self.nodes: dict[bytes, Node] = {}
        self.removed: list[bytes] = []
        self.rest: list[dict[str, Any]] = []  # Any: JSON

    def take(self, change: Change) -> None:
        """Collect a change."""
        if isinstance(change, Opaque):
            raise LayerError(change.path, "Windows knows no opaque marker")
        top = change.path.partition(b"/")[0].partition(b":")[0]
        if top not in {_FILES, _HIVES, _MACHINE} or (isinstance(change, Whiteout) and top == _HIVES):
            self.skip(Skipped("windows-root", change.path, 0, None, "only Windows can change it"))
        elif isinstance(change, Whiteout) and top == _MACHINE:
            self.rest.append(text_json("path", change.path) | {"removed": True})
        elif isinstance(change, Whiteout):
            if b"\n" in change.path or b"\r" in change.path:
                raise LayerError(change.path, "the name has a line end")
            self.removed.append(change.path)
        elif isinstance(change, Link):
            self.rest.append(text_json("path", change.path) | text_json("link", change.target))
        elif is_stream(change):
            self.stream(change)
        else:
            self.nodes[change.path] = change.node

    def stream(self, change: Add) -> None:
        """Give the node of a stream the stream."""
        path, name = file_and_stream(change.path)
        node = self.nodes.get(path)
        if node is None or not isinstance(change.node, File):
            raise LayerError(change.path, "the stream does not follow its file")
        windows = (node.windows or WindowsMetadata()).with_stream(name, change.node.content)
        self.nodes[path] = attrs.evolve(node, windows=windows)

    def folder(self, parents: Sequence[str]) -> FileTree:
        """Return the folder."""
        tree = FileTree()
        editor = TreeEditor(tree)
        for path in sorted(self.nodes, key=lambda path: path.split(b"/")):
            self.put(editor, path, self.nodes[path])
        lines = [_FIRST_LINE, *(b"\\" + path[len(_FILES) + 1 :].replace(b"/", b"\\") for path in self.removed)]
        lists = {_TOMBSTONES: b"".join(line + b"\n" for line in lines)}
        if parents:
            lists[_CHAIN] = json.dumps([*parents], separators=(",", ":")).encode()
        rest = (json.dumps(value, sort_keys=True) + "\n" for value in self.rest)
        lists[_REST] = "".join(rest).encode()
        for name, data in lists.items():
            editor.put(editor.open_parent(b""), name, File(0o644, 0, 0, 0, content=Inline(data)))
        return tree

    def put(self, editor: TreeEditor, path: bytes, node: Node) -> None:
        """Put a node into the folder, after the directories above it."""
        parent, name = parent_and_name(path)
        if parent and parent not in self.nodes:
            self.nodes[parent] = Directory(0, 0, 0, node.mtime_ns)
            self.put(editor, parent, self.nodes[parent])
        if name.endswith(_WCIDIRS):
            raise UnsafePathError(path, "a transport folder has such names for itself")
        if not isinstance(node, File | Directory | Symlink):
            raise LayerError(path, "an image for Windows has no devices and pipes")
        here = editor.open_parent(parent)
        file = File(0o644, 0, 0, node.mtime_ns)
        if _is_directory(node):
            editor.put(here, name, Directory(0o755, 0, 0, node.mtime_ns))
            name += _WCIDIRS
        is_hive = path.startswith(_HIVES + b"/") and isinstance(node, File)
        file.content = node.content if is_hive and isinstance(node, File) else _transported(path, node)
        editor.put(here, name, file)
        rest = _rest(node, is_hive=is_hive)
        if rest:
            self.rest.append(text_json("path", path) | rest)


def _is_directory(node: Node) -> bool:
    """Return whether a node is a directory, or a link to one."""
    attributes = None if node.windows is None else node.windows.attributes
    return isinstance(node, Directory) or (isinstance(node, Symlink) and bool((attributes or 0) & DIRECTORY))


def _transported(path: bytes, node: Node) -> Content:
    attributes = None if node.windows is None else node.windows.attributes
    if attributes is None:
        attributes = DIRECTORY if isinstance(node, Directory) else 0
    try:
        return Joined((Inline(attributes.to_bytes(_ATTRIBUTES, "little")), encode_backup(node)))
    except LayerError as error:
        error.path = path
        raise


def _rest(node: Node, *, is_hive: bool) -> dict[str, Any]:  # Any: JSON
    """Return what the folder does not say of a node, as JSON: `plain` if it has no metadata of Windows at all."""
    value: dict[str, Any] = {key: number for key in ("mode", "uid", "gid") if (number := getattr(node, key))}
    if isinstance(node, Symlink):
        del value["mode"]
    windows = node.windows
    if windows is None:
        return value | {"plain": True}
    if is_hive:
        return value | windows_json(windows)
    if windows.attributes is None:
        value["unsaid"] = True
    return value | windows_json(
        WindowsMetadata(
            sddl=windows.sddl,
            created_ns=windows.created_ns,
            accessed_ns=windows.accessed_ns,
            changed_ns=windows.changed_ns,
        )
    )


def from_transport(tree: FileTree) -> Iterator[Change]:
    """Yield the changes of the layer in a folder: directories before what is in them, then links, then whiteouts.

    Args:
        tree: The folder, as `disk.scan` returns it, for example.

    Raises:
        LayerError: The folder lacks the list of what is removed, or a list or a file in it is malformed.
        UnsupportedError: A reparse point that is no link.
    """
    rest = dict(_lines(tree))
    removed = list(_tombstones(tree))
    yield from _nodes(tree, rest)
    for path, value in rest.items():
        if "link" in value:
            yield Link(path, clean(_checked(path, functools.partial(parse_text, value, "link"))))
    yield from map(Whiteout, removed)
    yield from (Whiteout(path) for path, value in rest.items() if "removed" in value)


def _nodes(tree: FileTree, rest: Mapping[bytes, Mapping[str, Any]]) -> Iterator[Change]:  # Any: JSON
    stack = [top for top in (_MACHINE, _HIVES, _FILES) if isinstance(tree.at(top), Directory)]
    while stack:
        path = stack.pop()
        node = tree.at(path)
        is_directory = isinstance(node, Directory)
        file = tree.at(path + _WCIDIRS) if is_directory else node
        if not isinstance(file, File):
            raise LayerError(path, "there is no file with the metadata of the directory, or it is no file")
        make = functools.partial(_node, path, file, rest.get(path, {}), is_directory=is_directory)
        found = _checked(path, make)
        yield Add.of(path, found)
        if isinstance(node, Directory) and isinstance(found, Directory):
            names = (path + b"/" + name for name in node.children if not name.endswith(_WCIDIRS))
            stack += sorted((each for each in names if each != _RECYCLE_BIN), reverse=True)


def _node(path: bytes, file: File, rest: Mapping[str, Any], *, is_directory: bool) -> Node:  # Any: JSON
    mode, uid, gid = (parse_number(rest, key) for key in ("mode", "uid", "gid"))
    said = None if "plain" in rest else parse_windows(rest)
    if path.startswith(_HIVES + b"/") and not is_directory:
        return File(mode, uid, gid, file.mtime_ns, content=file.content, windows=said)
    attributes = int.from_bytes(b"".join(Part(file.content, 0, _ATTRIBUTES).chunks()), "little")
    back = decode_backup(file.content, _ATTRIBUTES)
    windows = None
    if said is not None:
        windows = attrs.evolve(
            back.windows,
            attributes=None if "unsaid" in rest else attributes,
            sddl=said.sddl,
            created_ns=said.created_ns,
            accessed_ns=said.accessed_ns,
            changed_ns=said.changed_ns,
        )
    if back.target is not None:
        return Symlink(uid, gid, file.mtime_ns, target=back.target, windows=windows)
    if is_directory:
        return Directory(mode, uid, gid, file.mtime_ns, windows=windows)
    return File(mode, uid, gid, file.mtime_ns, content=back.content or EMPTY, windows=windows)


T = TypeVar("T")


def _checked(path: bytes, make: Callable[[], T]) -> T:
    """Return what `make` returns; give its errors the path."""
    try:
        return make()
    except LayerError as error:
        error.path = path
        raise
    except UnsupportedError as error:
        error.add_note(f"at {shortened(path)}")
        raise
    except ValueError as error:
        raise LayerError(path, f"its line in {_REST.decode()} is malformed: {error}") from None


def _list(tree: FileTree, name: bytes) -> bytes | None:
    node = tree.at(name)
    if node is None:
        return None
    if not isinstance(node, File):
        raise LayerError(name, "not a file")
    if node.content.size > _MOST_LIST:
        raise LayerError(name, f"it has {node.content.size} bytes, at most {_MOST_LIST} are possible")
    return b"".join(node.content.chunks())


def _lines(tree: FileTree) -> Iterator[tuple[bytes, dict[str, Any]]]:  # Any: JSON
    for line in (_list(tree, _REST) or b"").splitlines():
        try:
            value = json.loads(line)
            yield clean(parse_text(value, "path")), value
        except (ValueError, AttributeError, RecursionError) as error:
            raise LayerError(_REST, f"a line is malformed: {error}") from None


def _tombstones(tree: FileTree) -> Iterator[bytes]:
    data = _list(tree, _TOMBSTONES)
    if data is None:
        raise LayerError(_TOMBSTONES, "the folder lacks the list of what the layer removes")
    first, *lines = data.splitlines() or [b""]
    if first != _FIRST_LINE:
        raise LayerError(_TOMBSTONES, "the list does not begin with its version, 1.0")
    for line in lines:
        if not line.startswith(b"\\") or len(line) < 2:
            raise LayerError(_TOMBSTONES, "a line does not begin with a backslash and a name")
        path = clean(line.replace(b"\\", b"/"))
        yield join(_FILES, path)
