"""An image: its documents, its layers, and the file system that the layers form.

Connects documents, layers and the merged tree. `reader` reads one layer, `merge` merges layers, `unpack` writes the
result to disk, `subset` selects paths of it.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING, Literal

from oci_layers import system
from oci_layers._closing import Closing
from oci_layers.blob.spool import Spool
from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.disk.owner import Owner
from oci_layers.errors import DocumentError, LimitError, OCIError, Problem, UnsupportedError, escape
from oci_layers.image.content import LayerContents, contents_of, copied
from oci_layers.image.entries import OnEntry
from oci_layers.image.files import ContentKeeper, find_files, led_to, read_files, regular_files, stored_files
from oci_layers.image.layer import Layer, stack_layers
from oci_layers.image.merge import merge_layers
from oci_layers.image.origin import Origin
from oci_layers.image.path import ImagePath
from oci_layers.image.reader import LayerReader
from oci_layers.image.subset import select_paths, write_tree
from oci_layers.image.unpack import UnpackOptions, unpack_to
from oci_layers.image.windows import shown
from oci_layers.layer.policy import AnyPolicy, Policy
from oci_layers.limits import Limits
from oci_layers.progress import Progress, ProgressTracker
from oci_layers.report import Report
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import Document, parse_config
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import lookup
from oci_layers.tree.editor import Mirror
from oci_layers.tree.node import File
from oci_layers.tree.path import AnyPath, clean, to_bytes_each
from oci_layers.tree.tree import FileTree

if TYPE_CHECKING:
    from oci_layers.image.account import Account
    from oci_layers.image.export import Order, Writable
    from oci_layers.image.why import PathHistory
    from oci_layers.report import LayerFinding

__all__ = ["Image"]


class Image(Closing):
    """An image, read on demand. A context manager; contents cannot be read after it is closed.

    Several threads may read it. A merged tree is kept in memory for each policy and number of layers.
    """

    def __init__(
        self,
        manifest: Document[Manifest],
        blobs: BlobSource,
        *,
        name: str = "image",
        limits: Limits | None = None,
        temporary_directory: str | None = None,
        threads: int | None = None,
        close: Callable[[], None] | None = None,
        reopen: Callable[[], "Image"] | None = None,
    ) -> None:
        """Take the documents of an image; reads nothing.

        Args:
            manifest: The manifest of the image.
            blobs: Holds config and layers.
            name: The name of the image in messages.
            limits: The limits on documents and layers.
            temporary_directory: Holds the temporary files of contents; the system's temporary directory if None.
            threads: How many threads work on a layer at once, up to 4; if None, twice the number of CPUs, up to 4.
            close: Called when the image is closed.
            reopen: Opens the same image again; can be pickled. Without it, the image cannot be.

        Raises:
            ValueError: `threads` is less than 1.
        """
        self.name = name
        self.manifest_document = manifest
        self.blobs = blobs
        self.limits = limits or Limits()
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1: {threads}")
        self._threads = min(4, 2 * system.cpu_count()) if threads is None else threads
        self._spool = Spool(temporary_directory, self.limits.temporary_bytes)
        self._close = close
        self._origin = None
        if reopen is not None:
            allowed = self.limits.temporary_bytes
            self._origin = Origin(reopen, self.descriptor.digest, temporary_directory, allowed)
        self._config: Document[ImageConfig] | None = None
        self._layers: tuple[Layer, ...] | None = None
        self._contents: dict[int, LayerContents] = {}
        self._trees: dict[tuple[int, Policy], tuple[FileTree, Report]] = {}
        self._merging = threading.Lock()
        self._accounts: dict[Policy, Account] = {}
        self._root: ImagePath | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self.manifest_document.value

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest."""
        return self.manifest_document.descriptor

    @property
    def config_document(self) -> Document[ImageConfig]:
        """The config with its bytes, read once.

        Raises:
            UnsupportedError: This is an artifact: its config does not have the media type of an image config (MAN-07).
            OCIError: The config is missing, damaged or malformed.
        """
        if self._config is None:
            descriptor = self.manifest.config
            row = lookup(descriptor.media_type)
            if row is None or row.role != "config":
                error = UnsupportedError(
                    "config media type", descriptor.media_type, "this is an artifact, not an image"
                )
                error.add_note(escape(self.name))
                raise error
            raw = read_verified(self.blobs, descriptor, limit="config_bytes", allowed=self.limits.config_bytes)
            try:
                self._config = parse_config(raw, descriptor, self.limits)
            except OCIError as malformed:
                self._blame_config(malformed)
                raise
        return self._config

    def _blame_config(self, error: OCIError) -> OCIError:
        """Add notes to an error that name the config and the image."""
        error.add_note(f"config {self.manifest.config.digest}")
        error.add_note(escape(self.name))
        return error

    @property
    def config(self) -> ImageConfig:
        """The config; raises as `config_document`."""
        return self.config_document.value

    @property
    def is_windows(self) -> bool:
        """Whether the image is for Windows, by its config: names fold case, and its layers have other roots."""
        return self.config.os == "windows"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, the base first.

        Raises:
            DocumentError: Manifest and config have different numbers of layers (CFG-20).
            LimitError: There are more than `Limits.layers`.
        """
        if self._layers is None:
            self._layers = self._stack()
        return self._layers

    def _stack(self) -> tuple[Layer, ...]:
        descriptors = self.manifest.layers
        if len(descriptors) > self.limits.layers:
            raise LimitError("layers", self.limits.layers, len(descriptors))
        diff_ids = self.config.rootfs.diff_ids
        if len(descriptors) != len(diff_ids):
            problem = Problem(
                "/rootfs/diff_ids", f"{len(diff_ids)} diff_ids for the manifest's {len(descriptors)} layers"
            )
            raise self._blame_config(DocumentError(self.manifest.config.media_type, (problem,)))
        history, windows = self.config.history, self.is_windows
        return stack_layers(
            descriptors, diff_ids, history, blobs=self.blobs, limits=self.limits, threads=self._threads, windows=windows
        )

    def tree(
        self,
        layers: int | None = None,
        *,
        policy: AnyPolicy = None,
        progress: Callable[[Progress], None] | None = None,
        keep_contents: bool = False,
        root: Literal["system", "layer"] = "system",
    ) -> FileTree:
        """Return the merged file system of the lowest `layers` layers, all of them by default.

        The first call reads and verifies these layers; later calls with the same policy reuse the result. Contents are
        not held in memory. The caller may change the returned tree. `progress` is called as by `unpack`.

        Contents are read when they are asked for, from the layers again. With `keep_contents`, the compressed layers
        that this call reads are copied to temporary files on the way: faster for a caller that reads most contents.

        Of an image for Windows, the root is the drive C:, or with `root="layer"` that of its layers, which have the
        drive in `Files`, and `Hives` and `UtilityVM` beside it.

        Raises:
            ValueError: `layers` is negative.
            OCIError: A layer is missing, damaged, or refused by the policy.
        """
        if layers is not None and layers < 0:
            raise ValueError(f"layers must not be negative: {layers}")
        count = len(self.layers) if layers is None else min(layers, len(self.layers))
        tree = self._merged(count, Policy.of(policy), progress, copy=keep_contents)[0]
        return shown(tree) if root == "system" else tree

    def share_tree(self, other: "Image", *, policy: AnyPolicy = None) -> int:
        """Take the merged tree of the lowest layers that both images have from `other`; return how many there are.

        Neither reads these layers a second time, and the trees of both share the directories that are the same in both.
        The contents of these layers are read from `other`, which must stay open.

        Raises:
            OCIError: As `tree` of `other`.
        """
        chosen, count = Policy.of(policy), 0
        for mine, its in zip(self.layers, other.layers, strict=False):
            if mine.diff_id != its.diff_id:
                break
            count += 1
        tree, report = other._merged(count, chosen)  # noqa: SLF001  # a method of this class
        with self._merging:
            self._trees.setdefault((count, chosen), (tree, report))
        return count

    def _merged(
        self,
        count: int,
        policy: Policy,
        on_progress: Callable[[Progress], None] | None = None,
        on_entry: Callable[[int], OnEntry] | None = None,
        *,
        copy: bool = False,
    ) -> tuple[FileTree, Report]:
        """Return the tree of the lowest layers, and the report of merging them; reads what is not merged yet.

        With `copy`, the contents of compressed layers are copied to temporary files on the way.
        """
        with self._merging:
            known = max((k for k, p in self._trees if p == policy and k <= count), default=0)
            tree, report = FileTree(limits=self.limits, windows=self.is_windows), Report()
            if known:
                tree, report = self._trees[known, policy][0].fork(), self._trees[known, policy][1]
            if known < count:
                tracker = self._tracker(on_progress)
                tracker.report.findings.extend(report.findings)
                tracker.report.layers += report.layers
                sources = self._sources(known, count)
                kept = {each.index: contents for each, contents in sources if copy and each.is_compressed}
                with copied(kept) as copies:
                    merge_layers(sources, tree, tracker, policy, on_entry=on_entry, copy=copies)
                report = tracker.report
                self._trees[count, policy] = tree.fork(), report
        return tree, report

    def _tracker(self, on_progress: Callable[[Progress], None] | None = None) -> ProgressTracker:
        return ProgressTracker(self.limits, {each.index: each.descriptor.size for each in self.layers}, on_progress)

    def _sources(self, first: int, end: int) -> list[tuple[LayerReader, LayerContents]]:
        return [
            (layer.reader, self._contents.setdefault(layer.index, contents_of(layer.reader, self._spool, self._origin)))
            for layer in self.layers[first:end]
        ]

    def __reduce__(self) -> tuple[Callable[..., "Image"], tuple[()]]:
        """Pickle the name and the digest of the image, which is opened again when it is unpickled.

        Raises:
            TypeError: It was not opened by its name, or it was read from a pipe.
        """
        if self._origin is None:
            raise TypeError(
                f"{self.name}: only an image from open_image can be pickled, and none that was read from a pipe"
            )
        return self._origin.image, ()

    @property
    def root(self) -> ImagePath:
        """The merged file system as paths: `(image.root / "etc/os-release").read_text()`."""
        if self._root is None:
            self._root = ImagePath(self.tree())
        return self._root

    def files(self, paths: Iterable[AnyPath] | None = None) -> Iterator[tuple[bytes, File, Iterator[bytes]]]:
        """Yield the regular files of the merged file system with their contents, in one pass over the layers.

        Yields (path, node, pieces of its content), in the order in which layers store the files. A file with several
        names is yielded once. Its pieces can be read until the next file is requested. The merge verifies every layer
        before the first byte is returned, and the pass verifies each layer that it reads again, to its end.

        Args:
            paths: Only the files at or below these paths; all by default. A link in `paths` is followed, a link below
                one of them is not.

        Raises:
            PathError: One of `paths` does not exist, or is a dangling link.
        """
        tree = self.tree()
        if paths is not None:
            tree = select_paths(tree, [led_to(tree, path) for path in to_bytes_each(paths)])
        for path, node, entry in stored_files(self.layers, regular_files(tree), self._tracker()):
            yield path, node, iter(()) if entry is None else map(bytes, entry.chunks())

    def read(
        self,
        paths: Iterable[AnyPath],
        *,
        policy: AnyPolicy = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> dict[AnyPath, bytes]:
        """Return the contents of several files of the merged file system, by the paths as they were given.

        The fastest way to a few files: they are kept while the layers are merged, if the image is not merged yet, and
        only what links hide is read again afterwards; nothing is written to temporary files. Every layer is verified
        before this returns. Links are followed.

        Args:
            paths: Paths of regular files, or of links to them.
            policy: As for `tree`.
            progress: As for `unpack` with `paths`.

        Raises:
            PathMissingError: Some paths do not exist; the error names each of them.
            IsDirectoryError, PathError: A path is not a regular file.
            LimitError: The files have more than `Limits.content_bytes` together; nothing was read.
            OCIError: As `tree`.
        """
        paths = paths if isinstance(paths, bytes | str) else list(paths)
        names = to_bytes_each(paths)
        allowed = self.limits.content_bytes
        keeper = ContentKeeper((clean(name, limits=self.limits) for name in names), allowed)
        tree, _ = self._merged(len(self.layers), Policy.of(policy), progress, keeper.on_entry)
        return read_files(self.layers, find_files(shown(tree), paths), self._tracker(progress), allowed, keeper.kept)

    def lint(
        self, *, policy: AnyPolicy = None, progress: Callable[[Progress], None] | None = None
    ) -> "Iterator[LayerFinding]":
        """Yield the errors, warnings and notes of `lint_layers` for all layers."""
        from oci_layers.image.lint import lint_layers

        yield from lint_layers(self.layers, policy=policy, windows=self.is_windows, progress=progress)

    def unpack(
        self,
        dest: str | PathLike[str],
        *,
        paths: Iterable[AnyPath] = (),
        policy: AnyPolicy = None,
        owner: Owner | None = None,
        in_place: bool = False,
        sync: bool = False,
        strict_metadata: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Write the merged file system, or a part of it, to `dest`, and verify every byte of the image.

        Of an image for Windows, the roots of its layers are written, and in `meta.jsonl` what the disk cannot hold.

        Args:
            dest: Absent or an empty directory, which is replaced; on failure it is unchanged (`disk.destination`).
            paths: Only what is at or below these paths, with their parent directories; everything by default.
            policy: What to do where the spec leaves a choice.
            owner: The owners of the files; the image's owners by default.
            in_place: Build inside `dest` instead of replacing it.
            sync: Flush everything to the disk before `dest` gets its name, and then the rename.
            strict_metadata: Fail if owners, devices or extended attributes cannot be set, instead of listing them.
            progress: Called in this thread after each piece of a layer, about 1 MiB, and finally for each directory; an
                exception that it raises ends the work, which is then undone. With `paths`, first for all layers, and
                then for those that hold the contents.

        Returns:
            What was unpacked, and what was skipped.

        Raises:
            DestinationError: `dest` is refused.
            MetadataError: Some metadata could not be set, and `strict_metadata` is True.
            OCIError: The image is refused, or part of it is missing or damaged.
            OSError: The system fails: the disk is full, for example.
        """
        policy = Policy.of(policy)
        wanted = to_bytes_each(paths)
        tracker = self._tracker(progress)
        options = UnpackOptions(owner, in_place, sync, strict_metadata, self.is_windows)
        subset = None
        if wanted:
            tree, merged = self._merged(len(self.layers), policy, progress)
            subset = select_paths(tree, wanted)
            tracker.report.findings.extend(merged.findings)
            tracker.report.layers += merged.layers

        def fill(mirror: Mirror) -> FileTree:
            if subset is not None:
                write_tree(subset, mirror, lambda files: stored_files(self.layers, files, tracker))
                return subset
            sources = self._sources(0, len(self.layers))
            return merge_layers(
                sources, FileTree(limits=self.limits, windows=self.is_windows), tracker, policy, mirror=mirror
            )

        return unpack_to(dest, fill, tracker, options)

    def account(self, *, policy: AnyPolicy = None, progress: Callable[[Progress], None] | None = None) -> "Account":
        """Return what each layer added, changed, removed and hid, and which of its bytes the image does not show.

        The first call with a policy reads every layer once, without keeping contents; raises as `tree`.
        """
        from oci_layers.image.account import account_of

        policy = Policy.of(policy)
        if policy not in self._accounts:
            contents = [contents for _, contents in self._sources(0, len(self.layers))]
            self._accounts[policy] = account_of(self.layers, contents, self._tracker(progress), policy)
        return self._accounts[policy]

    def why(
        self,
        path: AnyPath,
        *,
        follow: bool = False,
        policy: AnyPolicy = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> "PathHistory":
        """Return which layers touched a path, in order, and what each did to it.

        Links in the parents of `path` are followed, in the topmost layer that has it, and with `follow` a link at
        `path` itself. The layers are read as by `account`, and again only if contents of one size must be compared.

        Raises:
            PathMissingError: No layer touched it.
            OCIError: As `tree`.
        """
        from oci_layers.image.why import history_of

        account = self.account(policy=policy, progress=progress)
        return history_of(account, path, self._tracker(), follow=follow)

    def export(
        self,
        stream: "Writable",
        *,
        order: "Order" = "path",
        policy: AnyPolicy = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Write the merged file system as one tar, as `docker export` does: what is visible, always the same bytes.

        Every layer is verified before the first byte is written. Memory held: the merged tree, and one piece of a file.

        Args:
            stream: A binary file; it is not closed, and after an error it has a part of the archive.
            order: `path`, always for an image for Windows: by path, so that equal trees give equal bytes; contents go
                through temporary files as large as the layers. `layer`: files as the layers store them, after
                everything else; no temporary file, but the layers are read twice, and GNU tar needs
                `--delay-directory-restore`.
            policy: As for `tree`.
            progress: Called while layers are read, as by `unpack`, then, from 0 again, while the archive is written.

        Returns:
            What was written, and the findings of the merge.

        Raises:
            OCIError: As `tree`.
            OSError: The stream raises it.
        """
        from oci_layers.image.export import Meter, export_entries, write_export

        order = "path" if self.is_windows else order
        tree, merged = self._merged(len(self.layers), Policy.of(policy), progress, copy=order == "path")
        entries = export_entries(tree, self.layers, self._tracker(progress), order)
        # In the other order the layers are read again meanwhile, which is reported.
        meter = Meter(tree, len(self.layers), progress) if progress is not None and order == "path" else None
        return write_export(entries, stream, merged, meter)

    def close(self) -> None:
        """Close all open files. Trees stay usable, but reading their contents raises an error."""
        for contents in self._contents.values():
            contents.close()
        if self._close is not None:
            self._close()
            self._close = None

    def __repr__(self) -> str:
        return f"<Image {self.name} {self.descriptor.digest}>"
