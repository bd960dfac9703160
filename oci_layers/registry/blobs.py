"""The blobs of a repository in a registry, its documents among them, as a store.

A registry keeps manifests apart from blobs, but a store knows a digest alone. So each document that is read shows which
digests are those of manifests; a digest that no document has shown is looked for among the blobs first.
"""

import io
import json
import threading
from collections.abc import Callable, Iterator

import attrs

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.read_through import ReadThrough
from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, LimitError, RegistryError, UnreachableError, UnsupportedError
from oci_layers.registry.blob_stream import LARGE, BlobStream, PartedStream
from oci_layers.registry.client import Manifest, RegistryClient, is_document, is_missing
from oci_layers.registry.referrers import add_referrer
from oci_layers.registry.upload import StreamBody, mount, upload
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["RegistryBlobs"]

_LANES = 3
"""The connections that large blobs take, all together, beside one for each blob."""


@attrs.frozen
class _Remote:
    """The blobs as the registry has them, none of them kept."""

    open_blob: Callable[[Digest], ByteStream]


class RegistryBlobs:
    """A `BlobStore` in a registry. Several threads may use it at once.

    Documents that were read or written are kept in memory, as they are read again to be named.
    """

    def __init__(self, client: RegistryClient, kept: DirectoryBlobs | None = None) -> None:
        """Take what sends the requests, and blobs of a directory in which all that is read is kept."""
        self.client = client
        self._kept = None if kept is None else ReadThrough(_Remote(self._open_remote), kept)
        self._lanes = threading.Semaphore(_LANES)
        self._large: dict[Digest, int] = {}
        self._manifests: set[Digest] = set()
        self._documents: dict[Digest, Manifest] = {}
        self._sessions: dict[Digest, Url] = {}

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
            found = self.client.manifest(reference)
            self._keep(found)
        return found

    def _kept_document(self, tag: str) -> Manifest | None:
        """Return the document of a tag if its bytes are kept."""
        descriptor = None if self._kept is None else self.client.head_manifest(tag)
        if descriptor is None:
            return None
        self.learn(descriptor.digest)
        limit = self.client.limits.document_bytes
        found = Manifest(read_verified(self, descriptor, limit="document_bytes", allowed=limit), descriptor)
        self._keep(found)
        return found

    def _keep(self, found: Manifest) -> None:
        self._documents[found.descriptor.digest] = found
        self.learn(found.descriptor.digest)
        document = json.loads(found.raw)
        for each in document.get("manifests") or ():
            media_type, digest = each.get("mediaType"), each.get("digest")
            if isinstance(media_type, str) and isinstance(digest, str) and is_document(media_type):
                self.learn(Digest.parse(digest))
        for each in document.get("layers") or ():
            digest, size = each.get("digest"), each.get("size")
            if isinstance(digest, str) and isinstance(size, int) and size >= LARGE:
                self._large[Digest.parse(digest)] = size

    def open_blob(self, digest: Digest) -> ByteStream:
        """Open the bytes of a blob or a document, not verified; a connection that breaks is taken up again.

        Raises:
            BlobMissingError: There is no such blob, or it is not shown to this user.
            RegistryError: The registry cannot be asked.
        """
        return self._open_remote(digest) if self._kept is None else self._kept.open_blob(digest)

    def _open_remote(self, digest: Digest) -> ByteStream:
        if digest in self._manifests:
            return io.BytesIO(self.manifest(digest).raw)
        try:
            size = self._large.get(digest)
            if size is None:
                return BlobStream(self.client, digest)
            return PartedStream(self.client, digest, size, self._lanes)
        except RegistryError as error:
            if not is_missing(error):
                raise
            try:
                return io.BytesIO(self.manifest(digest).raw)
            except BlobMissingError:
                raise BlobMissingError(str(digest)) from error

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
                session = self._sessions.pop(descriptor.digest, None)
                upload(self.client, StreamBody(stream, descriptor), descriptor.digest, session)
        finally:
            stream.close()

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
        self.client.exchange.interrupt()
