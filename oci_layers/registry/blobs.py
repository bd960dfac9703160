"""The blobs of a repository in a registry, its documents among them, as a store.

A registry keeps manifests apart from blobs, but a store knows a digest alone. So each document that is read shows which
digests are those of manifests; a digest that no document has shown is looked for among the blobs first.
"""

import contextlib
import http
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

import attrs

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.read_through import ReadThrough
from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import (
    BlobMissingError,
    DocumentError,
    LimitError,
    NameFormatError,
    RegistryError,
    UnreachableError,
    UnsupportedError,
)
from oci_layers.registry.blob_stream import LARGE, BlobStream, PartedStream
from oci_layers.registry.client import Manifest, RegistryClient, is_missing
from oci_layers.registry.foreign import open_foreign
from oci_layers.registry.referrers import add_referrer
from oci_layers.registry.sources import Source, Sources
from oci_layers.registry.upload import StreamBody, mount, upload, upload_in_chunks
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import is_distributable, is_document
from oci_layers.spec.strict_json import load_json

__all__ = ["RegistryBlobs"]

_LANES = 3
"""The connections that large blobs take, all together, beside one for each blob."""
_FOREIGN = "a foreign layer, which --foreign-layers or RegistrySession(foreign_layers=True) fetches from its URLs"


@attrs.frozen
class _Remote:
    """The blobs as the registry has them, none of them kept."""

    open_blob: Callable[[Digest], ByteStream]


