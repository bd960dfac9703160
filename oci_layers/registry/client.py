"""The requests of the distribution spec to one repository, each with its typed answer.

Nothing here is kept between two requests. `blobs` makes a store of these requests, `upload` sends blobs, `referrers`
finds what refers to a manifest.
"""

import json
from collections.abc import Collection, Iterator

import attrs

from oci_layers.errors import (
    BlobMissingError,
    DigestMismatchError,
    DocumentError,
    LimitError,
    NameFormatError,
    Problem,
    RegistryError,
    UnsupportedError,
)
from oci_layers.limits import Limits
from oci_layers.registry.endpoint import Endpoint
from oci_layers.registry.exchange import Access, Exchange
from oci_layers.registry.link import next_page
from oci_layers.registry.scope import Scope
from oci_layers.registry.transport import Body, BytesBody, Headers, Request, Response
from oci_layers.registry.url import Url
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    is_document,
)
from oci_layers.spec.reference import is_tag
from oci_layers.spec.strict_json import load_json
from oci_layers.validation.detect import detect_media_type

__all__ = ["Manifest", "RegistryClient"]

ACCEPT = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_MANIFEST_LIST}, {DOCKER_MANIFEST}"
"""All four types in every request: without those of OCI some registries say that an image does not exist (REG-44)."""

_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
_NO_TYPE = frozenset({"", "application/json", "text/plain", "application/octet-stream"})
_PAGES = 10_000
CREATED = (200, 201, 202, 204)


@attrs.frozen
class Manifest:
    """A document as the registry has it."""

    raw: bytes = attrs.field(repr=False)
    descriptor: Descriptor
    """Its type, digest and size, computed from the bytes."""


