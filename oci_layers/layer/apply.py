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

One case depends on order: a layer that removes a lower name which its own entries use. Such a layer is applied in tar
order, and `order` reports it.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

import attrs

from oci_layers.errors import LayerError, LimitError, LinkError, TarFormatError, shortened
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.order import OrderCheck, from_one_entry
from oci_layers.layer.policy import AnyPolicy, Policy
from oci_layers.layer.rules import layer_finding
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.layer.windows_apply import attach_stream, is_stream, spelled
from oci_layers.layer.windows_name import file_and_stream
from oci_layers.report import LayerFinding
from oci_layers.tree.editor import Mirror, Parent, TreeEditor, check_link, copy_attributes
from oci_layers.tree.fold import spelling
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
    policy: AnyPolicy = None,
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
    application = Application(tree, layer, mirror, Policy.of(policy), on_finding)
    for change in changes:
        application.take(change)
    application.end()


class Application:
    """Applies one layer to a tree, change by change; `apply` documents the arguments.

    The module docstring explains `lower`, `upper` (resolved names), `cleared`, `late` and `deferred` (by path as
    named). `described` are the directories that have entries of their own, `markers` the markers so far. `turn` is the
    caller's label of the present change, which is set again while a waiting change is applied or reported at the end.
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
        follow = policy.parents == "follow" and not tree.windows  # Windows follows no link when it imports a layer.
        self.merge = TreeEditor(tree, mirror=mirror, layer=layer, follow=follow)
        self.upper = PathSet()
        self.described: set[bytes] = set()
        self.cleared: set[Directory] = set()
        self.deferred: dict[bytes, tuple[object, Link]] = {}
        self.late: list[tuple[object, Whiteout | Opaque]] = []
        self.turn: object = None
        self.markers = PathSet()
        self.order = OrderCheck(keep=bool(self.lower.root.children))

    def take(self, change: Change) -> None:
        """Merge the next change; raises as `apply` does."""
        if self.order.is_keeping:
            self.order.keep(change)
        try:
            if self.tree.windows:
                change = self.spelled(change)
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
            self.order.doubt(change.path, self.turn)
            if self.policy.refused == "error" or isinstance(error, TarFormatError):
                raise
            self.report("refused", change.path, error.reason)

    def end(self) -> None:
        """Apply what waits: late markers, then deferred links, in rounds, as one may be the target of another."""
        self.order.is_keeping = False
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
        trees = map(self.again, self.order.orders())
        if any(tree is None or not self.tree.is_like(tree, from_one_entry) for tree in trees):
            for path, turn, message in self.order.findings():
                self.turn = turn
                self.report("order", path, message)

    def again(self, changes: Iterable[Change]) -> FileTree | None:
        """Return the lower layers with `changes` applied; None if a change is refused."""
        tree = self.lower.fork()
        other = Application(tree, self.layer, None, self.policy, None)
        other.order.discard()
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
        if self.tree.windows and is_stream(change):
            attach_stream(change, self.merge, is_new=file_and_stream(path)[0] in self.upper)
            return
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
                self.order.doubt(change.path, self.turn)
                self.deferred[change.path] = self.turn, change
                return
            raise _no_target(change)
        parent, _ = parent_and_name(change.path)
        if self.merge.blocking_path(parent) == target[0]:
            raise LinkError(change.path, "a hard link to a file that it uses as a directory")
        here, name = self.enter(change.path)
        check_link(target[0], join(here.path, name))
        if target[0] not in self.upper:
            self.order.use(target[0], self.turn)
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
        if self.tree.windows:
            self.respell(here, name)
        if described or name in names:
            path = join(here.path, name)
            old = here.directory.children.get(name)
            if path in self.described or (name in names and not (described and isinstance(old, Directory))):
                self.duplicate(path)
            if described:
                self.described.add(path)
        names.setdefault(name, None)

    def respell(self, here: Parent, name: bytes) -> None:
        """Remove what has the same name in another case, as the name will have this spelling."""
        old = spelling(here.directory.children, name)
        if old != name:
            self.compare(join(here.path, name), join(here.path, old))
            self.merge.drop(here, old)

    def spelled(self, change: Change) -> Change:
        """Return a change of a Windows layer with its paths as the tree spells them."""
        found = spelled(change, self.tree, self.lower)
        if isinstance(found, Add) and parent_and_name(found.path)[1] != parent_and_name(change.path)[1]:
            self.compare(change.path, found.path)
        return found

    def compare(self, path: bytes, old: bytes) -> None:
        """Report two names that are one on Windows, if the layer has both, or raise if the policy refuses it."""
        if old in self.upper:
            detail = f"one name with {_shown(old)} on Windows"
            if self.policy.duplicates == "error":
                raise LayerError(path, detail)
            self.report("folded-name", path, detail)

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
                        self.order.use(note.path, self.turn)
                case "passed":
                    self.order.doubt(note.path, self.turn)
                case "climbed":
                    self.report_climbing_link(note.path)
                case "replaced":
                    self.report_suspicious(
                        "file-as-directory", note.path, "a file is used as a directory, and is replaced by one"
                    )
                case "implied":
                    if self.policy.parents == "follow" and isinstance(self.lower.at(note.path), Symlink):
                        self.order.use(note.path, self.turn)
                case _:
                    assert_never(note.what)

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
        self.order.mark(parent, PREFIX + name, resolved, self.turn)
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
        self.order.mark(directory, OPAQUE_NAME, directory, self.turn)
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


def _fresh(node: Node) -> Node:
    """Return a copy of a node, so that one change can be applied to several trees."""
    if isinstance(node, Directory):
        return Directory(node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs, node.layer, windows=node.windows)
    return attrs.evolve(node)


def _no_target(link: Link) -> LinkError:
    return LinkError(link.path, f"no file {_shown(link.target)} to link to")


def _shown(path: bytes) -> str:
    return f"'{shortened(path) or '/'}'"
