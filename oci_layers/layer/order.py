"""The order check: whether what a layer makes depends on the order of its entries.

It does where a layer removes a lower name which its own entries use, as the target of a hard link or as a link in their
paths. `apply` records here what entries use and what markers remove, both at resolved paths. If a name was used and
removed, or may have been, the layer is applied twice more to what is below it, its markers first and its markers last;
the rule `order` is reported if either gives another tree. For that the changes are kept, without contents.
"""

from oci_layers.layer.change import Add, Change, Link, Opaque, Whiteout
from oci_layers.layer.whiteout import OPAQUE_NAME, PREFIX
from oci_layers.tree.content import Content, Inline
from oci_layers.tree.node import Node
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.pathset import PathSet

__all__ = ["OrderCheck", "from_one_entry"]


class OrderCheck:
    """What one layer uses and removes of lower layers; `turn` is the caller's label of the present change."""

    def __init__(self, *, keep: bool) -> None:
        """Begin with no change; with `keep`, changes are kept to be applied again."""
        self.is_keeping = keep
        self._paths: list[bytes] = []
        self._items: list[Node | Link | Whiteout | Opaque] = []
        self._used = PathSet()
        self._marked = PathSet()
        self._disputed: dict[bytes, object] = {}
        self._doubtful: tuple[bytes, object] | None = None

    def keep(self, change: Change) -> None:
        """Keep a change. An `Add` is kept as its path and its node, which the tree has anyway: no object for it."""
        self._paths.append(change.path)
        self._items.append(change.node if isinstance(change, Add) else change)

    def discard(self) -> None:
        """Drop the changes, and keep no more: nothing is reported."""
        self.is_keeping = False
        self._paths.clear()
        self._items.clear()

    def use(self, path: bytes, turn: object) -> None:
        """Record that an entry depends on what lower layers have at a resolved path."""
        self._used.add(path)
        above = path
        while above:
            above, name = parent_and_name(above)
            markers = self._marked.within(above) or ()
            if PREFIX + name in markers or OPAQUE_NAME in markers:
                self._disputed[path] = turn
                return

    def mark(self, parent: bytes, marker: bytes, removed: bytes, turn: object) -> None:
        """Record a marker in a resolved directory, and what it removes."""
        self._marked.add(join(parent, marker))
        if self._used.within(removed) or (marker != OPAQUE_NAME and removed in self._used):
            self._disputed[removed] = turn

    def doubt(self, path: bytes, turn: object) -> None:
        """Record that an entry may depend on more than `use` was told; the first one counts."""
        self._doubtful = self._doubtful or (path, turn)

    def orders(self) -> list[list[Change]]:
        """Return the changes in the two other orders; none if no check is needed."""
        if not self._disputed and self._doubtful is None:
            return []
        changes: list[Change] = [
            item if isinstance(item, Link | Whiteout | Opaque) else Add(path, item)
            for path, item in zip(self._paths, self._items, strict=True)
        ]
        markers = [change for change in changes if isinstance(change, Whiteout | Opaque)]
        others = [change for change in changes if not isinstance(change, Whiteout | Opaque)]
        return [[*markers, *others], [*others, *markers]] if markers else []

    def findings(self) -> list[tuple[bytes, object, str]]:
        """Return the path, the turn and the message of each finding for a layer that depends on its order."""
        if self._disputed:
            message = "the layer uses this and removes it: read in tar order"
            return [(path, turn, message) for path, turn in self._disputed.items()]
        assert self._doubtful is not None, "there are other orders only if there is a doubt"
        return [(*self._doubtful, "the layer removes what this needs: read in tar order")]


def from_one_entry(one: Content, other: Content) -> bool:
    """Return whether contents are the same, without reading any; equal contents of two entries may differ here."""
    return one is other or (isinstance(one, Inline) and one == other)
