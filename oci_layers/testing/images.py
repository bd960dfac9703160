"""Small images, and what a repository lists: no blob of them is larger than a few hundred bytes."""

import json

from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.repository import Repository, WritableRepository
from oci_layers.testing.streams import Stream

__all__ = ["absent", "listed", "put", "put_index", "put_manifest"]


def put(repository: WritableRepository, data: bytes, media_type: str = OCI_MANIFEST) -> Descriptor:
    """Put a blob, and return its descriptor."""
    descriptor = Descriptor.of(data, media_type=media_type)
    repository.blobs.put_blob(Stream(data), descriptor)
    return descriptor


def put_manifest(repository: WritableRepository, note: str) -> Descriptor:
    """Put a manifest, a different one for each note, and what it lists."""
    config = put(repository, b"{}", OCI_EMPTY)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example",
        "config": unstructure(config),
        "layers": [unstructure(config)],
        "annotations": {"note": note},
    }
    return put(repository, json.dumps(document).encode())


def put_index(repository: WritableRepository, *children: Descriptor) -> Descriptor:
    """Put an index of children, which may be missing."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [unstructure(each) for each in children]}
    return put(repository, json.dumps(document).encode(), OCI_INDEX)


def absent(note: str) -> Descriptor:
    """Return the descriptor of a manifest that no repository has."""
    return Descriptor.of(note.encode(), media_type=OCI_MANIFEST)


def listed(repository: Repository, ref: str | None = None) -> list[tuple[str | None, Digest]]:
    """Return the names and digests of entries."""
    return [(own_name(each), each.digest) for each in repository.entries(ref)]