class RegistryClient:
    """One repository of a registry. Several threads may use it at once."""

    def __init__(self, endpoint: Endpoint, path: str, exchange: Exchange, limits: Limits) -> None:
        """Name a repository.

        Args:
            endpoint: The API of the registry.
            path: The name of the repository in it, which follows the grammar of references.
            exchange: Sends the requests.
            limits: `document_bytes` is the limit on documents and on lists, `descriptors` on their entries.
        """
        self.endpoint = endpoint
        self.path = path
        self.place = f"{endpoint.domain}/{path}"
        """The registry and the repository, as a reference has them."""
        self.limits = limits
        self.exchange = exchange
        """What sends the requests."""

    def send(
        self,
        method: str,
        where: str | Url,
        *,
        actions: Collection[str] = ("pull",),
        more: Collection[Scope] = (),
        expect: Collection[int] = (200,),
        headers: dict[str, str] | None = None,
        body: Body | None = None,
        repeat: bool | None = None,
    ) -> Response:
        """Send a request; the caller closes the answer.

        Args:
            method: The method.
            where: The path below that of the repository, with a query perhaps, or a URL that the registry gave.
            actions: What the credentials must allow in this repository.
            more: What else they must allow.
            expect: The statuses of answers that are returned.
            headers: Further header fields.
            body: What is sent.
            repeat: As for `Exchange.send`.

        Raises:
            RegistryError: The answer has another status, or there is none.
        """
        access = self._access(actions, more)

        def send_to(base: Url) -> Response:
            request = Request(method=method, url=self._url(base, where), headers=headers or {}, body=body)
            return self.exchange.send(request, _access_at(base, request, access), expect=expect, repeat=repeat)

        return self.endpoint.call(send_to)

    def _access(self, actions: Collection[str], more: Collection[Scope] = ()) -> Access:
        mine = Scope("repository", self.path, frozenset(actions))
        return Access(self.endpoint.domain, frozenset({mine, *more}))

    def _url(self, base: Url, where: str | Url) -> Url:
        if isinstance(where, Url):
            return where
        path, mark, query = where.partition("?")
        return attrs.evolve(base / self.path / path, query=query if mark else None)

    def _fetch(
        self, where: str | Url, headers: dict[str, str], expect: Collection[int] = (200,)
    ) -> tuple[Response, bytes]:
        def fetch_from(base: Url) -> tuple[Response, bytes]:
            request = Request(method="GET", url=self._url(base, where), headers=headers)
            access, limit = _access_at(base, request, self._access(("pull",))), self.limits.document_bytes
            return self.exchange.fetch(request, access, limit=limit, expect=expect)

        return self.endpoint.call(fetch_from)

    def manifest(self, reference: str | Digest) -> Manifest:
        """Return a manifest or an index, by tag or digest.

        Raises:
            BlobMissingError: There is none, or it is not shown to this user.
            DigestMismatchError: It is another than asked for.
            UnsupportedError: It is a manifest of Docker's first schema.
            DocumentError: It is no JSON, or its media types contradict each other.
            LimitError: It has more than `document_bytes`.
            RegistryError: The registry cannot be asked.
        """
        try:
            response, raw = self._fetch(f"manifests/{reference}", {"Accept": ACCEPT})
        except RegistryError as error:
            if is_missing(error):
                raise BlobMissingError(str(reference)) from error
            raise
        digest = Digest.of(raw, reference.algorithm if isinstance(reference, Digest) else "sha256")
        if isinstance(reference, Digest) and digest != reference:
            what = f"manifest {reference}{_encoded(response.headers)}"
            raise DigestMismatchError(what, str(reference), str(digest))
        media_type = _media_type(response.headers, raw, self.limits)
        return Manifest(raw, Descriptor(media_type=media_type, digest=digest, size=len(raw)))

    def head_manifest(self, reference: str | Digest) -> Descriptor | None:
        """Return the type, digest and size of a manifest by tag or digest, as the registry states them; None if absent.

        A registry that does not state them is asked for the manifest.

        Raises:
            RegistryError: The registry cannot be asked.
        """
        try:
            response = self.send("HEAD", f"manifests/{reference}", headers={"Accept": ACCEPT})
        except RegistryError as error:
            if is_missing(error):
                return None
            if error.status not in {400, 403, 405}:
                raise
        else:
            response.close()
            found = _stated(response.headers)
            if found is not None and (found.digest == reference or not isinstance(reference, Digest)):
                return found
        try:
            return self.manifest(reference).descriptor  # It also says why, which the answer to a HEAD cannot.
        except BlobMissingError:
            return None

    def put_manifest(self, raw: bytes, media_type: str, reference: str | Digest) -> Headers:
        """Store a document under its digest or a tag; return the header fields of the answer.

        Raises:
            RegistryError: The registry refuses it, or says that it stored another one.
        """
        response = self.send(
            "PUT",
            f"manifests/{reference}",
            actions=("pull", "push"),
            expect=CREATED,
            headers={"Content-Type": media_type},
            body=BytesBody(raw),
            repeat=True,
        )
        response.close()
        self.require_stored(response, Digest.of(raw) if isinstance(reference, str) else reference, is_manifest=True)
        return response.headers

    def require_stored(self, response: Response, digest: Digest, *, is_manifest: bool) -> None:
        """Check that an answer to a PUT says that the content was stored under its digest (REG-17, 51, 73).

        Raises:
            RegistryError: It says otherwise, or says nothing and the content is not there.
        """
        stated = _digest(response.headers)
        if stated is not None and stated.algorithm == digest.algorithm:
            if stated != digest:
                reason = f"the registry says that it stored {stated} in place of {digest}"
                raise RegistryError(str(response.url), reason, response.status)
            if response.status == 201:
                return
        if response.status == 201 and stated is None:
            return
        found = self.head_manifest(digest) if is_manifest else self.head_blob(digest)
        if found is None:
            reason = f"the registry answers {response.status}, but does not have {digest}"
            raise RegistryError(str(response.url), reason, response.status)

    def delete(self, where: str) -> None:
        """Delete a manifest by its tag or digest (`manifests/...`), or a blob (`blobs/...`).

        Raises:
            BlobMissingError: There is none.
            RegistryError: The registry does not delete this, or does not let this user.
        """
        try:
            self.send("DELETE", where, actions=("delete",), expect=(200, 202, 204), repeat=True).close()
        except RegistryError as error:
            if is_missing(error):
                raise BlobMissingError(where.partition("/")[2]) from error
            raise

    def open_blob(self, digest: Digest, start: int = 0, end: int | None = None, *, url: Url | None = None) -> Response:
        """Ask for a blob, or for a part of it; return the answer (200, 206 or 416), which the caller closes.

        Args:
            digest: That of the blob.
            start: The first byte.
            end: One more than the last byte; None for all.
            url: Where else it is, to which no credentials go; the registry if None.

        Raises:
            RegistryError: The registry does not have it, or cannot be asked.
        """
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        if url is not None:
            return self.exchange.send(Request(method="GET", url=url, headers=headers), expect=(200, 206, 416))
        return self.send("GET", f"blobs/{digest}", headers=headers, expect=(200, 206, 416))

    def head_blob(self, digest: Digest) -> int | None:
        """Return the size of a blob; -1 if the registry has it but does not say the size, None if it does not have it.

        Raises:
            RegistryError: The registry cannot be asked.
        """
        try:
            response = self.send("HEAD", f"blobs/{digest}")
        except RegistryError as error:
            if is_missing(error) or error.status == 403:  # Artifactory says so of what is absent (REG-35).
                return None
            raise
        response.close()
        length = response.headers.length
        return -1 if length is None else length

    def tags(self) -> list[str]:
        """Return all tags, sorted; what is no tag is left out (REG-79).

        Raises:
            RegistryError: There is no such repository, or the registry cannot be asked.
        """
        found: set[str] = set()
        for document in self.pages("tags/list"):
            listed = document.get("tags") or []
            if not isinstance(listed, list):
                raise RegistryError(self.place, "the list of tags has none")
            found.update(tag for tag in listed if isinstance(tag, str) and is_tag(tag))
            if len(found) > self.limits.descriptors:
                raise LimitError("descriptors", self.limits.descriptors, len(found))
        return sorted(found)

    def pages(self, where: str) -> Iterator[dict[str, object]]:
        """Yield the JSON objects of a list, page by page (distribution-spec, "Listing Tags").

        Raises:
            DocumentError: A page is no JSON object.
            RegistryError: The registry cannot be asked, or leads astray: to another origin, or round in circles.
        """
        for _, raw in self.answers(where, accept="application/json"):
            yield load_json(raw, media_type="list", limits=self.limits)

    def answers(self, where: str, *, accept: str, expect: Collection[int] = (200,)) -> Iterator[tuple[Response, bytes]]:
        """Yield the pages of a list as bytes, with the answers that they came in, which are closed; see `pages`.

        `expect` is as for `send`.
        """
        at: str | Url = where
        seen: set[str] = set()
        for _ in range(_PAGES):
            response, raw = self._fetch(at, {"Accept": accept}, expect)
            yield response, raw
            link = next_page(response.headers.all("Link"))
            if link is None:
                return
            at = self._next(response, link)
            if at.full in seen:
                raise RegistryError(str(at), "the pages of the list go round in circles")
            seen.add(at.full)
        raise RegistryError(self.place, f"a list of more than {_PAGES} pages")

    @staticmethod
    def _next(response: Response, link: str) -> Url:
        try:
            there = response.url.join(link)
        except NameFormatError as error:
            raise RegistryError(str(response.url), f"the next page of the list is nowhere: {error}") from None
        if there.origin != response.url.origin:
            raise RegistryError(str(response.url), f"the next page of the list is on another server, {there.origin}")
        return there


