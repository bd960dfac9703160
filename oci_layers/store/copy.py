"""Copy images from one place to another: `copy`.

Theory of operation. The documents of an image are read first; they say which blobs it has. Blobs that the target has
are kept there, the others are copied, several at once, each verified while it is written. Documents follow, children
before parents, and the name comes last: so the target never lists an image of which something is missing, and a call
that was interrupted can be repeated, and goes on where it stopped. A document is copied as its bytes, unless a
conversion was asked for (`convert`).

During the copy a lease keeps the target's garbage collection from what was copied and is not referred to yet.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from oci_layers import system
from oci_layers.blob.directory import Fsync
from oci_layers.errors import OCIError, StoreError, escape
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import is_document
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.archive_repository import DockerRepository
from oci_layers.store.archive_writer import ArchiveWriter
from oci_layers.store.convert import Conversion
from oci_layers.store.graph import read_node
from oci_layers.store.open import name_place, parse_image_name, parse_one_image
from oci_layers.store.place import create_repository, open_repository
from oci_layers.store.plan import Plan
from oci_layers.store.repository import ReferrerSource, Repository, Tagged, WritableRepository, named, tag_all
from oci_layers.store.select import one_image
from oci_layers.store.transfer import Copied, Transfer

if TYPE_CHECKING:
    from oci_layers.registry.session import RegistrySession

__all__ = ["Copied", "copy"]

_FALLBACK = ("", ".sig", ".att", ".sbom")
"""Ends of the names that lead to referrers where there is no API for them: the tag schema of the distribution spec, and
the names that cosign gives."""


def copy(
    source: Repository | str | os.PathLike[str],
    target: WritableRepository | str | os.PathLike[str],
    ref: str | None = None,
    *,
    target_ref: str | None = None,
    everything: bool = False,
    platforms: Sequence[str | Platform] = (),
    referrers: bool = False,
    conversion: Conversion | None = None,
    threads: int | None = None,
    fsync: Fsync = "always",
    blob_links: bool = False,
    session: "RegistrySession | None" = None,
    target_session: "RegistrySession | None" = None,
    limits: Limits | None = None,
    temporary_directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Copied:
    """Copy an image: the blobs that the target does not have, then documents, then the name.

    Can be called again after an interruption, and goes on; in a layout, within a blob, too. Memory: the documents of
    one image, and some MiB for each thread.

    Args:
        source: Where the image is. A name, as for `open_repository`, is opened and closed here.
        target: Where it goes; may be the source. A name, as for `create_repository`, is opened and closed here; an
            archive is discarded if the copy fails.
        ref: The name or digest of the image, if `source` does not give one; None for the only image.
        target_ref: Its name in the target, if `target` does not give one; that in the source if None.
        everything: Copy all images, each under its own name. The names come at the end, in one step; if an image cannot
            be copied, those that were complete before it get theirs.
        platforms: `OS/ARCHITECTURE[/VARIANT]`; all platforms if empty. With one, its manifest is copied, without the
            index that lists it; with several, the index as it is, and of its manifests only these (LAY-07).
        referrers: Also copy the manifests whose `subject` is copied: signatures, SBOMs, and their referrers.
        conversion: Recompress layers, or convert media types; documents and layers get new digests. An image of a
            Docker archive, which stores no manifest, gets an OCI one unless this says otherwise.
        threads: The number of blobs copied at once; up to four if None.
        fsync: As for `create_repository`, if `target` is a name.
        blob_links: As for `open_image`, if `source` is a name.
        session: As for `open_image`, for what is given as a name.
        target_session: The same for `target` alone, such as one with other credentials; `session` if None.
        limits: The limits on documents, on archives, and on recompressed layers.
        temporary_directory: The directory of recompressed layers; the system's default if None.
        progress: Called in the caller's thread; an exception that it raises ends the copy.

    Raises:
        NameFormatError: A name is malformed, or gives another reference than `ref` or `target_ref`.
        ReferenceMissingError: There is no such image or platform, or there are several; lists those that exist.
        BlobMissingError: The source lacks a blob of the image.
        IntegrityError: A blob is not what its descriptor says; the name was not written.
        UnsupportedError: The conversion is not possible, or its encoder is not installed.
        StoreError: A place is not of its kind; or, with `everything`, several images would get the name `target_ref`.
        OSError: The target cannot be written.
    """
    limits = limits or Limits()
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    wanted = [Platform.parse(each) if isinstance(each, str) else each for each in platforms]
    threads = threads or min(4, system.cpu_count())
    with contextlib.ExitStack() as opened:
        if isinstance(source, str | os.PathLike):
            ref = _reference(source, ref, everything=everything)
            source, _ = open_repository(
                source, limits=limits, temporary_directory=temporary, blob_links=blob_links, session=session
            )
            opened.callback(source.close)
        with _about(source.place):
            images = _Images(source, ref, wanted, limits, everything=everything)
        if isinstance(target, str | os.PathLike):
            target_ref = _reference(target, target_ref, everything=everything)
            images.check_name(target_ref)
            with _about(_place_of(target)):
                created, _ = create_repository(target, fsync=fsync, limits=limits, session=target_session or session)
            opened.enter_context(created)
            target = created
        images.check_name(target_ref)
        work = Transfer(source, target, _conversion(source, conversion), limits, temporary, threads)
        with _about(source.place):
            return _copy(work, images, target_ref, progress, referrers=referrers)


def _reference(name: str | os.PathLike[str], ref: str | None, *, everything: bool) -> str | None:
    """Return the reference that a name or `ref` gives; a repository of a registry has a default for one image."""
    return (parse_image_name if everything else parse_one_image)(name, ref)[1]


def _place_of(name: str | os.PathLike[str]) -> str:
    where, _ = parse_image_name(name, None)
    return f"docker:{where.place}" if where.transport == "docker" else where.place


def _conversion(source: Repository, asked: Conversion | None) -> Conversion | None:
    """Return the conversion that is asked for; also of a Docker archive's manifests, which are not stored, to OCI's."""
    if isinstance(source, DockerRepository) and (asked is None or asked.format is None):
        return attrs.evolve(asked or Conversion(), format="oci")  # Only OCI ones are read everywhere.
    return asked


def _copy(
    work: Transfer,
    images: "_Images",
    target_ref: str | None,
    progress: Callable[[Progress], None] | None,
    *,
    referrers: bool,
) -> Copied:
    done: list[Tagged] = []
    with work.target.lease():
        try:
            for name, plan in images.plans():
                new = _name_in(work, name) if target_ref is None else target_ref
                done.append((new, work.write(plan, progress)))
        except BaseException:
            # An archive would be discarded; elsewhere, what is complete counts.
            with contextlib.suppress(OCIError, OSError):
                tag_all(work.target, done)
            raise
        tag_all(work.target, done)
        found = tuple(_referrers(work, progress)) if referrers else ()
    entries = tuple(named(each, name) for name, written in done for each in written)
    return attrs.evolve(work.copied, entries=entries, referrers=found)


def _name_in(work: Transfer, name: str | None) -> str | None:
    """Return the name in the target for one in the source: Docker's archives have whole names, registries tags."""
    repository = work.source.place.removeprefix("docker://")
    is_tag = name is not None and repository != work.source.place
    return (
        f"{repository}:{name}" if is_tag and isinstance(work.target, ArchiveWriter) and work.target.is_docker else name
    )


