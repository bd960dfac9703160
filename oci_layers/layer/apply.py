"""Merge the changes of one layer into a tree: lower and upper, and in what order.

A whiteout or an opaque marker removes what lower layers have and never what its own layer adds, wherever it stands in
the tar (WHT-06, WHT-07, WHT-11). So the names that this layer has written, with their ancestors, are kept as the
*upper set*, and a marker removes only what is not in it. What a marker has once cleared of lower content cannot get any
back within the layer, so it is not searched again: the work stays linear, however many markers repeat each other.

One case cannot be free of order: a layer that makes, removes or replaces a name which it also follows, as the target of
a hard link or as a link in a path to what it removes. It is read in tar order, and reported.

How one node is laid over another is `tree.merge`; what an entry means is `changeset`. What happens is decided on the
tree alone, so that a disk never has to know any of this.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

import attrs

from oci_layers.errors import LayerError, LinkError, TarFormatError
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.policy import Policy
from oci_layers.report import Finding
from oci_layers.tree.merge import Merge, Mirror, Place, check_link, describe
from oci_layers.tree.names import Names
from oci_layers.tree.node import Directory, Node, Symlink, implicit_directory
from oci_layers.tree.path import check_limits, join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["Application", "apply"]


def apply(
    changes: Iterable[Change],
    tree: FileTree,
    *,
    layer: int = 0,
    mirror: Mirror | None = None,
    policy: Policy | None = None,
    listen: Callable[[Finding], None] | None = None,
) -> None:
    """Merge one layer's changes into `tree`, and repeat each step on `mirror`.

    Args:
        changes: What `changeset.decode` yields; read once, one at a time.
        tree: The layers below, merged; changed in place, within its own limits. After an error it holds part of this
            layer: apply to a `fork()` to keep what was.
        layer: The number of this layer, for the provenance of directories that it implies.
        mirror: Whatever shall follow the tree, such as a directory on disk.
        policy: What to do where the spec leaves a choice.
        listen: Called with each finding.

    Raises:
        LinkError: A hard link without a target, a loop of links.
        LayerError: Another change that the policy refuses.
        LimitError: A resolved path that is too long or too deep; too many directories that paths imply.
        TarFormatError: The archive ends inside the content of a file; this and limits raise whatever the policy.
    """
    application = Application(tree, layer, mirror, policy or Policy(), listen)
    for change in changes:
        application.take(change)
    application.end()


class Application:
    """One layer on its way into a tree, change by change; `apply` has the arguments.

    `upper` has the names that this layer has written, resolved; `described` are the directories that had entries of
    their own; `cleared` those that hold nothing lower any more; `relied` has the names that were followed; `own_ways`
    are the paths that led through links of this layer; `removed` the links and directories that markers took away;
    `deferred` the hard links, by their names, that wait for their targets.
    """

    def __init__(
        self,
        tree: FileTree,
        layer: int,
        mirror: Mirror | None,
        policy: Policy,
        listen: Callable[[Finding], None] | None,
    ) -> None:
        self.tree = tree
        self.layer = layer
        self.policy = policy
        self.listen = listen
        self.merge = Merge(tree, mirror=mirror, layer=layer, follow=policy.parents == "follow")
        self.upper = Names()
        self.described: set[bytes] = set()
        self.cleared: set[Directory] = set()
        self.relied = Names()
        self.own_ways: set[bytes] = set()
        self.removed: dict[bytes, Symlink | Directory] = {}
        self.deferred: dict[bytes, Link] = {}

    def take(self, change: Change) -> None:
        """Merge the next change; raises as `apply` does."""
        try:
            match change:
                case Add():
                    self.add(change)
                case Link():
                    self.link(change)
                case Whiteout():
                    self.whiteout(change.path)
                case Opaque():
                    self.opaque(change.path)
                case _:
                    assert_never(change)
        except LayerError as error:
            if self.policy.refused == "error" or isinstance(error, TarFormatError):
                raise
            self.report("refused", change.path, error.reason)

    def end(self) -> None:
        """Make the links that waited for their targets; one to another that waits, as often as links are followed."""
        for _ in range(self.tree.limits.links + 1):
            waiting, self.deferred = self.deferred, {}
            for link in waiting.values():
                self.take(link)
            if len(self.deferred) == len(waiting):
                break
        for link in self.deferred.values():
            error = _no_target(link)
            if self.policy.refused == "error":
                raise error
            self.report("refused", link.path, error.reason)

    def report(self, what: str, path: bytes, detail: str = "") -> None:
        """Tell whoever listens of a finding."""
        if self.listen is not None:
            self.listen(Finding(what, path, self.layer, detail))

    def suspect(self, what: str, path: bytes, detail: str) -> None:
        """Report what is legal and wrong all the same, or refuse it."""
        if self.policy.suspicious == "error":
            self.merge.forget()  # Whatever comes the same way is refused, too.
            raise LayerError(path, detail)
        self.report(what, path, detail)

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
            self.supersede(path)
        place, name = self.enter(path)
        self.claim(place, name, described=isinstance(node, Directory))
        self.merge.put(place, name, node, change.data)

    def link(self, change: Link) -> None:
        """Give a file another name, now or at the end."""
        self.supersede(change.path)
        target = self.merge.find(change.target)
        self.heed_notes(change.target)
        if target is None:
            if self.policy.forward_links == "defer":
                self.deferred[change.path] = change
                return
            raise _no_target(change)
        parent, _ = parent_and_name(change.path)
        if self.merge.obstacle(parent) == target[0]:
            raise LinkError(change.path, "a hard link to a file that it uses as a directory")
        place, name = self.enter(change.path)
        check_link(target[0], join(place.path, name))
        self.relied.add(target[0])
        self.claim(place, name)
        self.merge.link(target, place, name)

    def supersede(self, path: bytes) -> None:
        """Forget a link of this name that still waits: the last entry of a name wins."""
        if self.deferred.pop(path, None) is not None:
            self.duplicate(path)

    def enter(self, path: bytes) -> tuple[Place, bytes]:
        """Return the directory in which `path` stands, implied where it is missing, and the last component."""
        parent, name = parent_and_name(path)
        place = self.merge.place(parent, make=True)
        assert place is not None
        if self.merge.notes:
            self.heed_notes(parent)
        if place.path != parent:
            check_limits(join(place.path, name), self.tree.limits)
        return place, name

    def claim(self, place: Place, name: bytes, *, described: bool = False) -> None:
        """Put a name into the upper set."""
        names = self.upper.enter(place.path)
        old = place.directory.children.get(name)
        if isinstance(old, Symlink) and join(place.path, name) in self.relied:
            self.report("order", join(place.path, name), "followed and then replaced: read in tar order")
        if described or name in names:
            path = join(place.path, name)
            if path in self.described or (name in names and not (described and isinstance(old, Directory))):
                self.duplicate(path)
            if described:
                self.described.add(path)
        names.setdefault(name, None)

    def duplicate(self, path: bytes) -> None:
        """Report a name that the layer has twice, or refuse it."""
        if self.policy.duplicates == "error":
            raise LayerError(path, "the layer has this name twice (LYR-02)")
        self.report("duplicate", path)

    def heed_notes(self, path: bytes) -> None:
        """Take up what the merge met on its way to `path`."""
        notes = self.merge.notes.copy()
        self.merge.notes.clear()
        for note in notes:
            match note.what:
                case "followed":
                    self.relied.add(note.path)
                    if note.path in self.upper:
                        self.own_ways.add(path)
                case "climbed":
                    self.suspect("climbing-link", note.path, "the link leads above the root")
                case "replaced":
                    self.suspect("file-as-directory", note.path, "a file is used as a directory, and gave way to one")
                case "implied":
                    if self.policy.parents == "follow" and self.was_link(note.path):
                        self.report("order", note.path, "removed and then followed: read in tar order")
                case _:
                    assert_never(note.what)

    def was_link(self, path: bytes) -> bool:
        """Tell whether a marker of this layer took a link away that stood at `path`."""
        below: list[bytes] = []
        while self.removed:
            node: Node | None = self.removed.get(path)
            if node is not None:
                while below and isinstance(node, Directory):
                    node = node.children.get(below.pop())
                return isinstance(node, Symlink) and not below
            if not path:
                break
            path, name = parent_and_name(path)
            below.append(name)
        return False

    def whiteout(self, path: bytes) -> None:
        """Remove what lower layers have at a path."""
        parent, name = parent_and_name(path)
        place = self.find_lower(parent)
        node = None if place is None else place.directory.children.get(name)
        if place is None or node is None:
            self.report("nothing-hidden", path)
            return
        resolved = join(place.path, name)
        if resolved not in self.upper:
            self.remove(place, name)
        elif isinstance(node, Directory):
            below = Place(resolved, self.tree.own_child(place.directory, name))
            self.clear(below)
            self.forget_lower(below)

    def opaque(self, path: bytes) -> None:
        """Remove what lower layers have in a directory."""
        place = self.find_lower(path)
        if place is None:
            self.report("nothing-hidden", path)
        else:
            self.clear(place)

    def find_lower(self, path: bytes) -> Place | None:
        """Return the directory at a path, if there is one, for a marker."""
        place = self.merge.place(path, make=False)
        self.heed_notes(path)
        if path in self.own_ways:
            self.report("order", path, "a marker behind a link of its own layer: read in tar order")
        return place

    def remove(self, place: Place, name: bytes) -> None:
        """Take a name out of the tree that lower layers have."""
        path = join(place.path, name)
        if path in self.relied:
            self.report("order", path, "followed and then removed: read in tar order")
        node = place.directory.children[name]
        self.merge.drop(place, name)
        if isinstance(node, Symlink | Directory):
            self.removed[path] = node

    def clear(self, place: Place) -> None:
        """Remove everything lower from a directory, at any depth; what this layer wrote and its ancestors stay."""
        stack = [place]
        while stack:
            here = stack.pop()
            if here.directory in self.cleared:
                continue
            self.cleared.add(here.directory)
            names = self.upper.within(here.path) or ()
            for name in sorted(here.directory.children):
                if name not in names:
                    self.remove(here, name)
                elif isinstance(here.directory.children[name], Directory):
                    below = Place(join(here.path, name), self.tree.own_child(here.directory, name))
                    stack.append(below)
                    self.forget_lower(below)

    def forget_lower(self, place: Place) -> None:
        """Make a directory that this layer only implied as it would be had there been nothing below it."""
        if place.path not in self.described:
            describe(place.directory, implicit_directory(self.layer))


def _fresh(node: Node) -> Node:
    """Return a node that no tree has yet, so that changes may be applied to more than one."""
    if isinstance(node, Directory):
        return Directory(node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs, node.layer)
    return attrs.evolve(node)


def _no_target(link: Link) -> LinkError:
    return LinkError(link.path, f"no file {_shown(link.target)} to link to")


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))