class RegistryBlobs:
    """A `BlobStore` in a registry. Several threads may use it at once.

    Documents that were read or written are kept in memory, as they are read again to be named.
    """

    def __init__(
        self,
        client: RegistryClient,
        kept: DirectoryBlobs | None = None,
        *,
        foreign_layers: bool = False,
        sources: Sources | None = None,
    ) -> None:
        """Take what sends the requests.

        Args:
            client: The repository.
            kept: The blobs of a directory in which all that is read is kept.
            foreign_layers: Fetch layers that the registry does not have from the URLs in their descriptors, and store
                layers that are not distributed like others.
            sources: Where images are read, if not in the repository itself.
        """
        self.client = client
        self._sources = sources or Sources([Source(client)])
        self._fetches_foreign = foreign_layers
        self._urls: dict[Digest, list[str]] = {}
        self._kept = None if kept is None else ReadThrough(_Remote(self._open_remote), kept)
        self._lanes = threading.Semaphore(_LANES)
        self._large: dict[Digest, int] = {}
        self._manifests: set[Digest] = set()
        self._documents: dict[Digest, Manifest] = {}
        self._sessions: dict[Digest, Url] = {}
        self._too_large = sys.maxsize

    def learn(self, digest: Digest) -> None:
        """Take note that a digest is that of a manifest or an index."""
        self._manifests.add(digest)

    def manifest(self, reference: str | Digest) -> Manifest:
        """Return a document by tag or digest; by digest, it is asked for once.

        Where documents are kept, a tag is only looked up: some registries limit how often a document is read (REG-46).

        Raises:
            BlobMissingError: There is none.
            RegistryError: The registry cannot be asked.
        """
        found = self._documents.get(reference) if isinstance(reference, Digest) else self._kept_document(reference)
        if found is None:
            client, found = self._sources.read(reference, lambda client: (client, client.manifest(reference)))
            self._sources.note(client, found.descriptor.digest)
            self._keep(found)
        return found

    def _kept_document(self, tag: str) -> Manifest | None:
        """Return the document of a tag if its bytes are kept."""
        if self._kept is None:
            return None
        try:
            client, descriptor = self._sources.read(tag, lambda client: (client, _require(client, tag)))
        except BlobMissingError:
            return None
        self._sources.note(client, descriptor.digest)
        self.learn(descriptor.digest)
        limit = self.client.limits.document_bytes
        found = Manifest(read_verified(self, descriptor, limit="document_bytes", allowed=limit), descriptor)
        self._keep(found)
        return found

    def _keep(self, found: Manifest) -> None:
        self._documents[found.descriptor.digest] = found
        self.learn(found.descriptor.digest)
        self._learn_from(found.raw, found.descriptor.digest)

    def _learn_from(self, raw: bytes, own: Digest) -> None:
        """Take note of what a document says of the blobs that it lists; what is malformed is found by who parses it."""
        try:
            document = load_json(raw, media_type="manifest", limits=self.client.limits)
        except (DocumentError, LimitError):
            return
        listed = {name: list(_listed(document, name)) for name in ("manifests", "layers", "config")}
        self._sources.pass_on(own, (digest for found in listed.values() for digest, _ in found))
        for digest, each in listed["manifests"]:
            media_type = each.get("mediaType")
            if isinstance(media_type, str) and is_document(media_type):
                self.learn(digest)
        for digest, each in listed["layers"]:
            size, urls = each.get("size"), each.get("urls")
            if isinstance(size, int) and size >= LARGE:
                self._large[digest] = size
            if isinstance(urls, list) and urls:
                self._urls[digest] = [str(url) for url in urls]

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob or a document, not verified; a connection that breaks is taken up again.

        Raises:
            BlobMissingError: There is no such blob, or it is not shown to this user.
            RegistryError: The registry cannot be asked.
        """
        if self._kept is None:
            return self._open_remote(digest)
        stream = self._kept.open_blob(digest)
        if digest not in self._manifests or digest in self._documents:
            return stream
        with contextlib.closing(stream):
            raw = b"".join(iter(lambda: stream.read(PIECE), b""))
        self._learn_from(raw, digest)
        return io.BytesIO(raw)

    def _open_remote(self, digest: Digest) -> ByteStream:
        if digest in self._manifests:
            return io.BytesIO(self.manifest(digest).raw)
        try:
            return self._sources.read(digest, lambda client: self._open_at(client, digest))
        except RegistryError as error:
            if not is_missing(error):
                raise
            if digest in self._urls:
                return self._open_foreign(digest, error)
            try:
                return io.BytesIO(self.manifest(digest).raw)
            except BlobMissingError:
                raise BlobMissingError(str(digest)) from error

    def _open_at(self, client: RegistryClient, digest: Digest) -> ByteStream:
        size = self._large.get(digest)
        if size is None:
            return BlobStream(client, digest)
        return PartedStream(client, digest, size, self._lanes)

    def _open_foreign(self, digest: Digest, error: RegistryError) -> ByteStream:
        if not self._fetches_foreign:
            raise BlobMissingError(str(digest), _FOREIGN) from error
        return open_foreign(self.client, digest, self._urls[digest])

    def declines_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is a layer that is not distributed, and so is not to be put here (NDL-03)."""
        return not (self._fetches_foreign or is_distributable(descriptor.media_type))

    def put_blob(self, stream: ByteStream, descriptor: Descriptor) -> None:
        """Store the bytes of `stream`, compared with the descriptor before the last of them is sent.

        A manifest whose subject the registry does not list by itself is listed under the tag of its subject.

        Raises:
            IntegrityError: The bytes do not match; nothing was stored.
            RegistryError: The registry refuses them.
            UnreachableError: The connection broke; nothing was stored, and the stream has to be opened again.
        """
        try:
            if is_document(descriptor.media_type):
                self._put_document(stream, descriptor)
            else:
                self._put_bytes(StreamBody(stream, descriptor), descriptor.digest)
        finally:
            stream.close()

    def _put_bytes(self, body: StreamBody, digest: Digest) -> None:
        """Send a blob: as a whole, or in chunks if the server has refused one that was not larger."""
        session = self._sessions.pop(digest, None)
        if body.size < self._too_large:
            try:
                return upload(self.client, body, digest, session)
            except RegistryError as error:
                if error.status != http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    raise
            self._too_large = min(self._too_large, body.size)
        return upload_in_chunks(self.client, body, digest)

    def _put_document(self, stream: ByteStream, descriptor: Descriptor) -> None:
        allowed = self.client.limits.document_bytes
        if descriptor.size > allowed:
            raise LimitError("document_bytes", allowed, descriptor.size)
        parts = []
        what = f"blob {descriptor.digest}"
        verified = VerifiedReader(stream, descriptor.digest, descriptor.size, what=what)
        while part := verified.read(PIECE):
            parts.append(part)
        raw = b"".join(parts)
        headers = self.client.put_manifest(raw, descriptor.media_type, descriptor.digest)
        self._keep(Manifest(raw, descriptor))
        if json.loads(raw).get("subject") is not None and "OCI-Subject" not in headers:
            add_referrer(self.client, raw, descriptor)

    def mount_blob(self, descriptor: Descriptor, source: BlobSource) -> bool:
        """Take over a blob of another repository of the registry, without sending it; tell whether that was done."""
        if not isinstance(source, RegistryBlobs) or is_document(descriptor.media_type):
            return False
        if self.declines_blob(descriptor):
            return False
        theirs = source.client
        if theirs.endpoint.origin != self.client.endpoint.origin or theirs.path == self.client.path:
            return False
        try:
            session = mount(self.client, descriptor.digest, theirs.path)
        except UnreachableError:
            raise
        except RegistryError:
            return False  # Whatever is not allowed or not known here, the bytes can be sent.
        if session is not None:
            self._sessions[descriptor.digest] = session
        return session is None

    def has_blob(self, digest: Digest) -> bool:
        """Tell whether a blob or a document exists."""
        if digest not in self._manifests and self.client.head_blob(digest) is not None:
            return True
        return self.client.head_manifest(digest) is not None

    def reuse_blob(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob of this digest and size exists."""
        if is_document(descriptor.media_type):
            found = self.client.head_manifest(descriptor.digest)
            return found is not None and found.size == descriptor.size
        return self.client.head_blob(descriptor.digest) in {descriptor.size, -1}

    def iter_blobs(self) -> Iterator[Digest]:
        """Refuse: a registry does not list its blobs.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError("list of blobs", self.client.place, "a registry does not list its blobs")

    def interrupt(self) -> None:
        """End all transfers under way: each raises an error at once."""
        for exchange in {self.client.exchange, *self._sources.exchanges}:
            exchange.interrupt()


def _require(client: RegistryClient, tag: str) -> Descriptor:
    """Return the descriptor of a tag, which must exist."""
    found = client.head_manifest(tag)
    if found is None:
        raise BlobMissingError(tag)
    return found


def _listed(document: Mapping[str, object], name: str) -> Iterator[tuple[Digest, dict[str, object]]]:
    """Yield the descriptors in a field of a document, each with its digest, and none that is malformed."""
    found = document.get(name)
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict) and isinstance(digest := each.get("digest"), str):
            with contextlib.suppress(NameFormatError):
                yield Digest.parse(digest), each
