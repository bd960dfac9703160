"""What `du`, `gc` and `fsck` do where LAYOUT is a room of unpacked layers, not a layout of images."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from oci_layers.cli.options import limits_of
from oci_layers.cli.output import columns, counted, human_bytes, path_json, print_json
from oci_layers.cli.progress import progress
from oci_layers.cli.rooms import read_only_rooms
from oci_layers.errors import escape
from oci_layers.progress import Progress
from oci_layers.snapshot.directory import is_room
from oci_layers.snapshot.du import Usage, du
from oci_layers.snapshot.fsck import Checked, fsck
from oci_layers.snapshot.gc import Collected, gc
from oci_layers.snapshot.layers import RoomLayer
from oci_layers.snapshot.snapshots import Snapshots

__all__ = ["OR_ROOM", "check_room", "collect_room", "is_room", "show_room"]

OR_ROOM = "oci:DIR, or the path of a layout's directory; or that of a room of unpacked layers"
"""The help of LAYOUT where it may be a room."""


def _refuse(options: argparse.Namespace, *names: str) -> None:
    """Refuse options that are for layouts alone."""
    for name in names:
        if getattr(options, name):
            options.refuse(f"--{name.replace('_', '-')} is for layouts, and {options.layout} is a room")


def _opened(options: argparse.Namespace) -> Snapshots:
    """Return the room, with the read-only ones under it; the caller closes it."""
    return Snapshots(options.layout, read_only=read_only_rooms(options), limits=limits_of(options))


def show_room(options: argparse.Namespace) -> int:
    """Print what a room takes; return the exit code."""
    _refuse(options, "ref", "bars")
    with _opened(options) as room:
        usage = du(room)
    if options.format == "json":
        print_json(_usage_json(usage, options))
        return 0
    images = [
        (escape(each.name), human_bytes(each.size), human_bytes(each.exclusive), human_bytes(each.shared))
        for each in usage.images
    ]
    sys.stdout.writelines(columns([("IMAGE", "SIZE", "ALONE", "SHARED"), *images], {1, 2, 3}))
    if usage.containers:
        boxes = [(each.name, human_bytes(each.size), escape(each.image)) for each in usage.containers]
        sys.stdout.write("\n")
        sys.stdout.writelines(columns([("CONTAINER", "SIZE", "IMAGE"), *boxes], {1}))
    sys.stdout.write(f"\non disk  {human_bytes(usage.total)}  {counted(usage.layers, 'layer')}\n")
    return 0


def _usage_json(usage: Usage, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "room": options.layout,
        "images": [
            {"name": each.name, "size": each.size, "alone": each.exclusive, "shared": each.shared}
            for each in usage.images
        ],
        "containers": [{"name": each.name, "image": each.image, "size": each.size} for each in usage.containers],
        "layers": usage.layers,
        "total": usage.total,
    }


def collect_room(options: argparse.Namespace) -> int:
    """Remove from a room the layers that nothing needs, and print what they were; return the exit code."""
    _refuse(options, "explain", "allow_missing")
    with _opened(options) as room:
        collected = gc(room, grace=options.grace, dry_run=options.dry_run)
    if options.format == "json":
        print_json(_collected_json(collected, options))
        return 0
    if options.all:
        sys.stdout.writelines(f"delete  {chain_id}\n" for chain_id in collected.layers)
        sys.stdout.writelines(f"delete  {escape(path)}\n" for path in collected.leftovers)
    what = counted(len(collected.layers), "layer")
    if collected.leftovers:
        number = len(collected.leftovers)
        what += f" and {counted(number, 'leftover of killed writers', 'leftovers of killed writers')}"
    verb = "would delete" if options.dry_run else "deleted"
    print(f"{verb} {what}, {human_bytes(collected.bytes)}; kept {counted(collected.kept, 'layer')}")
    return 0


def _collected_json(collected: Collected, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "room": options.layout,
        "dry_run": options.dry_run,
        "layers": [str(chain_id) for chain_id in collected.layers],
        "leftovers": [escape(path) for path in collected.leftovers],
        "bytes": collected.bytes,
        "kept": collected.kept,
    }


def check_room(options: argparse.Namespace) -> int:
    """Compare the layers of a room with what they should be, print what is wrong, and return the exit code."""
    _refuse(options, "repair", "quarantine", "threads")
    with (
        _opened(options) as room,
        progress(options.progress, unit="layer", phases=("comparing",)) as show,
    ):
        checked = fsck(room, checkpoint=_counting(room, show))
    if options.format == "json":
        print_json(_checked_json(checked, options))
    else:
        _print_checked(checked)
    kinds = {each.kind for each in checked.findings} - {"unchecked"}
    return 5 if "corrupt" in kinds else 1 if kinds else 0


def _counting(room: Snapshots, show: Callable[[Progress], None] | None) -> Callable[[RoomLayer], None] | None:
    """Return what counts the layers as their turn comes, and shows the count; None to show nothing."""
    if show is None:
        return None
    total, done = sum(1 for _ in room.layers.all()), 0

    def checkpoint(_: RoomLayer) -> None:
        nonlocal done
        done += 1
        show(Progress(layer=0, layers=1, done=done, total=total))

    return checkpoint


def _print_checked(checked: Checked) -> None:
    sys.stdout.writelines(columns([(each.kind, str(each)) for each in checked.findings]) if checked.findings else ())
    result = "ok" if checked.ok else counted(len(checked.findings), "error")
    print(f"{counted(checked.layers, 'layer')} compared: {result}")
    if checked.leftovers:
        left = counted(checked.leftovers, "leftover", "leftovers")
        print(f"oci-layers: {left} in tmp/ and trash/; gc deletes what killed writers left", file=sys.stderr)


def _checked_json(checked: Checked, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "room": options.layout,
        "findings": [
            {
                "kind": each.kind,
                "chain_id": None if each.chain_id is None else str(each.chain_id),
                **(path_json(b"/" + each.path) if each.path else {"path": None}),
                "message": each.message,
            }
            for each in checked.findings
        ],
        "layers": checked.layers,
        "leftovers": checked.leftovers,
        "ok": checked.ok,
    }
