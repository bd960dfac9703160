"""Decode layers and apply them to a tree and, change by change, to a directory.

`reader` reads one layer, `layer.apply` applies its changes, `disk` writes the directory, `progress` reports progress.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterable

from oci_layers.image.entries import OnEntry
from oci_layers.image.prefetch import prefetcher_of
from oci_layers.image.reader import LayerReader, OpenLayer
from oci_layers.layer.apply import apply
from oci_layers.layer.decode import decode
from oci_layers.layer.policy import Policy
from oci_layers.progress import ProgressTracker
from oci_layers.report import LayerTime
from oci_layers.tree.content import RangeReader
from oci_layers.tree.editor import Mirror
from oci_layers.tree.tree import FileTree

__all__ = ["merge_layer", "merge_layers"]


def merge_layer(
    layer: LayerReader,
    tree: FileTree,
    tracker: ProgressTracker,
    policy: Policy,
    *,
    source: RangeReader | None,
    mirror: Mirror | None = None,
    opener: Callable[[], OpenLayer] | None = None,
) -> None:
    """Merge one layer into `tree`, verify it to its last byte, and repeat each change on `mirror`.

    Args:
        layer: The layer.
        tree: The layers below, merged; changed in place.
        tracker: Counts, limits and reports.
        policy: What to do where the spec leaves a choice.
        source: Reads contents later; with None, contents are held in memory.
        mirror: Receives every change; a `DirectoryMirror`, for example.
        opener: As in `LayerReader.open_entries`; must open contents if there is a mirror or no source.

    Raises:
        OCIError: The layer is missing, damaged, or refused by the policy; a note names the layer.
    """
    started = time.monotonic()
    on_finding, number = tracker.report.findings.add, layer.index
    with layer.open_entries(tracker.on_read(number), opener=opener) as entries:
        counted = tracker.count(entries)
        changes = decode(
            counted,
            layer=number,
            policy=policy,
            limits=layer.limits,
            source=source,
            on_finding=on_finding,
            windows=tree.windows,
        )
        apply(changes, tree, layer=number, mirror=mirror, policy=policy, on_finding=on_finding)
    tracker.report.layers.append(
        LayerTime(number, str(layer.descriptor.digest), str(layer.diff_id), time.monotonic() - started)
    )


def merge_layers(
    layers: Iterable[tuple[LayerReader, RangeReader | None]],
    tree: FileTree,
    tracker: ProgressTracker,
    policy: Policy,
    *,
    mirror: Mirror | None = None,
    on_entry: Callable[[int], OnEntry] | None = None,
    copy: Callable[[int], Callable[[bytes], None] | None] | None = None,
) -> FileTree:
    """Merge layers into `tree`, the lowest first, and return `tree`; otherwise as `merge_layer`.

    Where no contents are needed, `on_entry` returns the callback for the entries of each layer, and `copy` the one for
    its uncompressed bytes.
    With threads, the next layer is opened while one is merged; if no contents are needed, it is parsed as well.
    """
    todo = list(layers)
    contents = mirror is not None or any(source is None for _, source in todo)
    openers: list[Callable[[], OpenLayer]] = [
        layer.open
        if contents
        else functools.partial(
            layer.open_headers,
            None if on_entry is None else on_entry(layer.index),
            None if copy is None else copy(layer.index),
        )
        for layer, _ in todo
    ]
    with contextlib.closing(prefetcher_of([layer for layer, _ in todo], openers)) as prefetcher:
        for layer, contents_of in todo:
            merge_layer(layer, tree, tracker, policy, source=contents_of, mirror=mirror, opener=prefetcher.open)
    return tree
