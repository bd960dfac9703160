"""An archive that is written as one stream, while images are copied to it: an image layout, or Docker's form of one.

Theory of operation. A tar member begins with its size, and a descriptor has the size of its blob, so a blob is written
as it comes, without a copy, and verified on the way. The marker is first, then the blobs in the order in which they are
put, and the index last, when it is known. What was written cannot be changed: an error inside a member spoils the whole
archive, which is then discarded (`archive_output`). The documents are also kept in memory, because the ones that list
images are read again: to find entries in nested indexes, and for the list of Docker's form (`docker_listing`).

Everything but the blobs and their order is fixed, so the same calls give the same bytes.
"""

import contextlib
import io
import os
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal, Self

from oci_layers.blob.directory import ALGORITHMS, Fsync
from oci_layers.blob.store import BlobStore
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader, drain
from oci_layers.errors import BlobMissingError, SizeMismatchError, StoreError
from oci_layers.limits import Limits
from oci_layers.spec.codec import to_json
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.mediatype import role_of
from oci_layers.store.archive_output import ArchiveOutput
from oci_layers.store.docker_listing import (
    MANIFEST,
    REPOSITORIES,
    format_listing,
    format_repositories,
    items_of,
    with_full_names,
)
from oci_layers.store.files import INDEX, MARKER, parse_index_file
from oci_layers.store.index_file import EMPTY_INDEX, tagged, untagged
from oci_layers.store.repository import Tagged, require_blobs
from oci_layers.store.select import entries_of
from oci_layers.tar.entry import DIRECTORY, Entry, Pieces
from oci_layers.tar.writer import END, write_entry

__all__ = ["ArchiveWriter"]


class ArchiveWriter:
    """An archive while it is written: a `WritableRepository`. Thread-safe; blobs are written one after the other.

    Memory held: the manifests, indexes and configs, within `document_bytes` and `config_bytes` each, and one piece.
    Leaving it as a context manager completes the archive; leaving by an exception discards it.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        *,
        docker: bool = False,
        fsync: Fsync = "always",
        limits: Limits | None = None,
    ) -> None:
        """Begin an archive.

        Args:
            file: An absent file, which appears when the archive is complete; or a pipe, which is written as the blobs
                come. `-` is standard output.
            docker: Write what `docker load`, podman and skopeo load as `docker-archive`, too.
            fsync: Whether the archive survives a power cut once it is complete; not with `"never"`.
            limits: The limits on documents.

        Raises:
            StoreError: The file exists.
            PlaceMissingError: Its directory does not exist.
        """
        self.place = os.fspath(file)
        self.is_docker = docker
        """Whether it is a Docker archive, too."""
        self._limits = limits or Limits()
        self._index = EMPTY_INDEX
        self._tar = _TarStream(ArchiveOutput(file, sync=fsync != "never"))
        self._blobs = _ArchiveBlobs(self._tar, self._limits)
        with self._tar.writing():
            self._tar.write(MARKER, to_json(ImageLayout()))
            self._tar.make_directory("blobs")
            self._tar.make_directory("blobs/sha256")

    @property
    def blobs(self) -> BlobStore:
        """The blobs that were written; only manifests, indexes and configs can be read."""
        return self._blobs

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all; see `Repository.entries`."""
        index = parse_index_file(self._index, self._limits)
        return entries_of(index, self._blobs, ref, self._limits)

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give an image a name, in place of the entries that have it; see `WritableRepository.tag`.

        Raises:
            NameFormatError: `ref` cannot be a name.
            BlobMissingError: The blob of a descriptor was not written; or, in Docker's form, a config or a layer.
            StoreError: The archive is complete, or was discarded.
        """
        self.tag_all([(ref, (descriptor, *others))])

    def tag_all(self, images: Iterable[Tagged]) -> None:
        """Give each of many images its name, in one step; see `BatchTagger`.

        Raises:
            OCIError: As `tag`.
        """
        given = list(images)
        with self._tar.open():
            for _, descriptors in given:
                require_blobs(self._blobs, descriptors)
            index = tagged(self._index, given, self._limits)
            if self.is_docker:
                for _, descriptors in given:
                    items_of(descriptors, self._blobs, self._limits)
                index = with_full_names(index, self._limits)
            self._index = index

    def untag(self, ref: str) -> None:
        """Remove the entries with a name or a digest; their blobs remain in the archive.

        Raises:
            ReferenceMissingError: There is no such entry; the error lists the existing ones.
            StoreError: The archive is complete, or was discarded.
        """
        with self._tar.open():
            self._index = untagged(self._index, ref, self._limits)

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that does nothing: no blob is ever deleted from an archive."""
        return contextlib.nullcontext()

    def commit(self) -> None:
        """Complete the archive and give the file its name; do nothing the second time.

        Raises:
            StoreError: The archive was discarded; or another file was put there meanwhile, and is left.
            OSError: It cannot be written; it is discarded.
        """
        if self._tar.state == "complete":
            return
        with self._tar.writing():
            self._tar.write(INDEX, self._index)
            if self.is_docker:
                entries = parse_index_file(self._index, self._limits).manifests
                items = items_of(entries, self._blobs, self._limits)
                self._tar.write(MANIFEST, format_listing(items))
                self._tar.write(REPOSITORIES, format_repositories(items))
            self._tar.end()

    def close(self) -> None:
        """Complete the archive if it lists an image, otherwise discard it; do nothing the second time.

        A copy that failed has not tagged the image, so it leaves nothing. `commit` completes any archive.
        """
        if self._tar.state != "open":
            return
        if self._index != EMPTY_INDEX:
            self.commit()
        else:
            self._tar.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tar.discard(error)
        elif self._tar.state == "open":
            self.commit()


