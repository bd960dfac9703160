"""Artifacts: manifests whose content is anything but an image (manifest.md, Guidelines for Artifact Usage; ART-06).

One function makes all three shapes. Without files, the only layer is the empty blob `{}`; without a config, the config
is. Files are streamed: each is read once for its digest, and once to be stored, if the target lacks it.
"""

import contextlib
import io
import os
from collections.abc import Mapping

import attrs

from oci_layers import system
from oci_layers.blob.section import OpenFile, SectionReader
from oci_layers.blob.store import BlobStore, put_bytes
from oci_layers.blob.stream import PIECE, ByteStream
from oci_layers.errors import LimitError, UnsupportedError, locate
from oci_layers.limits import DEFAULT_LIMITS
from oci_layers.spec.annotations import TITLE
from oci_layers.spec.codec import to_json
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.mediatype import OCI_MANIFEST, check_media_type, role_of
from oci_layers.spec.platform import Platform
from oci_layers.store.repository import WritableRepository

__all__ = ["ArtifactFile", "NewArtifact"]

_ANY = "application/octet-stream"


@attrs.frozen(kw_only=True)
class ArtifactFile:
    """A file of an artifact, which becomes a layer."""

    content: bytes | str | os.PathLike[str]
    """Its bytes, or its path on disk."""
    media_type: str = _ANY
    """Its media type."""
    title: str | None = None
    """Its name, for the annotation `org.opencontainers.image.title`; by default that on disk. "" for none."""
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    """Further annotations of its descriptor."""

    def put(self, blobs: BlobStore) -> Descriptor:
        """Store the content as a blob, unless it is there; return its descriptor.

        Raises:
            IntegrityError: The file changes while it is read.
            OSError: The file cannot be read; or the blob cannot be written.
        """
        with contextlib.ExitStack() as opened:
            if isinstance(self.content, bytes):
                found = Descriptor.of(self.content, media_type=self.media_type)
                stream: ByteStream = io.BytesIO(self.content)
            else:
                file = _opened(os.fspath(self.content))
                opened.callback(file.close)
                digest, size = _digest(file)
                found = Descriptor(media_type=self.media_type, digest=digest, size=size)
                stream = SectionReader(file, 0, file.size, own=False)
            if blobs.reuse_blob(found):
                stream.close()
            else:
                blobs.put_blob(stream, found)
        title = self.title
        if title is None and not isinstance(self.content, bytes):
            title = os.path.basename(os.fspath(self.content))
        said = {TITLE: title} if title else {}
        return attrs.evolve(found, annotations={**said, **self.annotations})


def _opened(path: str) -> OpenFile:
    try:
        return OpenFile(system.open_regular_file(path, follow=True), path)
    except OSError as error:
        locate(error, path, "file of the artifact")
        raise


def _digest(file: OpenFile) -> tuple[Digest, int]:
    hasher, size = Digest.of(b"").hasher(), 0
    while data := file.read_at(size, PIECE):
        hasher.update(data)
        size += len(data)
    return Digest(f"sha256:{hasher.hexdigest()}"), size


def _media_type(_instance: object, _attribute: object, text: str) -> None:
    check_media_type(text)


@attrs.frozen(kw_only=True)
class NewArtifact:
    """An artifact that can be written."""

    artifact_type: str = attrs.field(validator=_media_type)
    """Its type, a media type."""
    files: tuple[ArtifactFile, ...] = attrs.field(default=(), converter=tuple)
    """Its content."""
    config: ArtifactFile | None = None
    """Its config, a blob of a media type of its own; the empty one if None."""
    subject: Descriptor | None = None
    """The manifest that it is about."""
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    """The annotations of its manifest."""

    def __attrs_post_init__(self) -> None:
        """Refuse the config of an image: the artifact would be taken for one (ART-02)."""
        if self.config is not None and role_of(self.config.media_type) == "config":
            raise UnsupportedError("config media type of an artifact", self.config.media_type, "that of an image")

    @property
    def platform(self) -> Platform | None:
        """None: an artifact is for no platform."""
        return None

    def write(self, target: WritableRepository, ref: str | None = None) -> Descriptor:
        """Write the files, the config and the manifest, and give it a name; return its descriptor.

        Args:
            target: The store.
            ref: The name; None lists the artifact without one, as is usual for one with a subject.

        Raises:
            IntegrityError: A file changes while it is read.
            OSError: A file cannot be read, or the target cannot be written.
        """
        with target.lease():
            descriptor = self.put(target.blobs)
            target.tag(ref, descriptor)
        return descriptor

    def put(self, blobs: BlobStore) -> Descriptor:
        """Store the artifact without a name, as `write` does; the caller holds a lease."""
        layers = [file.put(blobs) for file in self.files]
        if not layers or self.config is None:
            put_bytes(blobs, b"{}", EMPTY_DESCRIPTOR)
        subject = self.subject
        manifest = Manifest(
            media_type=OCI_MANIFEST,
            artifact_type=self.artifact_type,
            config=EMPTY_DESCRIPTOR if self.config is None else self.config.put(blobs),
            layers=tuple(layers or [EMPTY_DESCRIPTOR]),
            subject=subject and Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
            annotations=self.annotations,
        )
        raw = to_json(manifest)
        if len(raw) > DEFAULT_LIMITS.document_bytes:
            raise LimitError("document_bytes", DEFAULT_LIMITS.document_bytes, len(raw))
        descriptor = Descriptor.of(raw, media_type=OCI_MANIFEST)
        put_bytes(blobs, raw, descriptor)
        return attrs.evolve(descriptor, artifact_type=self.artifact_type)
