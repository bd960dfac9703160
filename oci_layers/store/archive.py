"""A tar file as a place: its members are found once and then read where they are.

An archive that is compressed as a whole is inflated once, within limits, into a temporary file without a name. Members
may be links to other members, in chains (DSV-07); the last member of a name counts, wherever in the archive it stands.
"""

import contextlib
import os
from typing import IO

from oci_layers import system
from oci_layers.blob.cas import BlobSource
from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.directory import FileRange
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import (
    BlobMissingError,
    LimitError,
    OCIError,
    PlaceMissingError,
    StoreError,
    UnsafePathError,
    printable,
)
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.tar.entry import CONTIGUOUS, DIRECTORY, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.path import clean, join, parent_and_name

__all__ = ["TarFiles"]

_CHAIN = 40


class TarFiles:
    """The members of a tar file. Also the `BlobSource` of a layout in one."""

    def __init__(
        self, file: str | os.PathLike[str], *, limits: Limits | None = None, temporary_directory: str | None = None
    ) -> None:
        """Open it and find its members.

        Raises:
            PlaceMissingError: There is no such file.
            TarFormatError: It is no tar file.
        """
        self.place = os.fspath(file)
        self.blobs: BlobSource = self
        self._limits = limits or Limits()
        self._members: dict[bytes, tuple[int, int]] = {}
        self._links: dict[bytes, bytes] = {}
        self._directories: set[bytes] = set()
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(self._closing.close)
            try:
                self._fd = system.open_path(self.place)
            except FileNotFoundError:
                raise PlaceMissingError(self.place) from None
            self._closing.callback(system.close, self._fd)
            self._inflate(temporary_directory)
            try:
                for entry in read_tar(FileRange(self._fd, 0, system.fstat(self._fd).st_size, own=False)):
                    self._note(entry)
            except OCIError as error:
                error.add_note(self.place)
                raise
            undo.pop_all()

    def _inflate(self, directory: str | None) -> None:
        whole = FileRange(self._fd, 0, system.fstat(self._fd).st_size, own=False)
        if not sniff(whole.read_at(0, 16)):
            return
        file: IO[bytes] = system.temporary_file(directory)
        self._closing.callback(file.close)
        plain = decompressed(whole, None, self._limits, what=self.place)
        written = 0
        while data := plain.read(PIECE):
            written += len(data)
            if written > self._limits.temporary_bytes:
                raise LimitError("temporary_bytes", self._limits.temporary_bytes, written)
            system.write_all(file.fileno(), memoryview(data))
        self._fd = file.fileno()

    def _note(self, entry: Entry) -> None:
        try:
            name = clean(entry.name)
            parent, _ = parent_and_name(name)
            self._members.pop(name, None)
            self._links.pop(name, None)
            if entry.type == DIRECTORY or b"/" in name:
                self._directories.add(name.partition(b"/")[0])
            if entry.type == SYMLINK:
                target = entry.linkname
                self._links[name] = clean(target if target.startswith(b"/") else join(parent, target))
            elif entry.type == HARDLINK:
                self._links[name] = clean(entry.linkname)
            elif entry.type in {REGULAR, CONTIGUOUS} and entry.extents is None:
                self._members[name] = entry.data_offset, entry.size
        except UnsafePathError:
            return  # A member that no name can reach is as good as absent.

    def find(self, name: str) -> FileRange | None:
        """Return the member of a name, links followed, or None."""
        if self._fd < 0:
            raise StoreError(self.place, "it has been closed, nothing can be read from it any more")
        path = clean(name.encode("utf-8", "surrogateescape"), clamp=True)
        for _ in range(_CHAIN):
            if path in self._members:
                return FileRange(self._fd, *self._members[path], own=False)
            if path not in self._links:
                return None
            path = self._links[path]
        raise StoreError(self.place, f"{printable(name)} is a link that leads in a circle")

    def open_file(self, name: str) -> ByteStream | None:
        """Return the bytes of a member, or None where there is none."""
        return self.find(name)

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory of that name at the top, a member of its own or not."""
        return name.encode() in self._directories

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return the bytes of a blob of the layout in the archive."""
        found = self.find(f"blobs/{digest.algorithm}/{digest.encoded}")
        if found is None:
            raise BlobMissingError(str(digest))
        return found

    def close(self) -> None:
        """Close the file; reading is an error from now on."""
        self._closing.close()
        self._fd = -1
