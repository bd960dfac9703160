"""Edits of a tree: what a person does with files, hard links above all.

An `Edit` is a value that knows nothing of a tree, so that the same edits may be made in several trees; one that is not
possible in a tree is left out there.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import attrs
from hypothesis import strategies as st

from oci_layers.layer.change import Add
from oci_layers.layer.decode import decode
from oci_layers.tar.entry import Entry
from oci_layers.testing.notation import layer_lines
from oci_layers.testing.strategies.name import Names, few_names, path_table
from oci_layers.testing.strategies.row import KINDS, MARKERS, Feature, Kind, rows
from oci_layers.tree.content import Inline
from oci_layers.tree.dump import escape
from oci_layers.tree.editor import Parent, TreeEditor
from oci_layers.tree.node import Directory, File, Node
from oci_layers.tree.tree import FileTree

__all__ = ["Edit", "edit_lists", "edited", "edits"]

_Draw = Callable[[st.SearchStrategy[Any]], Any]  # Any: whatever a strategy draws

_PUT: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in MARKERS and kind != "link")


@attrs.frozen(repr=False)
class Edit:
    """One edit.

    `put` lays an entry over a path, with the directories above; `drop` removes what is there; `link` makes the path
    another name of the file at `target`; `copy` gives a file an inode of its own; `change` sets attributes, and for a
    file its content.
    """

    what: Literal["put", "drop", "link", "copy", "change"]
    path: bytes
    entry: Entry | None = None
    target: bytes = b""
    attributes: Mapping[str, Any] = attrs.field(factory=dict)  # Any: fields of a node

    def __repr__(self) -> str:
        words = [self.what, escape(self.path) or "/"]
        if self.entry is not None:
            words[1:] = layer_lines([self.entry])
        words += [escape(self.target)] if self.target else []
        words += [f"{key}={value!r}" for key, value in self.attributes.items()]
        return f"<{' '.join(words)}>"

    def apply(self, tree: FileTree) -> None:
        """Make the edit in a tree, unless it is not possible."""
        here = self.path and tree.at(self.path)
        match self.what:
            case "change":
                _change(tree, self.path, self.attributes)
            case "put":
                assert self.entry is not None
                _put(tree, self.path, self.entry)
            case "link":
                _link(tree, self.path, self.target)
            case "drop" | "copy" if isinstance(here, Node):
                _at(tree, self.path, here, drop=self.what == "drop")
            case _:
                pass


_ATTRIBUTES: tuple[tuple[Feature | None, Mapping[str, Any]], ...] = (  # Any: fields of a node
    (None, {"content": Inline(b"")}),
    (None, {"content": Inline(b"x")}),
    (None, {"content": Inline(b"y")}),
    *(("modes", {"mode": mode}) for mode in (0o644, 0o755, 0o4711, 0)),
    *(("owners", {"uid": uid}) for uid in (0, 1000)),
    ("owners", {"gid": 5}),
    *(("times", {"mtime_ns": time}) for time in (0, 1, 10**9, 5 * 10**9 + 1)),
    *(("xattrs", {"xattrs": xattrs}) for xattrs in ({}, {b"user.k": b"w"}, {b"user.k": b"v"})),
)


def edit_lists(
    *,
    edits: tuple[int, int] = (0, 12),
    kinds: Collection[Kind] = _PUT,
    names: Names | None = None,
    depth: int = 3,
    features: Collection[Feature] = ("modes", "owners", "times", "xattrs"),
) -> st.SearchStrategy[list[Edit]]:
    """Return a strategy of lists of edits, to be made in any tree.

    Args:
        edits: The fewest and the most edits.
        kinds: The kinds of what is put.
        names: The names that paths are made of, or a strategy of names, of which each list takes three.
        depth: The most names of a path.
        features: What files may have: `modes`, `owners`, `times`, `xattrs`.
    """
    few = few_names(names)
    if isinstance(few, tuple):
        return _lists(few, edits, tuple(kinds), depth, frozenset(features))
    return few.flatmap(lambda drawn: _lists(drawn, edits, tuple(kinds), depth, frozenset(features)))


def edits(tree: FileTree, **options: Any) -> st.SearchStrategy[FileTree]:  # Any: the options of `edit_lists`
    """Return a strategy of trees that are edits of `tree`; they share what is not touched. Options as `edit_lists`."""
    return edit_lists(**options).map(lambda found: edited(tree, found))


def edited(tree: FileTree, edits: Iterable[Edit]) -> FileTree:
    """Return a fork of a tree with some edits; those that are not possible are left out."""
    fork = tree.fork()
    for edit in edits:
        edit.apply(fork)
    return fork


def _lists(
    names: tuple[bytes, ...], edits: tuple[int, int], kinds: tuple[Kind, ...], depth: int, features: frozenset[Feature]
) -> st.SearchStrategy[list[Edit]]:
    table = path_table(names, depth)
    paths, puts = st.sampled_from(table), st.sampled_from(rows(kinds, features, names))
    attributes = st.sampled_from([fields for feature, fields in _ATTRIBUTES if feature is None or feature in features])

    @st.composite
    def edit(draw: _Draw) -> Edit:
        what = draw(st.sampled_from(("put", "drop", "link", "copy", "change")))
        path: bytes = draw(paths)
        match what:
            case "put":
                return Edit(what, path, entry=draw(puts).entry(path))
            case "link":
                return Edit(what, path, target=draw(paths))
            case "change":
                return Edit(what, draw(st.just(path) | st.just(b"")), attributes=draw(attributes))
            case _:
                return Edit(what, path)

    return st.lists(edit(), min_size=edits[0], max_size=edits[1])


def _change(tree: FileTree, path: bytes, attributes: Mapping[str, Any]) -> None:  # Any: fields of a node
    here = tree.at(path)
    # The kernel allows attributes of users on files and directories alone, and links have no mode.
    kinds = (File, Directory) if {"xattrs", "mode"} & attributes.keys() else (object,)
    if isinstance(here, kinds) and all(hasattr(here, key) for key in attributes):
        TreeEditor(tree, follow=False).change(path, **attributes)


def _put(tree: FileTree, path: bytes, entry: Entry) -> None:
    editor = TreeEditor(tree, follow=False)
    parent, _, name = path.rpartition(b"/")
    for change in decode([entry]):
        assert isinstance(change, Add)
        editor.put(editor.open_parent(parent), name, change.node)


def _link(tree: FileTree, path: bytes, target: bytes) -> None:
    node = tree.at(target)
    inside = target.startswith(path + b"/") or path.startswith(target + b"/")
    if node is not None and not isinstance(node, Directory) and target != path and not inside:
        editor = TreeEditor(tree, follow=False)
        parent, _, name = path.rpartition(b"/")
        editor.link((target, node), editor.open_parent(parent), name)


def _at(tree: FileTree, path: bytes, here: Node, *, drop: bool) -> None:
    """Remove what is at a path, or put a copy of a file in its place."""
    editor = TreeEditor(tree, follow=False)
    parent, _, name = path.rpartition(b"/")
    at = editor.known_directory(parent)
    assert isinstance(at, Parent)
    if drop:
        editor.drop(at, name)
    elif not isinstance(here, Directory):
        editor.put(at, name, attrs.evolve(here))
