"""Unpack a tree to disk: options, DEST, and the mirror that writes to it."""

import contextlib
from collections.abc import Callable
from os import PathLike, fspath

import attrs

from oci_layers.disk.destination import destination
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import Owner
from oci_layers.errors import MetadataError
from oci_layers.image.windows import WindowsMirror, keep_metadata
from oci_layers.progress import ProgressTracker
from oci_layers.report import Report
from oci_layers.tree.editor import Mirror
from oci_layers.tree.tree import FileTree

__all__ = ["UnpackOptions", "unpack_to"]


@attrs.frozen
class UnpackOptions:
    """How a tree is written to disk; for each option see `Image.unpack`."""

    owner: Owner | None = None
    in_place: bool = False
    sync: bool = False
    strict_metadata: bool = False
    windows: bool = False
    """Whether the image is for Windows."""


def unpack_to(
    dest: str | PathLike[str],
    fill: Callable[[Mirror], FileTree],
    tracker: ProgressTracker,
    options: UnpackOptions,
) -> Report:
    """Create `dest` from the tree that `fill` writes to a mirror and returns; on failure `dest` is unchanged.

    Raises:
        DestinationError: `dest` is refused.
        MetadataError: Some metadata could not be set, and `options.strict_metadata` is True.
        OCIError: `fill` raises it.
    """
    report = tracker.report
    with destination(dest, in_place=options.in_place, sync=options.sync, report=report) as root:
        mirror = DirectoryMirror(root, owner=options.owner, report=report, sync=options.sync, dest=fspath(dest))
        with contextlib.closing(mirror):
            tree = fill(WindowsMirror(mirror) if options.windows else mirror)
            if options.windows:
                keep_metadata(tree, mirror)
            mirror.finish(tree, checkpoint=tracker.checkpoint)
        if options.strict_metadata and (missed := mirror.missed()):
            raise MetadataError(missed)
    return report
