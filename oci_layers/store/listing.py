"""The images of a place: `list_images`, the sibling of `open_image`.

Every manifest that can be reached from the index of a layout, or that `manifest.json` of a Docker archive lists, is one
image for one platform. Only documents are read. A manifest that is missing or damaged is listed with what the index
says of it, and with the error, so that one damaged image does not hide the others.
"""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from oci_layers.blob.store import BlobSource, read_verified
from oci_layers.errors import LimitError, OCIError, format_error
from oci_layers.limits import Limits
from oci_layers.spec.config import platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_config, parse_manifest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import DOCKER_MANIFEST, role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, own_name
from oci_layers.store.archive import TarArchive
from oci_layers.store.diagnose import is_docker
from oci_layers.store.docker import DockerArchive
from oci_layers.store.docker_listing import MANIFEST
from oci_layers.store.files import read_layout_index
from oci_layers.store.open import name_place, open_files, parse_image_name, with_layers
from oci_layers.store.select import Search, find_by_ref

if TYPE_CHECKING:
    from oci_layers.registry.session import RegistrySession

__all__ = ["ListedImage", "list_images"]


@attrs.frozen(kw_only=True)
class ListedImage:
    """One image of a place: one manifest, for one platform."""

    digest: Digest | None
    """The digest of its manifest; None for an image of a Docker archive whose config cannot be read."""
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
    """The digest of the index that the place lists and that leads to it, if it is not listed itself."""
    error: str | None = None
    """Why a document of it cannot be read, in one line."""


def list_images(
    name: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    blob_links: bool = False,
    session: "RegistrySession | None" = None,
) -> list[ListedImage]:
    """Return the images of a place, in the order in which it lists them, artifacts and attestations among them.

    Args:
        name: As for `open_image`; with a reference, only the images of that reference, one for each platform. Without
            one, each tag of a repository in a registry is several requests.
        limits: The limits on documents, and on the number of descriptors.
        temporary_directory: The directory of temporary files; the system's default if None.
        blob_links: As for `open_image`.
        session: As for `open_image`.

    Raises:
        NameFormatError: `name` is malformed.
        PlaceMissingError: The place does not exist.
        StoreError: The place does not hold images.
        TarFormatError, CompressionError: The place is a file that is not a tar archive, or a damaged one.
        ReferenceMissingError: There is no image with that reference; the error lists the existing ones.
        LimitError: There are more descriptors than allowed.
        OCIError: The index of the place is damaged or malformed; a nested one is listed with its error.
    """
    where, ref = parse_image_name(name, None)
    limits = limits or Limits()
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    if where.transport == "docker":
        from oci_layers.store.registry import RegistryRepository

        with RegistryRepository(where.repository, session=session, limits=limits) as repository:
            index = Index(manifests=tuple(repository.entries(ref)))
            return _of_layout(index, repository.blobs, ref, limits, None)
    files = open_files(where, limits, temporary, blob_links=blob_links)
    try:
        if is_docker(where.transport, files):
            assert isinstance(files, TarArchive)
            return list(_of_archive(DockerArchive(files, limits), ref))
        index = read_layout_index(files, limits)
        archive = None
        if not where.transport and isinstance(files, TarArchive) and files.find(MANIFEST):
            archive = DockerArchive(files, limits)
        return _of_layout(index, files.blobs, ref, limits, archive)
    except OCIError as error:
        name_place(error, where.place)
        raise
    finally:
        files.close()


def _of_layout(
    index: Index, blobs: BlobSource, ref: str | None, limits: Limits, archive: DockerArchive | None
) -> list[ListedImage]:
    tops: Sequence[Descriptor] = index.manifests if ref is None else find_by_ref(index, blobs, ref, limits)
    groups: dict[Descriptor, list[Descriptor]] = {}
    for top in tops:
        groups.setdefault(attrs.evolve(top, annotations={}), []).append(top)
    search = Search(blobs, limits)
    found: dict[tuple[object, ...], ListedImage] = {}
    refs: dict[tuple[object, ...], dict[str, None]] = {}
    for group in groups.values():
        names = {name: None for each in group if (name := own_name(each)) is not None}
        for listed, key in _below(group[0], search, blobs, limits, archive):
            found.setdefault(key, listed)
            refs.setdefault(key, {}).update(names)
    return [attrs.evolve(listed, refs=tuple(refs[key])) for key, listed in found.items()]


def _below(
    top: Descriptor, search: Search, blobs: BlobSource, limits: Limits, archive: DockerArchive | None
) -> Iterator[tuple[ListedImage, tuple[object, ...]]]:
    """Yield the images that an entry of a layout's index leads to, each with what makes it different from others."""
    search.restart()
    try:
        for each in search.manifests([top], None, 0):
            listed = _described(each, blobs, limits, archive)
            nested = None if each.digest == top.digest else top.digest
            yield attrs.evolve(listed, index=nested), (each.digest, each.size, listed.platform)
    except (OCIError, OSError) as error:
        if isinstance(error, LimitError) and error.limit == "descriptors":
            raise
        yield _failed(top, error), (top.digest, top.size)
    for absent in search.absent:
        yield _failed(top, absent), (top.digest, top.size, str(absent))


def _failed(entry: Descriptor, error: Exception) -> ListedImage:
    return ListedImage(
        digest=entry.digest, media_type=entry.media_type, platform=entry.platform, error=format_error(error)
    )


def _described(entry: Descriptor, blobs: BlobSource, limits: Limits, archive: DockerArchive | None) -> ListedImage:
    listed = ListedImage(digest=entry.digest, media_type=entry.media_type, platform=entry.platform)
    if is_attestation(entry):
        listed = attrs.evolve(listed, platform=None, artifact_type="attestation")
    try:
        raw = read_verified(blobs, entry, limit="document_bytes", allowed=limits.document_bytes)
        document = parse_manifest(raw, entry, limits)
        if archive is not None and not document.value.layers:
            document, blobs = with_layers(document, archive, blobs)
        manifest = document.value
        listed = attrs.evolve(
            listed,
            digest=document.descriptor.digest,
            layers=len(manifest.layers),
            size=_size(manifest, len(document.raw)),
        )
        if role_of(manifest.config.media_type) != "config":
            kind = listed.artifact_type or manifest.artifact_type or manifest.config.media_type
            return attrs.evolve(listed, artifact_type=kind)
        if listed.platform is None and listed.artifact_type is None:
            raw = read_verified(blobs, manifest.config, limit="config_bytes", allowed=limits.config_bytes)
            platform = platform_of(parse_config(raw, manifest.config, limits).value)
            listed = attrs.evolve(listed, platform=platform)
    except (OCIError, OSError) as error:
        return attrs.evolve(listed, error=format_error(error))
    return listed


def _of_archive(archive: DockerArchive, ref: str | None) -> Iterator[ListedImage]:
    for number, refs in archive.images(ref):
        try:
            manifest = archive.manifest(number)
            platform = archive.platform_of(number)
        except (OCIError, OSError) as error:
            yield ListedImage(digest=None, media_type=DOCKER_MANIFEST, refs=refs, error=format_error(error))
            continue
        yield ListedImage(
            digest=manifest.descriptor.digest,
            media_type=manifest.descriptor.media_type,
            refs=refs,
            platform=platform,
            layers=len(manifest.value.layers),
            size=_size(manifest.value, len(manifest.raw)),
        )


def _size(manifest: Manifest, own: int) -> int:
    return own + manifest.config.size + sum(layer.size for layer in manifest.layers)
