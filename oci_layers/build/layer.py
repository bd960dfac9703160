"""New layers as values, written to a store in one pass: from a directory, a tree, changes, an upper directory or a tar.

`directory` walks a directory, `layer/encode` makes entries of trees and changes, `arrange` changes them as
`LayerOptions` ask, `tar/writer` makes the tar, and `output` hashes, compresses and stores it.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator

import attrs

from oci_layers import system
from oci_layers.blob.compression import decompressed
from oci_layers.blob.pipeline import BackgroundProducer, Put
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.blob.spool import Spool
from oci_layers.blob.store import BlobStore
from oci_layers.blob.stream import ByteStream
from oci_layers.build.arrange import OnSkip, arranged, without_ignored
from oci_layers.build.directory import directory_entries
from oci_layers.build.ignore import selected
from oci_layers.build.options import Codec, LayerOptions
from oci_layers.build.output import Pieces, write_blob
from oci_layers.build.windows import windows_entries
from oci_layers.disk.scan import scan
from oci_layers.errors import locate
from oci_layers.layer.change import Change
from oci_layers.layer.decode import Decoder
from oci_layers.layer.encode import encode, node_entries
from oci_layers.layer.overlay import Namespace, from_upper
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.report import Listing, Skipped
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.tar.buffer import Stream
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tar.writer import write_tar
from oci_layers.tree.content import NOWHERE
from oci_layers.tree.node import Directory
from oci_layers.tree.tree import FileTree

__all__ = ["BuiltLayer", "NewLayer"]

_AHEAD = 16
"""How many pieces of a tar are checked ahead of where they are written."""


@attrs.frozen(kw_only=True)
class BuiltLayer:
    """A layer in a store: what a manifest and a config need of it."""

    descriptor: Descriptor
    """The descriptor of its blob."""
    diff_id: Digest
    """The digest of its uncompressed tar."""
    plain_size: int
    """The bytes of its uncompressed tar."""
    skipped: Listing[Skipped] = attrs.field(factory=Listing, eq=False)
    """What the source has and the layer has not: sockets, and extended attributes of the machine."""


@attrs.frozen(eq=False)
class NewLayer:
    """A layer that can be written. Nothing is read before, so `write` and `iter_tar` raise errors of the source.

    The same files and options give the same uncompressed tar, and so the same `diff_id`, on every machine: nothing else
    has an effect, neither the order in which a directory lists its names nor umask, time zone or locale. The digest of
    the compressed blob also depends on the encoder, see `Codec`.
    """

    _open: Callable[[OnSkip], Pieces]

    @classmethod
    def from_directory(
        cls, directory: str | os.PathLike[str], *, options: LayerOptions | None = None, limits: Limits | None = None
    ) -> "NewLayer":
        """Return a layer of everything in a directory, itself among it.

        Hard links within the directory are kept; holes of files become zeros. A file that grows while it is read has
        the size that it had when it was opened. Memory: see `build.directory`.

        Args:
            directory: A directory; a link is resolved first.
            options: How files become entries.
            limits: The limits on paths.

        Raises:
            WhiteoutError: A name begins with `.wh.`, or a device is one that overlayfs reads as a whiteout.
            SizeMismatchError: A file became shorter while it was read.
            UnsafePathError: A directory was replaced meanwhile.
            OSError: Something cannot be read, or has vanished; the error has its full path.
        """
        path, chosen = os.fspath(directory), options or LayerOptions()

        def entries(skip: OnSkip) -> Iterator[Entry]:
            return directory_entries(path, ignore=chosen.ignore, limits=limits or Limits(), skip=skip)

        return cls(lambda skip: _tar(entries(skip), chosen, skip))

    @classmethod
    def from_tree(cls, tree: FileTree, *, options: LayerOptions | None = None) -> "NewLayer":
        """Return a layer of everything in a tree, its root among it.

        Args:
            tree: Read when the layer is written; its contents, too.
            options: How files become entries.

        Raises:
            WhiteoutError: A name begins with `.wh.`.
        """
        chosen = options or LayerOptions()

        def entries() -> Iterator[Entry]:
            found = ((path, node) for path, node in tree.walk() if path or not tree.windows)
            nodes = ((path, isinstance(node, Directory), (path, node)) for path, node in found)
            return node_entries(selected(nodes, chosen.ignore) if chosen.ignore else found)

        return cls(lambda skip: _tar(entries(), chosen, skip))

    @classmethod
    def from_changes(
        cls, changes: Iterable[Change] | Callable[[], Iterable[Change]], *, options: LayerOptions | None = None
    ) -> "NewLayer":
        """Return a layer of changes, in their order.

        Args:
            changes: The changes, or a function that returns them. An iterator gives a layer that can be written once.
            options: How files become entries.

        Raises:
            WhiteoutError: A name begins with `.wh.`.
            LinkError: A hard link whose target `options.ignore` leaves out.
            ValueError: The iterator was used before.
        """
        chosen = options or LayerOptions()
        again = changes if callable(changes) else _Once(changes)

        def entries() -> Iterator[Entry]:
            return without_ignored(encode(again()), chosen)

        return cls(lambda skip: _tar(entries(), chosen, skip))

    @classmethod
    def from_upper(
        cls,
        directory: str | os.PathLike[str],
        *,
        namespace: Namespace = "trusted",
        options: LayerOptions | None = None,
        limits: Limits | None = None,
    ) -> "NewLayer":
        """Return a layer of what the upper directory of an overlay mount changes, removals included.

        The mount must not be in use while the layer is written. Memory: the names.

        Args:
            directory: The upper directory; a link is resolved first.
            namespace: Where the mount has its attributes: `user` if it has the option `userxattr`.
            options: How files become entries.
            limits: The limits of a tree.

        Raises:
            UnsupportedError: A directory that was renamed, or a file whose content is elsewhere; see `from_upper` of
                the room `layer`.
            WhiteoutError: A name begins with `.wh.`.
            LinkError: A hard link whose target `options.ignore` leaves out.
            OSError: Something cannot be read, or has vanished.
        """
        chosen = options or LayerOptions()

        def entries(skip: OnSkip) -> Iterator[Entry]:
            upper = scan(directory, skip=skip, limits=limits)
            return without_ignored(encode(from_upper(upper, namespace=namespace)), chosen)

        return cls(lambda skip: _tar(entries(skip), chosen, skip))

    @classmethod
    def from_tar(
        cls,
        source: str | os.PathLike[str] | Callable[[], ByteStream],
        *,
        options: LayerOptions | None = None,
        limits: Limits | None = None,
    ) -> "NewLayer":
        """Return a layer of a tar, which may be compressed.

        Args:
            source: A file, or a function that opens the bytes.
            options: How its entries are changed, in their order. Without any, the bytes of the tar are kept as they
                are, once uncompressed.
            limits: The limits on decompression and on entries.

        Raises:
            LayerError: It is no tar, or has an entry that no layer may have.
            CompressionError: The compressed bytes are damaged.
            LimitError: A limit is exceeded.
            LinkError: A hard link whose target `options.ignore` leaves out.
            OSError: The file cannot be read.
        """
        allowed = limits or Limits()

        def pieces(skip: OnSkip) -> Pieces:
            with contextlib.closing(_opened(source)) as stream:
                plain = decompressed(stream, None, allowed, what=_name(source))
                if options is None:
                    yield from _checked(plain, allowed)
                else:
                    entries = without_ignored(_valid(plain, allowed), options)
                    yield from _tar(entries, options, skip)

        return cls(pieces)

    def iter_tar(self, skip: OnSkip | None = None) -> Pieces:
        """Yield the uncompressed tar in pieces; close the generator to stop early.

        Args:
            skip: Called with what is left out.

        Raises:
            OCIError: As the method that made the layer says.
        """
        return self._open(skip or _ignore)

    def write(
        self,
        blobs: BlobStore,
        *,
        codec: Codec | None = None,
        limits: Limits | None = None,
        temporary_directory: str | os.PathLike[str] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> BuiltLayer:
        """Read the source, and store the layer as a blob.

        Args:
            blobs: The store. If it is a `BlobIngester`, as that of a layout, the bytes go into it as they are made;
                otherwise into a temporary file first.
            codec: How the layer is compressed: gzip at level 6 by default.
            limits: `temporary_bytes` limits the temporary file.
            temporary_directory: The directory of the temporary file; the system's default if None.
            on_bytes: Called with the number of bytes of each piece of the blob; an exception ends the call.

        Raises:
            OCIError: As the method that made the layer says; nothing was stored.
            ValueError: There is no such level of compression.
            OSError: As above, or the blob cannot be written; nothing was stored.
        """
        skipped = Listing[Skipped]()
        temporary = None if temporary_directory is None else os.fspath(temporary_directory)
        spool = Spool(temporary, (limits or Limits()).temporary_bytes)
        written = write_blob(self._open(skipped.add), blobs, codec or Codec(), spool, on_bytes)
        return BuiltLayer(
            descriptor=written.descriptor, diff_id=written.diff_id, plain_size=written.plain_size, skipped=skipped
        )


def _tar(entries: Iterator[Entry], options: LayerOptions, skip: OnSkip) -> Pieces:
    try:
        chosen = arranged(entries, options, skip)
        yield from write_tar(windows_entries(chosen, options, skip) if options.is_windows else chosen)
    finally:
        # Its files are closed now, rather than when the generator is collected.
        if isinstance(entries, Generator):
            entries.close()


class _Once:
    """Changes that are given once, if they are an iterator."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes: Iterable[Change] | None = changes

    def __call__(self) -> Iterable[Change]:
        changes = self._changes
        if changes is None:
            raise ValueError("the changes were an iterator, and have been written already")
        if isinstance(changes, Iterator):
            self._changes = None
        return changes


