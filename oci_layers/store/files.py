"""The files of an image layout (image-layout.md): a marker, an index and blobs, in a directory or in a tar file.

This module interprets the files; a `LayoutFiles` opens them, in a directory (`layout.Layout`) or in an archive
(`archive.TarArchive`). Unknown files in a layout are no error (LAY-04).
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from oci_layers.blob.store import BlobSource
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import LimitError, OCIError, StoreError
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_index, parse_layout
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import OCI_INDEX

__all__ = ["INDEX", "MARKER", "LayoutFiles", "parse_index_file", "read_file", "read_index_bytes", "read_layout_index"]

MARKER, INDEX = "oci-layout", "index.json"


class LayoutFiles(Protocol):
    """The files of a layout or an archive."""

    place: str

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout."""
        ...

    def open_file(self, name: str) -> ByteStream | None:
        """Open a file at the top; return None if there is none. The caller closes it."""
        ...

    def has_directory(self, name: str) -> bool:
        """Tell whether there is a directory with this name at the top."""
        ...

    def close(self) -> None:
        """Close the place and the files opened in it."""
        ...


def read_file(files: LayoutFiles, name: str, *, limit: str, allowed: int) -> bytes | None:
    """Return all bytes of a small file at the top; None if there is no file.

    Raises:
        LimitError: The file is longer than `allowed` bytes.
    """
    stream = files.open_file(name)
    if stream is None:
        return None
    raw = b""
    try:
        while data := stream.read(1 << 16):
            raw += data
            if len(raw) > allowed:
                raise LimitError(limit, allowed, len(raw))
    finally:
        stream.close()
    return raw


def read_layout_index(files: LayoutFiles, limits: Limits) -> Index:
    """Return the index of a layout, after checking its marker.

    Raises:
        StoreError: There is no marker or no index: this is not a layout.
        DocumentError: One of them is malformed, or of an unknown version.
    """
    with _about(MARKER):
        marker = read_file(files, MARKER, limit="document_bytes", allowed=limits.document_bytes)
    if marker is None:
        raise StoreError(files.place, f"not an OCI image layout: there is no file {MARKER}")
    with _about(MARKER):
        parse_layout(marker, limits)
    raw = read_index_bytes(files, limits)
    with _about(INDEX):
        return parse_index_file(raw, limits)


def read_index_bytes(files: LayoutFiles, limits: Limits) -> bytes:
    """Return the bytes of the index of a layout.

    Raises:
        StoreError: There is none.
        LimitError: It exceeds `document_bytes`.
    """
    raw = read_file(files, INDEX, limit="document_bytes", allowed=limits.document_bytes)
    if raw is None:
        raise StoreError(files.place, f"not a complete OCI image layout: there is no file {INDEX}")
    return raw


def parse_index_file(raw: bytes, limits: Limits) -> Index:
    """Return the index of a layout.

    Raises:
        DocumentError: The bytes are not an index.
        LimitError: They exceed `document_bytes` or `json_depth`.
    """
    return parse_index(raw, Descriptor.of(raw, media_type=OCI_INDEX), limits).value


@contextlib.contextmanager
def _about(name: str) -> Iterator[None]:
    """Add the name of a file to errors, as a note."""
    try:
        yield
    except OCIError as error:
        error.add_note(name)
        raise