class _TarStream:
    """The tar stream of an archive, and the lock on it."""

    def __init__(self, output: ArchiveOutput) -> None:
        self.place = output.place
        self._output = output
        self._lock = threading.Lock()
        self.state: Literal["open", "complete", "discarded"] = "open"

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Yield while no other thread changes the archive.

        Raises:
            StoreError: It is complete, or was discarded.
        """
        with self._lock:
            if self.state != "open":
                raise StoreError(self.place, f"the archive is {self.state}")
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Yield while no other thread changes the archive; an error discards it."""
        with self.open(), self.spoiled_by_errors():
            yield

    @contextlib.contextmanager
    def spoiled_by_errors(self) -> Iterator[None]:
        """Yield, in `open`; an error discards the archive."""
        try:
            yield
        except BaseException as error:
            self._discard(error)
            raise

    def write(self, name: str, data: bytes) -> None:
        """Append a file."""
        self.write_stream(name, len(data), iter((data,)))

    def write_stream(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """Append a file whose size is known."""
        self._append(Entry(name.encode(), size=size, content=Pieces(pieces)))

    def make_directory(self, name: str) -> None:
        """Append a directory."""
        self._append(Entry(f"{name}/".encode(), DIRECTORY, mode=0o755))

    def _append(self, entry: Entry) -> None:
        for piece in write_entry(entry):
            self._output.write(piece)

    def end(self) -> None:
        """Append the end of the archive; it is complete then."""
        self._output.write(END)
        self._output.commit()
        self.state = "complete"

    def discard(self, error: BaseException | None = None) -> None:
        """Discard the archive, unless it is complete."""
        with self._lock:
            self._discard(error)

    def _discard(self, error: BaseException | None) -> None:
        if self.state == "open":
            self.state = "discarded"
            self._output.discard(error)


class _ArchiveBlobs:
    """The blobs of an archive that is written, as a `BlobStore`."""

    def __init__(self, tar: _TarStream, limits: Limits) -> None:
        self._tar = tar
        self._allowed = {
            "manifest": limits.document_bytes,
            "index": limits.document_bytes,
            "config": limits.config_bytes,
        }
        self._algorithms = {"sha256"}
        self._sizes: dict[Digest, int] = {}
        self._documents: dict[Digest, bytes] = {}

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a document.

        Raises:
            BlobMissingError: It was not written, or is not kept because it is no document.
        """
        try:
            return io.BytesIO(self._documents[digest])
        except KeyError:
            raise BlobMissingError(str(digest)) from None

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Write the bytes of `stream`, and verify them; a blob that was written before is not read. Closes the stream.

        Raises:
            IntegrityError: The bytes do not match; the archive is discarded.
            StoreError: The archive is complete or was discarded, or no blob can have this digest.
            UnsupportedError: This installation cannot compute the algorithm of the digest.
            OSError: They cannot be read or written; the archive is discarded.
        """
        digest, size = descriptor.digest, descriptor.size
        what = f"blob {digest}"
        with contextlib.closing(stream), self._tar.open():
            if digest.algorithm not in ALGORITHMS:
                digest.hasher()
                raise StoreError(self._tar.place, f"no blob can have the digest {digest}")
            written = self._sizes.get(digest, size)
            if written != size:
                raise SizeMismatchError(what, size, written)
            if digest in self._sizes:
                return
            reader = VerifiedReader(stream, digest, size, what=what)
            with self._tar.spoiled_by_errors():
                self._write(reader, descriptor)

    def _write(self, reader: VerifiedReader, descriptor: Descriptor) -> None:
        digest, size = descriptor.digest, descriptor.size
        kept: list[bytes] = []
        keep = size <= self._allowed.get(role_of(descriptor.media_type), -1)

        def pieces() -> Iterator[bytes]:
            while data := reader.read(PIECE):
                if keep:
                    kept.append(data)
                yield data

        if digest.algorithm not in self._algorithms:
            self._tar.make_directory(f"blobs/{digest.algorithm}")
            self._algorithms.add(digest.algorithm)
        self._tar.write_stream(f"blobs/{digest.algorithm}/{digest.encoded}", size, pieces())
        drain(reader)  # Content of no bytes is not read by the writer.
        if keep:
            self._documents[digest] = b"".join(kept)
        self._sizes[digest] = size

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether the blob was written."""
        return digest in self._sizes

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob of this digest and size was written."""
        return self._sizes.get(descriptor.digest) == descriptor.size

    def iter_blobs(self) -> Iterator[Digest]:
        """Yield the digests of all blobs that were written, sorted."""
        yield from sorted(self._sizes)
