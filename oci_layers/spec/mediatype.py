"""The media types that this library knows: the role of each, its compression, and its twin of another family.

One table has them all (media-types.md, and those of Docker and others); the constants are the names in it. A media type
that is not in the table is data, never an error: `lookup` returns None for it. The grammar of media types is here, too.
`blob/compression` checks whether the bytes of a layer match its media type.
"""

import re
from typing import Literal

import attrs

from oci_layers.errors import NameFormatError

__all__ = [
    "DOCKER_CONFIG",
    "DOCKER_FOREIGN_LAYER",
    "DOCKER_FOREIGN_LAYER_GZIP",
    "DOCKER_LAYER",
    "DOCKER_LAYER_GZIP",
    "DOCKER_LAYER_ZSTD",
    "DOCKER_MANIFEST",
    "DOCKER_MANIFEST_LIST",
    "OCI_CONFIG",
    "OCI_DESCRIPTOR",
    "OCI_EMPTY",
    "OCI_INDEX",
    "OCI_LAYER",
    "OCI_LAYER_GZIP",
    "OCI_LAYER_ZSTD",
    "OCI_LAYOUT",
    "OCI_MANIFEST",
    "OCI_NONDISTRIBUTABLE_LAYER",
    "OCI_NONDISTRIBUTABLE_LAYER_GZIP",
    "OCI_NONDISTRIBUTABLE_LAYER_ZSTD",
    "MediaType",
    "check_media_type",
    "is_distributable",
    "is_document",
    "lookup",
    "role_of",
]

_SIDE = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_GRAMMAR = re.compile(f"{_SIDE}/{_SIDE}")

_OCI = "application/vnd.oci."
OCI_DESCRIPTOR = _OCI + "descriptor.v1+json"
OCI_LAYOUT = _OCI + "layout.header.v1+json"
OCI_INDEX = _OCI + "image.index.v1+json"
OCI_MANIFEST = _OCI + "image.manifest.v1+json"
OCI_CONFIG = _OCI + "image.config.v1+json"
OCI_EMPTY = _OCI + "empty.v1+json"
OCI_LAYER = _OCI + "image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
OCI_NONDISTRIBUTABLE_LAYER = _OCI + "image.layer.nondistributable.v1.tar"
OCI_NONDISTRIBUTABLE_LAYER_GZIP = OCI_NONDISTRIBUTABLE_LAYER + "+gzip"
OCI_NONDISTRIBUTABLE_LAYER_ZSTD = OCI_NONDISTRIBUTABLE_LAYER + "+zstd"

_DOCKER = "application/vnd.docker."
DOCKER_MANIFEST = _DOCKER + "distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = _DOCKER + "distribution.manifest.list.v2+json"
DOCKER_CONFIG = _DOCKER + "container.image.v1+json"
DOCKER_LAYER = _DOCKER + "image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = DOCKER_LAYER + ".gzip"
DOCKER_LAYER_ZSTD = DOCKER_LAYER + ".zstd"
DOCKER_FOREIGN_LAYER = _DOCKER + "image.rootfs.foreign.diff.tar"
DOCKER_FOREIGN_LAYER_GZIP = DOCKER_FOREIGN_LAYER + ".gzip"


@attrs.frozen(kw_only=True)
class MediaType:
    """One row of the table."""

    name: str
    """The media type itself."""
    role: Literal["descriptor", "layout", "index", "manifest", "config", "layer", "empty", "opaque"]
    """The kind of content; `opaque` content exists in real images and is kept, but never read."""
    family: Literal["oci", "docker", "other"]
    """The organisation that defines it."""
    compression: Literal["", "gzip", "zstd"] | None = ""
    """The compression of a layer: "" for none, None if only its first bytes tell."""
    distributable: bool = True
    """Whether the content may be pushed to any registry (layer.md, "Non-Distributable Layers")."""
    deprecated: bool = False
    """Whether new documents should not use it."""
    twin: str | None = None
    """The media type of the other family for the same content."""


