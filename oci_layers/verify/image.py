"""A whole image to its problems: all documents and blobs reachable from some descriptors.

`validation` has the rules within a document, `blobs` those of one blob. This module has the rules between documents: as
many layers as diff_ids; the platform of an entry against that of the config, or those of the index to which it refers;
the artifact type of an entry against that of the artifact; a subject, which may be missing. The walk is not recursive,
validates each document once, and uses no document whose digest is wrong. So documents in a loop, which cannot all have
the digests by which they refer to each other, are reported as a wrong digest.

Content of an unknown type is never an error (MAN-08, MAN-16, IDX-07, LAY-10): only its size and digest are checked.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import attrs

from oci_layers.blob.store import BlobSource
from oci_layers.errors import UnsupportedError, escape
from oci_layers.limits import Limits
from oci_layers.progress import Progress
from oci_layers.report import DocumentFinding, DocumentLocation, Finding, Severity
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import MediaType, is_document, lookup, role_of
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import is_attestation, own_name
from oci_layers.validation.document import check_document, relocated
from oci_layers.validation.findings import Findings, Sieve
from oci_layers.validation.rule import severity_in
from oci_layers.validation.rules import Profile
from oci_layers.verify.blobs import Blob, check_blobs, place_of, read_document
from oci_layers.verify.platforms import Pair, compare_with_config, compare_with_several, normal, pair

__all__ = ["Verification", "verify_image"]

_LISTED = "LAY-07"
_DOCUMENTS = frozenset({"index", "manifest", "config", "empty"})


def _findings(found: Iterable[DocumentFinding]) -> Findings:
    return Findings(found)


@attrs.frozen(kw_only=True)
class Verification:
    """The result of a verification: findings, and counts of what was checked."""

    findings: Findings = attrs.field(factory=Findings, converter=_findings)
    """The problems, sorted by digest and JSON pointer: at most the first 1,000 found of each severity.

    Its `total`, `totals` and `left_out` count all."""
    blobs: int = 0
    """The number of blobs, documents included, that match size and digest."""
    bytes: int = 0
    """The number of bytes of these blobs."""
    documents: int = 0
    """The number of these blobs that are documents."""
    layers: int = 0
    """The number of these blobs that are layers."""
    files: int = 0
    """The number of checked documents that are no blobs, such as `index.json`; `bytes` includes theirs."""

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return self.findings.ok


def verify_image(
    blobs: BlobSource,
    roots: Sequence[Descriptor],
    *,
    locations: Sequence[DocumentLocation] = (),
    documents_only: bool = False,
    profile: Profile = "default",
    limits: Limits | None = None,
    threads: int = 2,
    progress: Callable[[Progress], None] | None = None,
) -> Verification:
    """Check all content reachable from `roots`, each blob once; problems are in the result.

    A missing blob is an error, with three exceptions: a subject; a non-distributable layer; an entry of an index if
    another entry of the same image exists, because a store may hold the image for one platform alone (LAY-07). The
    entries of an index with the same name are one image, and so are those without a name.

    Args:
        blobs: The source of all content; several threads read from it at once.
        roots: The descriptors to start from: manifests, indexes, or any other content.
        locations: The place of each root, if it is in a document; the caller validates that document.
        documents_only: Read only documents; layers and content of an unknown type are not opened.
        profile: The severities of findings; see `validation.rules`.
        limits: `index_depth`, `descriptors`, `layers` of each manifest, `plain_bytes` of all layers together, each
            counted once, and the sizes of documents are enforced.
        threads: The number of layers read at the same time.
        progress: Called in the caller's thread while blobs other than documents are read, with the number of blobs and
            bytes done; an exception that it raises ends all work and propagates.

    Raises:
        OSError: The source cannot be read.
    """
    limits = limits or Limits()
    walk = _Walk(blobs, profile, limits)
    walk.documents(roots, locations)
    walk.compare()
    if not documents_only:
        todo = [blob for blob in walk.found.values() if blob.layers or not blob.tried]
        walk.findings.update(check_blobs(blobs, todo, limits=limits, threads=threads, progress=progress))
    walk.weigh_absences()
    good = [blob for blob in walk.found.values() if blob.good]
    return Verification(
        findings=Findings(map(walk.named, sorted(walk.findings, key=_order)), walk.sieve.left_out),
        blobs=len(good),
        bytes=sum(blob.size for blob in good),
        documents=sum(not blob.layers and role_of(blob.media_type) in _DOCUMENTS for blob in good),
        layers=sum(bool(blob.layers) for blob in good),
    )


def _order(finding: DocumentFinding) -> tuple[Digest, list[tuple[int, str]], str, str]:
    location = finding.location
    assert location.digest is not None
    steps = [(len(step) if step.isdecimal() else 0, step) for step in location.pointer.split("/")]
    return location.digest, steps, finding.rule, finding.message


@attrs.frozen
class _Step:
    """A document to validate."""

    descriptor: Descriptor
    row: MediaType
    depth: int


class _Walk:
    """The state of a verification: the findings, and the documents and blobs found so far."""

    def __init__(self, blobs: BlobSource, profile: Profile, limits: Limits) -> None:
        self.findings: set[DocumentFinding] = set()
        self.sieve = Sieve()
        """Caps the findings within documents; the limits bound the number of other findings."""
        self.found: dict[Digest, Blob] = {}
        self._blobs = blobs
        self._profile: Profile = profile
        self._limits = limits
        self._named = 0
        self._steps: deque[_Step] = deque()
        self._judged: set[tuple[Digest, str]] = set()
        self._images: dict[Digest, Manifest] = {}
        self._configs: dict[Digest, ImageConfig] = {}
        self._indexes: dict[Digest, Index] = {}
        self._platforms: list[tuple[DocumentLocation, Platform, Digest]] = []
        self._artifacts: list[tuple[DocumentLocation, str, Digest]] = []
        self._images_of: dict[tuple[Digest | None, str | None], list[Descriptor]] = {}

    def _add(self, rule: str, severity: Severity, location: DocumentLocation, message: str) -> None:
        weighed = severity_in(severity, self._profile)
        if weighed is not None:
            self.findings.add(Finding(rule, weighed, location, message))

    def named(self, finding: DocumentFinding) -> DocumentFinding:
        """Return a finding with the media type and place of its blob."""
        digest = finding.location.digest
        blob = None if digest is None else self.found.get(digest)
        if blob is None:
            return finding
        named_by = place_of(blob.named_at) if blob.named_at.pointer else ""
        return relocated(finding, media_type=blob.media_type, named_by=named_by)

    def documents(self, roots: Sequence[Descriptor], locations: Sequence[DocumentLocation] = ()) -> None:
        """Validate all reachable documents; collect the descriptors of all other blobs."""
        for root, location in zip(
            roots, locations or [DocumentLocation(digest=root.digest) for root in roots], strict=True
        ):
            if not location.pointer and _embeds(root) is False:
                self._add("DSC-16", "error", location, "the embedded data is something else")
            self._name_entry(root, location, 0)
        while self._steps:
            step = self._steps.popleft()
            key = (step.descriptor.digest, step.descriptor.media_type)
            if key not in self._judged:
                self._judge(step)

    def _name(self, descriptor: Descriptor, location: DocumentLocation, depth: int, *, may_be_absent: str = "") -> None:
        """Record a descriptor and its place."""
        self._named += 1
        if self._named > self._limits.descriptors:
            if self._named == self._limits.descriptors + 1:
                message = f"limit descriptors is {self._limits.descriptors}, there are more"
                self._add("LIM-01", "error", location, message)
            return
        blob = self.found.setdefault(
            descriptor.digest, Blob(descriptor.digest, descriptor.size, location, descriptor.media_type)
        )
        if descriptor.size != blob.size:
            message = f"is {descriptor.size}, but {place_of(blob.named_at)} says {blob.size} of the same blob"
            self._add("DSC-08", "error", location.field("size"), message)
        if descriptor.artifact_type is not None:
            self._artifacts.append((location, descriptor.artifact_type, descriptor.digest))
        row = lookup(descriptor.media_type)
        if row is not None and not row.distributable:
            may_be_absent = "NDL-03"
        if _embeds(descriptor):
            blob.data = descriptor.data
        elif may_be_absent:
            blob.absences.append((may_be_absent, location))
        else:
            blob.needed = True
        if row is not None and row.role == "layer":
            blob.layers.append((location, row))
        if row is not None and row.role in _DOCUMENTS:
            self._steps.append(_Step(descriptor, row, depth))

    def _judge(self, step: _Step) -> None:
        descriptor, limits = step.descriptor, self._limits
        limit, allowed = "document_bytes", limits.document_bytes
        if step.row.role == "config":
            limit, allowed = "config_bytes", limits.config_bytes
        blob = self.found[descriptor.digest]
        if blob.tried and not blob.good and not (blob.missing and blob.data is not None):
            return
        raw, found = read_document(self._blobs, blob, limit=limit, allowed=allowed)
        self.findings.update(found)
        if raw is None:
            return  # Another descriptor may embed it, so it is tried again for that one.
        self._judged.add((descriptor.digest, descriptor.media_type))
        judged, value = check_document(raw, descriptor, profile=self._profile, limits=limits)
        self.findings.update(finding for finding in judged if self.sieve.admits(finding.rule, finding.severity))
        self.sieve.left_out.update(judged.left_out)
        if isinstance(value, ImageConfig):
            self._configs[descriptor.digest] = value
        elif isinstance(value, Manifest | Index):
            self._follow(value, step)

    def _follow(self, document: Manifest | Index, step: _Step) -> None:
        """Record all descriptors of a manifest or an index."""
        digest = step.descriptor.digest
        subject_rule = "MAN-17"
        if isinstance(document, Manifest):
            self._images[digest] = document
            self._name(document.config, DocumentLocation("/config", digest), step.depth)
            layers, allowed = document.layers, self._limits.layers
            if len(layers) > allowed:
                message = f"limit layers is {allowed}, the manifest has {len(layers)}"
                self._add("LIM-01", "error", DocumentLocation("/layers", digest), message)
                layers = ()
            for index, layer in enumerate(layers):
                self._name(layer, DocumentLocation(f"/layers/{index}", digest), step.depth)
        elif step.depth >= self._limits.index_depth:
            message = f"limit index_depth is {self._limits.index_depth}, this one is deeper inside other indexes"
            self._add("LIM-02", "error", DocumentLocation(digest=digest), message)
        else:
            subject_rule = "IDX-15"
            self._indexes[digest] = document
            for index, entry in enumerate(document.manifests):
                self._name_entry(entry, DocumentLocation(f"/manifests/{index}", digest), step.depth + 1)
        if document.subject is not None:
            self._name(document.subject, DocumentLocation("/subject", digest), step.depth, may_be_absent=subject_rule)

    def _name_entry(self, entry: Descriptor, location: DocumentLocation, depth: int) -> None:
        """Record an entry of an index, or a root."""
        self._name(entry, location, depth, may_be_absent=_LISTED if location.pointer else "")
        if location.pointer:
            self._images_of.setdefault((location.digest, own_name(entry)), []).append(entry)
        if entry.platform is not None and not is_attestation(entry):
            self._platforms.append((location, entry.platform, entry.digest))

    def compare(self) -> None:
        """Compare manifests, configs and platforms with each other."""
        for digest, manifest in self._images.items():
            config = self._configs.get(manifest.config.digest)
            if config is not None and _is_config(manifest.config):
                self._compare_layers(digest, manifest, config)
        self._compare_platforms()
        for location, artifact_type, digest in self._artifacts:
            image = self._images.get(digest)
            actual = artifact_type if image is None else image.artifact_type or image.config.media_type
            if actual != artifact_type:
                message = f"is {escape(artifact_type)}, but {digest} is of the type {escape(actual)}"
                self._add("DSC-21", "warning", location.field("artifactType"), message)

    def _compare_platforms(self) -> None:
        inside = {digest: self._platforms_in(index) for digest, index in self._indexes.items()}
        for location, platform, digest in self._platforms:
            found = self._config_of(digest)
            if found is None:
                differences, what = compare_with_several(platform, inside.get(digest, {})), str(digest)
            else:
                differences, what = compare_with_config(platform, found[1]), str(found[0])
            for rule, severity, message in differences:
                self._add(rule, severity, location.field("platform"), f"{message} {what}")

    def _config_of(self, digest: Digest) -> tuple[Digest, ImageConfig] | None:
        """Return the config of a manifest, if it is an image config and has been read."""
        image = self._images.get(digest)
        config = None if image is None or not _is_config(image.config) else self._configs.get(image.config.digest)
        return None if image is None or config is None else (image.config.digest, config)

    def _platforms_in(self, index: Index) -> dict[Pair, Platform]:
        """Return the known platforms of the images of an index."""
        found: dict[Pair, Platform] = {}
        for entry in index.manifests:
            config, platform = self._config_of(entry.digest), entry.platform
            if config is not None:
                platform = platform_of(config[1])
            if platform is not None and not is_attestation(entry):
                platform = normal(platform)
                found.setdefault(pair(platform), platform)
        return found

    def _compare_layers(self, digest: Digest, manifest: Manifest, config: ImageConfig) -> None:
        diff_ids = config.rootfs.diff_ids
        whole = DocumentLocation("/rootfs/diff_ids", manifest.config.digest)
        if len(diff_ids) != len(manifest.layers):
            message = f"has {len(diff_ids)} diff_ids for the {len(manifest.layers)} layers of manifest {digest}"
            self._add("CFG-20", "error", whole, message)
        if len(diff_ids) != len(manifest.layers) or len(diff_ids) > self._limits.layers:
            return
        for index, (layer, diff_id) in enumerate(zip(manifest.layers, diff_ids, strict=True)):
            row, blob = lookup(layer.media_type), self.found.get(layer.digest)
            if row is not None and row.role == "layer" and blob is not None:
                blob.diff_ids.append((DocumentLocation(f"{whole.pointer}/{index}", whole.digest), diff_id))

    def weigh_absences(self) -> None:
        """Add findings for missing blobs."""
        for entries in self._images_of.values():
            if not any(self._is_there(entry) for entry in entries if not is_attestation(entry)):
                for entry in entries:
                    if entry.digest in self.found:
                        self.found[entry.digest].needed = True
        for blob in self.found.values():
            if blob.missing and blob.needed:
                self._add(
                    "LAY-05",
                    "error",
                    DocumentLocation(digest=blob.digest),
                    f"is missing; {place_of(blob.named_at)} names it",
                )
            for rule, location in blob.absences if blob.missing else ():
                if rule != _LISTED:
                    self._add(rule, "note", location, f"{blob.digest} is not there, and need not be")
                elif not blob.needed:
                    message = f"{blob.digest} is not there, and need not be, since another image of this index is"
                    self._add(rule, "note", location, message)

    def _is_there(self, entry: Descriptor) -> bool:
        """Tell whether an entry of an index is an image or another index, and exists."""
        blob = self.found.get(entry.digest)
        if not is_document(entry.media_type) or blob is None:
            return False
        return not blob.missing or blob.data is not None


def _is_config(descriptor: Descriptor) -> bool:
    return role_of(descriptor.media_type) == "config"


def _embeds(descriptor: Descriptor) -> bool | None:
    """Tell whether a descriptor embeds its content; None without embedded data, or if its algorithm is unknown."""
    data = descriptor.data
    if data is None:
        return None
    try:
        return len(data) == descriptor.size and Digest.of(data, descriptor.digest.algorithm) == descriptor.digest
    except UnsupportedError:
        return None
