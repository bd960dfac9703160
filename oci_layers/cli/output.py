r"""Format values for output: text without terminal control characters, and JSON with stable keys.

A path in JSON is text; if it is not UTF-8, the text has `\xNN` escapes and `path_base64` has the exact bytes.
"""

import base64
import json
import os
import re
import stat
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import attrs

from oci_layers.errors import escape
from oci_layers.image.layer import Layer
from oci_layers.report import LayerFinding, Listing, Report, Skipped
from oci_layers.tree.node import Device, Directory, Fifo, File, Node, Symlink
from oci_layers.windows.meta import windows_json

__all__ = [
    "columns",
    "counted",
    "human_bytes",
    "json_text",
    "listing_json",
    "long_line",
    "made_by",
    "node_json",
    "one_line",
    "path_json",
    "print_json",
    "print_summary",
    "report_json",
    "shades",
    "short_digests",
]

_NANO = 10**9
_DIGEST = re.compile("(:[0-9a-f]{12})[0-9a-f]{52,}")


def print_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return JSON in ASCII, with any other character escaped."""
    return json.dumps(value, indent=indent, ensure_ascii=True)


def path_json(path: bytes, key: str = "path") -> dict[str, str]:
    """Return the JSON members of a path: readable text, and the exact bytes if the text is not exact."""
    try:
        return {key: path.decode()}
    except UnicodeDecodeError:
        return {key: escape(path), f"{key}_base64": base64.b64encode(path).decode()}


def one_line(text: str) -> str:
    """Escape what is not printable, newlines included; a backslash stays as it is."""
    return "".join(char if char.isprintable() else escape(char) for char in text)


def human_bytes(count: int) -> str:
    """Return a size with a decimal unit, such as `1.5 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count and its noun, such as `2 files`."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def report_json(report: Report) -> dict[str, Any]:  # Any: JSON
    """Return a report as a JSON object."""
    return {
        "entries": report.entries,
        "files": report.files,
        "bytes": report.bytes,
        "layers": [attrs.asdict(layer) | {"seconds": round(layer.seconds, 6)} for layer in report.layers],
        "skipped": listing_json(report.skipped),
        "findings": listing_json(report.findings),
        "leftovers": [path_json(os.fsencode(path)) for path in report.leftovers],
    }


def print_summary(report: Report) -> None:
    """Print to stderr one line each for skipped metadata, warnings about the image, and leftovers of killed runs."""
    for listing, text in ((report.skipped, "not set"), (report.findings, "warnings")):
        if len(listing):
            totals = ", ".join(f"{count} {what}" for what, count in sorted(listing.totals.items()))
            print(f"oci-layers: {text}: {totals} (--format json lists them)", file=sys.stderr)
    for path in report.leftovers:
        print(f"oci-layers: left by an interrupted run: {escape(path)}; remove it with rm -r", file=sys.stderr)


def listing_json(listing: Listing[Skipped] | Listing[LayerFinding]) -> dict[str, Any]:  # Any: JSON
    """Return what was skipped or found as a JSON object."""
    items: Iterable[Skipped | LayerFinding] = listing.items
    return {"totals": dict(sorted(listing.totals.items())), "items": [_item(item) for item in items]}


def _item(item: Skipped | LayerFinding) -> dict[str, Any]:  # Any: JSON
    if isinstance(item, Skipped):
        path = path_json(b"/" + item.path)
        return {"what": item.what, **path, "layer": item.layer, "errno": item.errno, "detail": item.detail}
    path = path_json(b"/" + item.location.path)
    return {
        "rule": item.rule,
        "severity": item.severity,
        **path,
        "layer": item.location.layer,
        "message": item.message,
    }


def _kind(node: Node) -> tuple[str, int]:
    match node:
        case Directory():
            return "directory", stat.S_IFDIR
        case File():
            return "file", stat.S_IFREG
        case Symlink():
            return "symlink", stat.S_IFLNK
        case Device():
            return node.kind, stat.S_IFCHR if node.kind == "char" else stat.S_IFBLK
        case Fifo():
            return "fifo", stat.S_IFIFO


def node_json(path: bytes, node: Node) -> dict[str, Any]:  # Any: JSON
    """Return a node as a JSON object."""
    value = {
        **path_json(b"/" + path),
        "type": _kind(node)[0],
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "mtime_ns": node.mtime_ns,
        "layer": node.layer,
    }
    match node:
        case File():
            value["size"] = node.content.size
        case Symlink():
            value |= path_json(node.target, "target")
        case Device():
            value["device"] = [node.major, node.minor]
        case Directory() | Fifo():
            pass
    if node.xattrs:
        value["xattrs"] = {escape(name): base64.b64encode(data).decode() for name, data in sorted(node.xattrs.items())}
    if node.windows is not None:
        sizes = {escape(name): content.size for name, content in sorted(node.windows.streams.items())}
        value["windows"] = windows_json(node.windows) | ({"streams": sizes} if sizes else {})
    return value


def long_line(name: str, node: Node, links: int) -> str:
    """Return a line like that of `ls -l`: mode, number of links, owner, size or device, time, name."""
    size = str(node.content.size) if isinstance(node, File) else "0"
    if isinstance(node, Device):
        size = f"{node.major},{node.minor}"
    try:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(node.mtime_ns // _NANO))
    except (OverflowError, ValueError, OSError):
        when = str(node.mtime_ns // _NANO)
    target = f" -> {escape(node.target)}" if isinstance(node, Symlink) else ""
    mode = stat.filemode(_kind(node)[1] | node.mode)
    return f"{mode} {links:>2} {node.uid:>5} {node.gid:>5} {size:>10} {when} {name}{target}"


def short_digests(text: str) -> str:
    """Return a text in which digests are cut to the twelve digits by which people know them."""
    return _DIGEST.sub(r"\1", text)


def made_by(layer: Layer, width: int) -> str:
    """Return the command that made a layer, without what Docker adds to it, cut to a width; empty if none is known."""
    command = (layer.history and layer.history.created_by) or ""
    command = command.removeprefix("/bin/sh -c #(nop)").removesuffix("# buildkit")
    text = one_line(" ".join(command.split()))
    return text if len(text) <= width else text[: width - 3] + "..."


def shades() -> tuple[str, str]:
    """Return a dark and a light character for bars; ASCII if the output has no others."""
    try:
        "\u2588\u2591".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "#", "-"
    return "\u2588", "\u2591"


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Yield the lines of a table; the columns of the numbers in `right` are aligned to the right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            f"{cell:>{width}}" if at in right else f"{cell:<{width}}"
            for at, (cell, width) in enumerate(zip(row, wide, strict=True))
        )
        yield "  ".join(cells).rstrip() + "\n"
