"""A tar file as a place: its members are found once and then read where they are.

An archive that is compressed as a whole is inflated once, within limits, into a temporary file without a name. Members
may be links to other members, in chains (DSV-07), and what climbs above the top in a link stays at the top, as for any
program that unpacks the archive into a root; the last member of a name counts, wherever in the archive it stands. Of a
sparse member only its place is kept, and its map is read when it is opened: an archive may have many, each with a long
map.
"""

import contextlib
import os
from typing import IO

from oci_layers import system
from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.directory import OpenFile, SectionReader
from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import (
    BlobMissingError,
    LimitError,
    OCIError,
    PlaceMissingError,
    StoreError,
    UnsafePathError,
    escape,
)
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.store.sparse import SparseRange
from oci_layers.tar.entry import CONTIGUOUS, DIRECTORY, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.path import clean, join, parent_and_name

__all__ = ["Member", "TarArchive"]

Member = SectionReader | SparseRange
"""The bytes of a member: to be read in order or anywhere."""

_CHAIN = 40
_SPARSE = -1


class TarArchive:
    """The members of a tar file. Also the `BlobSource` of a layout in one."""

    def __init__(
        self, file: str | os.PathLike[str], *, limits: Limits | None = None, temporary_directory: str | None = None
    ) -> None:
        """Open it and find its members.

        Raises:
            PlaceMissingError: There is no such file.
            TarFormatError: It is no tar file.
            LimitError: It is past a limit of `read_tar`, or compressed and past one on what is inflated.
        """
        self.place = os.fspath(file)
        self._limits = limits or Limits()
        self._members: dict[bytes, tuple[int, int]] = {}
        self._links: dict[bytes, bytes] = {}
        self._directories: set[bytes] = set()
        try:
            self._file = OpenFile(system.open_path(self.place), self.place)
        except FileNotFoundError:
            raise PlaceMissingError(self.place) from None
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            try:
                self._inflate(temporary_directory)
                for entry in read_tar(self._range(0, self._file.size), limits=self._limits):
                    self._note(entry)
            except OCIError as error:
                error.add_note(escape(self.place))
                raise
            undo.pop_all()

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout in the archive."""
        return self

    def _range(self, offset: int, size: int) -> SectionReader:
        return SectionReader(self._file, offset, size, own=False)

    def _inflate(self, directory: str | None) -> None:
        whole = self._range(0, self._file.size)
        if not sniff(whole.read_at(0, 16)):
            return
        with contextlib.closing(self._file), system.temporary_file(directory) as file:
            self._write_plain(whole, file, directory)
            # Its own handle, since one that Python's file object has could be closed behind it.
            self._file = OpenFile(system.duplicate(file.fileno()), self.place)

    def _write_plain(self, whole: SectionReader, file: IO[bytes], directory: str | None) -> None:
        plain = decompressed(whole, None, self._limits, what=self.place)
        written = 0
        while data := plain.read(PIECE):
            written += len(data)
            if written > self._limits.temporary_bytes:
                raise LimitError("temporary_bytes", self._limits.temporary_bytes, written)
            system.write_temporary(file, data, directory)

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
                self._links[name] = clean(target if target.startswith(b"/") else join(parent, target), clamp=True)
            elif entry.type == HARDLINK:
                self._links[name] = clean(entry.linkname, clamp=True)
            elif entry.type in {REGULAR, CONTIGUOUS}:
                sparse = entry.extents is not None
                self._members[name] = (entry.offset, _SPARSE) if sparse else (entry.data_offset, entry.size)
        except UnsafePathError:
            return  # A member that no name can reach is as good as absent.

    def follow(self, name: str) -> list[bytes]:
        """Return the links that a name leads through, in order, and what the last one leads to.

        Raises:
            StoreError: They lead in a circle.
        """
        chain = [clean(name.encode("utf-8", "surrogateescape"), clamp=True)]
        while chain[-1] in self._links:
            if len(chain) == _CHAIN:
                raise StoreError(self.place, f"{escape(name)} is a link that leads in a circle")
            chain.append(self._links[chain[-1]])
        return chain

    def find(self, name: str) -> Member | None:
        """Return the member of a name, links followed, or None.

        Raises:
            StoreError: The archive has been closed, or links lead in a circle.
        """
        self._file.read_at(0, 0)  # Nothing is found in an archive that has been closed.
        place = self._members.get(self.follow(name)[-1])
        if place is None:
            return None
        offset, size = place
        return self._sparse(offset) if size == _SPARSE else self._range(offset, size)

    def _sparse(self, offset: int) -> SparseRange:
        entry = next(read_tar(self._range(offset, self._file.size - offset), limits=self._limits))
        assert entry.extents is not None
        return SparseRange(self._range(offset + entry.data_offset, entry.stored_size), entry.size, entry.extents)

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
        self._file.close()
