"""`oci-layers refs`: list the entries of a layout or archive."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from oci_layers.cli.options import opened_place, place_arguments
from oci_layers.cli.output import columns, json_text, print_json
from oci_layers.errors import escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.platform_selection import own_name

__all__ = ["add"]

_HEAD = ("REF", "PLATFORM", "DIGEST", "MEDIA TYPE")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "refs",
        help="list the names in a layout or archive",
        description="List the entries of the index of PLACE, artifacts and unnamed entries too. Only the index is "
        "read; `images` also lists the images of multi-platform images.",
    )
    parser.add_argument(
        "place",
        metavar="PLACE",
        help="oci:DIR, oci-archive:FILE, docker-archive:FILE, or the path of one of these; docker://HOST/REPOSITORY; "
        "with a reference, only the entries of that reference",
    )
    place_arguments(parser)
    parser.add_argument(
        "--policy", choices=("default", "lenient"), default="default", help="lenient follows links to blobs"
    )
    parser.add_argument("--format", choices=("text", "json", "jsonl"), default="text")
    parser.set_defaults(run=_refs)


def _refs(options: argparse.Namespace) -> int:
    with opened_place(options.place, options) as (repository, ref):
        entries = repository.entries(ref)
    match options.format:
        case "json":
            print_json([_json(each) for each in entries])
        case "jsonl":
            sys.stdout.writelines(json_text(_json(each)) + "\n" for each in entries)
        case _:
            _print(entries)
    return 0


def _print(entries: Sequence[Descriptor]) -> None:
    rows = [_HEAD]
    for each in entries:
        name = own_name(each)
        ref = "-" if name is None else escape(name) or '""'
        platform = "-" if each.platform is None else escape(str(each.platform))
        rows.append((ref, platform, str(each.digest), escape(each.media_type)))
    sys.stdout.writelines(columns(rows))


def _json(entry: Descriptor) -> dict[str, Any]:  # Any: JSON
    return {
        "ref": own_name(entry),
        "platform": None if entry.platform is None else str(entry.platform),
        "digest": str(entry.digest),
        "media_type": entry.media_type,
        "artifact_type": entry.artifact_type,
        "size": entry.size,
        "annotations": dict(entry.annotations),
    }
