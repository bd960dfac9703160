"""`oci-layers ls`: list a directory of the merged file system."""

import argparse
import sys
from collections.abc import Iterator

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import json_text, long_line, node_json, print_json
from oci_layers.errors import escape
from oci_layers.tree.node import Directory, Node
from oci_layers.tree.path import join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["add", "listed", "print_nodes"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("ls", help="list a directory of the merged file system")
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH", nargs="?", default="/")
    parser.add_argument("-l", "--long", action="store_true", help="mode, owner, size and time as well")
    parser.add_argument("-R", "--recursive", action="store_true", help="everything below, with full paths")
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_ls)


def _ls(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy):
        tree = image.tree(policy=policy)
    found = listed(tree, to_bytes(options.path), recursive=options.recursive)
    if options.format == "text":
        for path, node in found:
            name = escape(b"/" + path if options.recursive else parent_and_name(path)[1] or b"/")
            sys.stdout.write((long_line(name, node) if options.long else name) + "\n")
    else:
        print_nodes(found, options.format)
    return 0


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


def print_nodes(nodes: Iterator[tuple[bytes, Node]], style: str) -> None:
    """Print nodes as one JSON array, or as one JSON object per line."""
    if style == "json":
        print_json([node_json(path, node) for path, node in nodes])
        return
    for path, node in nodes:
        sys.stdout.write(json_text(node_json(path, node)) + "\n")
