"""One layer of an image: its metadata, and its entries, changes and tree without the layers below.

`reader` reads its bytes; `merge` and `unpack` build a tree from them.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from os import PathLike

import attrs

from oci_layers.blob.spool import Spool
from oci_layers.blob.store import BlobSource
from oci_layers.disk.owner import Owner
from oci_layers.image.content import contents_of
from oci_layers.image.merge import merge_layer, merge_layers
from oci_layers.image.reader import LayerReader
from oci_layers.image.unpack import UnpackOptions, unpack_to
from oci_layers.layer.change import Change
from oci_layers.layer.decode import decode
from oci_layers.layer.policy import AnyPolicy, Policy
from oci_layers.limits import Limits
from oci_layers.progress import OnRead, Progress, ProgressTracker
from oci_layers.report import LayerFinding, Report
from oci_layers.spec.config import History, chain_ids
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.tar.entry import Entry
from oci_layers.tree.content import RangeReader
from oci_layers.tree.editor import Mirror
from oci_layers.tree.tree import FileTree

__all__ = ["Layer", "stack_layers"]


@attrs.frozen(kw_only=True, eq=False)
class Layer:
    """One layer of an image. Each method that reads it reads the whole blob again, and verifies it."""

    reader: LayerReader = attrs.field(repr=False)
    """Opens its bytes and entries."""
    chain_id: Digest
    """The digest of it and all below it (config.md, Layer ChainID)."""
    history: History | None
    """Its history entry; None unless the config has one for every layer."""

    @property
    def index(self) -> int:
        """Its number in the image, 0 at the bottom."""
        return self.reader.index

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of its blob."""
        return self.reader.descriptor

    @property
    def diff_id(self) -> Digest:
        """The digest of its uncompressed tar (config.md, Layer DiffID)."""
        return self.reader.diff_id

    @property
    def limits(self) -> Limits:
        """The limits on reading it."""
        return self.reader.limits

    @property
    def name(self) -> str:
        """Its name in errors."""
        return self.reader.name

    def entries(self, *, on_read: OnRead | None = None) -> Generator[Entry, None, None]:
        """Yield the layer's tar entries; the content of an entry can be read until the next entry is requested.

        The generator ends only after every digest was verified. Close it to stop early.

        Args:
            on_read: Called after each piece; an exception that it raises ends the reading.

        Raises:
            TarFormatError: The uncompressed bytes are not a tar archive.
            OCIError: As `LayerReader.open_uncompressed`.
        """
        with self.reader.open_entries(on_read or _ignore) as entries:
            yield from entries

    def changes(
        self,
        *,
        policy: AnyPolicy = None,
        source: RangeReader | None = None,
        on_finding: Callable[[LayerFinding], None] | None = None,
        on_read: OnRead | None = None,
    ) -> Generator[Change, None, None]:
        """Yield the changes that the entries of the layer make; for arguments see `layer.decode` and `entries`."""
        with self.reader.open_entries(on_read or _ignore) as entries:
            yield from decode(
                entries,
                layer=self.index,
                policy=policy,
                limits=self.limits,
                source=source,
                on_finding=on_finding,
                windows=self.reader.windows,
            )

    def tree(self, *, policy: AnyPolicy = None) -> FileTree:
        """Return the tree of this layer alone, applied to an empty tree; all contents are held in memory.

        Raises:
            OCIError: As `entries`, or the policy refuses the layer.
        """
        tree = FileTree(limits=self.limits, windows=self.reader.windows)
        merge_layer(self.reader, tree, self._tracker(), Policy.of(policy), source=None)
        return tree

    def _tracker(self, progress: Callable[[Progress], None] | None = None) -> ProgressTracker:
        return ProgressTracker(self.limits, {self.index: self.descriptor.size}, progress)

    def unpack(
        self,
        dest: str | PathLike[str],
        *,
        policy: AnyPolicy = None,
        owner: Owner | None = None,
        in_place: bool = False,
        sync: bool = False,
        strict_metadata: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Write the tree of this layer alone to `dest`; for arguments see `Image.unpack`.

        Raises:
            DestinationError: `dest` is refused.
            OCIError: As `tree`.
        """
        tracker = self._tracker(progress)

        def fill(mirror: Mirror) -> FileTree:
            tree = FileTree(limits=self.limits, windows=self.reader.windows)
            return merge_layers([(self.reader, contents)], tree, tracker, Policy.of(policy), mirror=mirror)

        options = UnpackOptions(owner, in_place, sync, strict_metadata, self.reader.windows)
        # The streams of files for Windows are read after the layer.
        contents = contents_of(self.reader, Spool(None, self.limits.temporary_bytes))
        with contextlib.closing(contents):
            return unpack_to(dest, fill, tracker, options)


def _ignore(_: int, __: int) -> None:
    """Ignore progress that no callback receives."""


def stack_layers(
    descriptors: Sequence[Descriptor],
    diff_ids: Sequence[Digest],
    history: Sequence[History],
    *,
    blobs: BlobSource,
    limits: Limits,
    threads: int,
    windows: bool = False,
) -> tuple[Layer, ...]:
    """Return the layers that the documents of an image describe, the base first; reads nothing.

    Each has its entry of `history`, empty layers passed over, unless there is not exactly one for each.
    """
    made = [entry for entry in history if not entry.empty_layer]
    histories: list[History | None] = [*made] if len(made) == len(diff_ids) else [None] * len(diff_ids)
    rows = zip(descriptors, diff_ids, chain_ids(diff_ids), histories, strict=True)
    return tuple(
        Layer(
            reader=LayerReader(
                index=index,
                descriptor=descriptor,
                diff_id=diff_id,
                blobs=blobs,
                limits=limits,
                threads=threads,
                windows=windows,
            ),
            chain_id=chain_id,
            history=history,
        )
        for index, (descriptor, diff_id, chain_id, history) in enumerate(rows)
    )
