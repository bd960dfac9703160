"""An image name to all problems of the images there: `check_image`, the counterpart of `open_image`.

`verify.image` verifies the blobs and compares the documents. This module checks the other files of a place: the marker
and the index of a layout, which are validated as documents, and Docker's list of images, for each of which `docker`
makes a manifest. It adds line, column and the text there to findings. A blob to which no document refers is no error
(LAY-07).
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

import attrs

from oci_layers.blob.store import BlobSource
from oci_layers.errors import DigestMismatchError, DocumentError, OCIError, ReferenceMissingError, StoreError
from oci_layers.image.image import Image
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.report import DocumentFinding, DocumentLocation, Finding, Severity
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Index
from oci_layers.spec.mediatype import DOCKER_CONFIG, OCI_INDEX, OCI_LAYOUT
from oci_layers.spec.platform import Platform
from oci_layers.store.archive import TarArchive
from oci_layers.store.diagnose import is_docker
from oci_layers.store.docker import DockerArchive
from oci_layers.store.docker_listing import MANIFEST
from oci_layers.store.files import LayoutFiles, read_file
from oci_layers.store.open import name_place, open_files, parse_image_name
from oci_layers.store.select import choose, find, find_by_ref, fits, require_platform, stand_in
from oci_layers.validation.document import add_positions, check_document, relocated
from oci_layers.validation.findings import Findings
from oci_layers.validation.rules import Profile
from oci_layers.verify.image import Verification, verify_image

if TYPE_CHECKING:
    from oci_layers.registry.session import RegistrySession
    from oci_layers.store.registry import RegistryRepository

__all__ = ["check_image"]

_MARKER, _INDEX, _BLOBS = "oci-layout", "index.json", "blobs"
_NOTHING = Digest.of(b"")


class _Options(TypedDict):
    """The options passed to `verify_image`."""

    documents_only: bool
    profile: Profile
    limits: Limits
    threads: int
    progress: Callable[[Progress], None] | None


def check_image(
    name: str | os.PathLike[str],
    *,
    ref: str | None = None,
    platform: str | Platform | None = None,
    documents_only: bool = False,
    profile: Profile = "default",
    limits: Limits | None = None,
    threads: int = 2,
    temporary_directory: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    blob_links: bool = False,
    session: "RegistrySession | None" = None,
) -> Verification:
    """Check a place that holds images: its own files, and all blobs reachable from them, each once.

    Args:
        name: As for `open_image`.
        ref: Check only the image with this name; all images if neither this nor `name` gives a reference.
        platform: Check only the image for this platform; all of them if None.
        documents_only: Read only documents, no layers.
        profile: The severities of findings; see `validation.rules`.
        limits: As for `open_image` and `verify_image`.
        threads: The number of layers read at the same time.
        temporary_directory: The directory of temporary files; the system's default if None.
        progress: As for `verify_image`.
        blob_links: As for `open_image`.
        session: As for `open_image`.

    Returns:
        Counts of what was checked, and the findings. Problems of images, damage included, are findings, not errors.

    Raises:
        NameFormatError: `name` or `platform` is malformed, or `name` and `ref` give different references.
        PlaceMissingError: The place does not exist.
        StoreError: The place does not hold an image.
        TarFormatError, CompressionError: The place is a file that is not a tar archive, or a damaged one.
        ReferenceMissingError: There is no image with that reference or platform.
        LimitError: A file that is not a blob exceeds `document_bytes`.
        OSError: The place cannot be read.
    """
    where, ref = parse_image_name(name, ref)
    wanted = Platform.parse(platform) if isinstance(platform, str) else platform
    options = _Options(
        documents_only=documents_only, profile=profile, limits=limits or Limits(), threads=threads, progress=progress
    )
    if where.transport == "docker":
        from oci_layers.store.registry import RegistryRepository

        with RegistryRepository(where.repository, session=session, limits=options["limits"]) as repository:
            return _check_entries(repository, ref, wanted, options)
    temporary = None if temporary_directory is None else os.fspath(temporary_directory)
    files = open_files(where, options["limits"], temporary, blob_links=blob_links)
    try:
        if is_docker(where.transport, files):
            assert isinstance(files, TarArchive)
            return _check_archive(DockerArchive(files, options["limits"]), ref, wanted, options)
        return _check_layout(files, ref, wanted, options)
    except OCIError as error:
        name_place(error, where.place)
        raise
    finally:
        files.close()


def _check_layout(files: LayoutFiles, ref: str | None, platform: Platform | None, options: _Options) -> Verification:
    limits = options["limits"]
    own: dict[str, bytes] = {}
    findings: list[DocumentFinding] = []
    left_out: Counter[tuple[str, Severity]] = Counter()
    index: object = None
    for name, media_type, rule in ((_MARKER, OCI_LAYOUT, "LAY-02"), (_INDEX, OCI_INDEX, "LAY-03")):
        raw = read_file(files, name, limit="document_bytes", allowed=limits.document_bytes)
        if raw is None:
            location = DocumentLocation(digest=_NOTHING, document=name, media_type=media_type)
            findings.append(Finding(rule, "error", location, "is missing"))
            continue
        own[name] = raw
        found, index = check_document(
            raw, Descriptor.of(raw, media_type=media_type), profile=options["profile"], limits=limits
        )
        findings += add_positions((relocated(each, document=name) for each in found), raw)
        left_out.update(found.left_out)
    if not files.has_directory(_BLOBS):
        findings.append(Finding("LAY-01", "error", DocumentLocation(digest=_NOTHING, document=_BLOBS), "is missing"))
    below = Verification()
    if isinstance(index, Index):
        whole = Digest.of(own[_INDEX])
        pointers = {id(entry): f"/manifests/{at}" for at, entry in enumerate(index.manifests)}
        roots = _roots(index, files.blobs, ref, platform, limits)
        locations = [
            DocumentLocation(pointers[id(each)], whole, _INDEX)
            if id(each) in pointers
            else DocumentLocation(digest=each.digest)
            for each in roots
        ]
        below = verify_image(files.blobs, roots, locations=locations, **options)
        of_index = [
            relocated(each, document=_INDEX, media_type=OCI_INDEX)
            for each in below.findings
            if each.location.digest == whole
        ]
        findings += add_positions(of_index, own[_INDEX])
        others = [each for each in below.findings if each.location.digest != whole]
        findings += _with_positions(others, files.blobs, limits)
        left_out.update(below.findings.left_out)
    return attrs.evolve(
        below,
        findings=Findings(findings, left_out),
        files=len(own),
        bytes=below.bytes + sum(map(len, own.values())),
    )


def _check_entries(
    repository: "RegistryRepository", ref: str | None, platform: Platform | None, options: _Options
) -> Verification:
    """Check the images of a repository, which has no files of its own."""
    limits, blobs = options["limits"], repository.blobs
    index = Index(manifests=tuple(repository.entries(ref)))
    found = verify_image(blobs, _roots(index, blobs, ref, platform, limits), **options)
    placed = _with_positions(list(found.findings), blobs, limits)
    return attrs.evolve(found, findings=Findings(placed, Counter(found.findings.left_out)))


def _roots(
    index: Index, blobs: BlobSource, ref: str | None, platform: Platform | None, limits: Limits
) -> Sequence[Descriptor]:
    """Return the entries to verify: those that `ref` selects or, for one platform, a single one."""
    entries = index.manifests if ref is None else tuple(find_by_ref(index, blobs, ref, limits))
    if platform is None:
        return entries
    try:
        chosen, _ = find(index, blobs, ref=ref, platform=platform, limits=limits)
        if chosen.platform is None:
            manifest = choose(index, blobs, ref=ref, platform=platform, limits=limits)
            require_platform(Image(manifest, blobs, limits=limits).config, platform)
    except ReferenceMissingError:
        raise
    except OCIError:
        # A damaged document hides which entry is for which platform, so all entries are verified.
        return entries
    return [next((each for each in entries if each.digest == chosen.digest), chosen)]


def _with_positions(findings: Sequence[DocumentFinding], blobs: BlobSource, limits: Limits) -> list[DocumentFinding]:
    """Return findings with their line and column; reads each document once more."""
    groups: dict[Digest, list[DocumentFinding]] = {}
    for each in findings:
        assert each.location.digest is not None
        groups.setdefault(each.location.digest, []).append(each)
    placed = []
    for digest, group in groups.items():
        raw = None
        if any(each.location.pointer or each.location.offset is not None for each in group):
            raw = _read_again(blobs, digest, max(limits.document_bytes, limits.config_bytes))
        placed += group if raw is None else add_positions(group, raw)
    return placed


def _read_again(blobs: BlobSource, digest: Digest, allowed: int) -> bytes | None:
    """Return the bytes of a document that was read before; None if they cannot be read or have changed."""
    parts = []
    try:
        stream = blobs.open_blob(digest)
        try:
            while allowed >= 0 and (part := stream.read(1 << 16)):
                parts.append(part)
                allowed -= len(part)
        finally:
            stream.close()
        raw = b"".join(parts)
        return raw if allowed >= 0 and Digest.of(raw, digest.algorithm) == digest else None
    except OCIError:
        return None  # The document was embedded in a descriptor.


def _check_archive(
    archive: DockerArchive, ref: str | None, platform: Platform | None, options: _Options
) -> Verification:
    findings: list[DocumentFinding] = []
    left_out: Counter[tuple[str, Severity]] = Counter()
    roots, made, others = [], set(), []
    for number in archive.called(ref):
        config, raw = "", b""
        try:
            config, raw = archive.read_config(number)
            own = archive.platform_of(number)
            if platform is not None and not fits(stand_in(own), platform):
                others.append(str(own))
                continue
            manifest = archive.manifest(number)
        except (DigestMismatchError, DocumentError, StoreError) as error:
            damage = _findings_of(error, config, raw, options)
            findings += damage
            left_out.update(damage.left_out)
            continue
        roots.append(attrs.evolve(manifest.descriptor, data=manifest.raw))
        made.add(manifest.descriptor.digest)
    if others and not roots and not findings:
        raise ReferenceMissingError(str(platform), tuple(dict.fromkeys(others)), "platform")
    found = verify_image(archive, roots, **options)
    named = [
        relocated(each, document=MANIFEST if digest in made else archive.name_of(digest) or "")
        for each in found.findings
        if (digest := each.location.digest) is not None
    ]
    # A manifest made here is not in the archive, so its findings have no line and column.
    placed = _with_positions([each for each in named if each.location.digest not in made], archive, options["limits"])
    whole = [each for each in named if each.location.digest in made]
    left_out.update(found.findings.left_out)
    return attrs.evolve(found, findings=Findings([*findings, *whole, *placed], left_out))


def _findings_of(
    error: DigestMismatchError | DocumentError | StoreError, config: str, raw: bytes, options: _Options
) -> Findings:
    """Return the findings for an error that prevents making a manifest for an image of Docker's list."""
    if isinstance(error, StoreError):
        return Findings(
            [Finding("LAY-05", "error", DocumentLocation(digest=_NOTHING, document=MANIFEST), error.reason)]
        )
    if isinstance(error, DigestMismatchError):
        location = DocumentLocation("", Digest.parse(str(error.expected)), config, media_type=DOCKER_CONFIG)
        return Findings([Finding("DSC-05", "error", location, f"has the digest {error.actual}")])
    descriptor = Descriptor.of(raw, media_type=DOCKER_CONFIG)
    judged, value = check_document(raw, descriptor, profile=options["profile"], limits=options["limits"])
    findings = list(judged)
    if value is not None:
        findings += [
            Finding(
                "CFG-20",
                "error",
                DocumentLocation(each.pointer, descriptor.digest, media_type=DOCKER_CONFIG),
                each.message,
            )
            for each in error.problems
        ]
    return Findings(add_positions((relocated(each, document=config) for each in findings), raw), judged.left_out)
