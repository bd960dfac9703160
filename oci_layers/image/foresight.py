"""Files that nobody will see, known before they are written, so that they need not be.

A layer that removes or replaces what lower layers have makes all work on that useless. So, before the first layer is
merged, the names in the uppermost layers are read ahead, as long as these layers are small beside the whole; where the
merged tree is known already, it says the same of all layers. What that shows is only a guess: links can make a name
mean another file. Therefore a guess decides nothing but when a file is written. What turns out to be there in the end
is written then, in one more pass over its layer; that is rare, and costs time, not exactness.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from oci_layers.errors import OCIError
from oci_layers.image.meter import Meter
from oci_layers.image.part import Contents, write_files
from oci_layers.layer.change import Add, Change, Opaque
from oci_layers.layer.changeset import decode
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.merge import Mirror
from oci_layers.tree.node import NOWHERE, Directory, File, Leaf, Node
from oci_layers.tree.path import join, parent_and_name
from oci_layers.tree.tree import FileTree, leaves, resolve

if TYPE_CHECKING:
    from oci_layers.image.layer import Layer  # which is merged with this

__all__ = ["Foresight", "Postponed", "foresee", "in_tree"]

_SHARE = 8
"""What is read ahead is at most this part of all bytes: an eighth; and an eighth of that may tell nothing new."""

Hides = Callable[[bytes, int], bool]
"""Tells of a path and a layer whether a file that the layer has there will be gone in the end."""


class Foresight:
    """The names in some layers, and what becomes of files in lower ones because of them."""

    def __init__(self) -> None:
        self._over: dict[bytes, int] = {}
        self._gone: dict[bytes, int] = {}
        self._highest: dict[bytes, int] = {}

    def look(self, layer: int, changes: Iterable[Change]) -> bool:
        """Take what a layer does; tell whether any of it was new. All layers come before the first question."""
        before = len(self._over) + len(self._gone)
        for change in changes:
            if not isinstance(change, Opaque):
                self._note(self._over, change.path, layer)
            if not isinstance(change, Add) or not isinstance(change.node, Directory):
                self._note(self._gone, change.path, layer)
        return len(self._over) + len(self._gone) > before

    def _note(self, where: dict[bytes, int], path: bytes, layer: int) -> None:
        where[path] = max(layer, where.get(path, layer))

    def hides(self, path: bytes, layer: int) -> bool:
        """Tell whether a higher layer replaces or removes a file that the layer `layer` has at `path`."""
        return self._over.get(path, -1) > layer or self._clears(parent_and_name(path)[0]) > layer

    def _clears(self, directory: bytes) -> int:
        """Return the highest layer that leaves nothing of what lower ones have in a directory; -1 for none."""
        found = self._highest.get(directory)
        if found is None:
            above, found = directory, self._gone.get(b"", -1)
            while above:
                known = self._highest.get(above)
                if known is not None:
                    found = max(found, known)
                    break
                found = max(found, self._gone.get(above, -1))
                above, _ = parent_and_name(above)
            self._highest[directory] = found
        return found

    def __bool__(self) -> bool:
        return bool(self._over or self._gone)


def foresee(layers: "Sequence[Layer]") -> Hides | None:
    """Read the uppermost layers ahead, as far as they are small; return what they hide, None where nothing is known.

    Of layers that have no names but those that layers above them have, less is read: however often they rewrite one
    tree, they hide no more together than the last of them. Nothing is checked: what is wrong with a layer is found in
    its turn. However much the layers inflate to, no more of that is read than there are bytes in all blobs.
    """
    foresight = Foresight()
    if not layers:
        return None
    whole = sum(layer.descriptor.size for layer in layers)
    left = whole // _SHARE
    meter, most = Meter(layers[0].limits, layers), whole
    stale = left // _SHARE
    for layer in reversed(layers[1:]):
        left -= layer.descriptor.size
        if left < 0 or stale < 0:
            break
        stale -= layer.descriptor.size
        with contextlib.suppress(OCIError, OSError), contextlib.closing(layer.peek(most)) as plain:
            try:
                entries = meter.count(read_tar(plain, limits=layer.limits))
                if foresight.look(layer.index, _meaning(entries, layer.limits)):
                    stale += layer.descriptor.size
            finally:
                most -= plain.given
    return foresight.hides if foresight else None


def in_tree(tree: FileTree) -> Hides:
    """Return what is hidden in an image whose merged tree is known."""

    def hides(path: bytes, layer: int) -> bool:
        found = resolve(tree.root, path, follow=False, follow_last=False, limit=0)
        return len(found.rest) != 1 or not isinstance(found.node, File) or found.node.layer != layer

    return hides


def _meaning(entries: Iterable[Entry], limits: Limits) -> Iterator[Change]:
    return decode(entries, policy=Policy.preset("lenient"), limits=limits, source=NOWHERE)


class Postponed:
    """A `tree.Mirror` before another: files that are foreseen to go wait here, most of them until they are removed."""

    def __init__(self, mirror: Mirror, hides: Hides) -> None:
        self._mirror = mirror
        self._hides = hides
        self._waiting: dict[bytes, File] = {}

    def make(self, parent: bytes, name: bytes, node: Node, data: Iterator[memoryview] | None) -> None:
        """Make `node`, or let it wait."""
        if isinstance(node, File) and self._hides(path := join(parent, name), node.layer):
            self._waiting[path] = node
        else:
            self._mirror.make(parent, name, node, data)

    def link(self, target: bytes, parent: bytes, name: bytes, node: Leaf) -> None:
        """Make another name of the file at `target`, which waits if that does."""
        waiting = self._waiting.get(target)
        if waiting is None:
            self._mirror.link(target, parent, name, node)
        else:
            self._waiting[join(parent, name)] = waiting

    def remove(self, parent: bytes, name: bytes, node: Node) -> None:
        """Remove what was made; forget what waits."""
        path = join(parent, name)
        if self._waiting.pop(path, None) is not None:
            return
        self._mirror.remove(parent, name, node)
        if self._waiting and isinstance(node, Directory):
            for gone in leaves(path, node):
                self._waiting.pop(gone, None)

    def complete(self, contents: Contents) -> None:
        """Make what still waits."""
        write_files(list(self._waiting.items()), self._mirror, contents)
