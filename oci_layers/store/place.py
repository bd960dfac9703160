"""A name to the repository of that name: `open_repository` for reading, `create_repository` for writing.

The names are those of `open_image`. A directory is a layout, which is read and written, as is a repository of a
registry; a file is an archive, which is either read or written, once.
"""

import os
from typing import TYPE_CHECKING

from oci_layers import system
from oci_layers.blob.directory import Fsync
from oci_layers.errors import OCIError, UnsupportedError
from oci_layers.limits import Limits
from oci_layers.store.archive import TarArchive
from oci_layers.store.archive_repository import ArchiveRepository, DockerRepository
from oci_layers.store.archive_writer import ArchiveWriter
from oci_layers.store.diagnose import is_docker
from oci_layers.store.docker import DockerArchive
from oci_layers.store.docker_listing import MANIFEST
from oci_layers.store.files import LayoutFiles, read_layout_index
from oci_layers.store.layout import Layout
from oci_layers.store.name import ImageName
from oci_layers.store.open import name_place, open_files, parse_image_name
from oci_layers.store.repository import Repository

if TYPE_CHECKING:
    from oci_layers.registry.session import RegistrySession
    from oci_layers.store.registry import RegistryRepository

__all__ = ["create_repository", "open_repository"]

_TAR = ".tar"
_COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")


def open_repository(
    name: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    blob_links: bool = False,
    session: "RegistrySession | None" = None,
) -> tuple[Repository, str | None]:
    """Open a place that holds images, of any kind; return it, which the caller closes, and the reference in the name.

    Args:
        name: As for `open_image`.
        limits: The limits on documents, and on the headers and the size of an archive.
        temporary_directory: As for `open_image`.
        blob_links: As for `open_image`.
        session: As for `open_image`.

    Raises:
        NameFormatError: `name` is malformed.
        UnsupportedError: The transport is unknown.
        PlaceMissingError: The place does not exist.
        StoreError: The place does not hold images.
        TarFormatError, CompressionError: The place is a file that is not a tar archive, or a damaged one.
        OCIError: The index of the place is damaged or malformed.
    """
    where, ref = parse_image_name(name, None)
    limits = limits or Limits()
    if where.transport == "docker":
        return _registry_repository(where, session, limits), ref
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    files = open_files(where, limits, temporary, blob_links=blob_links)
    try:
        return _repository(where, files, limits), ref
    except BaseException as error:
        files.close()
        if isinstance(error, OCIError):
            name_place(error, where.place)
        raise


def _registry_repository(
    where: ImageName, session: "RegistrySession | None", limits: Limits | None
) -> "RegistryRepository":
    from oci_layers.store.registry import RegistryRepository

    return RegistryRepository(where.repository, session=session, limits=limits)


def _repository(where: ImageName, files: LayoutFiles, limits: Limits) -> Repository:
    docker = is_docker(where.transport, files)
    if isinstance(files, Layout):
        read_layout_index(files, limits)
        return files
    assert isinstance(files, TarArchive)
    if docker:
        return DockerRepository(files, limits)
    is_both = not where.transport and files.find(MANIFEST) is not None
    return ArchiveRepository(files, limits, docker=DockerArchive(files, limits) if is_both else None)


def create_repository(
    name: str | os.PathLike[str],
    *,
    fsync: Fsync = "always",
    limits: Limits | None = None,
    session: "RegistrySession | None" = None,
) -> "tuple[Layout | ArchiveWriter | RegistryRepository, str | None]":
    """Open a place to which images are written; return it, which the caller closes, and the reference in the name.

    As a context manager, an archive is discarded if the block fails.

    Args:
        name: `oci:DIR[:REF]` is a layout, which is made if it does not exist. `oci-archive:FILE[:REF]` and
            `docker-archive:FILE[:NAME:TAG]` are archives, which must not exist, or pipes; `-` is standard output.
            `docker://HOST/REPOSITORY[:TAG]` is a repository of a registry. A bare path is an archive, as `oci-archive`,
            if it ends with `.tar`, exists and is no directory, or is `-`; otherwise a layout.
        fsync: When a layout syncs what is written; an archive is synced when it is closed, or not with `"never"`.
        limits: The limits on documents.
        session: As for `open_image`.

    Raises:
        NameFormatError: `name` is malformed.
        UnsupportedError: The transport is unknown, or the name asks for a compressed archive.
        StoreError: The archive exists, or the directory is not empty and not a layout.
        PlaceMissingError: The directory of the archive does not exist.
        DocumentError: The layout is malformed.
    """
    where, ref = parse_image_name(name, None)
    transport = where.transport or _transport_for(where.place)
    if transport == "docker":
        return _registry_repository(where, session, limits), ref
    if transport == "oci":
        return Layout.create(where.place, exist_ok=True, fsync=fsync, limits=limits), ref
    return ArchiveWriter(where.place, docker=transport == "docker-archive", fsync=fsync, limits=limits), ref


def _transport_for(place: str) -> str:
    """Return the transport for a bare path."""
    if system.is_existing_directory(place) and place != "-":
        return "oci"
    if place.endswith(_COMPRESSED) and not system.exists(place):
        raise UnsupportedError("archive", place, "archives are written uncompressed; their layers may be compressed")
    is_archive = place.endswith(_TAR) or system.is_pipe(place, write=True) or system.exists(place)
    return "oci-archive" if is_archive else "oci"
