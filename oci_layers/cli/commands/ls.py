"""`oci-layers ls`: list a directory of the merged file system, or what one layer has."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any, assert_never

from oci_layers.cli.options import image_arguments, opened, require_layer
from oci_layers.cli.output import json_text, long_line, node_json, path_json, print_json
from oci_layers.cli.progress import progress
from oci_layers.errors import escape
from oci_layers.image.image import Image
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.policy import Policy
from oci_layers.tree.content import NOWHERE
from oci_layers.tree.node import Directory, Node
from oci_layers.tree.path import clean, join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["add", "listed", "print_nodes"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("ls", help="list a directory of the merged file system")
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH", nargs="?", default="/")
    parser.add_argument("-l", "--long", action="store_true", help="mode, links, owner, size and time as well")
    parser.add_argument("-R", "--recursive", action="store_true", help="all that is below, by full path")
    parser.add_argument(
        "--layer",
        type=int,
        metavar="N",
        help="what this layer alone has at or below PATH, by full path, whiteouts included; 0 is the lowest",
    )
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_ls)


def _ls(options: argparse.Namespace) -> int:
    path = to_bytes(options.path)
    if options.layer is not None:
        with opened(options) as (image, policy):
            changes = list(_changes(image, options.layer, clean(path, clamp=True), policy))
        _print_changes(changes, options)
        return 0
    with opened(options) as (image, policy), progress(options.progress) as show:
        tree = image.tree(policy=policy, progress=show)
    found = listed(tree, path, recursive=options.recursive)
    if options.format == "text":
        for path, node in found:
            name = escape(b"/" + path if options.recursive else parent_and_name(path)[1] or b"/")
            sys.stdout.write((long_line(name, node, tree.link_count(node)) if options.long else name) + "\n")
    else:
        print_nodes(found, tree, options.format)
    return 0


def _changes(image: Image, number: int, path: bytes, policy: Policy) -> Iterator[Change]:
    """Yield what a layer does at or below a path, in the order of its archive."""
    require_layer(number, len(image.layers))
    below = path + b"/" if path else b""
    for change in image.layers[number].changes(policy=policy, source=NOWHERE):
        if change.path == path or change.path.startswith(below):
            yield change


def _print_changes(changes: list[Change], options: argparse.Namespace) -> None:
    if options.format == "json":
        print_json([_change_json(change, options.layer) for change in changes])
        return
    for change in changes:
        if options.format == "jsonl":
            line = json_text(_change_json(change, options.layer))
        else:
            line = _change_line(change, long=options.long)
        sys.stdout.write(line + "\n")


def _change_line(change: Change, *, long: bool) -> str:
    name = escape(b"/" + change.path)
    match change:
        case Add():
            return long_line(name, change.node, 1) if long else name
        case Link():
            what = f"hard link to {escape(b'/' + change.target)}"
        case Whiteout():
            what = "removed"
        case Opaque():
            what = "emptied of what lower layers have"
        case _:
            assert_never(change)
    return f"{'-' * 10} {name} ({what})" if long else f"{name} ({what})"


def _change_json(change: Change, layer: int) -> dict[str, Any]:  # Any: JSON
    path = path_json(b"/" + change.path)
    match change:
        case Add():
            return node_json(change.path, change.node)
        case Link():
            return {**path, "type": "hardlink", **path_json(b"/" + change.target, "link_to"), "layer": layer}
        case Whiteout():
            return {**path, "type": "whiteout", "layer": layer}
        case Opaque():
            return {**path, "type": "opaque", "layer": layer}
        case _:
            assert_never(change)


def listed(tree: FileTree, path: bytes, *, recursive: bool) -> Iterator[tuple[bytes, Node]]:
    """Yield the children of a directory, sorted, or anything else itself. A link to a directory is followed."""
    found = tree.resolve(path, follow=True)
    if not isinstance(found.node, Directory):
        found = tree.resolve(path)
    node = found.require(path)
    if recursive:
        everything = tree.walk(found.path)
        if isinstance(node, Directory):
            next(everything)
        yield from everything
    elif isinstance(node, Directory):
        for name in sorted(node.children):
            yield join(found.path, name), node.children[name]
    else:
        yield found.path, node


def print_nodes(nodes: Iterator[tuple[bytes, Node]], tree: FileTree, style: str) -> None:
    """Print nodes of a tree as one JSON array, or as one JSON object per line."""
    rows = (node_json(path, node) | _links_json(path, node, tree) for path, node in nodes)
    if style == "json":
        print_json(list(rows))
        return
    for row in rows:
        sys.stdout.write(json_text(row) + "\n")


def _links_json(path: bytes, node: Node, tree: FileTree) -> dict[str, Any]:  # Any: JSON
    """Return the number of names of a file and, but for the first of them, the first."""
    if isinstance(node, Directory):
        return {}
    names = sorted(tree.link_names(node.inode)) or [path]
    return {"nlink": len(names), **(path_json(b"/" + names[0], "link_to") if names[0] != path else {})}
