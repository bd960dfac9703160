"""A node of an image for Windows as JSON: in the file beside a tree on a Linux disk, and beside a transport folder.

There are its mode and owner, the target of a link, extended attributes of Linux, the time of the last write in
`written`, the metadata of Windows, and the streams with their sizes, digests and bytes. Bytes are in base64. A name is
text, or if it is not UTF-8 text to read and `KEY_base64` beside it. A time is seconds since 1970 with nine decimals, as
text. What there is none of, and what is 0, is left out.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from oci_layers.errors import LayerError, LimitError, escape
from oci_layers.layer.decode import MAX_OWNER
from oci_layers.spec.digest import Digest
from oci_layers.tree.content import Content, Inline
from oci_layers.tree.dump import parse_time, show_time
from oci_layers.tree.node import Directory, File, Node, Symlink
from oci_layers.tree.tree import FileTree
from oci_layers.tree.windows import MAX_ATTRIBUTES, WindowsMetadata

__all__ = [
    "json_lines",
    "node_json",
    "parse_node",
    "parse_text",
    "parse_windows",
    "read_list",
    "text_json",
    "whole_json",
    "windows_json",
]

_MOST_STREAM = 64 << 20
"""The most bytes of one stream that is written, in base64, as a part of one line; a larger one is an error."""

JSON = dict[str, Any]  # Any: JSON
_TIMES = {"created": "created_ns", "accessed": "accessed_ns", "changed": "changed_ns"}


def read_list(tree: FileTree, name: bytes, most: int) -> bytes:
    """Return the contents of a file that lists names, of at most that many bytes.

    Raises:
        LayerError: There is no such file, or it is larger.
    """
    node = tree.at(name)
    if not isinstance(node, File):
        raise LayerError(name, "there is no such file" if node is None else "not a file")
    if node.content.size > most:
        raise LayerError(name, f"it has {node.content.size} bytes, at most {most} are possible")
    return b"".join(node.content.chunks())


def json_lines(tree: FileTree, name: bytes, most: int) -> Iterator[JSON]:
    """Yield the JSON objects of a file that has one a line; raises as `read_list`, and for a line that has none."""
    for number, line in enumerate(read_list(tree, name, most).splitlines(), 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LayerError(name, f"line {number} is malformed: {error}") from None
        if not isinstance(value, dict):
            raise LayerError(name, f"line {number} is no object")
        yield value


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
        return _parse_bytes(encoded)
    text = value.get(key)
    if not isinstance(text, str):
        raise ValueError(f"{key} is no text")  # noqa: TRY004  # a malformed line
    return text.encode()


def node_json(path: bytes, node: Node, windows: WindowsMetadata | None) -> JSON:
    """Return the mode, the owner and the attributes of a node as a JSON object, with `windows` as its metadata.

    Raises:
        LimitError: A stream has more than 64 MiB.
    """
    value: JSON = {key: number for key in ("mode", "uid", "gid") if (number := getattr(node, key))}
    if isinstance(node, Symlink):
        del value["mode"]
    if node.xattrs:
        value["xattrs"] = _named_json(node.xattrs)
    if windows is not None:
        value["windows"] = windows_json(windows)
        if windows.streams:
            value["streams"] = [_stream_json(path, *stream) for stream in sorted(windows.streams.items())]
    return value


def whole_json(path: bytes, node: Node, windows: WindowsMetadata | None) -> JSON:
    """Return all of a node but its contents: as `node_json`, with the time of the last write and the target of a link.

    Raises:
        LimitError: A stream has more than 64 MiB.
    """
    value = node_json(path, node, windows) | {"written": show_time(node.mtime_ns)}
    return value | text_json("target", node.target) if isinstance(node, Symlink) else value


def _stream_json(path: bytes, name: bytes, content: Content) -> JSON:
    if content.size > _MOST_STREAM:
        error = LimitError("content_bytes", _MOST_STREAM, content.size)
        error.add_note(f"the stream {escape(path)}:{escape(name)}")
        raise error
    data = b"".join(content.chunks())
    return text_json("name", name) | {"size": len(data), "digest": str(Digest.of(data)), "data": _base64(data)}


def parse_node(value: Mapping[str, Any], content: Content | None, mtime_ns: int) -> Node:  # Any: JSON
    """Return the node that `whole_json` or `node_json` wrote: a link if it has a target, a directory without a content.

    The time of the last write is an argument, as the caller may have it from elsewhere.

    Raises:
        ValueError: A member is malformed.
    """
    mode, uid, gid = (_parse_number(value, key) for key in ("mode", "uid", "gid"))
    common: JSON = {"uid": uid, "gid": gid, "mtime_ns": mtime_ns, "windows": None}
    if "xattrs" in value:
        common["xattrs"] = dict(_parse_named(value, "xattrs"))
    if "windows" in value:
        windows = parse_windows(value["windows"])
        streams = {name: Inline(data) for name, data in _parse_named(value, "streams")}
        common["windows"] = attrs.evolve(windows, streams=streams) if streams else windows
    if "target" in value:
        return Symlink(**common, target=parse_text(value, "target"))
    return Directory(mode, **common) if content is None else File(mode, **common, content=content)


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
    if windows.extended_attributes:
        value["extended_attributes"] = _named_json(windows.extended_attributes)
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
        _parse_bytes(value["security_descriptor"]) if "security_descriptor" in value else None
    )
    for key, field in _TIMES.items():
        fields[field] = parse_time(str(value[key])) if key in value else None
    if "extended_attributes" in value:
        fields["extended_attributes"] = dict(_parse_named(value, "extended_attributes"))
    return WindowsMetadata(**fields)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _named_json(values: Mapping[bytes, bytes]) -> list[JSON]:
    return [text_json("name", name) | {"data": _base64(data)} for name, data in values.items()]


def _parse_named(value: Mapping[str, Any], key: str) -> Iterator[tuple[bytes, bytes]]:  # Any: JSON
    """Yield the names and the data of the objects in a list; raise ValueError if it is malformed."""
    listed = value.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ValueError(f"{key} is no list of objects")
    for each in listed:
        yield parse_text(each, "name"), _parse_bytes(each.get("data"))


def _parse_number(value: Mapping[str, Any], key: str) -> int:  # Any: JSON
    """Return the mode or owner `key`, 0 if it is left out.

    Raises:
        ValueError: It is no number that a file can have.
    """
    number, most = value.get(key, 0), 0o7777 if key == "mode" else MAX_OWNER
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError(f"{key} is no number up to {most}")
    return number


def _parse_bytes(text: object) -> bytes:
    """Return bytes from base64; raise ValueError if it is none."""
    if not isinstance(text, str):
        raise ValueError("expected base64")  # noqa: TRY004  # a malformed line
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("expected base64") from None
