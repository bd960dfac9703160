"""Check the layers of an image for errors and doubtful entries, each against the merged tree of the layers below.

The rules are in `lint`, the engine in `lint.linter`. Each layer is read, verified and parsed once. Contents are not
kept.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from oci_layers.image.layer import Layer
from oci_layers.image.prefetch import prefetcher_of
from oci_layers.layer.policy import AnyPolicy
from oci_layers.limits import Limits
from oci_layers.lint.linter import Linter
from oci_layers.progress import Progress, ProgressTracker
from oci_layers.report import LayerFinding
from oci_layers.tree.tree import FileTree

__all__ = ["lint_layers"]


def lint_layers(
    layers: Sequence[Layer],
    *,
    policy: AnyPolicy = None,
    windows: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[LayerFinding]:
    """Yield the findings in the layers of an image, layer by layer, as soon as each is found.

    Findings are yielded before the digests of their layer are verified; if it is damaged, the error follows them. A
    change that the policy refuses is not applied to the tree, and the other changes are; so each layer is checked even
    if one below it is refused. Memory held: the merged tree without contents, and the names of one layer.
    Close the generator to stop early.

    Args:
        layers: The layers, the base first, over an empty file system.
        policy: How each layer is applied to the tree for the layers above it.
        windows: Whether the image is for Windows, which has other names and attributes.
        progress: Called in this thread as layers are read; an exception that it raises ends the work.

    Raises:
        OCIError: A layer is missing, damaged, no tar archive, or past a limit on all of them; a note names it.
    """
    limits = layers[0].limits if layers else Limits()
    tracker = ProgressTracker(limits, {layer.index: layer.descriptor.size for layer in layers}, progress)
    lower = FileTree(limits=limits, windows=windows)
    readers = [layer.reader for layer in layers]
    with contextlib.closing(prefetcher_of(readers, [each.open_headers for each in readers])) as prefetcher:
        for layer in layers:
            linter = Linter(lower=lower, layer=layer.index, policy=policy, windows=windows)
            with layer.reader.open_entries(tracker.on_read(layer.index), opener=prefetcher.open) as entries:
                for entry in tracker.count(entries):
                    yield from linter.look(entry)
            yield from linter.end()
            lower = linter.tree
