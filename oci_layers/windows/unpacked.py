"""An unpacked image for Windows: what a Linux disk cannot hold of it, in `meta.jsonl`, and the tree of both again.

`meta.jsonl` is in the top directory. It has one JSON object a line for each name of the tree, parents first: `path`,
and of another name of a file the first one in `link`, or else all of the node (`meta`). So the directory and this file
have all of the tree, whatever the disk could not hold.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from oci_layers.errors import LayerError
from oci_layers.tree.dump import parse_time
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, parent_and_name
from oci_layers.tree.tree import FileTree
from oci_layers.windows.meta import json_lines, parse_node, parse_text, text_json, whole_json

__all__ = ["METADATA_FILE", "from_unpacked", "unpacked_lines"]

METADATA_FILE = b"meta.jsonl"
"""The name of the file that has what the disk cannot hold."""
_MOST_FILE = 1 << 30
"""The most bytes of `meta.jsonl` that are read."""

JSON = dict[str, Any]  # Any: JSON


def unpacked_lines(tree: FileTree) -> Iterator[tuple[bytes, Node, bytes]]:
    """Yield the path, the node and the line of each name of a tree, the root left out; reads the streams.

    Raises:
        LimitError: A stream has more than 64 MiB.
    """
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        if not path:
            continue
        leader = path if isinstance(node, Directory) else first.setdefault(node.inode, path)
        value = text_json("path", path)
        value |= whole_json(path, node, node.windows) if leader == path else text_json("link", leader)
        yield path, node, json.dumps(value, sort_keys=True).encode() + b"\n"


def from_unpacked(tree: FileTree) -> FileTree:
    """Return the tree of an image for Windows that was unpacked; contents are those of the directory.

    What has a line in `meta.jsonl` is as it says; what has none, and was made since, is as it is in the directory. A
    name that was removed since is left out.

    Args:
        tree: The directory, as `disk.scan` returns it.

    Raises:
        LayerError: There is no `meta.jsonl`, or a line of it is malformed.
    """
    made = FileTree(limits=tree.limits, windows=True)
    editor = TreeEditor(made)
    known: set[bytes] = {b"", METADATA_FILE}
    for number, value in enumerate(json_lines(tree, METADATA_FILE, _MOST_FILE), 1):
        try:
            path = clean(parse_text(value, "path"))
            known.add(path)
            _restore(editor, path, value, tree.at(path))
        except (ValueError, AttributeError) as error:
            if isinstance(error, LayerError):
                error.reason = f"line {number}: {error.reason}"
                raise
            raise LayerError(METADATA_FILE, f"line {number} is malformed: {error}") from None
    first: dict[int, bytes] = {}
    for path, node in tree.walk():
        if path not in known:
            _add(editor, path, node, first)
    return made


def _restore(editor: TreeEditor, path: bytes, value: JSON, there: Node | None) -> None:
    """Put the node of a line into the tree; `there` is what the directory has."""
    parent, name = parent_and_name(path)
    if not name:
        raise LayerError(METADATA_FILE, "a line names the root")
    if "link" in value:
        target = editor.find(clean(parse_text(value, "link")))
        if target is not None and (there is not None or isinstance(target[1], Symlink)):
            editor.link(target, editor.open_parent(parent), name)
        return
    node = _node(value, there)
    if node is not None:
        editor.put(editor.open_parent(parent), name, node)


def _node(value: Mapping[str, Any], there: Node | None) -> Node | None:  # Any: JSON
    if "target" not in value and not isinstance(there, Directory | File):
        return None  # A link may lead out of the drive, and then the directory has none.
    return parse_node(value, there.content if isinstance(there, File) else None, parse_time(str(value.get("written"))))


def _add(editor: TreeEditor, path: bytes, node: Node, first: dict[int, bytes]) -> None:
    """Put a node that has no line into the tree."""
    parent, name = parent_and_name(path)
    here = editor.open_parent(parent)
    if isinstance(node, Directory):
        editor.put(here, name, attrs.evolve(node, children={}))
        return
    target = editor.find(first.setdefault(node.inode, path))
    if target is None:
        editor.put(here, name, attrs.evolve(node))
    else:
        editor.link(target, here, name)
