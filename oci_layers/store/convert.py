"""Images of one family of media types, or one compression, to another: the rules, and the new documents.

What a conversion changes in a document is the media type, digest and size of the descriptors concerned, and its own
media type; all else stays, in its order, whether known here or not. With the digest of a descriptor goes what describes
the old bytes: `data`, `urls`, and the annotations of formats that index a compressed layer. A document in which nothing
changes keeps its very bytes. The config is never rewritten: its diff_ids are of plain bytes, so only its media type
changes. The caller reads and writes blobs, children before parents; `blob/recompress` recompresses one layer.

Not recompressed are layers that may not be distributed (`urls` lead to the bytes that exist), those of artifacts (their
type, not the spec, says what the bytes are), and unknown ones. A format that a document already has changes nothing in
it, even if its layers have types of the other family. zstd in Docker's format has the media type of BuildKit and
containerd; podman and skopeo do not read it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import attrs

from oci_layers.blob.compression import Compression
from oci_layers.blob.compressor import Encoder, check_level
from oci_layers.errors import UnsupportedError
from oci_layers.limits import DEFAULT_LIMITS, Limits
from oci_layers.spec.codec import dumps
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    DOCKER_FOREIGN_LAYER,
    DOCKER_FOREIGN_LAYER_GZIP,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
    MediaType,
    is_document,
    lookup,
    role_of,
)
from oci_layers.spec.strict_json import load_json

__all__ = [
    "Conversion",
    "LayerCompression",
    "applicable",
    "config_media_type",
    "converted_index",
    "converted_manifest",
    "layer_media_type",
    "recompression",
]

Format = Literal["oci", "docker"]
LayerCompression = Literal["", "gzip", "zstd"]
"""The compressions that layers get; "" for none."""

_LAYERS = {
    ("oci", True, ""): OCI_LAYER,
    ("oci", True, "gzip"): OCI_LAYER_GZIP,
    ("oci", True, "zstd"): OCI_LAYER_ZSTD,
    ("oci", False, ""): OCI_NONDISTRIBUTABLE_LAYER,
    ("oci", False, "gzip"): OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    ("oci", False, "zstd"): OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
    ("docker", True, ""): DOCKER_LAYER,
    ("docker", True, "gzip"): DOCKER_LAYER_GZIP,
    ("docker", True, "zstd"): DOCKER_LAYER_ZSTD,
    ("docker", False, ""): DOCKER_FOREIGN_LAYER,
    ("docker", False, "gzip"): DOCKER_FOREIGN_LAYER_GZIP,
}
"""The media type of a layer by family, whether it may be distributed, and compression."""
_FAMILIES = {"oci": "OCI", "docker": "Docker"}
_OLD_DOCKER_CONFIG = "application/octet-stream"
"""What some Docker manifests give for image configs; Docker reads them."""
_OF_OLD_BYTES = ("containerd.io/snapshot/stargz/", "io.github.containers.zstd-chunked.")
"""How keys of annotations begin that say where in a compressed layer (eStargz, zstd:chunked) its parts are."""


@attrs.frozen(kw_only=True)
class Conversion:
    """What to convert images to; None leaves it as it is.

    Raises:
        ValueError: There is no such format, compression, level or encoder.
    """

    format: Format | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_(get_args(Format)))
    )
    """The family of the media types of documents, configs and layers."""
    compression: Literal["gzip", "zstd", "none"] | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_(("gzip", "zstd", "none")))
    )
    """The compression of layers. One that has it already keeps its bytes, whatever the level."""
    level: int | None = None
    """The level of the new compression; see `blob.compressed`."""
    encoder: Encoder = "zlib"
    """What makes gzip data; see `blob.compressed`."""

    def __attrs_post_init__(self) -> None:
        check_level({None: "", "none": ""}.get(self.compression, self.compression or ""), self.level, self.encoder)


def applicable(document: Document[Manifest], conversion: Conversion) -> Conversion:
    """Return what of a conversion applies to the layers and the config of a manifest.

    Raises:
        UnsupportedError: It is an artifact or refers to a subject, which Docker's format cannot express.
    """
    manifest, config = document.value, document.value.config.media_type
    is_image = role_of(config) == "config" or (config == _OLD_DOCKER_CONFIG and _family(document) == "docker")
    compression = conversion.compression if is_image else None
    if conversion.format == _family(document):
        return attrs.evolve(conversion, format=None, compression=compression)
    if conversion.format == "docker":
        if manifest.artifact_type or not is_image:
            raise UnsupportedError("artifact in Docker's format", manifest.artifact_type or config)
        _refuse_subject(manifest)
    return attrs.evolve(conversion, compression=compression)


def recompression(media_type: str, found: Compression | None, conversion: Conversion) -> LayerCompression | None:
    """Return the compression that a layer has to get; None if the blob can stay.

    Args:
        media_type: The media type of the layer.
        found: As for `layer_media_type`.
        conversion: What is `applicable` to the manifest.

    Raises:
        UnsupportedError: The layer is encrypted, and layers are to be recompressed.
    """
    wanted = conversion.compression
    row = _layer(media_type)
    if wanted is None:
        return None
    if row is None and media_type.endswith("+encrypted"):
        raise UnsupportedError("recompression of an encrypted layer", media_type)
    if row is None or not row.distributable:
        return None
    new: LayerCompression = "" if wanted == "none" else wanted
    return None if new == _compression(row, found) else new


def layer_media_type(media_type: str, found: Compression | None, conversion: Conversion) -> str:
    """Return the media type of a layer after a conversion.

    Args:
        media_type: The media type of the layer; an unknown one stays.
        found: The compression of its bytes, as `sniff` tells it; None for a layer whose bytes are not there, so that
            its media type is believed. Only used for Docker's media types, which say little about the bytes; if another
            one is false, those who read the layer find out.
        conversion: What is `applicable` to the manifest.

    Raises:
        UnsupportedError: The format has no media type for such a layer, or the layer is encrypted and to be
            recompressed.
    """
    row = _layer(media_type)
    if row is None:
        if conversion.format == "docker":
            raise UnsupportedError("layer media type in Docker's format", media_type)
        recompression(media_type, found, conversion)
        return media_type
    family = conversion.format or row.family
    new = recompression(media_type, found, conversion)
    if new is None and family == row.family:
        return media_type
    compression = _compression(row, found) if new is None else new
    converted = _LAYERS.get((family, row.distributable, compression))
    if converted is None:
        kind = "layer" if row.distributable else "foreign layer"
        raise UnsupportedError(f"compression of a {kind} in {_FAMILIES[family]}'s format", compression)
    return converted


def config_media_type(media_type: str, conversion: Conversion) -> str:
    """Return the media type of a config after a conversion; one that is not of an image config stays."""
    return _twin(media_type, conversion.format) if role_of(media_type) == "config" else media_type


def converted_manifest(
    document: Document[Manifest],
    conversion: Conversion,
    layers: Sequence[Descriptor],
    *,
    converted: Mapping[Digest, Descriptor] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[bytes, Descriptor]:
    """Return a manifest after a conversion, and its descriptor.

    Args:
        document: The manifest.
        conversion: What to convert it to.
        layers: For each layer of it a descriptor with the new media type, digest and size; their other fields are not
            used.
        converted: Other documents already converted, by their old digests: where a `subject` is found.
        limits: The limits on the document.

    Returns:
        The bytes, and the document's descriptor with the new media type, digest and size; both are the old ones if
        nothing changes.

    Raises:
        UnsupportedError: As `applicable`.
        ValueError: There are more or fewer `layers` than it has.
    """
    conversion = applicable(document, conversion)
    manifest, loaded = document.value, load_json(document.raw, media_type=document.descriptor.media_type, limits=limits)
    changed = _with_media_type(loaded, document.descriptor.media_type, conversion.format)
    config = config_media_type(manifest.config.media_type, conversion)
    if conversion.format == "oci" and config == _OLD_DOCKER_CONFIG:
        config = OCI_CONFIG
    changed["config"] = _replaced(loaded["config"], attrs.evolve(manifest.config, media_type=config))
    changed["layers"] = [_replaced(*pair) for pair in zip(loaded["layers"], layers, strict=True)]
    _replace_subject(changed, manifest, converted or {})
    return _written(document, loaded, changed, conversion.format)


def converted_index(
    document: Document[Index],
    conversion: Conversion,
    converted: Mapping[Digest, Descriptor],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[bytes, Descriptor]:
    """Return an index after a conversion, and its descriptor, as `converted_manifest`.

    Args:
        document: The index.
        conversion: What to convert it to.
        converted: The documents already converted, by their old digests. Entries whose digest is not among them stay.
        limits: The limits on the document.

    Raises:
        UnsupportedError: It is an artifact, refers to a subject, or has entries other than manifests and indexes, which
            Docker's format cannot express.
    """
    index, loaded = document.value, load_json(document.raw, media_type=document.descriptor.media_type, limits=limits)
    format_ = None if conversion.format == _family(document) else conversion.format
    if format_ == "docker":
        _refuse_in_list(index)
    changed = _with_media_type(loaded, document.descriptor.media_type, format_)
    changed["manifests"] = [
        _replaced(entry, converted.get(old.digest, old))
        for entry, old in zip(loaded["manifests"], index.manifests, strict=True)
    ]
    _replace_subject(changed, index, converted)
    return _written(document, loaded, changed, format_)


def _layer(media_type: str) -> MediaType | None:
    row = lookup(media_type)
    return row if row is not None and row.role == "layer" else None


def _compression(row: MediaType, found: Compression | None) -> Compression:
    declared = row.compression or ""
    return declared if found is None or row.family != "docker" else found


def _family(document: Document[Manifest] | Document[Index]) -> str:
    row = lookup(document.descriptor.media_type)
    return "" if row is None else row.family


def _twin(media_type: str, format_: Format | None) -> str:
    """Return the media type of this family for the same content; the same one if there is none."""
    row = lookup(media_type)
    if format_ is None or row is None or row.family == format_:
        return media_type
    return row.twin or media_type


def _refuse_subject(document: Manifest | Index) -> None:
    if document.subject is not None:
        raise UnsupportedError("subject in Docker's format", str(document.subject.digest))


def _refuse_in_list(index: Index) -> None:
    if index.artifact_type:
        raise UnsupportedError("artifact in Docker's format", index.artifact_type)
    _refuse_subject(index)
    for entry in index.manifests:
        if not is_document(entry.media_type):
            raise UnsupportedError("media type of an entry in Docker's format", entry.media_type)


_Object = dict[str, Any]  # Any: a JSON object of which most is not looked into.


def _with_media_type(loaded: _Object, old: str, format_: Format | None) -> _Object:
    """Return a copy of a document with the media type of a family; a new field comes after `schemaVersion`."""
    if format_ is None:
        return dict(loaded)
    new = {"mediaType": _twin(old, format_)}
    if "mediaType" in loaded:
        return loaded | new
    return {"schemaVersion": loaded["schemaVersion"]} | new | loaded


def _replaced(node: _Object, new: Descriptor) -> _Object:
    """Return the JSON of a descriptor that refers to other content, or to the same by another media type."""
    changed = node | {"mediaType": new.media_type, "digest": str(new.digest), "size": new.size}
    if changed["digest"] != node["digest"]:
        changed.pop("data", None)
        changed.pop("urls", None)
        found = changed.get("annotations") or {}
        kept = {key: value for key, value in found.items() if not key.startswith(_OF_OLD_BYTES)}
        if len(kept) < len(found):
            changed["annotations"] = kept
    return changed


def _replace_subject(changed: _Object, old: Manifest | Index, converted: Mapping[Digest, Descriptor]) -> None:
    if old.subject is not None and old.subject.digest in converted:
        changed["subject"] = _replaced(changed["subject"], converted[old.subject.digest])


def _written(
    document: Document[Manifest] | Document[Index], loaded: _Object, changed: _Object, format_: Format | None
) -> tuple[bytes, Descriptor]:
    if changed == loaded:
        return document.raw, document.descriptor
    raw = dumps(changed)
    media_type = _twin(document.descriptor.media_type, format_)
    new = Descriptor.of(raw, media_type=media_type)
    return raw, attrs.evolve(
        document.descriptor, media_type=media_type, digest=new.digest, size=new.size, data=None, urls=()
    )
