"""Why a path is what it is: every layer that touched it, in order.

A path is followed through the links in its parents, in the most layers, from the base up, that have it; from there on
the history is that of the resolved path. The trees of fewer layers are not kept: `account` has what each layer touched,
and the last one that touched a path says what is there. Where a layer stores a file of the same size again, the
contents of both are read and compared, in one pass over the layers that hold them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal

import attrs

from oci_layers.errors import PathMissingError
from oci_layers.image.account import Account, LayerAccount
from oci_layers.image.differences import compare, kind_of
from oci_layers.image.files import stored_files
from oci_layers.image.layer import Layer
from oci_layers.progress import ProgressTracker
from oci_layers.spec.digest import Digest
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.path import AnyPath, clean, parent_and_name, to_bytes

__all__ = ["PathHistory", "Touch", "history_of"]


@attrs.frozen(kw_only=True, eq=False)
class Touch:
    """What one layer did to a path."""

    layer: Layer
    what: Literal["added", "changed", "repeated", "removed", "hidden"]
    """`repeated`: the layer has it again, the same; `hidden`: a parent directory became something else."""
    aspects: tuple[str, ...] = ()
    """What changed: `type`, `content`, `target`, `device`, `mode`, `owner`, `mtime`, `xattrs`, `windows`."""
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
    tree = account.tree
    asked = clean(to_bytes(path), clamp=True, limits=tree.limits)
    states = _States(account)
    for count in range(len(account.layers), 0, -1):
        found = states.resolve(asked, count, follow=follow, limit=tree.limits.links)
        if found is not None:
            break
    else:
        raise PathMissingError(asked, "no layer has it")
    resolved, links = found
    touches = [_touch(states, account.layers[index], resolved) for index in states.touching(resolved)]
    certain = _certain(touches, account, resolved, tracker)
    node = tree.at(resolved)
    return PathHistory(
        asked=asked,
        path=resolved,
        links=links,
        touches=tuple(certain),
        link_count=0 if node is None else tree.link_count(node),
    )


class _States:
    """What is at single paths after each layer, made from what the layers touched."""

    def __init__(self, account: Account) -> None:
        self._layers = account.layers
        self._known: dict[bytes, list[int]] = {}

    def touching(self, path: bytes) -> list[int]:
        """Return the numbers of the layers that touched a resolved path."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = [each.layer.index for each in self._layers if path in each.touched]
        return known

    def at(self, path: bytes, count: int) -> Node | None:
        """Return what the lowest `count` layers have at a resolved path other than the root."""
        touching = self.touching(path)
        before = bisect_left(touching, count)
        return self._layers[touching[before - 1]].touched[path][1] if before else None

    def resolve(self, path: bytes, count: int, *, follow: bool, limit: int) -> tuple[bytes, tuple[bytes, ...]] | None:
        """Return the resolved path in the lowest `count` layers, and the links followed; None if nothing is there."""
        names: list[bytes] = []
        links: list[bytes] = []
        rest = path.split(b"/")[::-1]
        while rest:
            part = rest.pop()
            if part in {b"", b"."}:
                continue
            if part == b"..":
                del names[-1:]
                continue
            here = b"/".join([*names, part])
            node = self.at(here, count)
            if isinstance(node, Symlink) and (rest or follow):
                links.append(here)
                if len(links) > limit:
                    return None
                if node.target.startswith(b"/"):
                    names.clear()
                rest.extend(node.target.split(b"/")[::-1])
                continue
            if node is None or (rest and not isinstance(node, Directory)):
                return None
            names.append(part)
        return b"/".join(names), tuple(links)


def _touch(states: _States, account: LayerAccount, path: bytes) -> Touch:
    """Return what a layer did to a resolved path; contents of the same size are taken for equal."""
    old, new = account.touched[path]
    layer = account.layer
    if new is None:
        return _removal(states, account, path)
    if old is None or kind_of(path, old, new) == "added":
        return Touch(layer=layer, what="added", node=new)
    aspects, _ = compare(old, new)
    return Touch(layer=layer, what="changed" if aspects else "repeated", aspects=aspects, node=new)


def _removal(states: _States, account: LayerAccount, path: bytes) -> Touch:
    layer, count = account.layer, account.layer.index + 1
    above, _ = parent_and_name(path)
    while above and states.at(above, count) is None:
        above, _ = parent_and_name(above)
    if above and not isinstance(states.at(above, count), Directory):
        return Touch(layer=layer, what="hidden", by=above)
    best: tuple[bytes, bool] | None = None
    for place, is_opaque in account.places:
        covers = (place == path and not is_opaque) or not place or path.startswith(place + b"/")
        if covers and (best is None or len(place) > len(best[0])):
            best = place, is_opaque
    if best is None:  # The directory was something else for a while within the layer.
        return Touch(layer=layer, what="hidden", by=above)
    return Touch(layer=layer, what="removed", marker="opaque" if best[1] else "whiteout", by=best[0])


def _certain(touches: list[Touch], account: Account, path: bytes, tracker: ProgressTracker) -> Iterator[Touch]:
    """Yield the touches, after comparing contents that may differ."""
    doubtful: dict[int, tuple[File, File]] = {}
    for touch in touches:
        old, new = account.layers[touch.layer.index].touched[path]
        if isinstance(old, File) and isinstance(new, File) and compare(old, new)[1]:
            doubtful[touch.layer.index] = old, new
    digests = _digests([each.layer for each in account.layers], path, doubtful, tracker)
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
