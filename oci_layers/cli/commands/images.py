"""`oci-layers images`: list the images of a place."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from oci_layers.cli.options import limits_of, place_arguments
from oci_layers.cli.output import human_bytes, one_line, print_json
from oci_layers.cli.registries import session_of
from oci_layers.errors import escape
from oci_layers.store.listing import ListedImage, list_images

__all__ = ["add"]

_HEAD = ("REF", "PLATFORM", "LAYERS", "SIZE", "DIGEST")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "images",
        help="list the images of a layout or archive",
        description="List the images of PLACE: references, platforms, sizes as stored, and digests of the manifests.",
    )
    parser.add_argument(
        "place",
        metavar="PLACE",
        help="oci:DIR, oci-archive:FILE, docker-archive:FILE, or the path of one of these; docker://HOST/REPOSITORY; "
        "with a reference, only the images of that reference",
    )
    parser.add_argument("--all", action="store_true", help="also list artifacts and attestations")
    place_arguments(parser)
    parser.add_argument(
        "--policy", choices=("default", "lenient"), default="default", help="lenient follows links to blobs"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_images)


def _images(options: argparse.Namespace) -> int:
    found = list_images(
        options.place,
        limits=limits_of(options),
        temporary_directory=options.temporary_directory,
        blob_links=options.policy == "lenient",
        session=session_of(options, options.place),
    )
    shown = [each for each in found if options.all or each.artifact_type is None]
    if options.format == "json":
        print_json([_json(each) for each in shown])
        return 0
    _print(shown)
    if hidden := len(found) - len(shown):
        print(f"oci-layers: {hidden} more: artifacts and attestations (--all lists them)", file=sys.stderr)
    return 0


def _print(images: Sequence[ListedImage]) -> None:
    rows = [_HEAD]
    for each in images:
        platform = str(each.platform) if each.platform else each.artifact_type or "-"
        layers, size = ("-", "-") if each.layers is None else (str(each.layers), human_bytes(each.size or 0))
        digest = str(each.digest or "-") + ("" if each.error is None else f"  ({one_line(each.error)})")
        rows += [(escape(ref) or '""', escape(platform), layers, size, digest) for ref in each.refs or ("-",)]
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        line = f"{row[0]:<{wide[0]}}  {row[1]:<{wide[1]}}  {row[2]:>{wide[2]}}  {row[3]:>{wide[3]}}  {row[4]}"
        sys.stdout.write(line + "\n")


def _json(image: ListedImage) -> dict[str, Any]:  # Any: JSON
    return {
        "refs": list(image.refs),
        "platform": None if image.platform is None else str(image.platform),
        "artifact_type": image.artifact_type,
        "digest": None if image.digest is None else str(image.digest),
        "media_type": image.media_type,
        "index": None if image.index is None else str(image.index),
        "layers": image.layers,
        "size": image.size,
        "error": image.error,
    }
