"""The images of a place: `list_images`, the sibling of `open_image`.

Every manifest that can be reached from the index of a layout, or that `manifest.json` of a Docker archive lists, is one
image for one platform. Only documents are read. A manifest that is missing or damaged is listed with what the index
says of it, and with the error, so that one damaged image does not hide the others.
"""

import os
from collections.abc import Iterator, Sequence

import attrs

from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.errors import OCIError
from oci_layers.limits import Limits
from oci_layers.spec.config import platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_config, parse_manifest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, own_name
from oci_layers.store.archive import TarArchive
from oci_layers.store.diagnose import is_docker
from oci_layers.store.docker import DockerArchive
from oci_layers.store.layout import read_layout_index
from oci_layers.store.open import name_place, open_files, parse_image_name
from oci_layers.store.select import Search, find_by_ref

__all__ = ["ListedImage", "list_images"]


@attrs.frozen(kw_only=True)
class ListedImage:
    """One image of a place: one manifest, for one platform."""

    digest: Digest
    """The digest of its manifest."""
    media_type: str
    """The media type of its manifest."""
    refs: tuple[str, ...] = ()
    """The references for `open_image(ref=...)`, in the order of the place; without one, its digest serves."""
    platform: Platform | None = None
    """The platform in its index entry, or else in its config; None for an artifact."""
    artifact_type: str | None = None
    """What it is, if it is no image but an artifact or an attestation."""
    layers: int | None = None
    """The number of its layers; None if the manifest cannot be read."""
    size: int | None = None
    """Bytes of its manifest, config and layers as stored; None if the manifest cannot be read."""
    index: Digest | None = None
    """The digest of the nested index that lists it, if one does."""
    error: str | None = None
    """Why a document of it cannot be read, in one line."""


def list_images(
    name: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    blob_links: bool = False,
) -> list[ListedImage]:
    """Return the images of a place, in the order in which it lists them, artifacts and attestations among them.

    Args:
        name: As for `open_image`; with a reference, only the images of that reference, one for each platform.
        limits: The limits on documents, and on the number of descriptors.
        temporary_directory: The directory of temporary files; the system's default if None.
        blob_links: As for `open_image`.

    Raises:
        NameFormatError: `name` is malformed.
        PlaceMissingError: The place does not exist.
        StoreError: The place does not hold images.
        TarFormatError, CompressionError: The place is a file that is not a tar archive, or a damaged one.
        ReferenceMissingError: There is no image with that reference; the error lists the existing ones.
        OCIError: The index, or a nested one, is damaged or malformed.
    """
    where, ref = parse_image_name(name, None)
    limits = limits or Limits()
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    files = open_files(where, limits, temporary, blob_links=blob_links)
    try:
        if is_docker(where.transport, files):
            assert isinstance(files, TarArchive)
            return list(_of_archive(DockerArchive(files, limits), ref))
        index = read_layout_index(files, limits)
        return _of_layout(index, files.blobs, ref, limits)
    except OCIError as error:
        name_place(error, where.place)
        raise
    finally:
        files.close()


def _of_layout(index: Index, blobs: BlobSource, ref: str | None, limits: Limits) -> list[ListedImage]:
    tops: Sequence[Descriptor] = index.manifests if ref is None else find_by_ref(index, blobs, ref, limits)
    found: dict[Digest, ListedImage] = {}
    below: dict[Digest, list[Descriptor]] = {}
    for top in tops:
        if top.digest not in below:
            below[top.digest] = list(Search(blobs, limits).manifests([top], None, 0))
        name = own_name(top)
        refs = () if name is None else (name,)
        for each in below[top.digest]:
            known = found.get(each.digest)
            if known is not None:
                found[each.digest] = attrs.evolve(known, refs=tuple(dict.fromkeys((*known.refs, *refs))))
                continue
            nested = None if each.digest == top.digest else top.digest
            found[each.digest] = attrs.evolve(_described(each, blobs, limits), refs=refs, index=nested)
    return list(found.values())


def _described(entry: Descriptor, blobs: BlobSource, limits: Limits) -> ListedImage:
    listed = ListedImage(digest=entry.digest, media_type=entry.media_type, platform=entry.platform)
    if is_attestation(entry):
        listed = attrs.evolve(listed, platform=None, artifact_type="attestation")
    try:
        raw = read_verified(blobs, entry, limit="document_bytes", allowed=limits.document_bytes)
        manifest = parse_manifest(raw, entry, limits).value
        listed = attrs.evolve(listed, layers=len(manifest.layers), size=_size(manifest, len(raw)))
        if role_of(manifest.config.media_type) != "config":
            kind = listed.artifact_type or manifest.artifact_type or manifest.config.media_type
            return attrs.evolve(listed, artifact_type=kind)
        if listed.platform is None and listed.artifact_type is None:
            raw = read_verified(blobs, manifest.config, limit="config_bytes", allowed=limits.config_bytes)
            platform = platform_of(parse_config(raw, manifest.config, limits).value)
            listed = attrs.evolve(listed, platform=platform)
    except OCIError as error:
        return attrs.evolve(listed, error=str(error))
    return listed


def _of_archive(archive: DockerArchive, ref: str | None) -> Iterator[ListedImage]:
    for number in archive.called(ref):
        manifest = archive.manifest(number)
        yield ListedImage(
            digest=manifest.descriptor.digest,
            media_type=manifest.descriptor.media_type,
            refs=archive.refs(number),
            platform=archive.platform_of(number),
            layers=len(manifest.value.layers),
            size=_size(manifest.value, len(manifest.raw)),
        )


def _size(manifest: Manifest, own: int) -> int:
    return own + manifest.config.size + sum(layer.size for layer in manifest.layers)
