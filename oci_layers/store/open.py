"""An image name to an opened image, for all kinds of places."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from oci_layers import system
from oci_layers.blob.store import BlobSource
from oci_layers.errors import (
    CompressionError,
    NameFormatError,
    OCIError,
    PlaceMissingError,
    StoreError,
    TarFormatError,
    escape,
)
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.platform import Platform
from oci_layers.spec.reference import LATEST
from oci_layers.store.archive import TarArchive
from oci_layers.store.diagnose import is_docker, wrong_transport
from oci_layers.store.docker import DockerArchive
from oci_layers.store.docker_listing import MANIFEST
from oci_layers.store.files import LayoutFiles, read_layout_index
from oci_layers.store.layout import Layout
from oci_layers.store.name import ImageName, check_text
from oci_layers.store.repository import Repository
from oci_layers.store.select import choose, require_platform

if TYPE_CHECKING:
    from oci_layers.registry.session import RegistrySession

__all__ = ["name_place", "open_files", "open_image", "parse_image_name", "parse_one_image", "with_layers"]


def open_image(
    name: str | os.PathLike[str] | Repository,
    *,
    ref: str | None = None,
    platform: str | Platform | None = None,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    blob_links: bool = False,
    session: "RegistrySession | None" = None,
) -> Image:
    """Open an image. Only its documents are read; close it, or use it as a context manager.

    The files of an image that is not closed are closed, with a `ResourceWarning`, when the image and all its trees,
    paths and layers have been collected.

    Args:
        name: `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:NAME:TAG]`, or the path of such a
            directory or file, whose content decides its kind. The first two accept `@DIGEST` instead of `:REF`. FILE
            may be a pipe, which is copied into a temporary file; `-` is standard input. For an image in a registry
            `docker://HOST/REPOSITORY[:TAG|@DIGEST]`, with the defaults of `docker pull`. Or a repository, such as an
            open `Layout`, which the image reads from and does not close.
        ref: The reference, if `name` has none; if both have one, they must be equal.
        platform: `OS/ARCHITECTURE[/VARIANT]`, to choose one of several images; Linux on this machine if None.
        limits: The limits on the image; input that exceeds one is refused.
        temporary_directory: The directory of temporary files; the system's default if None.
        threads: The maximum number of threads for one layer, up to four; chosen for this machine if None. The result
            does not depend on it.
        blob_links: Follow symbolic links in a layout's directory, to any place: `oci-layout`, `index.json` and blobs,
            which are still verified, may be links to regular files, as Bazel writes them. If False, links are refused.
        session: Connections to registries and credentials for them, which stay open; by default new ones, with the
            credentials that the user has logged in with.

    Raises:
        NameFormatError: `name`, `ref` or `platform` is malformed, or `name` and `ref` give different references.
        UnsupportedError: The transport is unknown.
        PlaceMissingError: The place does not exist.
        StoreError: The place does not hold an image.
        TarFormatError, CompressionError: The place is a file that is not a tar archive, or a damaged one.
        ReferenceMissingError: There is no image with that reference or platform; the error lists the existing ones.
        RegistryError: The registry cannot be reached, or refuses.
        OCIError: A document of the image is missing, damaged or malformed.
    """
    wanted = Platform.parse(platform) if isinstance(platform, str) else platform
    temporary = None if temporary_directory is None else os.path.abspath(os.fspath(temporary_directory))
    limits = limits or Limits()
    if not isinstance(name, str | os.PathLike):
        return _open_in(name, ref, wanted, limits, temporary, threads=threads)
    where, ref = parse_one_image(name, ref)
    if where.transport == "docker":
        return _open_remote(where, ref, wanted, limits, temporary, threads=threads, session=session)
    return _open(where, ref, wanted, limits, temporary, threads=threads, blob_links=blob_links)


def _open_in(
    repository: Repository,
    ref: str | None,
    platform: Platform | None,
    limits: Limits,
    temporary: str | None,
    *,
    threads: int | None,
    name: str | None = None,
    close: Callable[[], None] | None = None,
    reopen: Callable[[Document[Manifest]], Callable[[], Image]] | None = None,
) -> Image:
    """Open an image in a repository; `close` is called when the image is closed."""
    try:
        index = Index(manifests=tuple(repository.entries(ref)))
        manifest = choose(index, repository.blobs, ref=ref, platform=platform, limits=limits)
        image = Image(
            manifest,
            repository.blobs,
            name=name or ":".join(filter(None, (repository.place, ref))),
            limits=limits,
            temporary_directory=temporary,
            threads=threads,
            close=close,
            reopen=None if reopen is None else reopen(manifest),
        )
        if platform is not None and manifest.descriptor.platform is None:
            require_platform(image.config, platform)
    except OCIError as error:
        name_place(error, repository.place)
        raise
    return image


def _open_remote(
    where: ImageName,
    ref: str | None,
    platform: Platform | None,
    limits: Limits,
    temporary: str | None,
    *,
    threads: int | None,
    session: "RegistrySession | None",
) -> Image:
    """Open an image in a registry."""
    from oci_layers.store.registry import RegistryRepository

    repository = RegistryRepository(where.repository, session=session, limits=limits)

    def reopen(manifest: Document[Manifest]) -> Callable[[], Image]:
        digest = str(manifest.descriptor.digest)
        return functools.partial(_open_remote, where, digest, None, limits, temporary, threads=threads, session=None)

    try:
        return _open_in(
            repository,
            ref,
            platform,
            limits,
            temporary,
            threads=threads,
            name=str(attrs.evolve(where, ref=ref)),
            close=repository.close,
            reopen=reopen if session is None else None,
        )
    except BaseException:
        repository.close()
        raise


def _open(
    where: ImageName,
    ref: str | None,
    platform: Platform | None,
    limits: Limits,
    temporary: str | None,
    *,
    threads: int | None,
    blob_links: bool,
) -> Image:
    files = open_files(where, limits, temporary, blob_links=blob_links)
    absolute = attrs.evolve(where, place=system.resolve(where.place), ref=None)
    try:
        manifest, blobs = _choose(where, files, ref, platform, limits)
        # In a layout the digest is a name that does not move; in Docker's archives there is no such name.
        again = (ref, platform) if isinstance(blobs, DockerArchive) else (str(manifest.descriptor.digest), None)
        reopen = functools.partial(_open, absolute, *again, limits, temporary, threads=threads, blob_links=blob_links)
        image = Image(
            manifest,
            blobs,
            name=str(where),
            limits=limits,
            temporary_directory=temporary,
            threads=threads,
            close=files.close,
            reopen=reopen if not isinstance(files, TarArchive) or files.can_reopen else None,
        )
        if platform is not None and manifest.descriptor.platform is None:
            require_platform(image.config, platform)
    except BaseException as error:
        files.close()
        if isinstance(error, OCIError):
            name_place(error, where.place)
        raise
    return image


def name_place(error: OCIError, place: str) -> None:
    """Add the place to an error as a note, unless the error names it already."""
    notes: list[str] = getattr(error, "__notes__", [])
    if not isinstance(error, StoreError) and not any(escape(place) in note for note in notes):
        error.add_note(escape(place))


def parse_image_name(name: str | os.PathLike[str], ref: str | None) -> tuple[ImageName, str | None]:
    """Return the parsed name of an image, and the reference that the name or `ref` gives.

    Raises:
        NameFormatError: The name is malformed, or it and `ref` give different references.
        UnsupportedError: The transport is unknown.
    """
    where = ImageName.parse(name) if isinstance(name, str) else _bare(os.fsdecode(name))
    if ref is not None:
        check_text("reference", ref)
    if ref is not None and where.ref not in {None, ref}:
        raise NameFormatError("reference", ref, f"the image name has another one, {where.ref}")
    return where, ref or where.ref


def parse_one_image(name: str | os.PathLike[str], ref: str | None) -> tuple[ImageName, str | None]:
    """Return the same as `parse_image_name`; for one image in a registry, the reference is `latest` if none is given.

    Raises:
        NameFormatError, UnsupportedError: As `parse_image_name`.
    """
    where, ref = parse_image_name(name, ref)
    return where, LATEST if ref is None and where.transport == "docker" else ref


def _bare(path: str) -> ImageName:
    """Return the name of a path, which is never standard input."""
    return ImageName("", f".{os.path.sep}-" if path == "-" else path)


def open_files(where: ImageName, limits: Limits, temporary: str | None, *, blob_links: bool = False) -> LayoutFiles:
    """Open the directory or the archive of a name; a bare path may be either.

    Raises:
        PlaceMissingError: The place does not exist.
        StoreError: The place is a file where the transport requires a directory, or the reverse.
        TarFormatError: It is neither a directory nor a tar file.
    """
    transport = where.transport
    place = _bare(where.place).place if transport == "oci" else where.place
    is_pipe = system.is_pipe(place)
    if is_pipe and transport == "oci":
        raise StoreError(place, f"it is a pipe, not a directory; write oci-archive:{place}")
    is_directory = not is_pipe and system.is_existing_directory(place)
    if not (is_directory or is_pipe) and (transport == "oci" or not transport) and not system.exists(place):
        raise PlaceMissingError(place, "no such directory" if transport else "no such file or directory")
    if is_directory:
        directory = Layout(place, blob_links=blob_links, limits=limits)
        if transport in {"", "oci"}:
            return directory
        with contextlib.closing(directory):
            raise wrong_transport(directory, "oci")
    try:
        archive = TarArchive(place, limits=limits, temporary_directory=temporary)
    except (CompressionError, TarFormatError) as error:
        if transport == "oci":
            raise StoreError(place, "it is a file, neither a directory nor a tar archive") from error
        raise
    if transport != "oci":
        return archive
    with contextlib.closing(archive):
        raise wrong_transport(archive, "oci-archive")


def _choose(
    where: ImageName, files: LayoutFiles, ref: str | None, platform: Platform | None, limits: Limits
) -> tuple[Document[Manifest], BlobSource]:
    if is_docker(where.transport, files):
        assert isinstance(files, TarArchive)
        archive = DockerArchive(files, limits)
        return archive.choose(ref, platform), archive
    index = read_layout_index(files, limits)
    manifest = choose(index, files.blobs, ref=ref, platform=platform, limits=limits)
    if not where.transport and not manifest.value.layers and isinstance(files, TarArchive) and files.find(MANIFEST):
        return with_layers(manifest, DockerArchive(files, limits), files.blobs)
    return manifest, files.blobs


def with_layers(
    manifest: Document[Manifest], archive: DockerArchive, blobs: BlobSource
) -> tuple[Document[Manifest], BlobSource]:
    """Return the image of `manifest.json` if the manifest of the layout lists no layers but the config does.

    Docker 25.0.0 writes such archives, which are layout and Docker archive (DSV-05). If `manifest.json` has no layers
    either, the layout's manifest is returned: an image may have no layers.
    """
    number = archive.with_config(manifest.value.config.digest)
    if number is None or not archive.diff_ids(number):
        return manifest, blobs
    return archive.manifest(number), archive
