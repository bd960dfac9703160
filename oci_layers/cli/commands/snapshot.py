"""`oci-layers snapshot`: unpack the layers of an image once, in a room."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from oci_layers.cli.options import limits_of
from oci_layers.cli.output import columns, counted, human_bytes, print_json, print_summary, report_json, short_digests
from oci_layers.cli.rooms import opened_room, room_image_arguments, snapshot_json, unpack_to
from oci_layers.errors import escape
from oci_layers.snapshot.images import Snapshot
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.snapshots import Snapshots

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "snapshot",
        help="unpack the layers of an image once, in a room",
        description="Unpack the layers of IMAGE that the room lacks, each for itself, and keep them there until the "
        "image is removed. Every byte is verified. Any number of images and containers stand on one unpacked layer; "
        "mount and shell show them. The room is made if it does not exist.",
    )
    room_image_arguments(parser, known=False)
    parser.add_argument(
        "--as",
        dest="name",
        metavar="NAME",
        help="the name that the room keeps it under (default: IMAGE, with a whole path)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_snapshot)


def _snapshot(options: argparse.Namespace) -> int:
    with opened_room(options, make=True, limits=limits_of(options)) as room:
        image = unpack_to(room, options, name=options.name)
        layers = room.stack(image)[::-1]
        if options.format == "json":
            print_json(_json(room, image, layers))
        else:
            _print(image, layers)
    print_summary(image.report)
    return 0


def _print(image: Snapshot, layers: Sequence[RoomLayer]) -> None:
    sys.stdout.write(f"{escape(image.name)}  {image.manifest}\n")
    rows = []
    for number, layer in enumerate(layers):
        what = "unpacked" if layer.chain_id in image.unpacked else "there"
        size, files = human_bytes(layer.record.bytes), counted(layer.record.files, "file")
        rows.append((f"layer {number}", what, size, files, short_digests(str(layer.chain_id))))
    sys.stdout.writelines(columns(rows, {2, 3}) if rows else ())
    new = [layer.record.bytes for layer in layers if layer.chain_id in image.unpacked]
    parts = [f"{counted(len(new), 'layer')} unpacked, {human_bytes(sum(new))}"]
    if len(new) < len(layers):
        old = sum(layer.record.bytes for layer in layers) - sum(new)
        parts.append(f"{counted(len(layers) - len(new), 'layer')} there already, {human_bytes(old)}")
    if image.saved:
        parts.append(f"{human_bytes(image.saved)} shared with equal files")
    sys.stdout.write(f"{'; '.join(parts)}\n")


def _json(room: Snapshots, image: Snapshot, layers: Sequence[RoomLayer]) -> dict[str, Any]:  # Any: JSON
    report = report_json(image.report)
    return {
        **snapshot_json(room, image),
        "layers": [
            {
                "layer": number,
                "unpacked": layer.chain_id in image.unpacked,
                "chain_id": str(layer.chain_id),
                "diff_id": str(layer.record.diff_id),
                "files": layer.record.files,
                "bytes": layer.record.bytes,
            }
            for number, layer in enumerate(layers)
        ],
        "unpacked": len(image.unpacked),
        "saved": image.saved,
        "skipped": report["skipped"],
        "findings": report["findings"],
    }
