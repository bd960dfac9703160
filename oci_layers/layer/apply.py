"""Merge the changes of one layer into a tree: lower and upper, and in what order.

A whiteout or an opaque marker removes what lower layers have and never what its own layer adds, wherever it stands in
the tar (WHT-06, WHT-07, WHT-11). So the names that this layer has written, with their ancestors, are kept as the
*upper set*, and a marker removes only what is not in it. What a marker has once cleared of lower content cannot get any
back within the layer, so it is not searched again: the work stays linear, however many markers repeat each other.

One case cannot be free of order: a layer that removes a name which it also follows, as the target of a hard link or as
a link in a path. It is read in tar order, and reported.

How one node is laid over another is `tree.merge`; what an entry means is `changeset`. Each change happens on the tree
first and then, step by step, on the mirror, so that a disk never decides anything.
"""

from collections.abc import Callable, Iterable

from oci_layers.errors import LayerError, LinkError
from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.policy import Policy
from oci_layers.report import Finding
from oci_layers.tree.merge import Merge, Mirror, Place, describe
from oci_layers.tree.node import Directory, Symlink, implicit_directory
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["apply"]


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
        tree: The layers below, merged; changed in place. After an error it holds part of this layer: apply to a
            `fork()` to keep what was.
        layer: The number of this layer, for the provenance of directories that it implies.
        mirror: Whatever shall follow the tree, such as a directory on disk.
        policy: What to do where the spec leaves a choice.
        listen: Called with each finding.

    Raises:
        LinkError: A hard link without a target, a loop of links.
        LayerError: Another change that the policy refuses.
        LimitError: A resolved path that is too long or too deep.
    """
    application = _Application(tree, layer, mirror, policy or Policy(), listen)
    for change in changes:
        application.take(change)
    application.end()


class _Application:
    """One layer on its way into a tree.

    `upper` maps a resolved directory to the names that this layer has written in it, a key for each directory that has
    any; `described` are the directories that had entries of their own; `cleared` those that hold nothing lower any
    more; `relied` the names that were followed, with their ancestors; `removed` the names that markers took away.
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
        self.merge = Merge(tree, mirror=mirror, layer=layer, follow=policy.parents == "follow", limits=policy.limits)
        self.upper: dict[bytes, set[bytes]] = {}
        self.described: set[bytes] = set()
        self.cleared: set[bytes] = set()
        self.relied: set[bytes] = set()
        self.removed: set[bytes] = set()
        self.deferred: list[Link] = []

    def take(self, change: Change) -> None:
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
        except LayerError as error:
            if self.policy.refused == "error":
                raise
            self.report("refused", change.path, error.reason)

    def end(self) -> None:
        """Make the links that waited for their targets, as long as one more can be made."""
        while self.deferred:
            waiting, self.deferred = self.deferred, []
            for link in waiting:
                self.link(link)
            if len(self.deferred) == len(waiting):
                for link in waiting:
                    self.report("refused", link.path, f"no file {_shown(link.target)} to link to")
                return

    def report(self, what: str, path: bytes, detail: str = "") -> None:
        if self.listen is not None:
            self.listen(Finding(what, path, self.layer, detail))

    def suspect(self, what: str, path: bytes, detail: str) -> None:
        if self.policy.suspicious == "error":
            raise LayerError(path, detail)
        self.report(what, path, detail)

    def add(self, change: Add) -> None:
        path, node = change.path, change.node
        if not path:
            assert isinstance(node, Directory)
            if path in self.described:
                self.duplicate(path)
            self.described.add(path)
            self.merge.describe_root(node)
            return
        parent, name = parent_and_name(path)
        place = self.enter(parent)
        self.claim(place, name, described=isinstance(node, Directory))
        self.merge.put(place, name, node, change.data)

    def link(self, change: Link) -> None:
        target = self.merge.find(change.target)
        self.heed_notes()
        if target is None:
            if self.policy.forward_links == "defer":
                self.deferred.append(change)
                return
            raise LinkError(change.path, f"no file {_shown(change.target)} to link to")
        parent, name = parent_and_name(change.path)
        place = self.enter(parent)
        if join(place.path, name) == target[0]:
            raise LinkError(change.path, "a hard link to itself")
        self.merge.find(target[0])  # raises if the target has just given way to a directory
        self.rely(target[0])
        self.claim(place, name)
        self.merge.link(target, place, name)

    def enter(self, parent: bytes) -> Place:
        """Return the directory at `parent`, implied where it is missing."""
        place = self.merge.place(parent, make=True)
        assert place is not None
        if self.merge.notes:
            self.heed_notes()
        return place

    def claim(self, place: Place, name: bytes, *, described: bool = False) -> None:
        """Put a name into the upper set."""
        names = self.names(place.path)
        if described or name in names:
            path = join(place.path, name)
            old = place.directory.children.get(name)
            if path in self.described or (name in names and not (described and isinstance(old, Directory))):
                self.duplicate(path)
            if described:
                self.described.add(path)
            else:
                self.described.discard(path)
        names.add(name)

    def names(self, directory: bytes) -> set[bytes]:
        """Return the upper names in the directory at a resolved path; its own ancestors become upper with it."""
        names = self.upper.get(directory)
        if names is None:
            names = self.upper[directory] = set()
            if directory:
                parent, name = parent_and_name(directory)
                self.names(parent).add(name)
        return names

    def duplicate(self, path: bytes) -> None:
        if self.policy.duplicates == "error":
            raise LayerError(path, "the layer has this name twice (LYR-02)")
        self.report("duplicate", path)

    def heed_notes(self) -> None:
        """Take up what the merge met on its way."""
        notes = self.merge.notes.copy()
        self.merge.notes.clear()
        for note in notes:
            match note.what:
                case "followed":
                    self.rely(note.path)
                case "climbed":
                    self.suspect("climbing-link", note.path, "the link leads above the root")
                case "replaced":
                    self.suspect("file-as-directory", note.path, "a file is used as a directory, and gave way to one")
                case "implied":
                    if note.path in self.removed:
                        self.report("order", note.path, "removed and then followed: read in tar order")

    def rely(self, path: bytes) -> None:
        while path and path not in self.relied:
            self.relied.add(path)
            path, _ = parent_and_name(path)

    def whiteout(self, path: bytes) -> None:
        parent, name = parent_and_name(path)
        place = self.find_lower(parent)
        node = None if place is None else place.directory.children.get(name)
        if place is None or node is None:
            self.report("nothing-hidden", path)
            return
        resolved = join(place.path, name)
        if name not in self.upper.get(place.path, ()):
            self.remove(place, name)
        elif isinstance(node, Directory):
            below = Place(resolved, self.tree.own_child(place.directory, name))
            self.clear(below)
            self.forget_lower(below)

    def opaque(self, path: bytes) -> None:
        place = self.find_lower(path)
        if place is None:
            self.report("nothing-hidden", path)
        else:
            self.clear(place)

    def find_lower(self, path: bytes) -> Place | None:
        place = self.merge.place(path, make=False)
        self.heed_notes()
        return place

    def remove(self, place: Place, name: bytes) -> None:
        path = join(place.path, name)
        if path in self.relied:
            self.report("order", path, "followed and then removed: read in tar order")
        if isinstance(place.directory.children[name], Symlink | Directory):
            self.removed.add(path)
        self.merge.drop(place, name)

    def clear(self, place: Place) -> None:
        """Remove everything lower from a directory, at any depth; what this layer wrote and its ancestors stay."""
        stack = [place]
        while stack:
            here = stack.pop()
            if here.path in self.cleared:
                continue
            self.cleared.add(here.path)
            names = self.upper.get(here.path, set())
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


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))
