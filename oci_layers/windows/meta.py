"""What only files of Windows have, as JSON: in the file beside a tree on a Linux disk, and beside a transport folder.

Bytes are in base64. A name is text, or if it is not UTF-8 text to read and `KEY_base64` beside it. A time is seconds
since 1970 with nine decimals, as text. What there is none of is left out.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from oci_layers.errors import escape
from oci_layers.layer.decode import MAX_OWNER
from oci_layers.tree.dump import parse_time, show_time
from oci_layers.tree.windows import MAX_ATTRIBUTES, WindowsMetadata

__all__ = ["parse_bytes", "parse_named", "parse_number", "parse_text", "parse_windows", "text_json", "windows_json"]

JSON = dict[str, Any]  # Any: JSON
_TIMES = {"created": "created_ns", "accessed": "accessed_ns", "changed": "changed_ns"}


def text_json(key: str, text: bytes) -> JSON:
    """Return the JSON members of a name or path."""
    try:
        return {key: text.decode()}
    except UnicodeDecodeError:
        return {key: escape(text), f"{key}_base64": base64.b64encode(text).decode()}


def parse_text(value: Mapping[str, Any], key: str) -> bytes:  # Any: JSON
    """Return the name or path that `text_json` wrote.

    Raises:
        ValueError: There is none, or it is malformed.
    """
    encoded = value.get(f"{key}_base64")
    if encoded is not None:
        return parse_bytes(encoded)
    text = value.get(key)
    if not isinstance(text, str):
        raise ValueError(f"{key} is no text")  # noqa: TRY004  # a malformed line
    return text.encode()


def windows_json(windows: WindowsMetadata) -> JSON:
    """Return metadata of Windows as a JSON object, streams excepted."""
    value: JSON = {
        "attributes": windows.attributes,
        "security_descriptor": _base64(windows.security_descriptor),
        "junction": windows.is_junction or None,
    }
    if windows.sddl is not None:
        value |= text_json("sddl", windows.sddl)
    for key, field in _TIMES.items():
        time = getattr(windows, field)
        value[key] = None if time is None else show_time(time)
    attributes = windows.extended_attributes.items()
    if attributes:
        value["extended_attributes"] = [text_json("name", name) | {"data": _base64(data)} for name, data in attributes]
    return {key: each for key, each in value.items() if each is not None}


def parse_windows(value: Mapping[str, Any]) -> WindowsMetadata:  # Any: JSON
    """Return the metadata that `windows_json` wrote; other members are not looked at.

    Raises:
        ValueError: A member is malformed.
    """
    attributes = value.get("attributes")
    if attributes is not None and (type(attributes) is not int or not 0 <= attributes <= MAX_ATTRIBUTES):
        raise ValueError("attributes is no number of 32 bits")
    fields: JSON = {"attributes": attributes, "is_junction": value.get("junction") is True}
    fields["sddl"] = parse_text(value, "sddl") if "sddl" in value else None
    fields["security_descriptor"] = (
        parse_bytes(value["security_descriptor"]) if "security_descriptor" in value else None
    )
    for key, field in _TIMES.items():
        fields[field] = parse_time(str(value[key])) if key in value else None
    if "extended_attributes" in value:
        fields["extended_attributes"] = dict(parse_named(value, "extended_attributes"))
    return WindowsMetadata(**fields)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def parse_named(value: Mapping[str, Any], key: str) -> Iterator[tuple[bytes, bytes]]:  # Any: JSON
    """Yield the names and the data of the objects in a list; raise ValueError if it is malformed."""
    listed = value.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ValueError(f"{key} is no list of objects")
    for each in listed:
        yield parse_text(each, "name"), parse_bytes(each.get("data"))


def parse_number(value: Mapping[str, Any], key: str) -> int:  # Any: JSON
    """Return the mode or owner `key`, 0 if it is left out.

    Raises:
        ValueError: It is no number that a file can have.
    """
    number, most = value.get(key, 0), 0o7777 if key == "mode" else MAX_OWNER
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError(f"{key} is no number up to {most}")
    return number


def parse_bytes(text: object) -> bytes:
    """Return bytes from base64; raise ValueError if it is none."""
    if not isinstance(text, str):
        raise ValueError("expected base64")  # noqa: TRY004  # a malformed line
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("expected base64") from None
