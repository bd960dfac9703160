"""Why a path is what it is: every layer that touched it, in order.

A path is followed through the links in its parents, in the topmost tree that has it; from there on the history is that
of the resolved path, in the trees below and above each layer (`account`). Where a layer stores a file of the same size
again, the contents of both are read and compared, in one pass over the layers that hold them.
"""

import contextlib
from collections.abc import Iterator
from typing import Literal

import attrs

from oci_layers.errors import LinkError, PathMissingError
from oci_layers.image.account import Account, LayerAccount, compare, kind_of
from oci_layers.image.files import stored_files
from oci_layers.image.layer import Layer
from oci_layers.layer.change import Whiteout
from oci_layers.layer.policy import Policy
from oci_layers.progress import ProgressTracker
from oci_layers.spec.digest import Digest
from oci_layers.tree.node import Directory, File, Node
from oci_layers.tree.path import AnyPath, clean, parent_and_name, to_bytes
from oci_layers.tree.resolve import Resolution, resolve
from oci_layers.tree.tree import FileTree

__all__ = ["PathHistory", "Touch", "history_of"]


@attrs.frozen(kw_only=True, eq=False)
class Touch:
    """What one layer did to a path."""

    layer: Layer
    what: Literal["added", "changed", "repeated", "removed", "hidden"]
    """`repeated`: the layer has it again, the same; `hidden`: a parent directory became something else."""
    aspects: tuple[str, ...] = ()
    """What changed: `type`, `content`, `target`, `device`, `mode`, `owner`, `times`, `xattrs`."""
    marker: Literal["whiteout", "opaque"] | None = None
    """The kind of marker that removed it."""
    by: bytes | None = None
    """What the marker removes or empties, which is the path or a parent; or the parent that hides the path."""
    node: Node | None = None
    """What is there with this layer."""


@attrs.frozen(kw_only=True, eq=False)
class PathHistory:
    """The layers that touched a path, the lowest first."""

    asked: bytes
    """The path that was asked for, cleaned."""
    path: bytes
    """The path that it resolves to."""
    links: tuple[bytes, ...]
    """The links that were followed from one to the other, as resolved paths."""
    touches: tuple[Touch, ...]
    link_count: int
    """The number of names that the file there has in the whole image; 0 if nothing is there."""

    @property
    def node(self) -> Node | None:
        """What the whole image has there."""
        return self.touches[-1].node if self.touches else None


def history_of(account: Account, path: AnyPath, tracker: ProgressTracker, *, follow: bool) -> PathHistory:
    """Return the history of a path; `Image.why` documents the arguments.

    Raises:
        PathMissingError: No layer touched it.
        OCIError: A layer that is read for its contents is missing or damaged.
    """
    layers = account.layers
    asked = clean(to_bytes(path), clamp=True)
    found = _found([each.upper for each in reversed(layers)], asked, follow=follow)
    if found is None:
        raise PathMissingError(asked, "no layer has it")
    touches = [touch for each in layers if (touch := _touch(each, found.path, account.policy)) is not None]
    touches = list(_certain(touches, account, found.path, tracker))
    return PathHistory(
        asked=asked,
        path=found.path,
        links=tuple(found.followed),
        touches=tuple(touches),
        link_count=_links(account, found.path),
    )


def _links(account: Account, path: bytes) -> int:
    tree = account.layers[-1].upper
    node = tree.at(path)
    return 0 if node is None else tree.link_count(node)


def _found(trees: list[FileTree], path: bytes, *, follow: bool) -> Resolution | None:
    """Return how the first tree that has a path resolves it."""
    for tree in trees:
        with contextlib.suppress(LinkError):
            found = tree.resolve(path, follow=follow)
            if found.node is not None and len(found.rest) <= 1:
                return found
    return None


def _touch(account: LayerAccount, path: bytes, policy: Policy) -> Touch | None:
    """Return what a layer did to a resolved path; contents of the same size are taken for equal."""
    old, new = account.lower.at(path), account.upper.at(path)
    layer = account.layer
    if old is new:
        return None
    if new is None:
        return _removal(account, path, policy)
    if old is None or kind_of(path, old, new) == "added":
        return Touch(layer=layer, what="added", node=new)
    aspects, _ = compare(old, new)
    if aspects:
        return Touch(layer=layer, what="changed", aspects=aspects, node=new)
    if isinstance(new, Directory) and isinstance(old, Directory) and _described(old) == _described(new):
        return None  # Only what is in it has changed.
    return Touch(layer=layer, what="repeated", node=new)


def _described(node: Directory) -> tuple[int, bool]:
    """Return the layer that describes a directory, and whether a path only implies it."""
    return node.layer, node.implicit


def _removal(account: LayerAccount, path: bytes, policy: Policy) -> Touch:
    layer = account.layer
    above, _ = parent_and_name(path)
    while account.upper.at(above) is None:
        above, _ = parent_and_name(above)
    if not isinstance(account.upper.at(above), Directory):
        return Touch(layer=layer, what="hidden", by=above)
    best: tuple[int, Touch] | None = None
    for is_whiteout, place in _places(account, policy):
        if place == path or not place or path.startswith(place + b"/"):
            kind: Literal["whiteout", "opaque"] = "whiteout" if is_whiteout else "opaque"
            if (is_whiteout or place != path) and (best is None or len(place) > best[0]):
                best = len(place), Touch(layer=layer, what="removed", marker=kind, by=place)
    # Without a marker, the directory was something else for a while within the layer.
    return best[1] if best is not None else Touch(layer=layer, what="hidden", by=above)


def _places(account: LayerAccount, policy: Policy) -> Iterator[tuple[bool, bytes]]:
    """Yield whether each marker is a whiteout, and the resolved path that it removes or empties."""
    root, limit, follow = account.lower.root, account.lower.limits.links, policy.parents == "follow"
    for marker in account.markers:
        is_whiteout = isinstance(marker, Whiteout)
        parent, name = parent_and_name(marker.path) if is_whiteout else (marker.path, b"")
        with contextlib.suppress(LinkError):
            found = resolve(root, parent, follow=follow, follow_last=follow, limit=limit, lexical_dotdot=True)
            if not found.rest:
                yield is_whiteout, b"/".join([*found.names, name] if name else found.names)


def _certain(touches: list[Touch], account: Account, path: bytes, tracker: ProgressTracker) -> Iterator[Touch]:
    """Yield the touches, after comparing contents that may differ."""
    doubtful: dict[int, tuple[File, File]] = {}
    for touch in touches:
        old = account.layers[touch.layer.index].lower.at(path)
        if isinstance(old, File) and isinstance(touch.node, File) and compare(old, touch.node)[1]:
            doubtful[touch.layer.index] = old, touch.node
    digests = _digests([account_layer.layer for account_layer in account.layers], path, doubtful, tracker)
    for touch in touches:
        pair = doubtful.get(touch.layer.index)
        if pair is not None and digests[pair[0].inode] != digests[pair[1].inode]:
            yield attrs.evolve(touch, what="changed", aspects=("content", *touch.aspects))
        else:
            yield touch


def _digests(
    layers: list[Layer], path: bytes, pairs: dict[int, tuple[File, File]], tracker: ProgressTracker
) -> dict[int, str]:
    """Return the digest of each file by its inode id."""
    digests: dict[int, str] = {}
    files = ((path, node) for pair in pairs.values() for node in pair)
    for _, node, entry in stored_files(layers, files, tracker):
        hasher = Digest.of(b"").hasher()
        for chunk in node.content.chunks() if entry is None else entry.chunks():
            hasher.update(chunk)
        digests[node.inode] = hasher.hexdigest()
    return digests
