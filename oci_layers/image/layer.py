"""One layer of an image: its blob as verified plain bytes, as entries, as changes, as a tree of its own.

The whole way from untrusted bytes to changes is in `start`, `open_entries` and `changes`: size and digest of the blob,
inflating within limits, the digest of the plain bytes (the diff_id, over every one of them), tar, meaning.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from os import PathLike
from typing import TypeVar

import attrs

from oci_layers.blob.cas import BlobSource
from oci_layers.blob.compression import Compression
from oci_layers.blob.stream import ByteStream, drain
from oci_layers.disk.mirror import DirectoryMirror
from oci_layers.disk.owner import Owner
from oci_layers.errors import CompressionError, LayerError, LimitError, OCIError, UnsupportedError
from oci_layers.image.headers import Headers
from oci_layers.image.meter import Meter, Progress, Watch
from oci_layers.image.plain import PlainBytes, Watched
from oci_layers.image.stack import Placing, merge_layer, merge_layers, place
from oci_layers.layer.change import Change
from oci_layers.layer.changeset import decode
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.report import Finding, Report
from oci_layers.spec.config import History
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import lookup
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.node import NOWHERE, Source
from oci_layers.tree.tree import FileTree

__all__ = ["Layer"]

R = TypeVar("R", PlainBytes, PlainBytes | Headers)


@attrs.frozen(kw_only=True, eq=False)
class Layer:
    """One layer of an image. Reading it reads its blob, each time, and checks all of it."""

    index: int
    """Its place in the stack, 0 at the bottom."""
    descriptor: Descriptor
    """What names its blob."""
    diff_id: Digest
    """The digest of its plain tar (config.md, Layer DiffID)."""
    chain_id: Digest
    """The digest of it and all below it (config.md, Layer ChainID)."""
    history: History | None
    """How it was made, where the config says so for every layer."""
    blobs: BlobSource = attrs.field(repr=False)
    limits: Limits = attrs.field(repr=False)
    threads: int = attrs.field(default=1, repr=False)
    """How many threads may work on it at once; with 1, all is done by the one that reads."""

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"layer {self.index} ({self.descriptor.digest})"

    def start(self, *, ahead: bool = True) -> PlainBytes:
        """Begin to read, inflate and hash the layer, for `open_entries`; raises as that.

        Args:
            ahead: Whether to do so ahead of the reader, where there may be threads.
        """
        return PlainBytes(
            self.blobs,
            self.descriptor,
            self.diff_id,
            compression=self._compression(),
            limits=self.limits,
            what=self.name,
            threads=self.threads,
            ahead=ahead,
        )

    def start_headers(self) -> PlainBytes | Headers:
        """Begin to read the layer for entries without contents, all of it in other threads where there may be any."""
        if self.threads > 1:
            plain = self.start(ahead=False)
            try:
                return Headers(plain, self.limits)
            except RuntimeError:  # There can be no more threads.
                return plain
            except BaseException:
                plain.close()
                raise
        return self.start()

    @contextlib.contextmanager
    def _reading(self, start: Callable[[], R]) -> Iterator[R]:
        try:
            with contextlib.closing(start()) as begun:
                try:
                    yield begun
                except (LayerError, CompressionError, LimitError):
                    begun.check_blob()
                    raise
        except (OCIError, OSError) as error:
            if self.name not in getattr(error, "__notes__", ()):  # What inflates names it, too.
                error.add_note(self.name)
            raise

    @contextlib.contextmanager
    def open_plain(self) -> Iterator[ByteStream]:
        """Give the plain bytes of the layer, checked; other threads read ahead.

        When the block ends well, what is left is read and every digest has been compared. When the block finds that
        this is no layer, or one past a limit, the blob's own digest is compared first: a damaged blob is called that.

        Raises:
            BlobMissingError: The blob is not there.
            IntegrityError: Blob or plain bytes are not what they should be.
            CompressionError: The blob is damaged, or compressed in another way than its media type says.
            UnsupportedError: The media type is not that of a layer.
            LimitError: More plain bytes than allowed.
        """
        with self._reading(self.start) as plain:
            yield plain
            drain(plain)

    @contextlib.contextmanager
    def open_entries(
        self, watch: Watch, *, start: Callable[[], PlainBytes | Headers] | None = None
    ) -> Iterator[Iterator[Entry]]:
        """Give the layer's tar entries, checked as `open_plain` does it.

        Args:
            watch: Called after each piece; what it raises ends the reading.
            start: What gives the bytes, if they were begun with earlier, or the entries without contents; `self.start`
                by default.

        Raises:
            TarFormatError: The plain bytes are not a tar archive.
            OCIError: As `open_plain`.
        """
        with self._reading(start or self.start) as begun:
            if isinstance(begun, Headers):
                entries = begun.entries(watch)
            else:
                entries = read_tar(Watched(begun, watch), limits=self.limits)
            yield entries
            _exhaust(entries)

    def _compression(self) -> Compression | None:
        row = lookup(self.descriptor.media_type)
        if row is None or row.role != "layer":
            raise UnsupportedError("layer media type", self.descriptor.media_type)
        return None if row.family == "docker" else row.compression

    def entries(self, *, watch: Watch | None = None) -> Generator[Entry, None, None]:
        """Yield the layer's tar entries; each one's content can be read until the next is asked for.

        The end comes only after every digest has been compared. Close the generator to stop early.

        Raises:
            TarFormatError: The plain bytes are not a tar archive.
            OCIError: As `open_plain`.
        """
        with self.open_entries(watch or _unwatched) as entries:
            yield from entries

    def changes(
        self,
        *,
        policy: Policy | None = None,
        source: Source | None = None,
        listen: Callable[[Finding], None] | None = None,
        watch: Watch | None = None,
    ) -> Generator[Change, None, None]:
        """Yield what the entries of the layer do; see `layer.decode` for the arguments and `entries` for the end."""
        with self.open_entries(watch or _unwatched) as entries:
            yield from decode(
                entries, layer=self.index, policy=policy, limits=self.limits, source=source, listen=listen
            )

    def tree(self, *, policy: Policy | None = None) -> FileTree:
        """Return what the layer alone makes of an empty directory, its contents held in memory.

        Raises:
            OCIError: As `entries`, or the layer is refused by the policy.
        """
        tree = FileTree(limits=self.limits)
        merge_layer(self, tree, Meter(self.limits, (self,)), policy or Policy(), source=None)
        return tree

    def unpack(
        self,
        dest: str | PathLike[str],
        *,
        policy: Policy | None = None,
        owner: Owner | None = None,
        in_place: bool = False,
        sync: bool = False,
        strict_metadata: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Report:
        """Make what the layer alone makes of an empty directory at `dest`; see `Image.unpack`.

        Raises:
            DestinationError: `dest` is refused.
            OCIError: As `tree`.
        """
        meter = Meter(self.limits, (self,), progress)

        def fill(mirror: DirectoryMirror) -> FileTree:
            tree = FileTree(limits=self.limits)
            return merge_layers([(self, NOWHERE)], tree, meter, policy or Policy(), mirror=mirror)

        placing = Placing(owner=owner, in_place=in_place, sync=sync, strict_metadata=strict_metadata)
        return place(dest, fill, meter.report, placing)


def _exhaust(entries: Iterator[Entry]) -> None:
    # A loop in a frame of its own: Python 3.13.0 has no handler for what interrupts the end of a round.
    for _ in entries:
        pass


def _unwatched(_: int, __: int) -> None:
    """Take word of progress that nobody asked for."""
