"""`oci-layers diff`: what differs between images, layers and directories."""

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import assert_never, get_args

from oci_layers.cli.differences import Pair, Totals, difference_json, difference_lines, is_below
from oci_layers.cli.options import (
    limits_of,
    namespace_of,
    overlay_arguments,
    place_arguments,
    policy_arguments,
    policy_of,
    progress_argument,
)
from oci_layers.cli.output import counted, json_text, print_json
from oci_layers.cli.progress import progress
from oci_layers.cli.rooms import opened_room, room_argument
from oci_layers.cli.trees import LayerFile, Source, opened_source
from oci_layers.disk.scan import scan
from oci_layers.errors import NameFormatError
from oci_layers.image.image import Image
from oci_layers.layer.apply import apply
from oci_layers.layer.compare import Aspect
from oci_layers.layer.difference import Difference, differences
from oci_layers.layer.overlay import from_upper
from oci_layers.layer.policy import Policy
from oci_layers.progress import Progress
from oci_layers.snapshot.container import ContainerFiles
from oci_layers.tree.path import clean, to_bytes
from oci_layers.tree.tree import FileTree

__all__ = ["add"]

_CONTAINER = "container:"
"""What the name of a container of the room begins with."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "diff",
        help="show what differs between images or directories",
        description="Show what is added (A), changed (C) and removed (D) from A to B, with the sizes of files. Exit "
        "code 1 if anything is. Two layers are compared as layers: what they remove from the layers below counts.",
    )
    help_text = (
        "an image: oci:DIR[:REF|@DIGEST], oci-archive:FILE[:REF|@DIGEST], docker-archive:FILE[:NAME:TAG], or the path "
        "of one of these; or a directory; or a layer: a tar file, perhaps compressed, - is one on stdin; or "
        "container:NAME, a container of the room"
    )
    parser.add_argument("a", metavar="A", help=help_text)
    parser.add_argument(
        "b",
        metavar="B",
        nargs="?",
        help="the same; may be left out with --layer and --layers, and where A is a container: what it changed",
    )
    room_argument(parser)
    parser.add_argument(
        "--layers",
        metavar="M..N",
        help="the lowest M layers of A, and the lowest N of B or, without B, of A; all where a number is left out",
    )
    parser.add_argument("--layer", type=int, metavar="N", help="what layer N of A changed, without B; 0 is the lowest")
    parser.add_argument("--path", action="append", default=[], metavar="PATH", help="only what is at or below PATH")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="WHAT",
        help=f"differences that do not count, separated by commas: {', '.join(get_args(Aspect))} (nanoseconds: the "
        "fractions of times, where only one of two has them)",
    )
    parser.add_argument(
        "--compare",
        choices=("auto", "always", "never"),
        default="auto",
        help="read files of the same size: where times cannot tell whether they differ (auto), or always, or never",
    )
    parser.add_argument("--content", action="store_true", help="the lines that differ in small text files")
    overlay_arguments(
        parser, "B is the upper directory of an overlay mount over A; show what it changes, as `docker diff` does"
    )
    parser.add_argument("--platform", metavar="OS/ARCH[/VARIANT]", help="which of several images")
    policy_arguments(parser)
    place_arguments(parser)
    progress_argument(parser)
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_diff, refuse=parser.error)


def _diff(options: argparse.Namespace) -> int:
    ignore = [each for text in options.ignore for each in text.split(",")]
    below = [clean(to_bytes(path), clamp=True) for path in options.path]
    totals = Totals()
    with _opened(options) as pair:
        found = differences(*pair.trees, content=options.compare, ignore=ignore)
        _print(totals.counted((each for each in found if is_below(each.path, below)), pair), pair, totals, options)
    return 1 if totals.count else 0


def _print(found: Iterator[tuple[Difference, int]], pair: Pair, totals: Totals, options: argparse.Namespace) -> None:
    if options.format == "text":
        for each, size in found:
            sys.stdout.writelines(difference_lines(each, size, pair))
        print(totals)
        return
    rows = (difference_json(each, size, pair) for each, size in found)
    if options.format == "jsonl":
        sys.stdout.writelines(json_text(row) + "\n" for row in rows)
        return
    b = options.a if options.b is None else options.b
    print_json({"a": options.a, "b": b, "changes": list(rows), "totals": totals.json()})


# Input: the two trees.


@contextlib.contextmanager
def _opened(options: argparse.Namespace) -> Iterator[Pair]:
    """Yield both trees, of which the contents can be read until the block ends."""
    counts, namespace = _counts(options), namespace_of(options)
    if options.a == options.b == "-":
        options.refuse("only one of A and B can be on stdin")
    with contextlib.ExitStack() as opened:
        a = opened.enter_context(_opened_side(options.a, options))
        b = a if options.b in {None, options.a} else opened.enter_context(_opened_side(options.b, options))
        if counts != (None, None) and not (isinstance(a, Image) or isinstance(b, Image)):
            options.refuse("--layer and --layers are for images")
        if namespace is not None and not isinstance(b, Path):
            options.refuse("--overlay-upper expects a directory as B")
        policy = policy_of(options)
        markers = isinstance(a, LayerFile) and isinstance(b, LayerFile)
        with progress(options.progress) as show:
            if options.b is None and isinstance(a, ContainerFiles):
                old = a.lower()
            else:
                old = _tree(a, counts[0], policy, show, with_markers=markers)
            if a is not b and isinstance(a, Image) and isinstance(b, Image):
                b.share_tree(a, policy=policy)
            if namespace is not None and isinstance(b, Path):
                new = old.fork()
                apply(from_upper(scan(b), namespace=namespace), new, policy=policy)
            else:
                new = _tree(b, counts[1], policy, show, with_markers=markers)
        layered = isinstance(a, Image | ContainerFiles), isinstance(b, Image | ContainerFiles)
        yield Pair(old, new, content=options.content, markers=markers, layered=layered)


@contextlib.contextmanager
def _opened_side(name: str, options: argparse.Namespace) -> Iterator[Source | ContainerFiles]:
    """Yield what a name names; close it when the block ends."""
    if name.startswith(_CONTAINER):
        with opened_room(options, limits=limits_of(options)) as room:
            yield room.container_files(name.removeprefix(_CONTAINER))
    else:
        with opened_source(name, options) as source:
            yield source


def _counts(options: argparse.Namespace) -> tuple[int | None, int | None]:
    """Return how many layers of each image are taken; None for all."""
    if options.layer is not None:
        if options.b is not None or options.layers is not None:
            options.refuse("--layer goes without B and --layers")
        if options.layer < 0:
            raise NameFormatError("layer", str(options.layer), "0 is the lowest")
        return options.layer, options.layer + 1
    if options.layers is None:
        if options.b is None and not options.a.startswith(_CONTAINER):
            options.refuse("B may be left out only with --layer or --layers, or if A is container:NAME")
        return None, None
    found = re.fullmatch(r"([0-9]{0,9})\.\.([0-9]{0,9})", options.layers, re.ASCII)
    if found is None:
        raise NameFormatError("range of layers", options.layers, "expected M..N, such as 2..3")
    low, high = (int(number) if number else None for number in found.groups())
    return low, high


def _tree(
    source: Source | ContainerFiles,
    layers: int | None,
    policy: Policy,
    show: Callable[[Progress], None] | None,
    *,
    with_markers: bool,
) -> FileTree:
    match source:
        case Image():
            count = len(source.layers)
            if layers is not None and layers > count:
                raise NameFormatError("number of layers", str(layers), f"{source.name} has {counted(count, 'layer')}")
            return source.tree(layers, policy=policy, progress=show)
        case LayerFile():
            return source.tree(policy, with_markers=with_markers)
        case Path():
            return scan(source)
        case ContainerFiles():
            return source.tree()
        case _:
            assert_never(source)
