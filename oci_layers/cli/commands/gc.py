"""`oci-layers gc`: delete the blobs of a layout that no image needs, or tell why a blob is kept."""

import argparse
import re
import sys
from collections.abc import Container, Iterable
from typing import Any

from oci_layers.cli.options import layout_argument, limits_of, opened_layout, progress_argument
from oci_layers.cli.output import counted, human_bytes, print_json, short_digests
from oci_layers.cli.progress import progress
from oci_layers.cli.room_keeping import OR_ROOM, collect_room, is_room
from oci_layers.cli.rooms import read_only_room_argument
from oci_layers.errors import BlobMissingError, NameFormatError, escape
from oci_layers.store.gc import Collected, gc
from oci_layers.store.mark import Reason

__all__ = ["add", "duration"]

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PREFIX = re.compile(r"(?:[a-z0-9]+:)?[0-9a-f]{12,}")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "gc",
        help="delete the blobs of a layout that no image needs",
        description="Delete the blobs that no entry of the index leads to, and what killed writers left. Kept is "
        "whatever was stored or reused within the grace period, or since a copy that is running began. If a document "
        "in use cannot be read, nothing is deleted. In a room, delete the unpacked layers that no image, container or "
        "mount needs.",
    )
    layout_argument(parser, OR_ROOM)
    read_only_room_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="delete nothing")
    parser.add_argument(
        "--grace",
        type=duration,
        default=3600,
        metavar="DURATION",
        help="how long a blob is kept that nothing refers to: 0, 90s, 15m, 2h, 14d (default: 1h)",
    )
    parser.add_argument(
        "--allow-missing",
        action="store_true",
        help="go on although documents in use are missing; what only these refer to is deleted",
    )
    parser.add_argument("--all", action="store_true", help="list each blob; with --dry-run also why each other is kept")
    parser.add_argument(
        "--explain",
        metavar="DIGEST",
        help="only tell why a blob is kept, or that nothing keeps it; the first 12 digits are enough",
    )
    progress_argument(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_gc, refuse=parser.error)


def duration(text: str) -> int:
    """Return the seconds of a duration such as 90s, 15m, 2h or 14d.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not text.isascii():
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; expected 0, 90s, 15m, 2h or 14d")
    return int(found[1]) * _SECONDS[found[2]]


def _gc(options: argparse.Namespace) -> int:
    if is_room(options.layout):
        return collect_room(options)
    if options.explain is not None and not _PREFIX.fullmatch(options.explain):
        raise NameFormatError("digest", options.explain, "expected at least 12 lowercase hex digits")
    dry_run = options.dry_run or options.explain is not None
    with (
        opened_layout(options.layout, limits_of(options), whole=True) as (layout, _),
        progress(options.progress, unit="blob", phases=("marking", "deleting")) as show,
    ):
        collected = gc(
            layout,
            grace=options.grace,
            dry_run=dry_run,
            allow_missing=options.allow_missing,
            limits=limits_of(options),
            progress=show,
        )
        present = {digest for digest, _ in layout.own_blobs.statuses()} if dry_run else set()
        if options.explain is not None:
            return _explain(collected, options, present)
    if options.format == "json":
        print_json(_json(collected, options, present))
    else:
        _print(collected, options, present)
    return 0


def _print(collected: Collected, options: argparse.Namespace, present: Container[str]) -> None:
    if options.all:
        sys.stdout.writelines(f"delete  {digest}  {human_bytes(size)}\n" for digest, size in collected.deleted)
        sys.stdout.writelines(
            f"delete  ingest/{escape(name)}  {human_bytes(size)}\n" for name, size in collected.leftovers
        )
        reasons = _reasons(collected, present)
        sys.stdout.writelines(f"keep    {digest}  {_why(reason)}\n" for digest, reason in reasons)
    for digest in collected.missing:
        print(f"oci-layers: {digest} is missing; what only it refers to is not kept", file=sys.stderr)
    what = [counted(len(collected.deleted), "blob")]
    if collected.leftovers:
        what.append(counted(len(collected.leftovers), "leftover of killed writers", "leftovers of killed writers"))
    verb = "would delete" if options.dry_run else "deleted"
    kept = f"{counted(collected.kept, 'blob')}, {human_bytes(collected.kept_bytes)}"
    new = sum(reason.why == "new" for reason in collected.marks.reasons.values())
    only = f", {new} of them only because of their age (--grace)" if new else ""
    sys.stdout.write(f"{verb} {' and '.join(what)}, {human_bytes(collected.bytes)}; kept {kept}{only}\n")


def _reasons(collected: Collected, present: Container[str]) -> list[tuple[str, Reason]]:
    """Return why each blob of the layout is kept; a diff_id, for one, is marked whether or not there is such a blob."""
    return [(digest, reason) for digest, reason in collected.marks.reasons.items() if digest in present]


def _why(reason: Reason) -> str:
    """Return why a blob is kept, as a clause about it."""
    match reason.why:
        case "entry":
            return f"index.json lists it as {escape(reason.field)}" if reason.field else "index.json lists it"
        case "field":
            return f"in {escape(reason.field)} of {short_digests(str(reason.parent))}"
        case "referrer":
            return f"its subject is {short_digests(str(reason.parent))}"
        case "new":
            return "stored or reused within the grace period, or during a copy that is running"


def _explain(collected: Collected, options: argparse.Namespace, present: Iterable[str]) -> int:
    """Print why one blob is kept: from an entry of the index down to the blob."""
    digest = _whole(options.explain, {*present, *collected.marks.reasons})
    path = collected.marks.path(digest)[::-1]
    if options.format == "json":
        steps = [{"digest": each, **_reason_json(reason)} for each, reason in path]
        print_json({"layout": options.layout, "digest": digest, "kept": bool(path), "path": steps})
    elif path:
        sys.stdout.writelines(f"{each}  {_why(reason)}\n" for each, reason in path)
    else:
        sys.stdout.write(f"{digest}  nothing keeps it; gc deletes it\n")
    return 0


def _whole(prefix: str, known: Iterable[str]) -> str:
    """Return the only digest that begins with some digits, with its algorithm or without.

    Raises:
        BlobMissingError: There is none.
        NameFormatError: There are several.
    """
    found = sorted(each for each in known if each.startswith(prefix) or each.partition(":")[2].startswith(prefix))
    if not found:
        raise BlobMissingError(prefix)
    if len(found) > 1:
        raise NameFormatError("digest", prefix, f"there are several; write more digits: {', '.join(found[:5])}")
    return found[0]


def _json(collected: Collected, options: argparse.Namespace, present: Container[str]) -> dict[str, Any]:  # Any: JSON
    value: dict[str, Any] = {  # Any: JSON
        "layout": options.layout,
        "dry_run": options.dry_run,
        "deleted": [{"digest": digest, "size": size} for digest, size in collected.deleted],
        "leftovers": [{"name": escape(name), "size": size} for name, size in collected.leftovers],
        "bytes": collected.bytes,
        "kept": collected.kept,
        "kept_bytes": collected.kept_bytes,
        "missing": list(collected.missing),
    }
    if options.dry_run:
        reasons = _reasons(collected, present)
        value["reasons"] = [{"digest": digest, **_reason_json(reason)} for digest, reason in reasons]
    return value


def _reason_json(reason: Reason) -> dict[str, Any]:  # Any: JSON
    is_entry = reason.why == "entry"
    return {
        "why": reason.why,
        "ref": (reason.field or None) if is_entry else None,
        "parent": reason.parent,
        "field": None if is_entry else reason.field or None,
    }
