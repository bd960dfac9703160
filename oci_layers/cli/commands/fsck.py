"""`oci-layers fsck`: check the blobs of a layout, and repair them from elsewhere."""

import argparse
import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from oci_layers.cli.findings import SeverityCounts
from oci_layers.cli.options import (
    at_least_one,
    layout_argument,
    limits_of,
    opened_layout,
    opened_place,
    progress_argument,
)
from oci_layers.cli.output import counted, human_bytes, one_line, print_json, short_digests
from oci_layers.cli.progress import progress
from oci_layers.cli.room_keeping import OR_ROOM, check_room, is_room
from oci_layers.cli.rooms import read_only_room_argument
from oci_layers.errors import escape
from oci_layers.store.fsck import Checked, StoreFinding, fsck

__all__ = ["add"]

_REFS = 5
"""The number of images that the line of a finding lists, unless all are asked for."""
_WRONG = frozenset({"corrupt", "misnamed", "size"})
"""The findings about blobs that are not what their digests say."""
_REPAIRABLE = _WRONG | {"missing"}
"""The findings about blobs that another place may have."""
_NOTES = {
    "foreign": ("file in blobs/ is no blob", "files in blobs/ are no blobs"),
    "leftover": ("file was left by a writer that did not finish", "files were left by writers that did not finish"),
    "orphan": ("blob is of no image", "blobs are of no image"),
}
"""What a line says about all findings of a kind, if they are not listed."""
_SWEPT = frozenset({"leftover", "orphan"})


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "fsck",
        help="check every blob of a layout, and repair it",
        description="Read every blob of a layout and compare it with its digest, and look for every blob that an image "
        "refers to. Each finding says which images it breaks. Nothing is changed without --repair or --quarantine, and "
        "nothing is ever deleted. Exit code 5 if a blob is not what its digest says, 1 on other errors; what was "
        "repaired is no error. In a room, compare each unpacked layer with the list of its files and their digests.",
    )
    layout_argument(parser, OR_ROOM)
    read_only_room_argument(parser)
    parser.add_argument(
        "--repair",
        action="append",
        default=[],
        metavar="FROM",
        help="take missing and damaged blobs from another place: oci:DIR, oci-archive:FILE, docker-archive:FILE or a "
        "path; may be repeated; damaged files go to quarantine/",
    )
    parser.add_argument("--quarantine", action="store_true", help="move damaged files to quarantine/ in the layout")
    parser.add_argument("--all", action="store_true", help="list also each blob of no image, and each file of no use")
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="blobs read at once (default: one per CPU)")
    progress_argument(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_fsck, refuse=parser.error)


def _fsck(options: argparse.Namespace) -> int:
    if is_room(options.layout):
        return check_room(options)
    with contextlib.ExitStack() as opened:
        layout, _ = opened.enter_context(opened_layout(options.layout, limits_of(options), whole=True, check=False))
        sources = [opened.enter_context(opened_place(each, options))[0].blobs for each in options.repair]
        show = opened.enter_context(progress(options.progress, unit="blob"))
        checked = fsck(
            layout,
            repair_from=sources,
            quarantine=options.quarantine,
            threads=options.threads,
            limits=limits_of(options),
            progress=show,
        )
    if options.format == "json":
        print_json(_json(checked, options))
    else:
        _print(checked, options)
        if not options.repair and _unrepaired(checked) & _REPAIRABLE:
            print("oci-layers: to repair it from another place: fsck LAYOUT --repair FROM", file=sys.stderr)
    return _code(checked)


def _unrepaired(checked: Checked) -> set[str]:
    """Return the kinds of the errors that are left."""
    return {each.kind for each in checked.findings if each.severity == "error" and not each.repaired}


def _code(checked: Checked) -> int:
    left = _unrepaired(checked)
    return 5 if left & _WRONG else 1 if left else 0


def _print(checked: Checked, options: argparse.Namespace) -> None:
    for severity, group in itertools.groupby(checked.findings, lambda each: each.severity):
        found = list(group)
        sys.stdout.write(f"{severity}s\n")
        if severity == "note" and not options.all:
            sys.stdout.writelines(_notes(found))
        else:
            wide = max(len(each.kind) for each in found)
            sys.stdout.writelines(f"  {each.kind:<{wide}}  {_line(each, options)}\n" for each in found)
        sys.stdout.write("\n")
    sys.stdout.write(f"{counted(checked.blobs, 'blob')}, {human_bytes(checked.bytes)} read: {_result(checked)}\n")


def _result(checked: Checked) -> str:
    """Return the counts of findings, those repaired apart."""
    tally = SeverityCounts()
    for each in checked.findings:
        tally.add(each.severity, not each.repaired)
    repaired = sum(each.repaired for each in checked.findings)
    moved = len(checked.quarantined)
    parts = ["ok"] * checked.ok
    parts += [str(tally)] * any(tally.json().values())
    parts += [f"{repaired} repaired"] * (repaired > 0)
    parts += [f"{counted(moved, 'file')} moved to quarantine/"] * (moved > 0)
    return ", ".join(parts)


def _line(finding: StoreFinding, options: argparse.Namespace) -> str:
    name = escape(finding.path) if finding.digest is None else str(finding.digest)
    parts = [f"{name}: {one_line(short_digests(finding.message))}"]
    if finding.severity == "note":
        parts += [human_bytes(finding.size)] * (finding.size > 0)
    elif finding.refs:
        shown = finding.refs if options.all else finding.refs[:_REFS]
        more = len(finding.refs) - len(shown)
        listed = ", ".join(map(escape, map(short_digests, shown))) + (f" and {more} more" if more else "")
        parts.append(f"{'was needed' if finding.repaired else 'needed'} by {listed}")
    elif finding.digest is not None:
        parts.append("no image needs it")
    return "; ".join(parts + ["repaired"] * finding.repaired)


def _notes(notes: Sequence[StoreFinding]) -> Iterator[str]:
    """Yield a line for each kind of notes."""
    for kind, texts in _NOTES.items():
        found = [each for each in notes if each.kind == kind]
        if found:
            size = f", {human_bytes(sum(each.size for each in found))}" if kind in _SWEPT else ""
            hint = "; gc deletes what is old enough" if kind in _SWEPT else ""
            yield f"  {kind:<8}  {len(found)} {texts[len(found) > 1]}{size}{hint} (--all lists them)\n"


def _json(checked: Checked, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    return {
        "layout": options.layout,
        "findings": [
            {
                "kind": each.kind,
                "severity": each.severity,
                "path": each.path,
                "digest": None if each.digest is None else str(each.digest),
                "refs": list(each.refs),
                "size": each.size,
                "message": each.message,
                "repaired": each.repaired,
            }
            for each in checked.findings
        ],
        "quarantined": list(checked.quarantined),
        "blobs": checked.blobs,
        "bytes": checked.bytes,
        "ok": checked.ok,
    }
