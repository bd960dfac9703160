"""Where an image that is made begins: from nothing, or from an image that is open."""

from oci_layers import system
from oci_layers.build.documents import DOCUMENT_TYPES, Base, on_platform
from oci_layers.build.fields import Created, JSONObject, time_text, with_field
from oci_layers.build.image import NewImage
from oci_layers.build.stack import Slot
from oci_layers.image.image import Image
from oci_layers.spec.codec import unstructure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import lookup
from oci_layers.spec.platform import Platform
from oci_layers.spec.strict_json import load_json
from oci_layers.store.convert import Conversion, Format, applicable

__all__ = ["edit", "scratch"]


def scratch(platform: str | Platform, *, format: Format = "oci", created: Created | None = None) -> NewImage:  # noqa: A002  # as in Conversion
    """Return an image without layers.

    Args:
        platform: `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64`.
        format: The family of its media types.
        created: Its time; by default that of the environment variable SOURCE_DATE_EPOCH, or none.

    Raises:
        NameFormatError: The platform, the time or the variable is malformed.
    """
    manifest_type, config_type = DOCUMENT_TYPES[format]
    empty = unstructure(Descriptor.of(b"", media_type=config_type))
    manifest = {"schemaVersion": 2, "mediaType": manifest_type, "config": empty, "layers": []}
    config: JSONObject = {"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": []}}
    config = on_platform(config, Platform.parse(platform) if isinstance(platform, str) else platform)
    time = _default_time(created)
    if time is not None:
        config = with_field("config", config, "created", time)
    return NewImage(manifest_json=manifest, config_json=config, format=format, created=time)


def edit(image: Image, *, format: Format | None = None, created: Created | None = None) -> NewImage:  # noqa: A002  # as above
    """Return an image that is equal to one that is open, to be changed. Its layers are shared.

    Args:
        image: The image; it must be open until the new one is written.
        format: The family of its media types; that of the image by default. If it is another one, only the types of
            documents and layers change.
        created: The time of what is changed; by default that of the environment variable SOURCE_DATE_EPOCH, or none,
            and then the image keeps the time that it has. An image without a change keeps it anyway.

    Raises:
        UnsupportedError: It is an artifact, or it has what Docker's format cannot express.
        NameFormatError: The time or the variable is malformed.
        OCIError: A document of the image is missing, damaged or malformed.
        TypeError: It is no open image, but a name, for example.
    """
    if not isinstance(image, Image):
        raise TypeError(f"image: expected an open image, as open_image returns it, not {type(image).__name__}")
    document, config = image.manifest_document, image.config_document
    media_type, limits = document.descriptor.media_type, image.limits
    manifest_json = load_json(document.raw, media_type=media_type, limits=limits)
    config_json = load_json(config.raw, media_type=config.descriptor.media_type, limits=limits, limit="config_bytes")
    row = lookup(media_type)
    family: Format = "docker" if row is not None and row.family == "docker" else "oci"
    base = Base(manifest=document, config=config, manifest_json=manifest_json, config_json=config_json)
    nodes: list[JSONObject | None] = list(manifest_json["layers"])
    manifest: JSONObject = manifest_json
    if format not in {None, family}:
        applicable(document, Conversion(format=format))
        family = "oci" if family == "docker" else "docker"
        manifest = _of_family(manifest, family)
        nodes = [None] * len(nodes)
    return NewImage(
        manifest_json=manifest,
        config_json=config_json,
        slots=tuple(Slot(layer=layer, node=node) for layer, node in zip(image.layers, nodes, strict=True)),
        format=family,
        created=_default_time(created),
        limits=limits,
        base=base,
    )


def _default_time(created: Created | None) -> str | None:
    if created is None:
        created = system.source_date_epoch()
    return None if created is None else time_text(created)


def _of_family(manifest: JSONObject, family: Format) -> JSONObject:
    """Return a manifest with the media types of a family, those of its layers excepted."""
    manifest_type, config_type = DOCUMENT_TYPES[family]
    return {
        **with_field("manifest", manifest, "mediaType", manifest_type),
        "config": {**manifest["config"], "mediaType": config_type},
    }
