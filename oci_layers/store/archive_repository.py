"""Archives as repositories: the entries of a layout in a tar file, and those of the images of a Docker archive.

`archive` and `docker` read the files; this module gives both the interface of `repository`, through which images are
copied from any place. A Docker archive has no descriptors, so each entry is that of a manifest that `docker` makes.
"""

import threading

import attrs

from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.blob.stream import ByteStream
from oci_layers.errors import BlobMissingError, OCIError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_manifest
from oci_layers.spec.mediatype import role_of
from oci_layers.store.archive import TarArchive
from oci_layers.store.docker import DockerArchive
from oci_layers.store.files import read_layout_index
from oci_layers.store.name import normalize_reference
from oci_layers.store.open import with_layers
from oci_layers.store.repository import named
from oci_layers.store.select import entries_of

__all__ = ["ArchiveRepository", "DockerRepository"]


class ArchiveRepository:
    """An image layout in a tar file, as a `Repository`. Thread-safe."""

    def __init__(self, files: TarArchive, limits: Limits, *, docker: DockerArchive | None = None) -> None:
        """Read the index of the layout.

        Args:
            files: The archive, which is closed with this object.
            limits: The limits on documents.
            docker: The Docker archive that the file is, too. If a manifest of the layout lists no layers but its
                config does, the image of that archive is the entry in its place: Docker 25.0.0 writes such archives.

        Raises:
            StoreError: The file is no layout.
            DocumentError: The marker or the index is malformed.
        """
        self.place = files.place
        self._files = files
        self._limits = limits
        self._docker = docker
        self._index = read_layout_index(files, limits)
        if docker is not None:
            entries = tuple(self._mended(each, docker) for each in self._index.manifests)
            self._index = attrs.evolve(self._index, manifests=entries)

    def _mended(self, entry: Descriptor, docker: DockerArchive) -> Descriptor:
        if role_of(entry.media_type) != "manifest":
            return entry
        try:
            raw = read_verified(self._files, entry, limit="document_bytes", allowed=self._limits.document_bytes)
            manifest = parse_manifest(raw, entry, self._limits)
            if manifest.value.layers:
                return entry
            made = with_layers(manifest, docker, self._files)[0].descriptor
        except OCIError:
            return entry  # It is reported where the image is read.
        return attrs.evolve(entry, media_type=made.media_type, digest=made.digest, size=made.size)

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the layout."""
        return self

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob, not verified.

        Raises:
            BlobMissingError: There is no such member.
        """
        try:
            return self._files.open_blob(digest)
        except BlobMissingError:
            if self._docker is None:
                raise
        return self._docker.open_blob(digest)

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all; see `Repository.entries`."""
        return entries_of(self._index, self.blobs, ref, self._limits)

    def close(self) -> None:
        """Close the file; later reads raise StoreError."""
        self._files.close()


class DockerRepository:
    """The images of a Docker archive, as a `Repository`. Thread-safe.

    To list an image reads its config, and hashes its layers if they are compressed: their digests are not recorded in
    the archive. Each image is read once.
    """

    def __init__(self, files: TarArchive, limits: Limits) -> None:
        """Read the `manifest.json` of the archive, which must exist; the archive is closed with this object.

        Raises:
            DocumentError: It is malformed.
        """
        self.place = files.place
        self._files = files
        self._archive = DockerArchive(files, limits)
        self._entries: dict[int, Descriptor] = {}
        self._lock = threading.Lock()

    @property
    def blobs(self) -> BlobSource:
        """The blobs of the images that were listed, and the manifests made for them."""
        return self._archive

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entries of one image, or all: one for each name of an image, or one if it has none.

        Args:
            ref: A name, with or without Docker's defaults, `@NUMBER`, or the digest of a manifest that is made here.

        Raises:
            ReferenceMissingError: There is no such image; the error lists the existing ones.
            StoreError: A file that the image lists is not in the archive.
            DocumentError: Its config is malformed, or has a different number of layers.
        """
        with self._lock:
            try:
                numbers = self._archive.called(ref)
            except ReferenceMissingError:
                if ref is None or not (numbers := self._with_digest(ref)):
                    raise
            return [entry for number in numbers for entry in self._named(number, ref)]

    def _named(self, number: int, ref: str | None) -> list[Descriptor]:
        """Return the entries of an image with a name, or with all of its names if `ref` is none of them."""
        names = self._archive.tags(number)
        asked = None if ref is None else normalize_reference(ref)
        mine = [each for each in names if normalize_reference(each) == asked]
        return [named(self._entry(number), each) for each in mine or names or (None,)]

    def _entry(self, number: int) -> Descriptor:
        if number not in self._entries:
            made = self._archive.manifest(number).descriptor
            self._entries[number] = attrs.evolve(made, platform=self._archive.platform_of(number))
        return self._entries[number]

    def _with_digest(self, ref: str) -> list[int]:
        found = []
        for number in self._archive.called(None):
            try:
                if str(self._entry(number).digest) == ref:
                    found.append(number)
            except OCIError:
                continue  # An image that cannot be read has no digest.
        return found

    def close(self) -> None:
        """Close the file; later reads raise StoreError."""
        self._files.close()
