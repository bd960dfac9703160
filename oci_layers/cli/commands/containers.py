"""`oci-layers containers`: list the containers of a room."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from oci_layers.cli.output import columns, human_bytes, json_text, path_json, print_json, short_digests
from oci_layers.cli.rooms import opened_room, room_argument
from oci_layers.errors import escape
from oci_layers.snapshot.listing import ListedContainer, list_containers

__all__ = ["add"]

_HEAD = ("NAME", "IMAGE", "MANIFEST", "CREATED", "SIZE", "USE")
_NANO = 10**9


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "containers",
        help="list the containers of a room",
        description="List the containers that have a name: their images, when they were made, how much they hold of "
        "their own, and where they are mounted, or that a process has them open.",
    )
    room_argument(parser)
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_containers)


def _containers(options: argparse.Namespace) -> int:
    with opened_room(options) as room:
        found = list_containers(room)
    match options.format:
        case "json":
            print_json([_json(each) for each in found])
        case "jsonl":
            sys.stdout.writelines(json_text(_json(each)) + "\n" for each in found)
        case _:
            _print(found)
    return 0


def _print(found: Sequence[ListedContainer]) -> None:
    rows = [_HEAD]
    for each in found:
        record = each.record
        use = f"at {escape(each.mount_point)}" if each.mount_point is not None else "open" if each.in_use else "-"
        manifest = short_digests(str(record.manifest))
        rows.append(
            (record.name, escape(record.image), manifest, _when(record.created_ns), human_bytes(each.size), use)
        )
    sys.stdout.writelines(columns(rows, {4}))


def _when(ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // _NANO))


def _json(each: ListedContainer) -> dict[str, Any]:  # Any: JSON
    record = each.record
    return {
        "name": record.name,
        "image": record.image,
        "digest": str(record.manifest),
        "chain_id": None if record.chain_id is None else str(record.chain_id),
        "created": _when(record.created_ns),
        "size": each.size,
        **({"path": None} if each.mount_point is None else path_json(os.fsencode(each.mount_point))),
        "in_use": each.in_use,
        "presenter": record.presenter or None,
    }
