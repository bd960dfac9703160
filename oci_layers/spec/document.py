"""Bytes and their descriptor to a typed document that keeps both; and a value to its document (`Document.of`).

The descriptor alone decides which kind of document the bytes are; no content is guessed, because a document that two
programs read in two ways names two images. So its own `mediaType` must equal the descriptor's (Docker's twin of an OCI
type does not), and `spec/codec` refuses fields of another kind of document. A document keeps its bytes, because digests
are computed from them. The bytes are not compared with the descriptor here; `blob/stream` does that before parsing.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs

from oci_layers.errors import DocumentError, Problem, UnsupportedError, shortened
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.spec.codec import structure, to_json
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
    is_document,
    role_of,
)
from oci_layers.spec.strict_json import load_json

__all__ = ["Document", "parse_any", "parse_config", "parse_index", "parse_layout", "parse_manifest"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
M = TypeVar("M", bound=Manifest | Index | ImageConfig | ImageLayout | Descriptor)

_MEDIA_TYPES: Mapping[type, str] = {
    Manifest: OCI_MANIFEST,
    Index: OCI_INDEX,
    ImageConfig: OCI_CONFIG,
    ImageLayout: OCI_LAYOUT,
    Descriptor: OCI_DESCRIPTOR,
}


@attrs.frozen(kw_only=True)
class Document(Generic[T_co]):
    """A parsed document together with the bytes that it came from."""

    raw: bytes
    """The bytes as stored; digests are computed from these."""
    descriptor: Descriptor
    """The descriptor of the bytes."""
    value: T_co
    """The parsed document."""

    @staticmethod
    def of(value: M, *, media_type: str | None = None) -> "Document[M]":
        """Return the document of a value: its bytes are `codec.to_json(value)`, its descriptor is theirs.

        Args:
            value: What the document says.
            media_type: That of the descriptor; by default the `media_type` of a manifest or an index, and the OCI media
                type of the class if it has none.

        Raises:
            DocumentError: The value has another media type than `media_type`.
            TypeError: The value is of no class of documents, or its `extra` holds a value that is none of JSON's.
            ValueError: It holds a value that JSON cannot represent.
        """
        kind = _MEDIA_TYPES.get(type(value))
        if kind is None:
            names = ", ".join(each.__name__ for each in _MEDIA_TYPES)
            raise TypeError(f"value: expected one of {names}, not {type(value).__name__}")
        # The media type of a descriptor is that of what it refers to.
        own = value.media_type if isinstance(value, Manifest | Index) else None
        media_type = own or kind if media_type is None else media_type
        _compare(own, media_type)
        raw = to_json(value)
        return Document(raw=raw, descriptor=Descriptor.of(raw, media_type=media_type), value=value)


def parse_manifest(raw: bytes, descriptor: Descriptor, limits: Limits = DEFAULT_LIMITS) -> Document[Manifest]:
    """Parse a manifest, OCI or Docker.

    Raises:
        UnsupportedError: The descriptor's media type is not that of a manifest.
        DocumentError: The bytes are not a document of the descriptor's media type.
        LimitError: They exceed `document_bytes` or `json_depth`.
    """
    return _parse(raw, descriptor, "manifest", Manifest, limits)


def parse_index(raw: bytes, descriptor: Descriptor, limits: Limits = DEFAULT_LIMITS) -> Document[Index]:
    """Parse an image index or a Docker manifest list.

    Raises:
        UnsupportedError: The descriptor's media type is not that of an index.
        DocumentError: The bytes are not a document of the descriptor's media type.
        LimitError: They exceed `document_bytes` or `json_depth`.
    """
    return _parse(raw, descriptor, "index", Index, limits)


def parse_any(
    raw: bytes, descriptor: Descriptor, limits: Limits = DEFAULT_LIMITS
) -> Document[Manifest] | Document[Index]:
    """Parse a manifest or an index, depending on the descriptor's media type.

    Raises:
        UnsupportedError: The descriptor's media type is neither.
        DocumentError: The bytes are not a document of the descriptor's media type.
        LimitError: They exceed `document_bytes` or `json_depth`.
    """
    if _role(descriptor) == "index":
        return parse_index(raw, descriptor, limits)
    return parse_manifest(raw, descriptor, limits)


def parse_config(raw: bytes, descriptor: Descriptor, limits: Limits = DEFAULT_LIMITS) -> Document[ImageConfig]:
    """Parse an image config, whatever its media type.

    The caller decides whether a config is an image config. One of an unknown media type must stay opaque (manifest.md,
    `config`), but old Docker manifests give `application/octet-stream` for image configs.

    Raises:
        DocumentError: The bytes are not an image config.
        LimitError: They exceed `config_bytes` or `json_depth`.
    """
    media_type = descriptor.media_type
    loaded = load_json(raw, media_type=media_type, limits=limits, limit="config_bytes")
    return Document(raw=raw, descriptor=descriptor, value=structure(loaded, ImageConfig, media_type=media_type))


def parse_layout(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> ImageLayout:
    """Parse the marker file `oci-layout`.

    Raises:
        DocumentError: The bytes are not such a document, or its version is not 1.0.0.
        LimitError: They exceed `document_bytes` or `json_depth`.
    """
    return structure(load_json(raw, media_type=OCI_LAYOUT, limits=limits), ImageLayout, media_type=OCI_LAYOUT)


def _parse(raw: bytes, descriptor: Descriptor, role: str, model: type[T], limits: Limits) -> Document[T]:
    media_type = descriptor.media_type
    if _role(descriptor) != role:
        raise UnsupportedError(f"media type of an image {role}", media_type)
    loaded = load_json(raw, media_type=media_type, limits=limits)
    # Checked first: a document of another kind would have a problem in every field.
    _compare(loaded.get("mediaType"), media_type)
    return Document(raw=raw, descriptor=descriptor, value=structure(loaded, model, media_type=media_type))


def _compare(said: object, media_type: str) -> None:
    if isinstance(said, str) and said != media_type:
        message = f"is {shortened(said)}, but the descriptor says {shortened(media_type)}"
        raise DocumentError(media_type, (Problem("/mediaType", message),))


def _role(descriptor: Descriptor) -> str:
    if not is_document(descriptor.media_type):
        raise UnsupportedError("media type of a document", descriptor.media_type)
    return role_of(descriptor.media_type)
