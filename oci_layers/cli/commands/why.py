"""`oci-layers why`: every layer that touched a path."""

import argparse
import sys
from typing import Any, assert_never

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import columns, long_line, made_by, node_json, path_json, print_json
from oci_layers.cli.progress import progress
from oci_layers.errors import LinkError, PathMissingError, escape
from oci_layers.image.image import Image
from oci_layers.image.why import PathHistory, Touch
from oci_layers.layer.policy import Policy
from oci_layers.tree.node import Symlink
from oci_layers.tree.path import to_bytes

__all__ = ["add"]

_WIDTH = 60
"""The length to which a history line is cut."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "why",
        help="show which layers touched a path",
        description="Show every layer that added, changed, removed or hid a path, the lowest first. Links in the "
        "parents of PATH are followed; if PATH is a link, what it leads to is shown as well. Exit code 3 if no "
        "layer has it.",
    )
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH", help="a path inside the image, which may have been removed")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_why)


def _why(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy):
        with progress(options.progress) as show:
            history = image.why(to_bytes(options.path), policy=policy, progress=show)
        target = _target(image, history, policy)
    if options.format == "json":
        print_json({**_json(history), "leads_to": None if target is None else _json(target)})
        return 0
    _print(history)
    if target is not None:
        sys.stdout.write("\n")
        _print(target)
    return 0


def _target(image: Image, history: PathHistory, policy: Policy) -> PathHistory | None:
    """Return the history of what a link leads to; None if the path is no link, or leads to nothing."""
    if not isinstance(history.node, Symlink):
        return None
    try:
        target = image.why(history.asked, follow=True, policy=policy)
    except (PathMissingError, LinkError):
        return None
    return None if target.path == history.path else target


def _print(history: PathHistory) -> None:
    path = escape(b"/" + history.path)
    if history.links:
        links = ", ".join(escape(b"/" + link) for link in history.links)
        path = (
            f"{escape(b'/' + history.asked)} is {path}, by {'the link' if len(history.links) == 1 else 'links'} {links}"
        )
    sys.stdout.write(path + "\n")
    rows = [(f"layer {each.layer.index}", _what(each), made_by(each.layer, _WIDTH)) for each in history.touches]
    sys.stdout.writelines(columns(rows))
    if history.node is not None:
        sys.stdout.write(long_line(escape(b"/" + history.path), history.node, history.link_count) + "\n")


def _what(touch: Touch) -> str:
    by = "" if touch.by is None else escape(b"/" + touch.by)
    match touch.what:
        case "added":
            return "added"
        case "changed":
            return f"changed {', '.join(touch.aspects)}"
        case "repeated":
            return "repeated, the same"
        case "removed":
            return f"removed by a whiteout of {by}" if touch.marker == "whiteout" else f"removed, as {by} is opaque"
        case "hidden":
            return f"hidden, as {by} is no directory any more"
        case _:
            assert_never(touch.what)


def _json(history: PathHistory) -> dict[str, Any]:  # Any: JSON
    return {
        **path_json(b"/" + history.asked),
        **path_json(b"/" + history.path, "resolved"),
        "links": [path_json(b"/" + link) for link in history.links],
        "touches": [_touch_json(history.path, each) for each in history.touches],
    }


def _touch_json(path: bytes, touch: Touch) -> dict[str, Any]:  # Any: JSON
    history = touch.layer.history
    return {
        "layer": touch.layer.index,
        "digest": str(touch.layer.descriptor.digest),
        "what": touch.what,
        "aspects": list(touch.aspects),
        "marker": touch.marker,
        **({"by": None} if touch.by is None else path_json(b"/" + touch.by, "by")),
        "node": None if touch.node is None else node_json(path, touch.node),
        "created_by": None if history is None else history.created_by,
    }
