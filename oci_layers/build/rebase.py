"""An image onto another base, and an image without some of its layers.

The layers of the old base and their history entries are replaced by those of the new one; all above stays as it is.
An upper layer is not looked into: what it removes, changes or links to may be absent from the new base. The settings of
the image stay, too, also those that it has from the old base; only the version of Windows is that of the new base.
"""

import contextlib
from collections.abc import Sequence

import attrs

from oci_layers.build.base import OpenNamed, base_of
from oci_layers.build.begin import edit
from oci_layers.build.fields import Created, JSONObject, with_field
from oci_layers.build.history import aligned, is_empty, layer_positions
from oci_layers.build.image import NewImage
from oci_layers.build.squash import layers_below
from oci_layers.build.stack import Slot
from oci_layers.errors import LayerMissingError, UnsupportedError
from oci_layers.image.image import Image
from oci_layers.spec.annotations import BASE_DIGEST, BASE_NAME
from oci_layers.spec.digest import Digest

__all__ = ["drop_layer", "rebase"]


def rebase(
    image: Image,
    old_base: Image | Sequence[Digest | str] | None,
    new_base: Image,
    *,
    open_named: OpenNamed | None = None,
    name: str | None = None,
    created: Created | None = None,
) -> NewImage:
    """Return an image with another base: new layers and history entries below its own.

    Onto the same base it stays as it is, to the byte. An image without a history loses nothing: if its new base has a
    history, its own layers get entries without fields.

    Args:
        image: The image; both bases and it must be open until the new one is written.
        old_base: Its base, of which the diff_ids are compared; or these alone, of a base that is gone. With None, the
            one whose digest is in the annotation `org.opencontainers.image.base.digest` of the image, if its documents
            are where the new base or the image is; otherwise the one whose name is in `base.name`.
        new_base: The image whose layers take the place of those of the old base.
        open_named: Opens the old base by the name in the annotation, and raises `MissingError` if there is none, such
            as `lambda name: open_image(layout, ref=name)`; the image that it returns is closed. Without it, only the
            digest counts.
        name: The new value of the annotation `org.opencontainers.image.base.name`. That and the digest are only
            changed where the image has them.
        created: As for `edit`.

    Raises:
        BaseMismatchError: The layers of `old_base` are not the lowest ones of the image.
        ReferenceMissingError: `old_base` is None, and the image has no such annotation, or there is none of that name.
        BlobMissingError: `old_base` is None, and its documents are not there.
        UnsupportedError: The new base is for another platform.
        OCIError: A document is missing, damaged or malformed.
    """
    with contextlib.ExitStack() as opened:
        if old_base is None:
            old_base = opened.enter_context(base_of(image, [new_base.blobs, image.blobs], open_named))
        count = layers_below(image, old_base)
        old = edit(old_base) if isinstance(old_base, Image) else None
    found, other = edit(image, created=created), edit(new_base)
    for field in ("os", "architecture"):
        if found.config_json[field] != other.config_json[field]:
            raise UnsupportedError(
                "base for another platform", str(other.platform), f"the image is for {found.platform}"
            )
    if isinstance(old_base, Image) and new_base.descriptor.digest == old_base.descriptor.digest:
        return _annotated(found, None, name)
    below = [Slot(layer=slot.layer, node=slot.node if other.format == found.format else None) for slot in other.slots]
    history: list[JSONObject] = []
    if found.history or other.history:
        above = aligned(found.history, len(found.slots))
        history = aligned(other.history, len(below)) + above[_end_of_base(above, old.history if old else (), count) :]
    rebased = found.restack([*below, *found.slots[count:]], history)
    return _annotated(_on_version(rebased, other), str(new_base.descriptor.digest), name)


def _end_of_base(history: Sequence[JSONObject], base: Sequence[JSONObject], layers: int) -> int:
    """Return how many entries of a history, aligned, are those of a base with so many layers.

    They end with the entry of the topmost layer, and the entries of other steps that the base has after it.
    """
    positions = layer_positions(history)
    end = positions[layers - 1] + 1 if layers else 0
    made = layer_positions(base)
    for entry in base[made[-1] + 1 if made else 0 :]:
        if end == len(history) or not is_empty(history[end]) or not _is_same_step(history[end], entry):
            break
        end += 1
    return end


def _is_same_step(one: JSONObject, other: JSONObject) -> bool:
    return all(one.get(field) == other.get(field) for field in ("created_by", "comment"))


def _on_version(image: NewImage, base: NewImage) -> NewImage:
    """Return an image with the version of the operating system that its base has, if that has one."""
    version = base.config_json.get("os.version")
    if not version or image.config_json.get("os.version") == version:
        return image
    return attrs.evolve(image, config_json=with_field("config", image.config_json, "os.version", version))


def _annotated(image: NewImage, digest: str | None, name: str | None) -> NewImage:
    known = image.manifest_json.get("annotations") or {}
    changes = {BASE_DIGEST: digest, BASE_NAME: name}
    new = {key: value for key, value in changes.items() if value is not None and key in known}
    return image.annotate(new) if new else image


def drop_layer(image: Image, *indexes: int, created: Created | None = None) -> NewImage:
    """Return an image without some of its layers and their history entries; the layers above are not looked into.

    Args:
        image: The image; it must be open until the new one is written.
        indexes: The numbers of the layers in this image, 0 at the bottom.
        created: As for `edit`.

    Raises:
        LayerMissingError: There is no such layer.
        OCIError: As `edit`.
    """
    found = edit(image, created=created)
    count = len(found.slots)
    for index in indexes:
        if not 0 <= index < count:
            raise LayerMissingError(index, count)
    if not indexes:
        return found
    history = list(found.history)
    if history:
        history = aligned(history, count)
        gone = {layer_positions(history)[index] for index in indexes}
        history = [entry for at, entry in enumerate(history) if at not in gone]
    return found.restack([slot for at, slot in enumerate(found.slots) if at not in indexes], history)
