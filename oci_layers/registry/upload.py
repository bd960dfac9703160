"""Blobs to a registry: one request starts an upload, the next one has the bytes (distribution-spec, "POST then PUT").

Where that is too large for a server, the bytes go in chunks, each in a request (distribution-spec, "Pushing a blob in
chunks"). An upload that breaks cannot be resumed on most registries (REG-71), so it begins again, if its content can be
opened again. Nothing is visible before the registry has compared the digest.
"""

import contextlib
import io

from oci_layers.blob.section import PositionedReader
from oci_layers.blob.stream import PIECE, ByteStream, VerifiedReader
from oci_layers.errors import NameFormatError, RegistryError, UnreachableError
from oci_layers.registry.client import CREATED, RegistryClient
from oci_layers.registry.exchange import require_reachable
from oci_layers.registry.scope import Scope
from oci_layers.registry.transport import Body, BytesBody, Response
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["StreamBody", "begin", "mount", "upload", "upload_in_chunks"]

_WRITE = ("pull", "push")
_FOUND = 201
_ACCEPTED = (201, 202, 204)
"""The answers to a chunk; ECR gives the first, GCR the last (REG-69)."""
_BYTES = "application/octet-stream"
_DIGITS = 20
_CHUNK = 4 << 20
"""Bytes of a chunk, which is in memory while it is sent; GHCR takes no larger ones (REG-70)."""
_LARGEST_CHUNK = 16 * _CHUNK


class StreamBody:
    """A stream as the body of a request, compared with its descriptor while it is sent.

    Its last piece is handed out only if size and digest are right.
    """

    def __init__(self, stream: ByteStream, descriptor: Descriptor) -> None:
        self.size = descriptor.size
        self._stream = stream
        self._descriptor = descriptor
        self._opened = False

    def open(self) -> ByteStream:
        """Return the stream; again only if it can go back to its start.

        Raises:
            UnreachableError: It cannot.
        """
        if self._opened:
            if not isinstance(self._stream, io.BytesIO | PositionedReader):
                raise UnreachableError(str(self._descriptor.digest), "the content cannot be read a second time")
            self._stream.seek(0)
        self._opened = True
        return _Sent(self._stream, self._descriptor)


class _Sent:
    """The bytes of an upload; the stream below is not closed."""

    def __init__(self, stream: ByteStream, descriptor: Descriptor) -> None:
        what = f"blob {descriptor.digest}"
        self._verified = VerifiedReader(stream, descriptor.digest, descriptor.size, what=what)
        self._size = descriptor.size

    def read(self, size: int, /) -> bytes:
        data = self._verified.read(size)
        if self._verified.seen == self._size:
            self._verified.read(1)  # Nothing is left, so it compares the digest.
        return data

    def close(self) -> None:
        """Leave the stream open; who gave it closes it."""


def begin(client: RegistryClient) -> Url:
    """Begin an upload; return the URL to which the bytes go.

    Raises:
        RegistryError: The registry takes no upload from this user, or does not say where.
    """
    return _location(_begun(client))


def _begun(client: RegistryClient) -> Response:
    response = client.send("POST", "blobs/uploads/", actions=_WRITE, expect=(202,), repeat=True)
    response.close()
    return response


def mount(client: RegistryClient, digest: Digest, source: str) -> Url | None:
    """Take over a blob of another repository of the registry; return None if that was done.

    Otherwise the registry begins an upload, and its URL is returned.

    Raises:
        RegistryError: The registry refuses; the blob has to be sent.
    """
    response = client.send(
        "POST",
        f"blobs/uploads/?mount={digest}&from={source}",
        actions=_WRITE,
        more=(Scope("repository", source, frozenset({"pull"})),),
        expect=(201, 202),
        repeat=True,
    )
    response.close()
    if response.status == _FOUND:
        client.require_stored(response, digest, is_manifest=False)
        return None
    return _location(response)


def upload(client: RegistryClient, body: Body, digest: Digest, session: Url | None = None) -> None:
    """Send a blob.

    Args:
        client: The repository.
        body: The bytes.
        digest: Their digest.
        session: The URL of an upload that was started; a new one if None.

    Raises:
        RegistryError: The registry refuses the blob, or stores another one.
        UnreachableError: The connection breaks; nothing was stored.
    """
    _end(client, session or begin(client), body, digest)


def upload_in_chunks(client: RegistryClient, body: Body, digest: Digest) -> None:
    """Send a blob in chunks of 4 MiB, or larger ones if the registry wants them; one at a time is in memory.

    Raises:
        RegistryError: The registry refuses the blob or a chunk, or wants chunks of more than 64 MiB.
        UnreachableError: The connection breaks; nothing was stored.
    """
    with contextlib.closing(body.open()) as stream:
        response = _begun(client)
        session, at, size = _location(response), 0, max(_CHUNK, _least(response))
        while chunk := _read(stream, size):
            response = client.send(
                "PATCH",
                session,
                actions=_WRITE,
                expect=_ACCEPTED,
                headers={"Content-Type": _BYTES, "Content-Range": f"{at}-{at + len(chunk) - 1}"},
                body=BytesBody(chunk),
                repeat=False,
            )
            response.close()
            session, at = _location(response), at + len(chunk)
    _end(client, session, BytesBody(b""), digest)


def _read(stream: ByteStream, size: int) -> bytes:
    """Return the next `size` bytes; fewer only at the end."""
    parts = []
    while size and (data := stream.read(min(size, PIECE))):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def _least(response: Response) -> int:
    """Return the size that chunks must have at least, but for the last one."""
    text = response.headers.get("OCI-Chunk-Min-Length", "0")
    least = int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else 0
    if least > _LARGEST_CHUNK:
        reason = f"the registry wants chunks of {least} bytes; more than {_LARGEST_CHUNK} are not kept in memory"
        raise RegistryError(str(response.url), reason, response.status)
    return least


def _end(client: RegistryClient, session: Url, body: Body, digest: Digest) -> None:
    """Send what is left of a blob, and end the upload."""
    response = client.send(
        "PUT",
        session.with_parameter("digest", str(digest)),
        actions=_WRITE,
        expect=CREATED,
        headers={"Content-Type": _BYTES},
        body=body,
        repeat=False,
    )
    response.close()
    client.require_stored(response, digest, is_manifest=False)


def _location(response: Response) -> Url:
    """Return where an upload goes on; the registry chooses the URL, and it is never built here (REG-67)."""
    location = response.headers.get("Location")
    if not location:
        raise RegistryError(str(response.url), "the registry does not say where the upload goes", response.status)
    try:
        there = response.url.join(location)
    except NameFormatError as error:
        raise RegistryError(str(response.url), f"the upload goes to no URL: {error}", response.status) from None
    require_reachable(there, response.url.origin)
    return there
