"""What layers must make, by the oracle; and what of it the spec leaves open.

The oracle shares no code with the engine. Which questions a stack raises that the spec does not answer, `lint` knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import attrs

from oci_layers.lint.linter import Linter
from oci_layers.report import LayerFinding
from oci_layers.tar.entry import HARDLINK, SYMLINK, Entry
from oci_layers.testing.oracle import Add, Change, Link, Node, Opaque, Whiteout, changes, follow, merge
from oci_layers.tree.content import Inline
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Device, Directory, Fifo, File, Symlink
from oci_layers.tree.node import Node as TreeNode
from oci_layers.tree.path import clean, join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Expectation", "LayerFacts", "Question", "is_at_or_below", "tree_of"]

_OPEN = {
    "duplicate": "EDGE-15",
    "file-as-directory": "EDGE-10",
    "order": "EDGE-13c",
    "nothing-opaque": "EDGE-06",
    "nothing-hidden": "EDGE-07b",
    "climbing-name": "EDGE-18",
    "climbing-link": "EDGE-12c",
    "link-metadata": "EDGE-13",
    "forward-link": "EDGE-14b",
    "no-target": "EDGE-14e",
    "refused": "EDGE-14e",
    "odd-marker": "EDGE-24",
    "aufs": "AUF-01",
    "whiteout-of-marker": "EDGE-23",
    "bad-marker": "EDGE-20",
    "marker-as-directory": "EDGE-25",
    "overlay-whiteout": "ATT-11",
    "overlay-xattr": "ATT-03",
    "negative-time": "ATT-08",
    "owner-range": "EDGE-37",
    "contiguous": "EDGE-32",
    "sparse": "EDGE-34",
    "global-header": "EDGE-33",
}
"""The rules of `lint` that say that a layer raises a question, and the question (`testing.cases.questions`)."""


_THERE = ("missing", "unexpected", "type")
_ONLY: Mapping[str, tuple[str, ...]] = {
    "ATT-02": ("xattrs",),
    "ATT-04": ("xattrs",),
    "ATT-08": ("mtime",),
    "EDGE-06": _THERE,
    "EDGE-07b": _THERE,
}
"""What the answers to some questions are about, if not about everything at their paths."""


@attrs.frozen
class Question:
    """A question that the spec leaves open, and the paths whose outcome depends on the answer."""

    id: str
    paths: frozenset[bytes]

    def is_about(self, path: bytes, what: str) -> bool:
        """Return whether the outcome at a path depends on the answer, in what differs there."""
        if what not in _ONLY.get(self.id, (what,)):
            return False
        return any(is_at_or_below(path, each) or is_at_or_below(each, path) for each in self.paths)


@attrs.frozen
class LayerFacts:
    """One layer, with all paths as they are resolved in the tree below."""

    before: Mapping[bytes, Node]
    after: Mapping[bytes, Node]
    adds: Mapping[bytes, Node | None]
    """The names that it describes, and the file; None for a hard link."""
    whiteouts: frozenset[bytes]
    opaques: frozenset[bytes]

    def marker_of(self, path: bytes) -> Whiteout | Opaque | None:
        """Return a marker of the layer that hides what lower layers have at a path."""
        for each in sorted(self.whiteouts):
            if is_at_or_below(path, each):
                return Whiteout(*parent_and_name(each))
        for each in sorted(self.opaques):
            if path != each and is_at_or_below(path, each):
                return Opaque(each)
        return None

    @property
    def directories_of_markers(self) -> frozenset[bytes]:
        """The directories that the markers are in."""
        return self.opaques | {parent_and_name(path)[0] for path in self.whiteouts}

    def has(self, path: bytes) -> bool:
        """Return whether the layer describes or implies a path."""
        return any(is_at_or_below(each, path) for each in self.adds)

    def changes_children(self, directory: bytes) -> bool:
        """Return whether the layer makes, replaces or removes a name in a directory."""
        names = {*self.adds, *self.whiteouts, *(path for path in self.before if self.marker_of(path))}
        names |= {path for path in self.after if self.has(path) and path not in self.before}
        return any(
            path and parent_and_name(path)[0] == directory and not self._only_described(path)
            for path in names
            if path in self.adds or path in self.before or path in self.after
        )

    def _only_described(self, path: bytes) -> bool:
        before, after = self.before.get(path), self.after.get(path)
        return before is not None and after is not None and before.kind == after.kind == "dir"


class Expectation:
    """What a stack of entries must make; RefusedError is raised at once if it makes nothing."""

    def __init__(self, layers: Sequence[Sequence[Entry]]) -> None:
        self._entries = layers
        trees = [dict(merge([]))]
        for layer in layers:
            trees.append(merge([layer], lower=trees[-1]))
        self.facts: Mapping[bytes, Node] = trees[-1]
        self._trees = trees

    @cached_property
    def tree(self) -> FileTree:
        """The tree, whose implicit directories are those that no entry describes."""
        return tree_of(self.facts)

    @cached_property
    def layers(self) -> list[LayerFacts]:
        """The layers, the lowest first."""
        return [
            _layer_facts(changes(layer), self._trees[number], self._trees[number + 1])
            for number, layer in enumerate(self._entries)
        ]

    @cached_property
    def touched(self) -> frozenset[bytes]:
        """Described directories in which a layer without an entry for them changes a name: their time is open."""
        found = set()
        for path, node in self.facts.items():
            if node.kind == "dir" and not node.implied:
                for layer in reversed(self.layers):
                    if path in layer.adds:
                        break
                    if layer.changes_children(path):
                        found.add(path)
        return frozenset(found)

    @cached_property
    def questions(self) -> list[Question]:
        """The questions that the stack raises, in the order of its entries."""
        return list(self._questions())

    def _questions(self) -> Iterator[Question]:
        lower = FileTree()
        for number, layer in enumerate(self._entries):
            linter = Linter(lower=lower, layer=number)
            found = [finding for entry in layer for finding in linter.look(entry)]
            found += linter.end()
            lower = linter.tree
            facts = self.layers[number]
            for finding in found:
                id_ = _OPEN.get(finding.rule)
                if finding.rule in {"nothing-hidden", "nothing-opaque"}:
                    if not self._has_directory(facts, finding):
                        yield Question(_OPEN[finding.rule], frozenset({_directory_of_marker(finding)}))
                elif id_ is not None:
                    yield Question(id_, self._paths(facts, finding.location.path))
            for entry in layer:
                path = clean(entry.name)
                asked = list(_asked(entry))
                if follow({**facts.before, **facts.after}, parent_and_name(path)[0])[1]:
                    asked.append("EDGE-12")
                if entry.type == HARDLINK and clean(entry.linkname, clamp=True) not in facts.adds:
                    asked.append("EDGE-13")
                for id_ in asked:
                    yield Question(id_, self._paths(facts, path))

    def _has_directory(self, layer: LayerFacts, finding: LayerFinding) -> bool:
        """Return whether the directory of a whiteout is there, so that only the name is missing."""
        if finding.rule == "nothing-opaque":
            return False
        directory = layer.before.get(_directory_of_marker(finding))
        return directory is not None and directory.kind == "dir"

    def _paths(self, layer: LayerFacts, path: bytes) -> frozenset[bytes]:
        """Return a path as it is named, as it is resolved, and the other names of the file."""
        parent, name = parent_and_name(path)
        end, links = follow({**layer.before, **layer.after}, parent)
        found = {path, join(end, name), *links}
        for each in list(found):
            node = self.facts.get(each)
            if node is not None and node.kind != "dir":
                found |= {other for other, same in self.facts.items() if same is node}
        return frozenset(found)


def _directory_of_marker(finding: LayerFinding) -> bytes:
    path = finding.location.path
    return path if finding.rule == "nothing-opaque" else parent_and_name(path)[0]


def _asked(entry: Entry) -> Iterator[str]:
    """Yield the questions that an entry raises by itself and that `lint` does not ask."""
    if entry.type == HARDLINK and (entry.linkname.startswith(b"/") or b"//" in entry.linkname):
        yield "EDGE-14c"
    if not all(entry.xattrs.values()):
        yield "ATT-02"
    if entry.type == SYMLINK and entry.xattrs:
        yield "ATT-04"


def _layer_facts(layer: Sequence[Change], before: Mapping[bytes, Node], after: Mapping[bytes, Node]) -> LayerFacts:
    lower, upper = dict(before), dict(after)
    adds: dict[bytes, Node | None] = {}
    whiteouts, opaques = set(), set()
    for change in layer:
        match change:
            case Add(path, node):
                adds[_resolved(upper, path)] = node
            case Link(path, _):
                adds[_resolved(upper, path)] = None
            case Whiteout(directory, name):
                whiteouts.add(join(follow(lower, directory)[0], name))
            case Opaque(directory):
                opaques.add(follow(lower, directory)[0])
    return LayerFacts(before, after, adds, frozenset(whiteouts), frozenset(opaques))


def _resolved(tree: dict[bytes, Node], path: bytes) -> bytes:
    parent, name = parent_and_name(path)
    return join(follow(tree, parent)[0], name)


def is_at_or_below(path: bytes, directory: bytes) -> bool:
    """Return whether a path is a directory, or below it."""
    return path == directory or not directory or path.startswith(directory + b"/")


def tree_of(facts: Mapping[bytes, Node]) -> FileTree:
    """Return a tree of the oracle as a `FileTree`."""
    tree = FileTree()
    merge_into = TreeEditor(tree)
    first: dict[Node, bytes] = {}
    for path, node in sorted(facts.items()):
        made = _tree_node(node)
        if not path:
            if not node.implied:
                assert isinstance(made, Directory)
                merge_into.describe_root(made)
            continue
        here = merge_into.open_parent(parent_and_name(path)[0])
        name = parent_and_name(path)[1]
        leader = first.setdefault(node, path)
        if node.kind != "dir" and leader != path:
            found = merge_into.find(leader)
            assert found is not None
            merge_into.link(found, here, name)
        else:
            merge_into.put(here, name, made)
    return tree


def _tree_node(node: Node) -> TreeNode:
    common = (node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs)
    match node.kind:
        case "dir":
            return Directory(*common, implicit=node.implied)
        case "file":
            return File(*common, content=Inline(node.data))
        case "symlink":
            return Symlink(*common[1:], target=node.data)
        case "char" | "block":
            major, minor = node.device or (0, 0)
            return Device(*common, kind=node.kind, major=major, minor=minor)
        case "fifo":
            return Fifo(*common)