def _opened(source: str | os.PathLike[str] | Callable[[], ByteStream]) -> ByteStream:
    if callable(source):
        return source()
    place = os.fspath(source)
    try:
        file = OpenFile(system.open_regular_file(place, follow=True), place)
    except OSError as error:
        locate(error, place, "tar of the new layer")
        raise
    return SectionReader(file, 0, file.size)


def _name(source: object) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "tar of the new layer"


def _valid(plain: Stream, limits: Limits) -> Iterator[Entry]:
    """Yield the entries of a tar, each after checking that it can be applied."""
    decoder = Decoder(0, Policy(), limits, NOWHERE, None)
    for entry in read_tar(plain, limits=limits):
        decoder.change(entry)
        yield entry


def _checked(plain: ByteStream, limits: Limits) -> Pieces:
    """Yield the bytes of a tar, while another thread checks that its entries can be applied.

    The check reads the tar, and what it reads is yielded. An error of it is raised here after the bytes before it.
    """

    def check(put: Put[bytes]) -> None:
        for _ in _valid(_Copied(plain, put), limits):
            pass

    checker = BackgroundProducer(check, _AHEAD)
    try:
        while (data := checker.get()) is not None:
            yield data
    finally:
        checker.stop()


@attrs.frozen
class _Copied:
    """A stream that gives what was read to another reader, too."""

    stream: ByteStream
    put: Put[bytes]

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(size)
        self.put(data, 1)
        return data


def _ignore(_: Skipped) -> None:
    """Ignore what is left out."""
