"""`oci-layers du`: what the images of a layout take, and what they share."""

import argparse
import shutil
import sys
from typing import Any

from oci_layers.cli.options import layout_argument, limits_of, opened_layout
from oci_layers.cli.output import columns, counted, human_bytes, one_line, print_json, shades, short_digests
from oci_layers.cli.room_keeping import is_room, show_room
from oci_layers.cli.rooms import read_only_room_argument
from oci_layers.errors import ReferenceMissingError, escape
from oci_layers.store.du import ImageUsage, Usage, du

__all__ = ["add"]

_HEAD = ("REF", "SIZE", "ALONE", "SHARED", "")
_WIDEST, _NARROWEST = 40, 10
"""The length of the longest bar."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "du",
        help="show what images take, and what they share",
        description="Show how many bytes the images of a layout take: in all, alone, which is what removing one frees, "
        "and shared with others. With a reference, show with which images that one shares how much. Sizes are those of "
        "the files. In a room, sizes are those on the disk.",
    )
    layout_argument(
        parser,
        "oci:DIR[:REF|@DIGEST], or the path of a layout's directory; or that of a room of unpacked layers",
    )
    read_only_room_argument(parser)
    parser.add_argument("--ref", help="the reference, where LAYOUT does not give one")
    parser.add_argument(
        "--bars",
        action=argparse.BooleanOptionalAction,
        help="draw what each image takes alone and shares (default: on a terminal)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_du, refuse=parser.error)


def _du(options: argparse.Namespace) -> int:
    if is_room(options.layout):
        return show_room(options)
    limits = limits_of(options)
    with opened_layout(options.layout, limits, ref=options.ref) as (layout, ref):
        wanted = None if ref is None else {each.digest for each in layout.entries(ref)}
        usage = du(layout, limits=limits)
    images = [each for each in usage.images if wanted is None or each.digest in wanted]
    if ref is not None and not images:
        known = [name for each in usage.images for name in each.refs or (str(each.digest),)]
        raise ReferenceMissingError(ref, tuple(known))
    images.sort(key=lambda each: -each.size)
    if options.format == "json":
        print_json(_json(usage, images, options, with_shares=wanted is not None))
    elif wanted is None:
        _print(usage, images, options)
    else:
        for each in images:
            _print_shares(usage, each)
    return 0


def _name(image: ImageUsage) -> str:
    return ", ".join(escape(ref) or '""' for ref in image.refs) or short_digests(str(image.digest))


def _print(usage: Usage, images: list[ImageUsage], options: argparse.Namespace) -> None:
    rows: list[tuple[str, ...]] = [_HEAD]
    for each in images:
        notes = [f"{counted(each.missing, 'blob')} missing"] if each.missing else []
        if each.error is not None:
            notes.append(one_line(short_digests(each.error)))
        note = f"({'; '.join(notes)})" if notes else ""
        rows.append((_name(each), *map(human_bytes, (each.size, each.exclusive, each.shared)), note))
    bars = _bars(images, rows, options)
    lines = columns([(*row[:4], f"{bar}  {row[4]}".strip()) for row, bar in zip(rows, bars, strict=True)], {1, 2, 3})
    sys.stdout.writelines(lines)
    totals = [
        ("on disk", human_bytes(usage.total), counted(usage.blobs, "blob")),
        ("saved", human_bytes(usage.saved), "what is shared is stored once"),
    ]
    if usage.unused:
        totals.append(("unused", human_bytes(usage.unused), "of no image; gc deletes it"))
    if usage.leftover:
        totals.append(("leftover", human_bytes(usage.leftover), "of killed writers; gc deletes it"))
    sys.stdout.write("\n")
    sys.stdout.writelines(columns(totals, {1}))


def _bars(images: list[ImageUsage], rows: list[tuple[str, ...]], options: argparse.Namespace) -> list[str]:
    """Return a legend and a bar for each image; empty texts unless bars are to be drawn."""
    if not (sys.stdout.isatty() if options.bars is None else options.bars):
        return [""] * len(rows)
    taken = sum(max(map(len, column)) for column in zip(*(row[:4] for row in rows), strict=True)) + 8
    width = min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size().columns - taken - 1))
    alone, shared = shades()
    longest = max((each.size for each in images), default=0) or 1
    bars = [f"{alone} alone {shared} shared"]
    for each in images:
        whole = -(-each.size * width // longest)
        dark = round(each.exclusive * whole / each.size) if each.size else 0
        bars.append(alone * dark + shared * (whole - dark))
    return bars


def _print_shares(usage: Usage, image: ImageUsage) -> None:
    size, alone, shared = map(human_bytes, (image.size, image.exclusive, image.shared))
    sys.stdout.write(f"{_name(image)}  {size}: {alone} alone, {shared} shared\n")
    shares = usage.shared_with(image)
    rows = [(f"  {human_bytes(each_size)}", _name(other)) for other, each_size in shares]
    sys.stdout.writelines(columns(rows, {0}) if rows else ())


def _json(
    usage: Usage, images: list[ImageUsage], options: argparse.Namespace, *, with_shares: bool
) -> dict[str, Any]:  # Any: JSON
    rows = [_image_json(each) for each in images]
    if with_shares:
        for row, each in zip(rows, images, strict=True):
            shares = usage.shared_with(each)
            row["shared_with"] = [
                {"digest": str(other.digest), "refs": list(other.refs), "bytes": size} for other, size in shares
            ]
    return {
        "layout": options.layout,
        "images": rows,
        "blobs": usage.blobs,
        "total": usage.total,
        "used": usage.used,
        "unused": usage.unused,
        "saved": usage.saved,
        "leftover": usage.leftover,
    }


def _image_json(image: ImageUsage) -> dict[str, Any]:  # Any: JSON
    return {
        "digest": str(image.digest),
        "refs": list(image.refs),
        "size": image.size,
        "alone": image.exclusive,
        "shared": image.shared,
        "missing": image.missing,
        "error": image.error,
    }
