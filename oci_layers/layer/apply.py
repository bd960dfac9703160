"""Merge the changes of one layer into a tree, in one pass and in any order of the entries.

Theory of operation. `Application` receives changes, which `decode` makes from tar entries, and merges each at once into
`tree` with a `tree.editor.TreeEditor`, which lays one node over another. All decisions depend on the tree alone; a
mirror, such as a directory on disk, only repeats the steps. `lower` is a fork of the tree as it was before the layer.

A marker (whiteout or opaque marker) removes what lower layers have and never what its own layer adds, wherever it is in
the tar (WHT-06, WHT-07, WHT-11). Five invariants make one pass enough:

* `upper` has all names that this layer has written, with their ancestors, and a marker removes only names that are not
  in it. So a marker before an entry and a marker after it give the same tree: the lower content is removed, the entry
  exists.
* `cleared` has the directories from which markers have removed all lower content. They cannot get any back within the
  layer, so they are not searched again: the work stays linear, however many markers repeat each other.
* The path of a marker is resolved in `lower`, so neither the links of this layer nor its other markers redirect it.
* `late` has the markers whose paths lead through a link of a lower layer. They are applied at the end of the layer: if
  the layer has replaced that link, such as by a directory with an opaque marker in it, nothing lower is in it, and the
  target of the link stays.
* `deferred` has the hard links whose targets do not exist yet, if the policy allows them; they are made at the end.

One case depends on order: a layer that removes a lower name which its own entries use, as the target of a hard link or
as a link in their paths. Such a layer is applied in tar order. The order check: if a name was used and removed, or may
have been, the layer is applied twice more to forks of `lower`, its markers first and its markers last; the rule `order`
is reported if either gives another tree.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

import attrs

from oci_layers.errors import LayerError, LimitError, LinkError, TarFormatError, shortened
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.policy import Policy
from oci_layers.layer.rules import layer_finding
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.report import LayerFinding
from oci_layers.tree.content import Content, Inline
from oci_layers.tree.editor import Mirror, Parent, TreeEditor, check_link, copy_attributes
from oci_layers.tree.node import Directory, Leaf, Node, Symlink, implicit_directory
from oci_layers.tree.path import check_limits, join, parent_and_name
from oci_layers.tree.pathset import PathSet
from oci_layers.tree.tree import FileTree

__all__ = ["Application", "apply"]


def apply(
    changes: Iterable[Change],
    tree: FileTree,
    *,
    layer: int = 0,
    mirror: Mirror | None = None,
    policy: Policy | None = None,
    on_finding: Callable[[LayerFinding], None] | None = None,
) -> None:
    """Merge one layer's changes into `tree`, and repeat each step on `mirror`.

    Args:
        changes: What `decode.decode` yields; read once, one at a time.
        tree: The layers below, merged; changed in place, within its own limits. After an error it holds part of this
            layer: apply to a `fork()` to keep the original.
        layer: The number of this layer, for findings and for directories that it implies.
        mirror: Receives every step, such as a `disk.mirror.DirectoryMirror`.
        policy: What to do where the spec leaves a choice.
        on_finding: Called with each finding.

    Raises:
        LinkError: A hard link to a name that does not exist, or a loop of links.
        LayerError: Another change that the policy refuses.
        LimitError: A resolved path that is too long or too deep; too many directories that paths imply.
        TarFormatError: The archive ends inside the content of a file; raised, as LimitError is, under every policy.
    """
    application = Application(tree, layer, mirror, policy or Policy(), on_finding)
    for change in changes:
        application.take(change)
    application.end()


class Application:
    """Applies one layer to a tree, change by change; `apply` documents the arguments.

    The module docstring explains `lower`, `upper` (resolved names), `cleared`, `late` and `deferred` (by path as
    named). `described` are the directories that have entries of their own. `used` has the lower names that entries
    depend on, `markers` the markers so far, `marked` the same at resolved paths; `disputed` are the names that are used
    and removed, `doubtful` is the first name that may depend on more than `used` shows, `kept` has the changes for the
    order check. `turn` is the caller's label of the present change, which is set again while a waiting change is
    applied or reported at the end.
    """

    def __init__(
        self,
        tree: FileTree,
        layer: int,
        mirror: Mirror | None,
        policy: Policy,
        on_finding: Callable[[LayerFinding], None] | None,
    ) -> None:
        self.lower = tree.fork()
        self.tree = tree
        self.layer = layer
        self.policy = policy
        self.on_finding = on_finding
        self.merge = TreeEditor(tree, mirror=mirror, layer=layer, follow=policy.parents == "follow")
        self.upper = PathSet()
        self.described: set[bytes] = set()
        self.cleared: set[Directory] = set()
        self.deferred: dict[bytes, tuple[object, Link]] = {}
        self.late: list[tuple[object, Whiteout | Opaque]] = []
        self.turn: object = None
        self.used = PathSet()
        self.markers = PathSet()
        self.marked = PathSet()
        self.disputed: dict[bytes, object] = {}
        self.doubtful: tuple[object, bytes] | None = None
        self.kept: _Kept | None = _Kept() if self.lower.root.children else None

    def take(self, change: Change) -> None:
        """Merge the next change; raises as `apply` does."""
        if self.kept is not None:
            self.kept.add(change)
        try:
            match change:
                case Add():
                    self.add(change)
                case Link():
                    self.link(change)
                case Whiteout() | Opaque():
                    self.remove(change)
                case _:
                    assert_never(change)
        except LayerError as error:
            self.doubtful = self.doubtful or (self.turn, change.path)
            if self.policy.refused == "error" or isinstance(error, TarFormatError):
                raise
            self.report("refused", change.path, error.reason)

    def end(self) -> None:
        """Apply what waits: late markers, then deferred links, in rounds, as one may be the target of another."""
        kept, self.kept = self.kept, None
        for turn, marker in self.late:
            self.turn = turn
            self.remove(marker, late=True)
        for _ in range(self.tree.limits.links + 1):
            waiting, self.deferred = self.deferred, {}
            for turn, link in waiting.values():
                self.turn = turn
                self.take(link)
            if len(self.deferred) == len(waiting):
                break
        for turn, link in self.deferred.values():
            self.turn = turn
            error = _no_target(link)
            if self.policy.refused == "error":
                raise error
            self.report("refused", link.path, error.reason)
        if (self.disputed or self.doubtful is not None) and kept is not None and self.depends_on_order(kept):
            for path, turn in self.disputed.items():
                self.turn = turn
                self.report("order", path, "the layer uses this and removes it: read in tar order")
            if not self.disputed and self.doubtful is not None:
                self.turn, path = self.doubtful
                self.report("order", path, "the layer removes what this needs: read in tar order")

    def depends_on_order(self, kept: "_Kept") -> bool:
        """Return whether the layer gives another tree if its markers come first, or last."""
        changes = kept.changes()
        markers: list[Change] = [change for change in changes if isinstance(change, Whiteout | Opaque)]
        others: list[Change] = [change for change in changes if not isinstance(change, Whiteout | Opaque)]
        orders = ([*markers, *others], [*others, *markers]) if markers else ()
        trees = map(self.again, orders)
        return any(tree is None or not self.tree.is_like(tree, _from_one_entry) for tree in trees)

    def again(self, changes: Iterable[Change]) -> FileTree | None:
        """Return the lower layers with `changes` applied; None if a change is refused."""
        tree = self.lower.fork()
        other = Application(tree, self.layer, None, self.policy, None)
        other.kept = None
        try:
            for change in changes:
                other.take(change)
            other.end()
        except (LayerError, LimitError):
            return None
        return tree

    def report(self, what: str, path: bytes, detail: str = "") -> None:
        """Report a finding."""
        if self.on_finding is not None:
            self.on_finding(layer_finding(what, path, self.layer, detail))

    def report_suspicious(self, what: str, path: bytes, detail: str) -> None:
        """Report a suspicious but legal change, or raise if the policy refuses it."""
        if self.policy.suspicious == "error":
            self.merge.forget()  # Resolve the path again for later entries, to refuse them too.
            raise LayerError(path, detail)
        self.report(what, path, detail)

    def report_climbing_link(self, link: bytes) -> None:
        """Report a link that leads above the root, or raise if the policy refuses it."""
        self.report_suspicious("climbing-link", link, "the link leads above the root")

    def add(self, change: Add) -> None:
        """Put a node of this layer into the tree."""
        path, node = change.path, change.node
        if isinstance(node, Directory) or node.inode:
            node = _fresh(node)
        if not path:
            assert isinstance(node, Directory)
            if path in self.described:
                self.duplicate(path)
            self.described.add(path)
            self.merge.describe_root(node)
            return
        if self.deferred:
            self.cancel_deferred(path)
        here, name = self.enter(path)
        self.record(here, name, described=isinstance(node, Directory))
        self.merge.put(here, name, node, change.data)

    def link(self, change: Link) -> None:
        """Make a hard link, now or at the end of the layer."""
        self.cancel_deferred(change.path)
        target = self.find(change)
        self.handle_events()
        if target is None:
            if self.policy.forward_links == "defer":
                self.doubtful = self.doubtful or (self.turn, change.path)
                self.deferred[change.path] = self.turn, change
                return
            raise _no_target(change)
        parent, _ = parent_and_name(change.path)
        if self.merge.blocking_path(parent) == target[0]:
            raise LinkError(change.path, "a hard link to a file that it uses as a directory")
        here, name = self.enter(change.path)
        check_link(target[0], join(here.path, name))
        if target[0] not in self.upper:
            self.use(target[0])
        self.record(here, name)
        self.merge.link(target, here, name)

    def find(self, change: Link) -> tuple[bytes, Leaf] | None:
        """Return the resolved path and the node of the target of a link; None if nothing exists there."""
        try:
            return self.merge.find(change.target)
        except LinkError as error:
            raise LinkError(change.path, f"{error.reason}: {_shown(change.target)}") from None

    def cancel_deferred(self, path: bytes) -> None:
        """Drop a deferred link of this name: the last entry of a name wins."""
        if self.deferred.pop(path, None) is not None:
            self.duplicate(path)

    def enter(self, path: bytes) -> tuple[Parent, bytes]:
        """Return the parent directory of `path`, made where it is missing, and the last component."""
        parent, name = parent_and_name(path)
        here = self.merge.open_parent(parent)
        if self.merge.events:
            self.handle_events()
        if here.path != parent:
            check_limits(join(here.path, name), self.tree.limits)
        return here, name

    def record(self, here: Parent, name: bytes, *, described: bool = False) -> None:
        """Add a name to the upper set, and report one that the layer has twice."""
        names = self.upper.enter(here.path)
        if described or name in names:
            path = join(here.path, name)
            old = here.directory.children.get(name)
            if path in self.described or (name in names and not (described and isinstance(old, Directory))):
                self.duplicate(path)
            if described:
                self.described.add(path)
        names.setdefault(name, None)

    def duplicate(self, path: bytes) -> None:
        """Report a name that the layer has twice, or raise if the policy refuses it."""
        if self.policy.duplicates == "error":
            raise LayerError(path, "the layer has this name twice (LYR-02)")
        self.report("duplicate", path)

    def handle_events(self) -> None:
        """Process the events recorded while paths were resolved."""
        events = self.merge.events.copy()
        self.merge.events.clear()
        for note in events:
            match note.what:
                case "followed":
                    if note.path not in self.upper:
                        self.use(note.path)
                case "passed":
                    self.doubtful = self.doubtful or (self.turn, note.path)
                case "climbed":
                    self.report_climbing_link(note.path)
                case "replaced":
                    self.report_suspicious(
                        "file-as-directory", note.path, "a file is used as a directory, and is replaced by one"
                    )
                case "implied":
                    if self.policy.parents == "follow" and isinstance(self.lower.at(note.path), Symlink):
                        self.use(note.path)
                case _:
                    assert_never(note.what)

    def use(self, path: bytes) -> None:
        """Record that an entry depends on what lower layers have at a resolved path."""
        self.used.add(path)
        above = path
        while above:
            above, name = parent_and_name(above)
            markers = self.marked.within(above) or ()
            if PREFIX + name in markers or OPAQUE_NAME in markers:
                self.disputed[path] = self.turn
                return

    def mark(self, parent: bytes, marker: bytes, removed: bytes) -> None:
        """Record a marker in a resolved directory, and what it removes."""
        self.marked.add(join(parent, marker))
        if self.used.within(removed) or (marker != OPAQUE_NAME and removed in self.used):
            self.disputed[removed] = self.turn

    def remove(self, marker: Whiteout | Opaque, *, late: bool = False) -> None:
        """Apply a marker, or defer it if its path leads through a link and it is not `late`."""
        path, name = parent_and_name(marker.path) if isinstance(marker, Whiteout) else (marker.path, b"")
        if not late:
            self.note_marker(join(path, PREFIX + name if name else OPAQUE_NAME))
        found = self.merge.resolve(path, self.lower.root)
        if found.followed and not late:
            if found.escaped_root is not None:
                self.report_climbing_link(found.escaped_root)
            self.late.append((self.turn, marker))
            return
        if found.rest or (name and name not in found.directories[-1].children):
            self.report("nothing-hidden", marker.path)
        elif not any(link in self.upper for link in found.followed):
            directory = b"/".join(found.names)
            if isinstance(marker, Whiteout):
                self.whiteout(directory, name)
            else:
                self.opaque(directory)

    def note_marker(self, path: bytes) -> None:
        """Record a marker, and report one that the layer has twice."""
        if path in self.markers:
            self.duplicate(path)
        self.markers.add(path)

    def whiteout(self, parent: bytes, name: bytes) -> None:
        """Remove what lower layers have at a name in a resolved directory."""
        resolved = join(parent, name)
        self.mark(parent, PREFIX + name, resolved)
        here = self.merge.known_directory(parent)
        node = None if here is None else here.directory.children.get(name)
        if here is None or node is None:
            return  # Already removed.
        if resolved not in self.upper:
            self.merge.drop(here, name)
        elif isinstance(node, Directory):
            below = Parent(resolved, self.tree.writable_child(here.directory, name))
            self.clear(below)
            self.forget_lower(below)

    def opaque(self, directory: bytes) -> None:
        """Remove what lower layers have in a resolved directory."""
        self.mark(directory, OPAQUE_NAME, directory)
        here = self.merge.known_directory(directory)
        if here is not None:
            self.clear(here)

    def clear(self, here: Parent) -> None:
        """Remove all lower content from a directory, at any depth; names in the upper set stay."""
        stack = [here]
        while stack:
            here = stack.pop()
            if here.directory in self.cleared:
                continue
            self.cleared.add(here.directory)
            names = self.upper.within(here.path) or ()
            for name in sorted(here.directory.children):
                if name not in names:
                    self.merge.drop(here, name)
                elif isinstance(here.directory.children[name], Directory):
                    below = Parent(join(here.path, name), self.tree.writable_child(here.directory, name))
                    stack.append(below)
                    self.forget_lower(below)

    def forget_lower(self, here: Parent) -> None:
        """Give a directory that this layer only implied the attributes that it has if nothing is below it."""
        if here.path not in self.described:
            copy_attributes(here.directory, implicit_directory(self.layer))


class _Kept:
    """The changes of a layer without contents, to apply them again.

    An `Add` is kept as its path and its node, which are in the tree anyway: two references and no other object.
    """

    def __init__(self) -> None:
        self._paths: list[bytes] = []
        self._items: list[Node | Link | Whiteout | Opaque] = []

    def add(self, change: Change) -> None:
        self._paths.append(change.path)
        self._items.append(change.node if isinstance(change, Add) else change)

    def changes(self) -> list[Change]:
        return [
            item if isinstance(item, Link | Whiteout | Opaque) else Add(path, item)
            for path, item in zip(self._paths, self._items, strict=True)
        ]


def _fresh(node: Node) -> Node:
    """Return a copy of a node, so that one change can be applied to several trees."""
    if isinstance(node, Directory):
        return Directory(node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs, node.layer)
    return attrs.evolve(node)


def _from_one_entry(one: Content, other: Content) -> bool:
    """Return whether contents are the same, without reading any; equal contents of two entries may differ here."""
    return one is other or (isinstance(one, Inline) and one == other)


def _no_target(link: Link) -> LinkError:
    return LinkError(link.path, f"no file {_shown(link.target)} to link to")


def _shown(path: bytes) -> str:
    return f"'{shortened(path) or '/'}'"