def _access_at(base: Url, request: Request, access: Access) -> Access | None:
    """Return what a request asks of a registry; None if it goes to another server, which gets no credentials."""
    return access if request.url.origin == base.origin else None


def is_missing(error: RegistryError) -> bool:
    """Tell whether an error says that something does not exist (REG-88)."""
    return error.status == 404 or "MANIFEST_UNKNOWN" in error.codes or "BLOB_UNKNOWN" in error.codes


def _digest(headers: Headers) -> Digest | None:
    try:
        return Digest.parse(headers.get("Docker-Content-Digest", ""))
    except NameFormatError:
        return None


def _stated(headers: Headers) -> Descriptor | None:
    """Return the descriptor that the answer to a HEAD states; None if it leaves something out."""
    digest, length, media_type = _digest(headers), headers.length, headers.media_type
    if digest is None or length is None or not is_document(media_type):
        return None
    return Descriptor(media_type=media_type, digest=digest, size=length)


def _media_type(headers: Headers, raw: bytes, limits: Limits) -> str:
    """Return the media type of a manifest that has no descriptor (REG-49)."""
    said = headers.media_type.lower()
    if said in _SCHEMA_1:
        raise UnsupportedError("manifest", said, "Docker's first schema; pull and push the image with a newer client")
    own = detect_media_type(raw, limits=limits)
    if said in _NO_TYPE:
        if own is None or not is_document(own):
            raise DocumentError(said or "manifest", (Problem("", "is neither a manifest nor an index"),))
        return own
    if not is_document(said):
        raise DocumentError(said, (Problem("", "is not the media type of a manifest or an index"),))
    stated = json.loads(raw).get("mediaType")
    if isinstance(stated, str) and stated != said:
        raise DocumentError(said, (Problem("/mediaType", f"is {stated}, the registry says {said}"),))
    return said


def _encoded(headers: Headers) -> str:
    """Return what explains a mismatch: the content was sent in another form."""
    encoding = headers.get("Content-Encoding", "identity")
    return "" if encoding == "identity" else f" (sent with Content-Encoding {encoding})"
