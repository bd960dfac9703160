"""What a name names: an image, a directory or a layer; and layers in files, as trees whose files can be read.

A name with a transport is that of an image. Of a bare path the content decides: a directory that holds no layout is
taken as it is, and a tar file that holds no image is a layer.
"""

import argparse
import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import attrs

from oci_layers.blob.compression import decompressed
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.blob.spool import Spool
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.cli.options import limits_of
from oci_layers.cli.registries import session_of
from oci_layers.errors import OCIError, PlaceMissingError, TarFormatError, escape
from oci_layers.image.image import Image
from oci_layers.layer.apply import apply
from oci_layers.layer.change import Change, Opaque, Whiteout
from oci_layers.layer.decode import decode
from oci_layers.layer.policy import Policy
from oci_layers.limits import Limits
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image
from oci_layers.tar.entry import Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.editor import TreeEditor
from oci_layers.tree.node import Device
from oci_layers.tree.path import parent_and_name
from oci_layers.tree.tree import FileTree

__all__ = ["OPAQUE", "LayerFile", "Source", "kind_of", "opened_layer_file", "opened_source"]

OPAQUE = b"trusted.overlay.opaque"
"""The attribute of an opaque directory in a tree with markers."""
_MARKS = frozenset({b"oci-layout", b"index.json", b"manifest.json"})
"""The files that make an archive one that holds images."""

_Kind = Literal["image", "directory", "file"]
"""What a name names: a file is a layer, or an archive that holds images."""


def kind_of(name: str) -> _Kind:
    """Return what a name names, by its transport or by what is there; `-` is a file.

    Raises:
        NameFormatError: The name is malformed.
        UnsupportedError: The transport is unknown.
        PlaceMissingError: There is nothing of that name.
    """
    where = ImageName.parse(name)
    if where.transport:
        return "image"
    if where.place == "-":
        return "file"
    try:
        mode = os.stat(where.place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise PlaceMissingError(where.place, "no such file or directory") from None
    if not stat.S_ISDIR(mode):
        return "file"
    marked = any(os.path.lexists(os.path.join(where.place, mark)) for mark in ("oci-layout", "index.json"))
    return "image" if marked else "directory"


@attrs.frozen(eq=False)
class LayerFile:
    """The uncompressed tar of a layer, of which every byte can be read as long as it is open."""

    name: str
    file: OpenFile
    limits: Limits

    def entries(self) -> Iterator[Entry]:
        """Yield its entries, without contents.

        Raises:
            TarFormatError: It is not a tar.
        """
        return read_tar(self._section(), limits=self.limits)

    def changes(self, policy: Policy) -> Iterator[Change]:
        """Yield its changes.

        Raises:
            LayerError: It is not a tar, or has an entry that no layer may have.
        """
        return decode(self.entries(), policy=policy, limits=self.limits, source=self._section())

    def tree(self, policy: Policy, *, with_markers: bool = False) -> FileTree:
        """Return its tree alone; with `with_markers`, also what it removes from the layers below, if they have it.

        A whiteout is a device 0:0, and an opaque directory has the attribute `OPAQUE`, as in an overlay mount.

        Raises:
            LayerError: As `changes`.
        """
        tree = FileTree(limits=self.limits)
        markers: list[Whiteout | Opaque] = []
        try:
            apply(_without(self.changes(policy), markers), tree, policy=policy)
            if with_markers:
                _mark(tree, markers)
        except OCIError as error:
            error.add_note(escape(self.name))
            raise
        return tree

    def is_image(self) -> bool:
        """Tell whether it is an archive that holds images."""
        try:
            return any(entry.name.removeprefix(b"./") in _MARKS for entry in self.entries())
        except OCIError as error:
            error.add_note(escape(self.name))
            raise

    def _section(self) -> SectionReader:
        return SectionReader(self.file, 0, self.file.size, own=False)


def _without(changes: Iterator[Change], markers: list[Whiteout | Opaque]) -> Iterator[Change]:
    """Yield changes without the markers, which are kept in a list."""
    for change in changes:
        if isinstance(change, Whiteout | Opaque):
            markers.append(change)
        else:
            yield change


def _mark(tree: FileTree, markers: list[Whiteout | Opaque]) -> None:
    editor = TreeEditor(tree)
    for marker in markers:
        if isinstance(marker, Opaque):
            here = editor.open_parent(marker.path)
            editor.change(here.path, xattrs={**here.directory.xattrs, OPAQUE: b"y"})
        elif tree.at(marker.path) is None:
            parent, name = parent_and_name(marker.path)
            editor.put(editor.open_parent(parent), name, Device(0, 0, 0, 0, kind="char"))


@contextlib.contextmanager
def opened_layer_file(name: str, limits: Limits, temporary_directory: str | None) -> Iterator[LayerFile]:
    """Yield the layer of a tar file or, for `-`, of stdin; a compressed one is copied into a temporary file.

    Raises:
        TarFormatError: The file is empty.
        CompressionError: The compressed bytes are damaged.
        OSError: The file cannot be read.
    """
    with contextlib.ExitStack() as opened:
        stream: IO[bytes] = sys.stdin.buffer
        if name != "-":
            stream = opened.enter_context(open(ImageName.parse(name).place, "rb", buffering=0))
        try:
            plain = decompressed(_Bytes(stream), None, limits, what=escape(name))
            if plain.is_empty:
                raise TarFormatError(path=b"", reason="it is empty", offset=0)
            if plain.compression or not stat.S_ISREG(os.fstat(stream.fileno()).st_mode) or name == "-":
                stream = opened.enter_context(_spooled(plain, Spool(temporary_directory, limits.temporary_bytes)))
        except OCIError as error:
            error.add_note(escape(name))
            raise
        file = OpenFile(os.dup(stream.fileno()), name)
        opened.callback(file.close)
        yield LayerFile(name, file, limits)


Source = Image | LayerFile | Path
"""What is compared: an image, a layer, or a directory."""


@contextlib.contextmanager
def opened_source(name: str, options: argparse.Namespace) -> Iterator[Source]:
    """Yield what a name names; close it when the block ends.

    Raises:
        OCIError: As `kind_of`, `opened_layer_file` and `open_image`.
    """
    limits = limits_of(options)
    kind = kind_of(name)
    if kind == "directory":
        yield Path(name)
        return
    with contextlib.ExitStack() as opened:
        if kind == "file":
            layer = opened.enter_context(opened_layer_file(name, limits, options.temporary_directory))
            if name == "-" or not layer.is_image():
                yield layer
                return
        opened.close()
        yield opened.enter_context(
            open_image(
                name,
                platform=options.platform,
                limits=limits,
                temporary_directory=options.temporary_directory,
                threads=options.threads,
                blob_links=options.policy == "lenient",
                session=session_of(options, name),
            )
        )


@attrs.frozen
class _Bytes:
    """A stream that closing leaves open."""

    stream: IO[bytes]

    def read(self, size: int, /) -> bytes:
        return self.stream.read(size)

    def close(self) -> None:
        pass


def _spooled(plain: ByteStream, spool: Spool) -> IO[bytes]:
    file = spool.open()
    try:
        while data := plain.read(PIECE):
            spool.write(file, data)
    except BaseException:
        file.close()
        raise
    return file
