"""`oci-layers layers`: the layers of an image, what each did, and what of it is wasted."""

import argparse
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import columns, counted, human_bytes, made_by, path_json, print_json, shades
from oci_layers.cli.progress import progress
from oci_layers.errors import escape
from oci_layers.image.account import Account, LayerAccount, Tally
from oci_layers.image.differences import Kind

__all__ = ["add"]

_HEAD = ("LAYER", "SIZE", "PLAIN", "SHARE", "ADDED", "CHANGED", "REMOVED", "WASTED")
_BAR = 20
"""The length of the bar of the largest layer."""
_NARROWEST = 24
"""The least length of a history line."""
_KINDS: tuple[tuple[Kind, str], ...] = (("added", "A"), ("changed", "C"), ("removed", "D"))
"""What a layer does to a name, and the letter that `docker diff` has for it."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "layers",
        help="show what each layer did, and what is wasted",
        description="Show the layers of an image, the lowest first: the size as stored and of the plain tar, its share "
        "of all plain tars, the names that it added, changed and removed, and the bytes of file contents in it that "
        "the image does not show, since they are replaced or removed.",
    )
    image_arguments(parser, policy=True)
    parser.add_argument("--paths", action="store_true", help="list what each layer added (A), changed (C), removed (D)")
    parser.add_argument(
        "--bars",
        action=argparse.BooleanOptionalAction,
        help="draw the size of each layer and what of it is wasted (default: on a terminal)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_layers)


def _layers(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy):
        with progress(options.progress) as show:
            account = image.account(policy=policy, progress=show)
        name, digest = image.name, str(image.descriptor.digest)
    if options.format == "json":
        layers = [_layer_json(each, paths=options.paths) for each in account.layers]
        print_json({"image": name, "digest": digest, **_sizes_json(account), "layers": layers})
        return 0
    _print(account, options)
    if options.paths:
        for each in account.layers:
            sys.stdout.write(f"\nlayer {each.layer.index}\n")
            sys.stdout.writelines(f"{letter} {escape(b'/' + path)}\n" for letter, path in _paths(each))
    return 0


def _paths(account: LayerAccount) -> Iterator[tuple[str, bytes]]:
    """Yield what a layer did, by path."""
    rows = [(path, letter) for kind, letter in _KINDS for path in account.paths(kind)]
    for path, letter in sorted(rows):
        yield letter, path


def _print(account: Account, options: argparse.Namespace) -> None:
    rows: list[tuple[str, ...]] = [_HEAD]
    for each in account.layers:
        sizes = (
            human_bytes(each.size),
            human_bytes(each.plain_size),
            f"{_percent(each.plain_size, account.plain_size)} %",
        )
        names = (str(tally.count) for tally in (each.added, each.changed, each.removed))
        rows.append((str(each.layer.index), *sizes, *names, human_bytes(each.wasted_bytes)))
    bars = _bars(account, options)
    width = shutil.get_terminal_size().columns - sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
    width = max(_NARROWEST, width - max(map(len, bars)) - 3)
    made = ["MADE BY", *(made_by(each.layer, width) for each in account.layers)]
    table = [(*row, bar, line) if bars[0] else (*row, line) for row, bar, line in zip(rows, bars, made, strict=True)]
    sys.stdout.writelines(columns(table, set(range(len(_HEAD)))))
    wasted = f"{human_bytes(account.wasted_bytes)} wasted ({_percent(account.wasted_bytes, account.content_bytes)} %)"
    sys.stdout.write(
        f"\n{counted(len(account.layers), 'layer')}, {human_bytes(account.size)} stored, "
        f"{human_bytes(account.plain_size)} plain; {human_bytes(account.content_bytes)} of files, {wasted}\n"
    )


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


def _bars(account: Account, options: argparse.Namespace) -> list[str]:
    """Return a legend and a bar for each layer; empty texts unless bars are to be drawn."""
    if not (sys.stdout.isatty() if options.bars is None else options.bars):
        return [""] * (len(account.layers) + 1)
    dark, light = shades()
    longest = max((each.plain_size for each in account.layers), default=0) or 1
    bars = [f"{dark} visible {light} wasted"]
    for each in account.layers:
        whole = -(-each.plain_size * _BAR // longest)
        wasted = round(each.wasted_bytes * whole / each.plain_size) if each.plain_size else 0
        bars.append(dark * (whole - wasted) + light * wasted)
    return bars


def _sizes_json(account: Account | LayerAccount) -> dict[str, Any]:  # Any: JSON
    return {
        "size": account.size,
        "plain_size": account.plain_size,
        "content_bytes": account.content_bytes,
        "visible_bytes": account.visible_bytes,
        "wasted_bytes": account.wasted_bytes,
    }


def _layer_json(account: LayerAccount, *, paths: bool) -> dict[str, Any]:  # Any: JSON
    layer, history = account.layer, account.layer.history
    value = {
        "layer": layer.index,
        "digest": str(layer.descriptor.digest),
        "diff_id": str(layer.diff_id),
        "media_type": layer.descriptor.media_type,
        **_sizes_json(account),
        "repeated_bytes": account.repeated_bytes,
        "entries": account.entries,
        "added": _tally_json(account.added),
        "changed": _tally_json(account.changed),
        "removed": _tally_json(account.removed),
        "hidden": _tally_json(account.hidden),
        "created": None if history is None else history.created,
        "created_by": None if history is None else history.created_by,
        "comment": None if history is None else history.comment,
    }
    if paths:
        for kind, _ in _KINDS:
            value[kind]["paths"] = [path_json(b"/" + path) for path in account.paths(kind)]
    return value


def _tally_json(tally: Tally) -> dict[str, Any]:  # Any: JSON
    return {"count": tally.count, "bytes": tally.bytes}
