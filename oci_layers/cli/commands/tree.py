"""`oci-layers tree`: draw the merged file system."""

import argparse
import sys

from oci_layers.cli.commands.ls import listed, print_nodes
from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import counted
from oci_layers.cli.progress import progress
from oci_layers.errors import escape
from oci_layers.tree.node import Directory, Node, Symlink
from oci_layers.tree.path import clean, to_bytes

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("tree", help="draw the merged file system")
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH", nargs="?", default="/")
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_tree)


def _tree(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy), progress(options.progress) as show:
        tree = image.tree(policy=policy, progress=show)
    path = to_bytes(options.path)
    if options.format != "text":
        print_nodes(listed(tree, path, recursive=True), tree, options.format)
        return 0
    node = tree.require(path, follow=True)
    sys.stdout.write(escape(b"/" + clean(path, clamp=True)) + "\n")
    directories = files = 0
    stack = [(iter(_children(node)), "")]
    while stack:
        children, indent = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            continue
        name, node, last = child
        target = f" -> {escape(node.target)}" if isinstance(node, Symlink) else ""
        sys.stdout.write(f"{indent}{'└── ' if last else '├── '}{escape(name)}{target}\n")
        if isinstance(node, Directory):
            directories += 1
            stack.append((iter(_children(node)), indent + ("    " if last else "│   ")))
        else:
            files += 1
    sys.stdout.write(f"\n{counted(directories, 'directory', 'directories')}, {counted(files, 'file')}\n")
    return 0


def _children(node: Node) -> list[tuple[bytes, Node, bool]]:
    if not isinstance(node, Directory):
        return []
    names = sorted(node.children)
    return [(name, node.children[name], name == names[-1]) for name in names]
