"""The two documents that tie an image together: the manifest of one image, and the index over several.

Docker's twins (manifest v2 schema 2, and the manifest list) have the same shape and use the same models; `media_type`
and the descriptor tell them apart. Telling a manifest from an index, and refusing what could pass for both, lives in
`spec/codec`; choosing one entry of an index in `spec/platform`.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from oci_layers.spec.descriptor import Descriptor

__all__ = ["Index", "Manifest"]


@attrs.frozen(kw_only=True)
class Manifest:
    """The config and the layers of one image, or of an artifact (manifest.md)."""

    schema_version: int = 2
    """Always 2 (manifest.md, `schemaVersion`)."""
    media_type: str | None = None
    """The manifest's own media type (manifest.md, `mediaType`)."""
    artifact_type: str | None = None
    """The type of an artifact, when this is one (manifest.md, `artifactType`)."""
    config: Descriptor
    """The config blob, which is only an image config when its media type says so (manifest.md, `config`)."""
    layers: tuple[Descriptor, ...]
    """The layers, the base first (manifest.md, `layers`)."""
    subject: Descriptor | None = None
    """Another manifest that this one is about (manifest.md, `subject`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (manifest.md, `annotations`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it stood in the document; see `spec/codec`."""


@attrs.frozen(kw_only=True)
class Index:
    """Manifests for several platforms, or anything else that belongs together (image-index.md)."""

    schema_version: int = 2
    """Always 2 (image-index.md, `schemaVersion`)."""
    media_type: str | None = None
    """The index's own media type (image-index.md, `mediaType`)."""
    artifact_type: str | None = None
    """The type of an artifact, when this is one (image-index.md, `artifactType`)."""
    manifests: tuple[Descriptor, ...]
    """The entries; their media types may be unknown (image-index.md, `manifests`)."""
    subject: Descriptor | None = None
    """Another manifest that this index is about (image-index.md, `subject`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (image-index.md, `annotations`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it stood in the document; see `spec/codec`."""
