"""The descriptor: the name, type and length by which every document refers to other content (descriptor.md).

A value and the one constant that the spec gives. Checking content against a descriptor lives in `blob/stream`; the
JSON form in `spec/codec`; what a valid descriptor must look like beyond its types in `validation`.
"""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_EMPTY
from oci_layers.spec.platform import Platform

__all__ = ["EMPTY_DESCRIPTOR", "Descriptor"]


@attrs.frozen(kw_only=True)
class Descriptor:
    """A reference to content (descriptor.md, "Properties"). Hashed without its annotations and unknown fields."""

    media_type: str
    """The media type of the content (descriptor.md, `mediaType`)."""
    digest: Digest
    """The digest of the content as stored (descriptor.md, `digest`)."""
    size: int
    """The number of bytes of the content as stored, 0 to 2^63-1 (descriptor.md, `size`)."""
    urls: tuple[str, ...] = ()
    """Where else the content may be fetched; never followed here (descriptor.md, `urls`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (descriptor.md, `annotations`)."""
    data: bytes | None = None
    """An embedded copy of the content, decoded but not yet verified (descriptor.md, `data`)."""
    platform: Platform | None = None
    """Where the image that this points to runs (image-index.md, `platform`)."""
    artifact_type: str | None = None
    """The type of the artifact that this points to (descriptor.md, `artifactType`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it stood in the document; see `spec/codec`."""

    @classmethod
    def of(cls, content: bytes, *, media_type: str) -> Self:
        """Return the descriptor of `content`."""
        return cls(media_type=media_type, digest=Digest.of(content), size=len(content))


EMPTY_DESCRIPTOR = attrs.evolve(Descriptor.of(b"{}", media_type=OCI_EMPTY), data=b"{}")
"""The descriptor of the two bytes `{}`, which stands where an artifact has nothing to say (manifest.md)."""
