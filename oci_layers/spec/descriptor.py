"""The descriptor: the digest, media type and size by which documents refer to other content (descriptor.md).

The value, and the one constant that the spec defines. `blob/stream` checks content against a descriptor, `spec/codec`
has the JSON form, `validation` the rules beyond types.
"""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_EMPTY
from oci_layers.spec.model import checked
from oci_layers.spec.platform import Platform

__all__ = ["EMPTY_DESCRIPTOR", "Descriptor"]


@checked
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
    """Other places to download the content; used for layers of registries, if asked for (descriptor.md, `urls`)."""
    annotations: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    """Arbitrary metadata (descriptor.md, `annotations`)."""
    data: bytes | None = None
    """An embedded copy of the content, decoded but not yet verified (descriptor.md, `data`)."""
    platform: Platform | None = None
    """The platform of the image that this refers to (image-index.md, `platform`)."""
    artifact_type: str | None = None
    """The type of the artifact that this refers to (descriptor.md, `artifactType`)."""
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Every other field, as it was in the document; see `spec/codec`."""

    @classmethod
    def of(cls, content: bytes, *, media_type: str) -> Self:
        """Return the descriptor of `content`."""
        return cls(media_type=media_type, digest=Digest.of(content), size=len(content))


EMPTY_DESCRIPTOR = attrs.evolve(Descriptor.of(b"{}", media_type=OCI_EMPTY), data=b"{}")
"""The descriptor of the two bytes `{}`, the empty config or layer of an artifact (manifest.md)."""
