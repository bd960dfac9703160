"""A repository of a registry as a place that holds images, one for each tag."""

import contextlib

from oci_layers._closing import Closing
from oci_layers.blob.pipeline import ShouldContinue, map_in_threads
from oci_layers.errors import (
    BlobMissingError,
    LimitError,
    NameFormatError,
    PlaceMissingError,
    ReferenceMissingError,
    RegistryError,
    StoreError,
)
from oci_layers.limits import Limits
from oci_layers.registry.blobs import RegistryBlobs
from oci_layers.registry.client import is_missing
from oci_layers.registry.referrers import find_referrers, remove_referrer
from oci_layers.registry.session import RegistrySession
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_any
from oci_layers.spec.reference import Reference, is_tag
from oci_layers.store.layout import Layout
from oci_layers.store.repository import named

__all__ = ["RegistryRepository"]

_AT_ONCE = 4


class RegistryRepository(Closing):
    """A repository of a registry, as a `WritableRepository`. Any number of threads may use it at once.

    As a context manager, it closes itself.
    """

    def __init__(self, name: str, *, session: RegistrySession | None = None, limits: Limits | None = None) -> None:
        """Name a repository; nothing is sent yet.

        Args:
            name: `HOST/REPOSITORY`; Docker Hub is the default, as for `docker pull`. A tag in it is not used.
            session: Connections and credentials, which stay open; by default new ones, closed with this object.
            limits: The limits on documents and lists.

        Raises:
            NameFormatError: The name is malformed.
            UnsupportedError: The extra `registry` is not installed.
            StoreError: The cache of the session is no layout.
            AccessDeniedError: A file of containers-registries.conf(5) blocks the repository.
            DocumentError: Such a file is malformed.
        """
        reference = Reference.parse(name)
        self.place = f"docker://{name}"
        self._limits = limits or Limits()
        self._own = RegistrySession() if session is None else None
        used = session or self._own
        assert used is not None
        self.client = used.client(reference.domain, reference.path, self._limits)
        self._cache = None if used.cache is None else Layout.create(used.cache, exist_ok=True)
        kept = None if self._cache is None else self._cache.own_blobs
        self._blobs = RegistryBlobs(
            self.client, kept, foreign_layers=used.foreign_layers, sources=used.sources(self.client)
        )

    @property
    def blobs(self) -> RegistryBlobs:
        """The blobs, documents among them."""
        return self._blobs

    def tags(self) -> list[str]:
        """Return all tags, sorted.

        Raises:
            PlaceMissingError: There is no such repository, or it is not shown to this user.
            RegistryError: The registry cannot be asked.
        """
        try:
            return self.client.tags()
        except RegistryError as error:
            if not is_missing(error):
                raise
            raise PlaceMissingError(self.place, "there is no such repository, or it is not shown to you") from error

    def entries(self, ref: str | None = None) -> list[Descriptor]:
        """Return the entry of a tag or a digest, or of all tags, each of which is a request.

        Raises:
            ReferenceMissingError: There is no such tag or digest; the error lists the tags.
            PlaceMissingError: There is no such repository, or it is not shown to this user.
            RegistryError: The registry cannot be asked.
        """
        if ref is not None:
            return [self._entry(ref)]
        tags = self.tags()
        if len(tags) > self._limits.descriptors:
            raise LimitError("descriptors", self._limits.descriptors, len(tags))

        def entry_of(tag: str, _: ShouldContinue) -> Descriptor | None:
            return self.client.head_manifest(tag)

        found = map_in_threads(entry_of, tags, threads=_AT_ONCE, on_interrupt=self._blobs.interrupt)
        return [self._named(each, tag) for tag, each in zip(tags, found, strict=True) if each is not None]

    def _entry(self, ref: str) -> Descriptor:
        reference = _reference(ref)
        try:
            found = self._blobs.manifest(reference).descriptor
        except BlobMissingError as error:
            raise ReferenceMissingError(ref, tuple(self.tags())) from error
        return self._named(found, None if isinstance(reference, Digest) else ref)

    def _named(self, found: Descriptor, tag: str | None) -> Descriptor:
        self._blobs.learn(found.digest)
        return named(found, tag)

    def tag(self, ref: str | None, descriptor: Descriptor, *others: Descriptor) -> None:
        """Give a manifest or an index a tag, in place of what has it.

        Args:
            ref: The tag; or None, or the digest of the document, for no tag.
            descriptor: The document, which is in the repository.
            others: Must be empty: a tag names one document, which may be an index.

        Raises:
            NameFormatError: `ref` is no tag.
            StoreError: There are others.
            BlobMissingError: The document does not exist.
            RegistryError: The registry refuses.
        """
        if others:
            reason = f"a tag names one document, not {1 + len(others)}; choose a platform, or copy an index"
            raise StoreError(self.place, reason)
        reference = None if ref is None else _reference(ref)
        if reference is None or reference == descriptor.digest:
            if not self._blobs.reuse_blob(descriptor):
                raise BlobMissingError(str(descriptor.digest))
            return
        if isinstance(reference, Digest):
            raise NameFormatError("reference", str(ref), f"the digest of the image is {descriptor.digest}")
        self._blobs.learn(descriptor.digest)
        found = self._blobs.manifest(descriptor.digest)
        self.client.put_manifest(found.raw, descriptor.media_type, reference)

    def untag(self, ref: str) -> None:
        """Remove a tag; what it names stays.

        Raises:
            NameFormatError: `ref` is no tag; `delete` deletes by digest.
            ReferenceMissingError: There is no such tag; the error lists the existing ones.
            RegistryError: The registry removes no tags, as many do not, or does not let this user.
        """
        if not is_tag(ref):
            raise NameFormatError("tag", ref, "a tag is removed by its name; `delete` deletes an image by its digest")
        try:
            self.client.delete(f"manifests/{ref}")
        except BlobMissingError as error:
            raise ReferenceMissingError(ref, tuple(self.tags())) from error
        except RegistryError as error:
            _explain(error, "the registry removes no single tag")
            raise

    def delete(self, digest: Digest) -> None:
        """Delete a manifest or an index, and with it all of its tags; blobs stay until the registry collects them.

        Raises:
            ReferenceMissingError: There is none.
            RegistryError: The registry does not delete, or does not let this user.
        """
        try:
            found = self._blobs.manifest(digest)
            self.client.delete(f"manifests/{digest}")
        except BlobMissingError as error:
            raise ReferenceMissingError(str(digest), ()) from error
        except RegistryError as error:
            _explain(error, "the registry deletes nothing, as it is configured")
            raise
        subject = parse_any(found.raw, found.descriptor, self._limits).value.subject
        if subject is not None:
            remove_referrer(self.client, subject.digest, digest)

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
        """Return the descriptors of the manifests whose subject has a digest.

        Args:
            digest: The digest of a manifest, which need not exist.
            artifact_type: What they are, if not all are wanted.

        Raises:
            RegistryError: The registry cannot be asked.
        """
        found = find_referrers(self.client, digest, artifact_type)
        for each in found:
            self._blobs.learn(each.digest)
        return found

    def lease(self) -> contextlib.AbstractContextManager[None]:
        """Return a context that does nothing: the registry keeps what was sent for as long as it is made to."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Close the connections, unless they belong to a session that was given; idempotent."""
        if self._cache is not None:
            self._cache.close()
        if self._own is not None:
            self._own.close()


def _explain(error: RegistryError, note: str) -> None:
    """Add a note to an error that says that a registry does not do something at all."""
    if error.status in {400, 405} or "UNSUPPORTED" in error.codes:
        error.add_note(note)


def _reference(ref: str) -> str | Digest:
    """Return a tag or a digest.

    Raises:
        NameFormatError: It is neither.
    """
    if ":" in ref:
        return Digest.parse(ref)
    if not is_tag(ref):
        raise NameFormatError("tag", ref, "it must be of 1 to 128 letters, digits and ._- and begin with none of .-")
    return ref
