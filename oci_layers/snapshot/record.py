"""The records of a room as JSON: what an unpacked layer, an image or a container is.

A record has only what cannot be computed. Fields that are not known are ignored, so that a later version may add some.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs

from oci_layers.disk.owner import IdMap, Owner
from oci_layers.errors import OCIError, StoreError
from oci_layers.spec.digest import Digest

__all__ = ["ContainerRecord", "ImageRecord", "LayerRecord", "MountRecord", "dumps", "loads"]

R = TypeVar("R", "LayerRecord", "ImageRecord", "ContainerRecord", "MountRecord")


def _digest(value: str | Digest) -> Digest:
    return value if isinstance(value, Digest) else Digest.parse(value)


def _maybe_digest(value: str | Digest | None) -> Digest | None:
    return None if value is None else _digest(value)


def _counts(value: Mapping[str, int]) -> dict[str, int]:
    return {str(kind): int(count) for kind, count in value.items()}


def _id_maps(value: Iterable[str | IdMap]) -> tuple[IdMap, ...]:
    return tuple(each if isinstance(each, IdMap) else IdMap.parse(each) for each in value)


@attrs.frozen(kw_only=True)
class LayerRecord:
    """A layer that is unpacked. Its chain_id is the name of its directory."""

    diff_id: Digest = attrs.field(converter=_digest)
    """The digest of the layer's uncompressed tar. The tar cannot be had from the directory."""
    parent: Digest | None = attrs.field(converter=_maybe_digest)
    """The chain_id of the layer below; None for a base."""
    files: int = attrs.field(converter=int)
    """How many names of files the directory has."""
    bytes: int = attrs.field(converter=int)
    """The bytes of their contents."""
    same_owner: bool = attrs.field(converter=bool)
    """Whether files on disk have the owners in the image."""
    skipped: Mapping[str, int] = attrs.field(factory=dict, converter=_counts)
    """What the system refused, by kind, as in `Report.skipped`, and how often."""


@attrs.frozen(kw_only=True)
class ImageRecord:
    """An image whose layers are unpacked."""

    name: str = attrs.field(converter=str)
    """The name under which it was unpacked."""
    manifest: Digest = attrs.field(converter=_digest)
    """The digest of its manifest."""
    chain_id: Digest | None = attrs.field(converter=_maybe_digest)
    """The chain_id of its topmost layer; None if it has no layer."""


@attrs.frozen(kw_only=True)
class ContainerRecord:
    """A container: a writable directory over the layers of an image."""

    name: str = attrs.field(converter=str)
    """Its name; empty for one that is gone when it is closed."""
    image: str = attrs.field(converter=str)
    """The name of the image that it began from."""
    manifest: Digest = attrs.field(converter=_digest)
    """The digest of the image's manifest."""
    chain_id: Digest | None = attrs.field(converter=_maybe_digest)
    """The chain_id of the image's topmost layer; None if it has no layer."""
    created_ns: int = attrs.field(converter=int)
    """When it was made, in nanoseconds since 1970."""
    presenter: str = attrs.field(default="", converter=str)
    """What wrote to its directory first, and wrote it in its own form; empty before."""
    uids: tuple[IdMap, ...] = attrs.field(default=(), converter=_id_maps)
    """The users that it shows for those of the image; none if they are the same."""
    gids: tuple[IdMap, ...] = attrs.field(default=(), converter=_id_maps)
    """The groups."""

    @property
    def owner(self) -> Owner:
        """The owners that it shows and writes."""
        return Owner(uids=self.uids, gids=self.gids)


@attrs.frozen(kw_only=True)
class MountRecord:
    """A mount at a path, which stays when its process ends."""

    path: str = attrs.field(converter=str)
    """Where it is."""
    device: int = attrs.field(converter=int)
    """The number of the mount's device, which tells it from another mount at this path."""
    chain_id: Digest | None = attrs.field(converter=_maybe_digest)
    """The chain_id of the topmost layer that it shows; None if it shows no layer."""
    container: str = attrs.field(default="", converter=str)
    """The name of the container that it shows; empty for an image."""


def dumps(record: LayerRecord | ImageRecord | ContainerRecord | MountRecord) -> bytes:
    """Return a record as JSON."""
    return json.dumps(attrs.asdict(record, recurse=False), indent=1, default=str).encode() + b"\n"


def loads(model: type[R], raw: bytes, place: str) -> R:
    """Return the record that `dumps` wrote.

    Args:
        model: The class of the record.
        raw: The JSON.
        place: The name of the record in errors.

    Raises:
        StoreError: The record is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(raw)  # Any: JSON
        return model(**{field.name: found[field.name] for field in attrs.fields(model) if field.name in found})
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, OCIError) as error:
        raise StoreError(place, "the record is damaged") from error
