"""What refers to a manifest: by the API of registries that have it, and by the tag schema (distribution-spec 1.1).

The tag schema is an index under a tag that is made of the digest. It is read where the API is missing, or says that
there is nothing although the registry has not shown that it keeps referrers.
"""

import http
import re
from urllib.parse import quote

from oci_layers.errors import AccessDeniedError, BlobMissingError, RegistryError, UnreachableError
from oci_layers.registry.client import RegistryClient
from oci_layers.spec.codec import structure, to_json
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_any, parse_index
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import OCI_INDEX
from oci_layers.spec.strict_json import load_json

__all__ = ["add_referrer", "fallback_tag", "find_referrers", "remove_referrer"]

_OTHER = re.compile(r"[^A-Za-z0-9._-]")


def fallback_tag(digest: Digest) -> str:
    """Return the tag of the index that lists what refers to a digest (distribution-spec, "Referrers Tag Schema")."""
    return "-".join(_OTHER.sub("-", part[:most]) for part, most in ((digest.algorithm, 32), (digest.encoded, 64)))


def find_referrers(client: RegistryClient, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
    """Return the descriptors of all manifests whose subject has a digest.

    Args:
        client: The repository.
        digest: The digest, of a manifest that need not exist.
        artifact_type: What the manifests are, if not all are wanted.

    Raises:
        RegistryError: The registry cannot be asked.
    """
    found = _by_api(client, digest, artifact_type)
    if not found:
        found = list(_read(client, digest).manifests)
    return [each for each in found if artifact_type is None or each.artifact_type == artifact_type]


def _by_api(client: RegistryClient, digest: Digest, artifact_type: str | None) -> list[Descriptor]:
    """Ask the API; return nothing where there is none, whatever the answer is (REG-82)."""
    where = f"referrers/{digest}"
    if artifact_type is not None:
        where += f"?artifactType={quote(artifact_type, safe='')}"
    found: list[Descriptor] = []
    try:
        # GHCR leads to a page on another server, which takes its time to refuse.
        for response, raw in client.answers(where, accept=OCI_INDEX, expect=(200, http.HTTPStatus.SEE_OTHER)):
            if response.headers.media_type != OCI_INDEX or response.url.origin != client.endpoint.origin:
                return []
            document = load_json(raw, media_type=OCI_INDEX, limits=client.limits)
            found += structure(document, Index, media_type=OCI_INDEX).manifests
    except (UnreachableError, AccessDeniedError):
        raise
    except RegistryError:
        return []
    return found


def _read(client: RegistryClient, digest: Digest) -> Index:
    """Return the index of the tag schema, empty if there is none."""
    try:
        found = client.manifest(fallback_tag(digest))
    except BlobMissingError:
        return Index(media_type=OCI_INDEX, manifests=())
    return parse_index(found.raw, found.descriptor, client.limits).value


def add_referrer(client: RegistryClient, raw: bytes, descriptor: Descriptor) -> None:
    """List a manifest under the tag of its subject, for a registry that does not do it by itself; idempotent.

    Raises:
        RegistryError: The registry refuses.
    """
    value = parse_any(raw, descriptor, client.limits).value
    assert value.subject is not None
    config = value.config.media_type if isinstance(value, Manifest) else None
    entry = Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        artifact_type=value.artifact_type or config,
        annotations=value.annotations,
    )
    listed = _read(client, value.subject.digest).manifests
    if entry.digest not in {each.digest for each in listed}:
        _write(client, value.subject.digest, (*listed, entry))


def remove_referrer(client: RegistryClient, subject: Digest, digest: Digest) -> None:
    """Take a manifest that was deleted out of the list under the tag of its subject; idempotent.

    Raises:
        RegistryError: The registry refuses.
    """
    listed = _read(client, subject).manifests
    left = tuple(each for each in listed if each.digest != digest)
    if len(left) != len(listed):
        _write(client, subject, left)


def _write(client: RegistryClient, subject: Digest, entries: tuple[Descriptor, ...]) -> None:
    index = Index(media_type=OCI_INDEX, manifests=entries)
    client.put_manifest(to_json(index), OCI_INDEX, fallback_tag(subject))
