"""`manifest.json`, Docker's list of the images in an archive (DSV-01): from bytes, to bytes, and from an OCI index.

Pure functions, but for the documents that they read. An archive is written in the hybrid form of Docker 25 (DSV-05): an
image layout in which `manifest.json` lists the same images by the names of their files, which are the layout's blobs.
So no document is changed, and a compressed layer remains compressed. The index has the full name of an image beside its
tag, as containerd writes it. `docker` reads such archives and those of others.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from oci_layers.blob.store import BlobStore, read_verified
from oci_layers.errors import BlobMissingError, DocumentError, NameFormatError, Problem
from oci_layers.limits import Limits
from oci_layers.spec import annotations
from oci_layers.spec.codec import dumps
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_manifest
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import OCI_INDEX, role_of
from oci_layers.spec.platform_selection import is_attestation
from oci_layers.spec.reference import Reference
from oci_layers.spec.strict_json import load_json, load_value
from oci_layers.store.select import Search

__all__ = [
    "MANIFEST",
    "REPOSITORIES",
    "DockerItem",
    "format_listing",
    "format_repositories",
    "items_of",
    "parse_listing",
    "with_full_names",
]

MANIFEST = "manifest.json"
REPOSITORIES = "repositories"


@attrs.frozen
class DockerItem:
    """One image of `manifest.json` (DSV-01)."""

    config: str
    """The name of the file of its config."""
    repo_tags: tuple[str, ...]
    """Its names; none for an image without a name."""
    layers: tuple[str, ...]
    """The names of the files of its layers, the base first."""


def parse_listing(raw: bytes, limits: Limits) -> tuple[DockerItem, ...]:
    """Return the images of a `manifest.json`.

    Raises:
        DocumentError: It is malformed.
    """
    loaded = load_value(raw, media_type=MANIFEST, limits=limits)
    problems: list[Problem] = []
    items = []
    if not isinstance(loaded, list):
        raise DocumentError(MANIFEST, (Problem("", "must be an array"),))
    for number, each in enumerate(loaded):
        if not isinstance(each, dict):
            problems.append(Problem(f"/{number}", "must be an object"))
            continue
        config = each.get("Config")
        if not isinstance(config, str):
            problems.append(Problem(f"/{number}/Config", "must be a string"))
            config = ""
        tags = _strings(each.get("RepoTags") or [], f"/{number}/RepoTags", problems)
        layers = _strings(each.get("Layers") or [], f"/{number}/Layers", problems)
        items.append(DockerItem(config, tags, layers))
    if problems:
        raise DocumentError(MANIFEST, tuple(problems))
    return tuple(items)


def _strings(value: object, pointer: str, problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        problems.append(Problem(pointer, "must be an array of strings"))
        return ()
    return tuple(value)


def format_listing(items: Iterable[DockerItem]) -> bytes:
    """Return the bytes of a `manifest.json`; an image without a name has null for its names, as Docker writes it."""
    rows = ({"Config": each.config, "RepoTags": each.repo_tags or None, "Layers": each.layers} for each in items)
    return b"[" + b",".join(map(dumps, rows)) + b"]"


def format_repositories(items: Iterable[DockerItem]) -> bytes:
    """Return the bytes of `repositories`, the list that programs before Docker 1.10 read (DSV-02), sorted.

    The id of an image is there that of its last layer, of which nothing but a unique value is required (DSV-11).
    """
    found: dict[str, dict[str, str]] = {}
    for item in items:
        for reference in map(Reference.parse, item.repo_tags if item.layers else ()):
            name = attrs.evolve(reference, tag=None).familiar()
            found.setdefault(name, {})[reference.tag or ""] = item.layers[-1].rpartition("/")[2]
    return dumps({name: dict(sorted(found[name].items())) for name in sorted(found)})


def with_full_names(raw: bytes, limits: Limits) -> bytes:
    """Return an index in which each name that can be one of Docker's is written as containerd writes it.

    The full name is then an annotation of its own, and `org.opencontainers.image.ref.name` is the tag (DSV-05).
    """
    loaded = load_json(raw, media_type=OCI_INDEX, limits=limits)
    for entry in loaded["manifests"]:
        known: dict[str, Any] = entry.get("annotations") or {}  # Any: the values of JSON
        if annotations.CONTAINERD_IMAGE_NAME in known or annotations.REF_NAME not in known:
            continue
        full = _tagged_reference(known[annotations.REF_NAME])
        if full is not None:
            full_name = {annotations.CONTAINERD_IMAGE_NAME: str(full), annotations.REF_NAME: full.tag}
            entry["annotations"] = {**known, **full_name}
    return dumps(loaded)


def _tagged_reference(name: str | None) -> Reference | None:
    """Return a name as a reference with a tag and no digest; None if it cannot be one."""
    try:
        found = attrs.evolve(Reference.parse(name or ""), digest=None)
    except NameFormatError:
        return None
    return found if found.tag is not None else None


def items_of(entries: Sequence[Descriptor], blobs: BlobStore, limits: Limits) -> list[DockerItem]:
    """Return the images that entries of an index lead to, in their order, those of nested indexes too.

    An image that several entries lead to is one item with all their names. Attestations and artifacts, which Docker
    does not load, are left out; so are manifests that are listed but not stored, such as those of other platforms.

    Raises:
        BlobMissingError: The config or a layer of an image is not stored.
        OCIError: A document is malformed, or exceeds a limit.
    """
    found: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for entry in entries:
        name = _tagged_reference(entry.annotations.get(annotations.CONTAINERD_IMAGE_NAME))
        for manifest in _images(entry, blobs, limits):
            files = _file(manifest.config.digest, blobs), tuple(_file(each.digest, blobs) for each in manifest.layers)
            names = found.setdefault(files, {})
            if name is not None:
                names[name.familiar()] = None
    return [DockerItem(config, tuple(names), layers) for (config, layers), names in found.items()]


def _images(entry: Descriptor, blobs: BlobStore, limits: Limits) -> Iterator[Manifest]:
    for each in Search(blobs, limits).manifests([entry], None, 0):
        if is_attestation(each) or (each.data is None and not blobs.has_blob(each.digest)):
            continue
        raw = read_verified(blobs, each, limit="document_bytes", allowed=limits.document_bytes)
        manifest = parse_manifest(raw, each, limits).value
        if role_of(manifest.config.media_type) == "config":
            yield manifest


def _file(digest: Digest, blobs: BlobStore) -> str:
    if not blobs.has_blob(digest):
        raise BlobMissingError(str(digest))
    return f"blobs/{digest.algorithm}/{digest.encoded}"
