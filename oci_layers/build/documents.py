"""The config and the manifest of an image that was made, as bytes in a store.

A document that says the same as that of the base is the very document of the base.
"""

from collections.abc import Mapping, Sequence

import attrs

from oci_layers.blob.store import BlobStore, put_bytes
from oci_layers.build.fields import JSONObject, referring, with_field, without_field
from oci_layers.errors import LimitError
from oci_layers.limits import Limits
from oci_layers.spec import mediatype
from oci_layers.spec.codec import dumps, structure
from oci_layers.spec.config import ImageConfig, platform_of
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import Document
from oci_layers.spec.manifest import Manifest
from oci_layers.spec.platform import Platform
from oci_layers.store.convert import Format

__all__ = ["DOCUMENT_TYPES", "Base", "Documents", "on_platform"]

DOCUMENT_TYPES: Mapping[Format, tuple[str, str]] = {
    "oci": (mediatype.OCI_MANIFEST, mediatype.OCI_CONFIG),
    "docker": (mediatype.DOCKER_MANIFEST, mediatype.DOCKER_CONFIG),
}
"""The media types of manifest and config, by family."""
_PLATFORM = {
    "architecture": "architecture",
    "os": "os",
    "os.version": "os_version",
    "os.features": "os_features",
    "variant": "variant",
}
"""The fields of a config that are its platform, and their names in the model."""


@attrs.frozen(kw_only=True, eq=False)
class Base:
    """The documents of the image that was opened."""

    manifest: Document[Manifest]
    config: Document[ImageConfig]
    manifest_json: JSONObject
    config_json: JSONObject


@attrs.frozen(kw_only=True)
class Documents:
    """Writes the two documents of an image."""

    base: Base | None
    limits: Limits

    def put(
        self, blobs: BlobStore, manifest: JSONObject, config: JSONObject, layers: Sequence[JSONObject]
    ) -> Descriptor:
        """Store the config, then the manifest; return the descriptor of the manifest, with its platform.

        Raises:
            LimitError: A document is larger than readers are allowed to read.
        """
        base, node = self.base, manifest["config"]
        if base is not None and config == base.config_json:
            raw, old = base.config.raw, base.config.descriptor
            new = attrs.evolve(old, media_type=node["mediaType"], data=None)
        else:
            raw = dumps(config)
            new = Descriptor.of(raw, media_type=node["mediaType"])
        self._put(blobs, raw, new, "config_bytes", self.limits.config_bytes)
        manifest = {**manifest, "config": referring(node, new), "layers": list(layers)}
        if base is not None and manifest == base.manifest_json:
            raw, new = base.manifest.raw, base.manifest.descriptor
        else:
            raw = dumps(manifest)
            new = Descriptor.of(raw, media_type=manifest.get("mediaType", mediatype.OCI_MANIFEST))
        self._put(blobs, raw, new, "document_bytes", self.limits.document_bytes)
        platform = platform_of(structure(config, ImageConfig, media_type=node["mediaType"]))
        said = platform if platform.os and platform.architecture else None
        return Descriptor(media_type=new.media_type, digest=new.digest, size=new.size, platform=said)

    @staticmethod
    def _put(blobs: BlobStore, raw: bytes, descriptor: Descriptor, limit: str, allowed: int) -> None:
        if len(raw) > allowed:
            raise LimitError(limit, allowed, len(raw))
        put_bytes(blobs, raw, descriptor)


def on_platform(config: JSONObject, platform: Platform) -> JSONObject:
    """Return a config for another platform."""
    for name, attribute in _PLATFORM.items():
        value = getattr(platform, attribute)
        value = list(value) if isinstance(value, tuple) else value
        config = with_field("config", config, name, value) if value else without_field(config, name)
    return config
