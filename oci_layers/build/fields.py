"""Changes of JSON objects that keep what is not changed: unknown fields, explicit nulls, and the order of fields.

Documents of images are changed as the JSON that was read, not as models, so that nothing is lost and a document in
which nothing changes keeps its bytes. A new field is put where the spec's Go types have it. Objects are never changed
in place: every function returns a new one.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from oci_layers.errors import NameFormatError
from oci_layers.spec.descriptor import Descriptor
from oci_layers.validation.grammar import is_date_time

__all__ = ["Created", "JSONObject", "merged", "referring", "time_text", "with_field", "without_field"]

JSONObject = Mapping[str, Any]
"""A JSON object of which most is not looked into, and which is never changed in place. (Any: a value of JSON.)"""

Created = str | int | dt.datetime
"""A time: RFC 3339 as it will be written, seconds since 1970, or a `datetime` with a time zone."""

_ORDERS: Mapping[str, tuple[str, ...]] = {
    "manifest": ("schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"),
    "index": ("schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"),
    "config": (
        *("created", "author", "architecture", "os", "os.version", "os.features", "variant"),
        *("config", "rootfs", "history"),
    ),
    "container": (
        *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal"),
        "Healthcheck",
    ),
}
"""The fields of each kind of object, in the order of the spec's Go types."""
_OF_OLD_BYTES = ("data", "urls")


def with_field(kind: str, obj: JSONObject, name: str, value: object) -> JSONObject:
    """Return an object with a field; a new one comes before the first of those that follow it in the spec."""
    if name in obj:
        return {**obj, name: value}
    order = _ORDERS[kind]
    after = set(order[order.index(name) + 1 :])
    changed: dict[str, object] = {}
    for key, item in obj.items():
        if key in after:
            changed.setdefault(name, value)
        changed[key] = item
    changed.setdefault(name, value)
    return changed


def without_field(obj: JSONObject, name: str) -> JSONObject:
    """Return an object without a field."""
    return {key: value for key, value in obj.items() if key != name}


def merged(old: JSONObject | None, changes: Mapping[str, str | None]) -> JSONObject:
    """Return an object of strings with new values by their keys; the value None removes a key."""
    found = {**(old or {}), **changes}
    return {key: value for key, value in found.items() if key not in changes or value is not None}


def referring(node: JSONObject, new: Descriptor) -> JSONObject:
    """Return the JSON of a descriptor that refers to other content, or to the same by another media type."""
    changed = {**node, "mediaType": new.media_type, "digest": str(new.digest), "size": new.size}
    if changed["digest"] != node.get("digest"):
        changed = {key: value for key, value in changed.items() if key not in _OF_OLD_BYTES}
    return changed


def time_text(created: Created) -> str:
    """Return a time as RFC 3339, in UTC unless it is given as text.

    Raises:
        NameFormatError: The text is not RFC 3339, or the time has no time zone.
    """
    if isinstance(created, str):
        if not is_date_time(created):
            raise NameFormatError("time", created, "must be RFC 3339, such as 2024-01-31T12:00:00Z")
        return created
    if isinstance(created, int):
        created = dt.datetime.fromtimestamp(created, dt.UTC)
    if created.tzinfo is None:
        raise NameFormatError("time", str(created), "must have a time zone")
    return created.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
