"""The two documents that list the parts of an image: the manifest of one image, and the index of several.

Docker's twins (manifest v2 schema 2, and the manifest list) have the same shape and use the same models; `media_type`
and the descriptor tell them apart. `spec/document` tells a manifest from an index, `spec/codec` refuses a document that
could be both, and `spec/platform_selection` chooses an entry of an index.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.model import checked

__all__ = ["FOREIGN_TO_INDEX", "FOREIGN_TO_MANIFEST", "Index", "Manifest"]

_SCHEMA_1 = dict.fromkeys(("fslayers", "history", "signatures"), "belongs to Docker's manifest schema 1")
FOREIGN_TO_MANIFEST: Mapping[str, str] = _SCHEMA_1 | {"manifests": "belongs to an image index, not to a manifest"}
"""Fields that a manifest must not have, and why: the document could be taken for another kind."""
FOREIGN_TO_INDEX: Mapping[str, str] = _SCHEMA_1 | dict.fromkeys(
    ("config", "layers"), "belongs to a manifest, not to an image index"
)
"""Fields that an index must not have, and why."""


@checked
@attrs.frozen(kw_only=True)
class Manifest:
    """The config and the layers of one image, or of an artifact (manifest.md)."""

    schema_version: int = 2
    """Always 2 (manifest.md, `schemaVersion`)."""
    media_type: str | None = None
    """The manifest's own media type (manifest.md, `mediaType`)."""
    artifact_type: str | None = None
    """The type of the artifact, if this is one (manifest.md, `artifactType`)."""
    config: Descriptor
    """The config blob; an image config only if it has the media type of one (manifest.md, `config`)."""
    layers: tuple[Descriptor, ...]
    """The layers, the base first (manifest.md, `layers`)."""
    subject: Descriptor | None = None
    """Another manifest to which this one refers, as a signature does (manifest.md, `subject`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (manifest.md, `annotations`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""


@checked
@attrs.frozen(kw_only=True)
class Index:
    """The manifests of an image for several platforms, or any other set of content (image-index.md)."""

    schema_version: int = 2
    """Always 2 (image-index.md, `schemaVersion`)."""
    media_type: str | None = None
    """The index's own media type (image-index.md, `mediaType`)."""
    artifact_type: str | None = None
    """The type of the artifact, if this is one (image-index.md, `artifactType`)."""
    manifests: tuple[Descriptor, ...]
    """The entries; their media types may be unknown (image-index.md, `manifests`)."""
    subject: Descriptor | None = None
    """Another manifest to which this index refers (image-index.md, `subject`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (image-index.md, `annotations`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""
