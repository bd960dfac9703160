"""A subset of a tree: some paths, everything below them, and their parent directories."""

from collections.abc import Callable, Iterable, Iterator

import attrs

from oci_layers.tar.entry import Entry
from oci_layers.tree.editor import Mirror, TreeEditor
from oci_layers.tree.node import Directory, File
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Contents", "select_paths", "write_tree"]

Contents = Callable[[Iterable[tuple[bytes, File]]], Iterator[tuple[bytes, File, Entry | None]]]
"""Takes files and yields each once, under one of its names, with the entry that holds its content, in stream order."""


def select_paths(tree: FileTree, paths: Iterable[bytes]) -> FileTree:
    """Return a tree of everything at or below `paths` in `tree`; links are followed only in the parents of `paths`.

    Raises:
        PathError: One of `paths` does not exist.
    """
    chosen: set[bytes] = set()
    for path in paths:
        found = tree.resolve(path)
        found.require(path)
        chosen.update(each for each, _ in tree.walk(path))
        parent = found.path
        while parent:
            parent, _ = parent_and_name(parent)
            chosen.add(parent)
    part = FileTree(limits=tree.limits, drives=tree.drives)
    merge = TreeEditor(part)
    first: dict[int, bytes] = {}
    for path in sorted(chosen):
        node = tree.require(path)
        if isinstance(node, Directory):
            node = attrs.evolve(node, children={})
            if not path:
                merge.describe_root(node)
                continue
        parent, name = parent_and_name(path)
        here = merge.open_parent(parent)
        if isinstance(node, Directory):
            merge.put(here, name, node)
            continue
        target = merge.find(first.setdefault(node.inode, path))
        if target is None:
            merge.put(here, name, attrs.evolve(node))
        else:
            merge.link(target, here, name)
    return part


def write_tree(tree: FileTree, mirror: Mirror, contents: Contents) -> None:
    """Write all of `tree` to the mirror's empty directory, in one pass over the contents."""
    files: list[tuple[bytes, File]] = []
    names: dict[int, list[bytes]] = {}
    first: dict[int, bytes] = {}
    links = []
    for path, node in tree.walk():
        parent, name = parent_and_name(path)
        if isinstance(node, File):
            files.append((path, node))
            names.setdefault(node.inode, []).append(path)
        elif isinstance(node, Directory):
            if path:
                mirror.make(parent, name, node, None)
        elif first.setdefault(node.inode, path) != path:
            links.append((first[node.inode], parent, name, node))
        else:
            mirror.make(parent, name, node, None)
    for path, file, entry in contents(files):
        parent, name = parent_and_name(path)
        mirror.make(parent, name, file, None if entry is None else entry.pieces())
        for other in names[file.inode]:
            if other != path:
                parent, name = parent_and_name(other)
                mirror.link(path, parent, name, file)
    for link in links:
        mirror.link(*link)
