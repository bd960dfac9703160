"""Blobs to a registry: one request starts an upload, the next one has the bytes (distribution-spec, "POST then PUT").

An upload that breaks cannot be resumed on most registries (REG-71), so it begins again, if its content can be opened
again. Nothing is visible before the registry has compared the digest.
"""

import io

from oci_layers.blob.stream import ByteStream, VerifiedReader
from oci_layers.errors import NameFormatError, RegistryError, UnreachableError
from oci_layers.registry.client import CREATED, RegistryClient
from oci_layers.registry.exchange import require_reachable
from oci_layers.registry.scope import Scope
from oci_layers.registry.transport import Body, Response
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest

__all__ = ["StreamBody", "begin", "mount", "upload"]

_WRITE = ("pull", "push")
_FOUND = 201


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
            if not isinstance(self._stream, io.BytesIO):
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
    response = client.send("POST", "blobs/uploads/", actions=_WRITE, expect=(202,), repeat=True)
    response.close()
    return _location(response)


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
    session = session or begin(client)
    response = client.send(
        "PUT",
        session.with_parameter("digest", str(digest)),
        actions=_WRITE,
        expect=CREATED,
        headers={"Content-Type": "application/octet-stream"},
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
