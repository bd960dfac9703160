"""Unpack the layers of an image into a room: those that it lacks, one directory each.

Theory of operation. The tree of the layers that are there is read from their changes, so nothing is read again.
Each layer above is merged into a fork of the tree below it, while its files are written to a staging directory; the
difference of both trees is what the layer is (`upper_mirror`). Later layers are opened and inflated meanwhile.
When a process has made the staging directory of a layer, another one that wants the layer waits, and then uses it.
"""

import contextlib

import attrs

from oci_layers.disk.owner import Owner
from oci_layers.errors import UnsupportedError
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.image.merge import merge_layer
from oci_layers.image.prefetch import LayerPrefetcher, prefetcher_of
from oci_layers.image.reader import OpenLayer
from oci_layers.layer.policy import Policy
from oci_layers.progress import ProgressTracker
from oci_layers.snapshot.changes_file import StoredContent
from oci_layers.snapshot.content_digests import ContentDigests
from oci_layers.snapshot.directory import RoomDirectory
from oci_layers.snapshot.layers import LayerWriter, RoomLayer, RoomLayers
from oci_layers.snapshot.share import SharedFiles
from oci_layers.spec.digest import Digest
from oci_layers.tree.content import NOWHERE
from oci_layers.tree.node import File
from oci_layers.tree.tree import FileTree

__all__ = ["Unpacking"]


@attrs.define
class Unpacking:
    """Unpacks the layers of one image. Used once."""

    room: RoomDirectory
    """Where new layers are written."""
    layers: RoomLayers
    """The layers that are there."""
    owner: Owner
    """The owners of new files."""
    shared: SharedFiles
    """Shares the bytes of new files with those that are there."""
    tracker: ProgressTracker
    """Counts, limits and reports."""
    unpacked: list[Digest] = attrs.field(factory=list)
    """The chain_ids of the layers that were written."""
    saved: int = 0
    """How many bytes of new files need no space of their own."""

    def run(self, image: Image) -> None:
        """Unpack what is missing.

        Raises:
            UnsupportedError: It is an image for Windows.
            OCIError: A layer is missing, damaged, or refused.
            OSError: The system fails: the disk is full, for example.
        """
        if image.config.os == "windows":
            raise UnsupportedError("operating system of the image", "windows", "a room holds images for Linux")
        known = 0
        for layer in image.layers:
            if not self._is_there(layer.chain_id):
                break
            known += 1
        missing = image.layers[known:]
        if not missing:
            return
        tree = self.layers.tree(image.layers[known - 1].chain_id if known else None)
        readers = [layer.reader for layer in missing]
        with (
            contextlib.closing(prefetcher_of(readers)) as prefetcher,
            contextlib.closing(ContentDigests(background=min(each.threads for each in readers) > 1)) as digests,
        ):
            for layer in missing:
                below = image.layers[layer.index - 1].chain_id if layer.index else None
                self._unpack(layer, below, tree, prefetcher, digests)

    def _is_there(self, chain_id: Digest) -> bool:
        """Return whether a layer exists, and keep it from being collected."""
        with self.room.shared():
            found = self.layers.find(chain_id)
            if found is None:
                return False
            if found.room.is_read_only or found.room.touch(*found.names):
                return True
        self.layers.forget(chain_id)
        return False

    def _unpack(
        self,
        layer: Layer,
        below: Digest | None,
        tree: FileTree,
        prefetcher: LayerPrefetcher[OpenLayer],
        digests: ContentDigests,
    ) -> None:
        """Write one layer, unless another process has done so meanwhile; apply it to `tree`."""
        name = f"{layer.chain_id.algorithm}-{layer.chain_id.encoded}".encode()
        with self.room.staging(name) as staging:
            if self._is_there(layer.chain_id):
                prefetcher.open().close()
                self._found(layer.chain_id).apply(tree, layer.index)
                return
            old = tree.fork()

            def share(root: int, files: list[tuple[bytes, File, StoredContent]]) -> None:
                self.saved += self.shared.share(root, files, tree, below)

            made = LayerWriter(self.room, staging, self.owner, self.tracker.report, digests, self.tracker.checkpoint)
            with contextlib.closing(made) as writer:
                merge_layer(
                    layer.reader,
                    tree,
                    self.tracker,
                    Policy(),
                    source=NOWHERE,
                    mirror=writer.mirror,
                    opener=prefetcher.open,
                )
                writer.finish(old, tree, layer.chain_id, share)
                writer.publish(layer.chain_id, layer.diff_id, below)
            self.unpacked.append(layer.chain_id)

    def _found(self, chain_id: Digest) -> RoomLayer:
        found = self.layers.find(chain_id)
        assert found is not None
        return found