@contextlib.contextmanager
def _about(place: str) -> Iterator[None]:
    """Name a place in errors."""
    try:
        yield
    except OCIError as error:
        name_place(error, place)
        raise


class _Images:
    """The images to copy. The first is chosen at once, so that a wrong name leaves no trace in the target."""

    def __init__(
        self, source: Repository, ref: str | None, platforms: list[Platform], limits: Limits, *, everything: bool
    ) -> None:
        self._source = source
        self._platforms = platforms
        self._limits = limits
        self._groups = _groups(source, ref, everything=everything)
        self._first = self._plan(self._groups[0][1]) if self._groups else None

    def _plan(self, entries: Sequence[Descriptor]) -> Plan:
        return Plan(self._source.blobs, self._limits, entries, self._platforms)

    def check_name(self, target_ref: str | None) -> None:
        """Check that not several images would get one name."""
        if target_ref is not None and len(self._groups) > 1:
            raise StoreError(
                self._source.place, f"all of its {len(self._groups)} images would be named {escape(target_ref)}"
            )

    def plans(self) -> Iterator[tuple[str | None, Plan]]:
        """Yield the name of each image, and its plan."""
        for name, group in self._groups:
            plan, self._first = self._first or self._plan(group), None
            yield name, plan


def _groups(source: Repository, ref: str | None, *, everything: bool) -> list[tuple[str | None, list[Descriptor]]]:
    """Return the entries to copy, those of one name together."""
    groups: dict[str | Digest, list[Descriptor]] = {}
    entries = source.entries(ref)
    if not everything:
        image = one_image(entries, ref)
        return [(own_name(image[0]), image)]
    for each in entries:
        groups.setdefault(own_name(each) or each.digest, []).append(each)
    return [(key if isinstance(key, str) else None, group) for key, group in groups.items()]


def _referrers(work: Transfer, progress: Callable[[Progress], None] | None) -> Iterator[Descriptor]:
    """Copy what refers to the documents copied so far, and what refers to that; yield the entries written."""
    blobs, limits = work.source.blobs, work.limits
    if isinstance(work.source, ReferrerSource):
        yield from _listed_referrers(work, work.source, progress)
        return
    left = []
    for entry in work.source.entries():
        if entry.digest not in work.documents and is_document(entry.media_type):
            try:
                subject = read_node(blobs, entry, limits).value.subject
            except OCIError:
                continue  # Not part of what was asked for.
            left.append((entry, None if subject is None else subject.digest))
    while True:
        names = {str(each).replace(":", "-") + end for each in work.documents for end in _FALLBACK}
        found, others = list[Descriptor](), list[tuple[Descriptor, Digest | None]]()
        for entry, refers_to in left:
            if refers_to in work.documents or own_name(entry) in names:
                found.append(entry)
            else:
                others.append((entry, refers_to))
        if not found:
            return
        left = others
        written = [(own_name(entry), work.write(Plan(blobs, limits, [entry]), progress)) for entry in found]
        tag_all(work.target, written)
        yield from (named(each, name) for name, (each,) in written)


def _listed_referrers(
    work: Transfer, source: ReferrerSource, progress: Callable[[Progress], None] | None
) -> Iterator[Descriptor]:
    """Copy what a place says refers to the documents copied so far; yield the entries written."""
    asked: set[Digest] = set()
    while left := [each for each in work.documents if each not in asked]:
        for digest in left:
            asked.add(digest)
            for entry in source.referrers(digest):
                if entry.digest in work.documents:
                    continue
                written = work.write(Plan(work.source.blobs, work.limits, [entry]), progress)
                tag_all(work.target, [(None, written)])
                yield from (named(each, None) for each in written)
