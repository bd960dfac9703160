"""A source of blobs that keeps in a directory what is read of it, and reads that again from there."""

import contextlib

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.ingest import Ingest
from oci_layers.blob.section import SectionReader
from oci_layers.blob.store import BlobSource, Interruptible
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import BlobMissingError, IntegrityError
from oci_layers.spec.digest import Digest

__all__ = ["ReadThrough"]


class ReadThrough:
    """A `BlobSource` in front of another one. Any number of threads and processes may share its directory.

    A blob is kept when it was read to its end and has its digest. What is kept is read and compared with its digest
    when it is first opened; what is damaged is fetched again and replaced. A directory that cannot be written, or is
    full, keeps nothing, and reading goes on.
    """

    def __init__(self, source: BlobSource, kept: DirectoryBlobs) -> None:
        self._source = source
        self._kept = kept
        self._sound: set[Digest] = set()

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open a blob where it is kept, or else at the source.

        Raises:
            BlobMissingError: The source does not have it either.
            UnsupportedError: This installation cannot compute the algorithm of the digest.
        """
        if (kept := self._open_kept(digest)) is not None:
            return kept
        stream = self._source.open_blob(digest)
        try:
            return _Keeping(stream, digest, self._kept.ingest())
        except OSError:
            return stream
        except BaseException:
            stream.close()
            raise

    def _open_kept(self, digest: Digest) -> SectionReader | None:
        """Open a blob that is kept and has its digest; return None if there is none."""
        try:
            stream = self._kept.open_blob(digest)
        except BlobMissingError:
            return None
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(stream.close)
            if digest not in self._sound:
                hasher = digest.hasher()
                while data := stream.read(PIECE):
                    hasher.update(data)
                if hasher.hexdigest() != digest.encoded:
                    return None
                self._sound.add(digest)
                stream.seek(0)
            on_failure.pop_all()
        return stream

    def interrupt(self) -> None:
        """End all reading of the source, if it can; see `Interruptible`."""
        if isinstance(self._source, Interruptible):
            self._source.interrupt()


class _Keeping:
    """A stream whose bytes are written as they are read."""

    def __init__(self, stream: ByteStream, digest: Digest, writer: Ingest) -> None:
        self._stream = stream
        self._digest = digest
        self._writer: Ingest | None = writer

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end."""
        data = self._stream.read(size)
        if self._writer is not None:
            try:
                if data:
                    self._writer.write(data)
                else:
                    self._writer.commit(self._digest)
                    self._discard()
            except (OSError, IntegrityError):
                self._discard()  # Who reads it finds out what is wrong with the bytes.
        return data

    def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Close the stream; bytes that were not read to the end are not kept."""
        self._discard()
        self._stream.close()
