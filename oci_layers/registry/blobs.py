"""The blobs of a repository in a registry, its documents among them, as a store.

A registry keeps manifests apart from blobs, but a store knows a digest alone. So each document that is read shows which
digests are those of manifests; a digest that no document has shown is looked for among the blobs first.
"""

import io
import json
import re
from collections.abc import Iterator

from oci_layers.blob.directory import DirectoryBlobs
from oci_layers.blob.read_through import ReadThrough
from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import BlobMissingError, LimitError, RegistryError, UnreachableError, UnsupportedError
from oci_layers.registry.client import Manifest, RegistryClient, is_missing
from oci_layers.registry.referrers import add_referrer
from oci_layers.registry.transport import Response
from oci_layers.registry.upload import StreamBody, mount, upload
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import role_of

__all__ = ["RegistryBlobs"]

_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:([0-9]{1,19})|\*)")
_PARTIAL, _BEYOND = 206, 416


class RegistryBlobs:
    """A `BlobStore` in a registry. Several threads may use it at once.

    Documents that were read or written are kept in memory, as they are read again to be named.
    """

    def __init__(self, client: RegistryClient, kept: DirectoryBlobs | None = None) -> None:
        """Take what sends the requests, and blobs of a directory in which all that is read is kept."""
        self.client = client
        self._kept = None if kept is None else ReadThrough(self._open_remote, kept)
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
        for each in json.loads(found.raw).get("manifests") or ():
            media_type, digest = each.get("mediaType"), each.get("digest")
            if isinstance(media_type, str) and isinstance(digest, str) and _is_document(media_type):
                self.learn(Digest.parse(digest))

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
            return BlobStream(self.client, digest)
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
            if _is_document(descriptor.media_type):
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
        if not isinstance(source, RegistryBlobs) or _is_document(descriptor.media_type):
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
        if _is_document(descriptor.media_type):
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


class BlobStream:
    """The bytes of a blob, in order; a connection that breaks is taken up where it broke (REG-56, 57)."""

    def __init__(self, client: RegistryClient, digest: Digest) -> None:
        self._client = client
        self._digest = digest
        self._at = 0
        self._attempt = 0
        self._moment = client.exchange.moment()
        self._response = client.open_blob(digest)

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes; none at the end.

        Raises:
            UnreachableError: The connection breaks again and again without any progress.
            RegistryError: The registry does not go on.
        """
        is_broken = False
        while True:
            try:
                if is_broken:
                    self._resume()
                data = self._response.body.read(size)
            except UnreachableError:
                is_broken = True
                self._response.close()
                self._attempt += 1
                if not self._client.exchange.rest(self._attempt, self._moment):
                    raise
            else:
                if data:
                    self._attempt = 0
                    self._at += len(data)
                return data

    def _resume(self) -> None:
        """Go on at the byte at which the last answer broke."""
        self._response = response = self._client.open_blob(self._digest, self._at)
        if response.status == _PARTIAL:
            require_range(response, self._at)
        elif response.status == _BEYOND:
            # All was there; only the end was not seen.
            response.close()
            response.body = io.BytesIO()
        else:
            self._skip(self._at)

    def _skip(self, left: int) -> None:
        """Pass over the bytes that a server sends again, as it sends no part of a blob."""
        while left and (data := self._response.body.read(min(left, PIECE))):
            left -= len(data)

    def close(self) -> None:
        """Close the connection, or leave it to the next request if all was read."""
        self._response.close()


def require_range(response: Response, start: int, end: int | None = None) -> int | None:
    """Check that an answer of status 206 is the part that was asked for; return the size of the whole, if stated.

    Raises:
        RegistryError: It is another one.
    """
    ranges = response.headers.all("Content-Range")
    found = _RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
    if found is None or int(found[1]) != start or (end is not None and int(found[2]) != end - 1):
        response.close()
        stated = ranges[0] if ranges else "none"
        reason = f"asked for the bytes from {start}, the server sends another range: {stated}"
        raise RegistryError(str(response.url), reason, response.status)
    return None if found[3] is None else int(found[3])


def _is_document(media_type: str) -> bool:
    return role_of(media_type) in {"manifest", "index"}
