"""The changes of a layer for Windows out of a transport folder, as `transport` writes it or Windows exports it.

A folder that Windows exports has no lists of ours: what only they can tell is then absent.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from oci_layers.errors import LayerError, UnsupportedError, shortened
from oci_layers.layer.change import Add, Change, Link, Whiteout
from oci_layers.layer.windows_name import is_outside
from oci_layers.tree.content import EMPTY
from oci_layers.tree.dump import parse_time
from oci_layers.tree.fold import fold
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, join
from oci_layers.tree.tree import FileTree
from oci_layers.windows.backup import decode_backup
from oci_layers.windows.content import Part
from oci_layers.windows.meta import json_lines, parse_node, parse_text, read_list
from oci_layers.windows.transport import (
    ATTRIBUTES,
    FIRST_LINE,
    NODES,
    ROOTS,
    SAVED,
    STEPS,
    TOMBSTONES,
    WCIDIRS,
    is_plain,
)

__all__ = ["from_transport"]

_RECYCLE_BIN = b"Files/$Recycle.Bin"
_MOST_LIST = 64 << 20
"""The most bytes of a file that lists names."""

JSON = Mapping[str, Any]  # Any: JSON
T = TypeVar("T")


def from_transport(tree: FileTree) -> Iterator[Change]:
    """Yield the changes of the layer in a folder, each directory before what is in it, whiteouts at the end.

    Links to files of the layers below come first, so that they do not lead to files of the layer. The recycle bin of a
    folder that Windows has exported is left out.

    Args:
        tree: The folder, as `disk.scan` returns it, for example.

    Raises:
        LayerError: The folder lacks the list of what is removed, or a list or a file in it is malformed.
        UnsupportedError: A reparse point that is no link.
    """
    nodes = {_path(NODES, value, "path"): value for value in _lines(tree, NODES)}
    links: dict[bool, list[Change]] = {True: [], False: []}
    removed = list(_tombstones(tree))
    for step in _lines(tree, STEPS):
        if step.get("step") == "link":
            link = Link(_path(STEPS, step, "path"), _path(STEPS, step, "target"))
            links[step.get("in") == "parents"].append(link)
        elif step.get("step") == "remove":
            removed.append(_path(STEPS, step, "path"))
            if is_outside(removed[-1]):
                raise LayerError(STEPS, "a step removes what is neither in Files nor in UtilityVM/Files")
    yield from links[True]
    yield from _nodes(tree, nodes)
    yield from links[False]
    yield from map(Whiteout, removed)


def _nodes(tree: FileTree, lines: Mapping[bytes, JSON]) -> Iterator[Change]:
    first: dict[tuple[int, bool], bytes] = {}
    joined: list[Link] = []
    for path, node in _walk(tree):
        leader = path if isinstance(node, Directory) else first.setdefault((node.inode, is_plain(path)), path)
        if leader != path:
            joined.append(Link(path, leader))
            continue
        line = lines.get(path, {"windows": {}})
        if "implied" not in line:
            yield Add.of(path, _checked(path, functools.partial(_node, tree, path, node, line)))
    for path, line in lines.items():
        if "target" in line and is_plain(path):
            yield Add.of(path, _checked(path, functools.partial(_plain, line, None, 0)))
    yield from joined


def _walk(tree: FileTree) -> Iterator[tuple[bytes, Node]]:
    """Yield the paths and nodes of the folder that are those of the layer."""
    stack: list[tuple[bytes, Node]] = []
    for root in reversed(ROOTS):
        top = tree.at(root)
        if isinstance(top, Directory):
            stack.append((root, top))
    is_exported = tree.at(NODES) is None
    while stack:
        path, node = stack.pop()
        yield path, node
        if not isinstance(node, Directory):
            continue
        for name in sorted(node.children, reverse=True):
            below = join(path, name)
            if not name.endswith(WCIDIRS) and not (is_exported and below == _RECYCLE_BIN):
                stack.append((below, node.children[name]))


def _node(tree: FileTree, path: bytes, node: Node, line: JSON) -> Node:
    """Return the node of the layer that is at a path of the folder, with what its line says."""
    if not is_plain(path):
        file = tree.at(path + WCIDIRS) if isinstance(node, Directory) else node
        if not isinstance(file, File):
            raise LayerError(path, "there is no file with the metadata of the directory, or it is no file")
        return _transported(file, line, is_directory=isinstance(node, Directory))
    if isinstance(node, Directory):
        return _plain(line, None, node.mtime_ns)
    saved = tree.at(SAVED[fold(path)]) if fold(path) in SAVED else None
    file = node if saved is None else saved
    if not isinstance(file, File):
        raise LayerError(path, "neither a file nor a directory")
    return _plain(line, file, node.mtime_ns)


def _plain(line: JSON, file: File | None, mtime_ns: int) -> Node:
    """Return a node whose metadata are in its line alone; `file` has its contents."""
    written = parse_time(str(line["written"])) if "written" in line else mtime_ns
    node = parse_node(line, None if file is None else file.content, written)
    if "descriptor_of_sddl" in line and node.windows is not None:
        node.windows = attrs.evolve(node.windows, security_descriptor=None)
    return node


def _transported(file: File, line: JSON, *, is_directory: bool) -> Node:
    """Return a node whose metadata are before its contents, and, what is left of them, in its line."""
    attributes = int.from_bytes(b"".join(Part(file.content, 0, ATTRIBUTES).chunks()), "little")
    back = decode_backup(file.content, ATTRIBUTES)
    content = None if is_directory and back.target is None else back.content or EMPTY
    node = parse_node({key: value for key, value in line.items() if key != "target"}, content, file.mtime_ns)
    said = node.windows
    if said is not None:
        node.windows = attrs.evolve(
            back.windows,
            security_descriptor=None if "descriptor_of_sddl" in line else back.windows.security_descriptor,
            attributes=None if "no_attributes" in line else attributes,
            sddl=said.sddl,
            created_ns=said.created_ns,
            accessed_ns=said.accessed_ns,
            changed_ns=said.changed_ns,
            is_junction=back.windows.is_junction or said.is_junction,
        )
    if back.target is None:
        return node
    return Symlink(node.uid, node.gid, node.mtime_ns, node.xattrs, target=back.target, windows=node.windows)


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
    except (ValueError, AttributeError) as error:
        raise LayerError(path, f"its line in {NODES.decode()} is malformed: {error}") from None


def _path(name: bytes, value: JSON, key: str) -> bytes:
    """Return the path that a line has in a member."""
    try:
        return clean(parse_text(value, key))
    except ValueError as error:
        raise LayerError(name, f"a line is malformed: {error}") from None


def _lines(tree: FileTree, name: bytes) -> Iterator[JSON]:
    """Return the objects of a list of ours, which a folder that Windows exports does not have."""
    return json_lines(tree, name, _MOST_LIST) if name in tree.root.children else iter(())


def _tombstones(tree: FileTree) -> Iterator[bytes]:
    first, *lines = read_list(tree, TOMBSTONES, _MOST_LIST).splitlines() or [b""]
    if first != FIRST_LINE:
        raise LayerError(TOMBSTONES, "the list does not begin with its version, 1.0")
    for line in lines:
        if not line.startswith(b"\\") or len(line) < 2:
            raise LayerError(TOMBSTONES, "a line does not begin with a backslash and a name")
        yield join(ROOTS[0], clean(line.replace(b"\\", b"/")))
