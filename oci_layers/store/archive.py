"""A tar file as a place: its members are located once, then read in place.

An archive that is compressed as a whole is decompressed once, within limits, into an unnamed temporary file; so is what
comes through a pipe, which is read to its end, because its members are needed in another order. Members
may be links to other members, in chains (DSV-07); `..` at the top of a link target stays at the top, as in programs
that unpack the archive into a root. Of several members with one name the last counts. Only the offset of a sparse
member is kept, and its map is read on opening: an archive may have many sparse members with long maps.
"""

import contextlib
import os

from oci_layers import system
from oci_layers.blob.compression import decompressed, sniff
from oci_layers.blob.section import OpenFile, SectionReader
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
    locate,
)
from oci_layers.limits import Limits
from oci_layers.spec.digest import Digest
from oci_layers.store.sparse import SparseRange
from oci_layers.tar.entry import CONTIGUOUS, DIRECTORY, HARDLINK, REGULAR, SYMLINK, Entry
from oci_layers.tar.reader import read_tar
from oci_layers.tree.path import clean, join, parent_and_name

__all__ = ["Member", "TarArchive"]

Member = SectionReader | SparseRange
"""The bytes of a member, read in order or at any offset."""

_SPARSE = -1
_SCAN_BYTES = 4096


class TarArchive:
    """The members of a tar file. Also the `BlobSource` of an image layout in it."""

    def __init__(
        self, file: str | os.PathLike[str], *, limits: Limits | None = None, temporary_directory: str | None = None
    ) -> None:
        """Open a tar file and locate its members; reads all headers.

        Args:
            file: A file, or a pipe, which is read to its end; `-` is standard input.
            limits: Those of `read_tar` and on decompression; `temporary_bytes` holds for a copy of the archive.
            temporary_directory: The directory of such a copy; the system's default if None.

        Raises:
            PlaceMissingError: There is no such file.
            TarFormatError: It is not a tar file.
            LimitError: It exceeds a limit.
        """
        self.place = os.fspath(file)
        self._limits = limits or Limits()
        self._members: dict[bytes, tuple[int, int]] = {}
        self._links: dict[bytes, bytes] = {}
        self._directories: set[bytes] = set()
        self.can_reopen = not system.is_pipe(self.place)
        """Whether the place can be opened again: not if it is a pipe."""
        with contextlib.ExitStack() as undo:
            try:
                self._file = self._open(temporary_directory)
                undo.callback(self.close)
                for entry in read_tar(_Scan(self._range(0, self._file.size)), limits=self._limits):
                    self._note(entry)
            except OCIError as error:
                if not isinstance(error, PlaceMissingError):
                    error.add_note(escape(self.place))
                raise
            undo.pop_all()

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout in the archive."""
        return self

    def _range(self, offset: int, size: int) -> SectionReader:
        return SectionReader(self._file, offset, size, own=False)

    def _open(self, directory: str | None) -> OpenFile:
        """Open the archive, or make a copy of what cannot be read at any offset."""
        try:
            fd = system.open_stream_path(self.place)
        except FileNotFoundError:
            raise PlaceMissingError(self.place) from None
        if not system.is_regular(system.fstat(fd).st_mode):
            return self._copied(_Pipe(fd, self.place), directory)
        file = OpenFile(fd, self.place)
        with contextlib.ExitStack() as undo:
            undo.callback(file.close)
            whole = SectionReader(file, 0, file.size)
            if sniff(whole.read_at(0, 16)):
                return self._copied(whole, directory)
            undo.pop_all()
        return file

    def _copied(self, source: ByteStream, directory: str | None) -> OpenFile:
        """Return a temporary file with the uncompressed bytes of `source`, which is closed."""
        with contextlib.closing(source), system.temporary_file(directory) as file:
            plain = decompressed(source, None, self._limits, what=self.place)
            written = 0
            while data := plain.read(PIECE):
                written += len(data)
                if written > self._limits.temporary_bytes:
                    raise LimitError("temporary_bytes", self._limits.temporary_bytes, written)
                system.write_temporary(file, data, directory)
            # A duplicate handle, because Python's file object closes its own.
            return OpenFile(system.duplicate(file.fileno()), self.place)

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
            return  # No name can reach such a member, so it is ignored.

    def follow(self, name: str) -> list[bytes]:
        """Return the links to which a name resolves, in order, and the target of the last one.

        Raises:
            StoreError: The links form a loop.
        """
        chain = [clean(name.encode("utf-8", "surrogateescape"), clamp=True)]
        while chain[-1] in self._links:
            if len(chain) > self._limits.links:
                message = f"{escape(name)} has more than {self._limits.links} links to follow, perhaps a loop"
                raise StoreError(self.place, message)
            chain.append(self._links[chain[-1]])
        return chain

    def find(self, name: str) -> Member | None:
        """Return the member with a name, links followed; None if there is none.

        Raises:
            StoreError: The archive has been closed, or the links form a loop.
        """
        self._file.read_at(0, 0)  # Raises if the archive has been closed.
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
        """Open a member; return None if there is none."""
        return self.find(name)

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory with this name at the top, as a member or in the path of one."""
        return name.encode() in self._directories

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob of the layout in the archive, not verified."""
        found = self.find(f"blobs/{digest.algorithm}/{digest.encoded}")
        if found is None:
            raise BlobMissingError(str(digest))
        return found

    def close(self) -> None:
        """Close the file; later reads raise StoreError."""
        self._file.close()


class _Pipe:
    """The bytes of a pipe, in order."""

    def __init__(self, fd: int, place: str) -> None:
        """Take ownership of an open pipe."""
        self._fd = fd
        self._place = place

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, none when all writers have closed the pipe."""
        try:
            return system.read(self._fd, size)
        except OSError as error:
            locate(error, self._place, "archive")
            raise

    def close(self) -> None:
        """Close the pipe."""
        system.close(self._fd)


class _Scan:
    """A range that is read in small pieces: of most of them one header is used, and the content after it is skipped."""

    def __init__(self, section: SectionReader) -> None:
        self._section = section
        self.skip = section.skip

    def read(self, size: int, /) -> bytes:
        return self._section.read(min(size, _SCAN_BYTES))