_TABLE = (
    MediaType(name=OCI_DESCRIPTOR, role="descriptor", family="oci"),
    MediaType(name=OCI_LAYOUT, role="layout", family="oci"),
    MediaType(name=OCI_INDEX, role="index", family="oci", twin=DOCKER_MANIFEST_LIST),
    MediaType(name=OCI_MANIFEST, role="manifest", family="oci", twin=DOCKER_MANIFEST),
    MediaType(name=OCI_CONFIG, role="config", family="oci", twin=DOCKER_CONFIG),
    MediaType(name=OCI_EMPTY, role="empty", family="oci"),
    MediaType(name=OCI_LAYER, role="layer", family="oci", twin=DOCKER_LAYER),
    MediaType(name=OCI_LAYER_GZIP, role="layer", family="oci", compression="gzip", twin=DOCKER_LAYER_GZIP),
    MediaType(name=OCI_LAYER_ZSTD, role="layer", family="oci", compression="zstd", twin=DOCKER_LAYER_ZSTD),
    MediaType(
        name=OCI_NONDISTRIBUTABLE_LAYER,
        role="layer",
        family="oci",
        distributable=False,
        deprecated=True,
        twin=DOCKER_FOREIGN_LAYER,
    ),
    MediaType(
        name=OCI_NONDISTRIBUTABLE_LAYER_GZIP,
        role="layer",
        family="oci",
        compression="gzip",
        distributable=False,
        deprecated=True,
        twin=DOCKER_FOREIGN_LAYER_GZIP,
    ),
    MediaType(
        name=OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
        role="layer",
        family="oci",
        compression="zstd",
        distributable=False,
        deprecated=True,
    ),
    MediaType(name=DOCKER_MANIFEST_LIST, role="index", family="docker", twin=OCI_INDEX),
    MediaType(name=DOCKER_MANIFEST, role="manifest", family="docker", twin=OCI_MANIFEST),
    MediaType(name=DOCKER_CONFIG, role="config", family="docker", twin=OCI_CONFIG),
    # Real images use Docker's plain .tar types for compressed layers, too, so these tell no compression.
    MediaType(name=DOCKER_LAYER, role="layer", family="docker", compression=None, twin=OCI_LAYER),
    MediaType(name=DOCKER_LAYER_GZIP, role="layer", family="docker", compression="gzip", twin=OCI_LAYER_GZIP),
    MediaType(name=DOCKER_LAYER_ZSTD, role="layer", family="docker", compression="zstd", twin=OCI_LAYER_ZSTD),
    MediaType(name=DOCKER_LAYER + "+zstd", role="layer", family="docker", compression="zstd", twin=OCI_LAYER_ZSTD),
    MediaType(
        name=DOCKER_FOREIGN_LAYER,
        role="layer",
        family="docker",
        compression=None,
        distributable=False,
        deprecated=True,
        twin=OCI_NONDISTRIBUTABLE_LAYER,
    ),
    MediaType(
        name=DOCKER_FOREIGN_LAYER_GZIP,
        role="layer",
        family="docker",
        compression="gzip",
        distributable=False,
        deprecated=True,
        twin=OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    ),
    MediaType(name=_DOCKER + "distribution.manifest.v1+json", role="opaque", family="docker", deprecated=True),
    MediaType(name=_DOCKER + "distribution.manifest.v1+prettyjws", role="opaque", family="docker", deprecated=True),
    MediaType(name=_DOCKER + "plugin.v1+json", role="opaque", family="docker"),
    MediaType(name=OCI_LAYER + "+encrypted", role="opaque", family="other"),
    MediaType(name=OCI_LAYER_GZIP + "+encrypted", role="opaque", family="other"),
    MediaType(name=OCI_LAYER_ZSTD + "+encrypted", role="opaque", family="other"),
    MediaType(name="application/vnd.in-toto+json", role="opaque", family="other"),
    MediaType(name="application/vnd.erofs.layer.v1", role="opaque", family="other"),
    MediaType(name="application/vnd.sylabs.sif.layer.v1.squashfs", role="opaque", family="other"),
)

_BY_NAME = {row.name: row for row in _TABLE}


def lookup(media_type: str) -> MediaType | None:
    """Return the row of a media type, or None for an unknown one."""
    return _BY_NAME.get(media_type)


def is_distributable(media_type: str) -> bool:
    """Tell whether content may be pushed to any registry: all but layers of the types that exclude it (NDL-01)."""
    row = lookup(media_type)
    return row is None or row.distributable


def role_of(media_type: str) -> str:
    """Return the role of a media type, such as "layer"; empty for an unknown one."""
    row = lookup(media_type)
    return "" if row is None else row.role


def is_document(media_type: str) -> bool:
    """Tell whether content is a manifest or an index, which registries keep apart from blobs."""
    return role_of(media_type) in {"manifest", "index"}


def check_media_type(text: str) -> None:
    """Check the grammar of a media type (descriptor.md, `mediaType`, after RFC 6838 section 4.2).

    Raises:
        NameFormatError: The text is not `TYPE/SUBTYPE`; parameters are not allowed.
    """
    if not _GRAMMAR.fullmatch(text):
        raise NameFormatError("media type", text, "must be TYPE/SUBTYPE, each of 1 to 127 characters after RFC 6838")
