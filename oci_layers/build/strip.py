"""Paths out of every layer of an image: a key that was copied by mistake, and that a whiteout would only hide.

Layers in which no path is are shared. Of the others, the entries at or below a path, and the markers for them, are left
out, and all other entries stay in their order. Where a hard link stays whose target does not, the first such link gets
the content, at the place where the target was.

Paths are compared with the names of entries, as layers have them: a link in a name is not followed. Passes: one over
each layer when `strip_paths` is called, and one over each layer that changes when the new one is written. Memory: the
names of links to what is left out.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator

import attrs

from oci_layers.build.begin import edit
from oci_layers.build.fields import Created
from oci_layers.build.history import aligned, as_empty, layer_positions
from oci_layers.build.image import NewImage
from oci_layers.build.layer import NewLayer
from oci_layers.build.stack import Slot
from oci_layers.errors import LinkError, PathError, PathMissingError, escape
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.layer.whiteout import aufs_artifact, clean_name, is_marker, parse_whiteout
from oci_layers.tar.entry import GLOBAL, HARDLINK, Entry
from oci_layers.tar.writer import write_tar
from oci_layers.tree.path import AnyPath, clean, parent_and_name, to_bytes_each

__all__ = ["strip_paths"]


def strip_paths(
    image: Image, paths: Iterable[AnyPath], *, keep_empty: bool = False, created: Created | None = None
) -> NewImage:
    """Return an image without some paths, and without what is below them, in any of its layers.

    Args:
        image: The image; it must be open until the new one is written.
        paths: The paths, as the layers have them; a link in one is not followed.
        keep_empty: Whether a layer that nothing is left of stays; if not, its history entry says so.
        created: As for `edit`.

    Raises:
        PathMissingError: A path is in no layer.
        PathError: A path is the root.
        LinkError: A hard link that stays leads to a file that does not, and that another layer has.
        OCIError: A layer is missing, damaged or malformed.
    """
    wanted = _Paths(frozenset(clean(path, limits=image.limits) for path in to_bytes_each(paths)))
    if b"" in wanted.paths:
        raise PathError(b"", "the root cannot be left out")
    plans = [_Plan.of(layer, wanted) for layer in image.layers]
    missing = sorted(wanted.paths.difference(*(plan.found for plan in plans)))
    if missing:
        raise PathMissingError(
            missing[0], "; ".join(["in no layer", *(f"{escape(each)}: in no layer" for each in missing[1:])])
        )
    found = edit(image, created=created)
    if not wanted.paths:
        return found
    slots, history = [], aligned(found.history, len(plans)) if found.history else []
    positions = layer_positions(history)
    for index, (slot, plan) in enumerate(zip(found.slots, plans, strict=True)):
        if not plan.found:
            slots.append(slot)
        elif plan.left or keep_empty:
            slots.append(Slot(layer=NewLayer(plan.pieces)))
        elif history:
            history[positions[index]] = as_empty(history[positions[index]])
    return found.restack(slots, history)


def _marks(entry: Entry) -> bool:
    """Tell whether an entry has the name of a marker."""
    return is_marker(clean_name(entry.name))


@attrs.frozen
class _Paths:
    """The paths that are left out."""

    paths: frozenset[bytes]

    def covering(self, path: bytes) -> bytes | None:
        """Return the one that a clean path is at or below."""
        while path:
            if path in self.paths:
                return path
            path, _ = parent_and_name(path)
        return None


@attrs.define(eq=False)
class _Plan:
    """What becomes of the entries of one layer."""

    layer: Layer
    wanted: _Paths
    found: set[bytes] = attrs.field(factory=set)
    """The paths that it has."""
    left: bool = False
    """Whether any of its entries stays."""
    heirs: dict[bytes, bytes] = attrs.field(factory=dict)
    """The first link that stays to each target that does not."""
    aliases: dict[bytes, bytes] = attrs.field(factory=dict)
    """The target of each link of which neither stays."""

    @classmethod
    def of(cls, layer: Layer, wanted: _Paths) -> "_Plan":
        """Return the plan for a layer, which is read to its end."""
        plan, targets = cls(layer, wanted), set()
        for entry in layer.entries():
            path = plan.path(entry)
            covering = wanted.covering(path)
            if covering is not None:
                plan.found.add(covering)
                if not _marks(entry):
                    targets.add(path)
                if (target := plan.lost_target(entry)) is not None:
                    plan.aliases[path] = target
                continue
            plan.left = plan.left or entry.type != GLOBAL
            target = plan.lost_target(entry)
            if target is not None:
                if target not in targets:
                    error = LinkError(path, "a hard link to a file that is left out, of another layer")
                    error.add_note(layer.name)
                    raise error
                plan.heirs.setdefault(target, path)
        return plan

    def path(self, entry: Entry) -> bytes:
        """Return what an entry adds, or what its marker removes; empty for what is at no path."""
        if entry.type == GLOBAL:
            return b""
        path = clean_name(entry.name, self.layer.limits)
        marker = parse_whiteout(path) if is_marker(path) and aufs_artifact(path) is None else None
        return path if marker is None else marker.path

    def lost_target(self, entry: Entry) -> bytes | None:
        """Return the target of a hard link if that is left out; of a link to such a link the last one."""
        if entry.type != HARDLINK:
            return None
        target = clean(entry.linkname, limits=self.layer.limits)
        return None if self.wanted.covering(target) is None else self.aliases.get(target, target)

    def pieces(self, _: object = None) -> Generator[bytes | memoryview, None, None]:
        """Yield the tar of the entries that stay."""
        with contextlib.closing(self.layer.entries()) as entries:
            yield from write_tar(self._kept(entries))

    def _kept(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            path, target = self.path(entry), self.lost_target(entry)
            covered = self.wanted.covering(path) is not None
            if covered and (target is not None or _marks(entry)):
                continue
            name = self.heirs.get(path) if covered else path
            if name is None or (target is not None and name == self.heirs[target]):
                continue  # Left out, or the link that became the file before.
            # In place: the content can only be read through this very entry.
            if covered:
                entry.name = name
            if target is not None:
                entry.linkname = self.heirs[target]
            yield entry
