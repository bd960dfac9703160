"""`oci-layers ls`, `cat` and `tree`: look inside an image without unpacking it."""

import argparse
import sys
from collections.abc import Iterator

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import counted, json_text, long_line, node_json, print_json
from oci_layers.errors import IsDirectoryError, PathError, escape
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import clean, join, parent_and_name, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs to the command."""
    ls = verbs.add_parser("ls", help="list a directory of the merged file system")
    image_arguments(ls, policy=True)
    ls.add_argument("path", metavar="PATH", nargs="?", default="/")
    ls.add_argument("-l", "--long", action="store_true", help="mode, owner, size and time as well")
    ls.add_argument("-R", "--recursive", action="store_true", help="all that is below, by full path")
    ls.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    ls.set_defaults(run=_ls)
    cat = verbs.add_parser("cat", help="print a file of the merged file system")
    image_arguments(cat, policy=True)
    cat.add_argument("path", metavar="PATH")
    cat.set_defaults(run=_cat)
    tree = verbs.add_parser("tree", help="draw the merged file system")
    image_arguments(tree, policy=True)
    tree.add_argument("path", metavar="PATH", nargs="?", default="/")
    tree.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    tree.set_defaults(run=_tree)


def _ls(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy):
        tree = image.tree(policy=policy)
    found = _listed(tree, to_bytes(options.path), recursive=options.recursive)
    if options.format == "text":
        for path, node in found:
            name = escape(b"/" + path if options.recursive else parent_and_name(path)[1] or b"/")
            sys.stdout.write((long_line(name, node) if options.long else name) + "\n")
    else:
        _print_nodes(found, options.format)
    return 0


def _listed(tree: FileTree, path: bytes, *, recursive: bool) -> Iterator[tuple[bytes, Node]]:
    """Yield what `ls` shows: what is in a directory, or else the thing itself. A link to a directory leads there."""
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


def _print_nodes(nodes: Iterator[tuple[bytes, Node]], style: str) -> None:
    if style == "json":
        print_json([node_json(path, node) for path, node in nodes])
        return
    for path, node in nodes:
        sys.stdout.write(json_text(node_json(path, node)) + "\n")


def _cat(options: argparse.Namespace) -> int:
    path = to_bytes(options.path)
    with opened(options) as (image, policy):
        node = image.tree(policy=policy).require(path, follow=True)
        if isinstance(node, Directory):
            raise IsDirectoryError(path)
        if not isinstance(node, File):
            raise PathError(path, "not a regular file")
        for chunk in node.content.chunks():
            sys.stdout.buffer.write(chunk)
    return 0


def _tree(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy):
        tree = image.tree(policy=policy)
    path = to_bytes(options.path)
    if options.format != "text":
        _print_nodes(_listed(tree, path, recursive=True), options.format)
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
