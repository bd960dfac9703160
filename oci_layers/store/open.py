"""A name into an image: the one way in, whatever holds it."""

import os

from oci_layers import system
from oci_layers.blob.cas import BlobSource
from oci_layers.errors import NameFormatError, OCIError, PlaceMissingError, StoreError
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.platform import Platform
from oci_layers.store.archive import TarFiles
from oci_layers.store.choose import choose, require_platform
from oci_layers.store.docker import MANIFEST, DockerArchive
from oci_layers.store.layout import Files, LayoutDirectory, read_layout_index
from oci_layers.store.name import ImageName

__all__ = ["is_docker", "open_files", "open_image", "place_of"]


def open_image(
    name: str | os.PathLike[str],
    *,
    ref: str | None = None,
    platform: str | Platform | None = None,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> Image:
    """Open an image. Only its documents are read; close it, or use it as a context manager.

    Args:
        name: `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:NAME:TAG]`, or the path of such a
            directory or file, told by its content.
        ref: The reference, where `name` does not give one; if both do, they must be the same.
        platform: `OS/ARCHITECTURE[/VARIANT]`, to choose among several; this machine's, with Linux, if None.
        limits: How much is taken before it is refused.
        temporary_directory: Where temporary files go; the system's place if None.
        threads: How many threads may work on a layer at once, up to four; as fits this machine if None. The result
            does not depend on it.

    Raises:
        NameFormatError: `name` or `platform` is malformed, or `name` and `ref` do not agree.
        UnsupportedError: The transport is not known.
        StoreError: There is nothing, or nothing that is an image.
        ReferenceMissingError: No image of that reference or platform; lists those there are.
        OCIError: A document of the image is missing, damaged or malformed.
    """
    where, ref = place_of(name, ref)
    limits = limits or Limits()
    wanted = Platform.parse(platform) if isinstance(platform, str) else platform
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    files = open_files(where, limits, temporary)
    try:
        manifest, blobs = _choose(where, files, ref, wanted, limits)
        image = Image(
            manifest,
            blobs,
            name=str(where),
            limits=limits,
            temporary_directory=temporary,
            threads=threads,
            close=files.close,
        )
        if wanted is not None and manifest.descriptor.platform is None:
            require_platform(image.config, wanted)
    except BaseException as error:
        files.close()
        if isinstance(error, OCIError) and not isinstance(error, StoreError):
            error.add_note(where.place)
        raise
    return image


def place_of(name: str | os.PathLike[str], ref: str | None) -> tuple[ImageName, str | None]:
    """Return where an image is, and its reference, which the name or `ref` gives.

    Raises:
        NameFormatError: The name is malformed, or it and `ref` do not agree.
        UnsupportedError: The transport is not known.
    """
    where = ImageName("", os.fspath(name)) if not isinstance(name, str) else ImageName.parse(name)
    if ref is not None and where.ref not in {None, ref}:
        raise NameFormatError("reference", ref, f"the image name has another one, {where.ref}")
    return where, ref or where.ref


def open_files(where: ImageName, limits: Limits, temporary: str | None) -> Files:
    """Open the directory or the archive of a name; a bare path is told by what is there.

    Raises:
        PlaceMissingError: There is nothing.
        TarFormatError: It is neither a directory nor a tar file.
    """
    if where.transport == "oci" or (not where.transport and system.is_existing_directory(where.place)):
        return LayoutDirectory(where.place)
    if not where.transport and not system.exists(where.place):
        raise PlaceMissingError(where.place)
    return TarFiles(where.place, limits=limits, temporary_directory=temporary)


def _choose(
    where: ImageName, files: Files, ref: str | None, platform: Platform | None, limits: Limits
) -> tuple[Document[Manifest], BlobSource]:
    if isinstance(files, TarFiles) and is_docker(where, files):
        archive = DockerArchive(files, limits)
        return archive.choose(ref), archive
    index = read_layout_index(files, limits)
    return choose(index, files.blobs, ref=ref, platform=platform, limits=limits), files.blobs


def is_docker(where: ImageName, files: TarFiles) -> bool:
    """Tell a Docker archive: by its transport, or, told by content, where there is no layout in it (DSV-08)."""
    if where.transport:
        return where.transport == "docker-archive"
    return files.find("oci-layout") is None and files.find(MANIFEST) is not None
