"""Layers, one over the other, into a tree; and, step by step with it, into a directory.

The one place where a layer's bytes, its meaning and a tree come together. What a layer is read as is in `layer`, what
its changes do in `layer.apply`, what a directory becomes in `disk`, how far it has come in `meter`.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from typing import TYPE_CHECKING

import attrs

from oci_layers.disk.destination import destination
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import Owner
from oci_layers.errors import MetadataError
from oci_layers.image.headers import Headers
from oci_layers.image.meter import Meter
from oci_layers.image.plain import PlainBytes
from oci_layers.image.turns import Turns
from oci_layers.layer.apply import apply
from oci_layers.layer.changeset import decode
from oci_layers.layer.policy import Policy
from oci_layers.report import LayerTime, Report
from oci_layers.tree.merge import Mirror
from oci_layers.tree.node import Source
from oci_layers.tree.tree import FileTree

if TYPE_CHECKING:
    from oci_layers.image.layer import Layer  # which puts itself on disk with this

__all__ = ["Placing", "merge_layer", "merge_layers", "place"]


@attrs.frozen(kw_only=True)
class Placing:
    """How a tree is put on disk; see `Image.unpack` for what each means."""

    owner: Owner | None = None
    in_place: bool = False
    sync: bool = False
    strict_metadata: bool = False


def merge_layer(
    layer: "Layer",
    tree: FileTree,
    meter: Meter,
    policy: Policy,
    *,
    source: Source | None,
    mirror: Mirror | None = None,
    start: Callable[[], PlainBytes | Headers] | None = None,
) -> None:
    """Merge one layer into `tree`, checked to its last byte, and repeat each step on `mirror`.

    Args:
        layer: The layer.
        tree: What is below it; changed in place.
        meter: What counts, limits and reports.
        policy: What to do where the spec leaves a choice.
        source: What contents can be read from later; they are held in memory without one.
        mirror: Whatever shall follow the tree.
        start: As for `Layer.open_entries`; contents have to be there for a mirror, and without a source.

    Raises:
        OCIError: The layer is missing, damaged, or refused by the policy; a note names it.
    """
    started = time.monotonic()
    listen = meter.report.findings.add
    with layer.open_entries(meter.watch(layer), start=start) as entries:
        counted, number = meter.count(entries), layer.index
        changes = decode(counted, layer=number, policy=policy, limits=layer.limits, source=source, listen=listen)
        apply(changes, tree, layer=number, mirror=mirror, policy=policy, listen=listen)
    meter.report.layers.append(LayerTime(str(layer.diff_id), time.monotonic() - started))


def merge_layers(
    layers: "Iterable[tuple[Layer, Source | None]]",
    tree: FileTree,
    meter: Meter,
    policy: Policy,
    *,
    mirror: Mirror | None = None,
) -> FileTree:
    """Merge layers into `tree`, the lowest first, and return it; for the rest as `merge_layer`.

    Where threads may be used, each layer is begun with before its turn, and parsed too where no contents are needed.
    """
    todo = list(layers)
    contents = mirror is not None or any(source is None for _, source in todo)

    def each(turns: Turns) -> None:
        for layer, source in todo:
            merge_layer(layer, tree, meter, policy, source=source, mirror=mirror, start=turns.next)

    with contextlib.closing(Turns([layer for layer, _ in todo], contents=contents)) as turns:
        each(turns)
    return tree


def place(
    dest: str | PathLike[str], fill: Callable[[DirectoryMirror], FileTree], report: Report, placing: Placing
) -> Report:
    """Make a directory of what `fill` makes in a mirror, or leave `dest` as it was.

    Raises:
        DestinationError: `dest` is refused.
        MetadataError: Something could not be set, and `placing` asks for all of it.
        OCIError: Whatever `fill` raises.
    """
    with destination(dest, in_place=placing.in_place, sync=placing.sync, report=report) as root:
        mirror = DirectoryMirror(root, owner=placing.owner, report=report, sync=placing.sync, dest=fspath(dest))
        with contextlib.closing(mirror):
            mirror.finish(fill(mirror))
        if placing.strict_metadata and (missed := mirror.missed()):
            raise MetadataError(missed)
    return report
