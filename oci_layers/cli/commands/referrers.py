"""`oci-layers referrers`: list what refers to an image in a registry: signatures, SBOMs, attestations."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from oci_layers.cli.options import opened_repository, place_arguments
from oci_layers.cli.output import columns, human_bytes, print_json
from oci_layers.errors import escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.store.open import parse_one_image

__all__ = ["add"]

_HEAD = ("ARTIFACT TYPE", "SIZE", "DIGEST")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "referrers",
        help="list what refers to an image in a registry",
        description="List the manifests whose subject is IMAGE, such as signatures and SBOMs: by the API of the "
        "registry, or, where it has none, by a tag. `copy --referrers` copies them.",
    )
    parser.add_argument("image", metavar="IMAGE", help="docker://HOST/REPOSITORY[:TAG|@DIGEST]")
    parser.add_argument("--artifact-type", metavar="TYPE", help="list only those of this type")
    place_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_referrers)


def _referrers(options: argparse.Namespace) -> int:
    with opened_repository(options.image, options) as (repository, _):
        [image] = repository.entries(parse_one_image(options.image, None)[1])
        found = repository.referrers(image.digest, options.artifact_type)
    if options.format == "json":
        print_json({"image": options.image, "digest": str(image.digest), "referrers": [_json(each) for each in found]})
    else:
        _print(found)
    return 0


def _print(found: Sequence[Descriptor]) -> None:
    rows = [(escape(each.artifact_type or "-"), human_bytes(each.size), str(each.digest)) for each in found]
    sys.stdout.writelines(columns([_HEAD, *rows], {1}))


def _json(entry: Descriptor) -> dict[str, Any]:  # Any: JSON
    return {
        "digest": str(entry.digest),
        "media_type": entry.media_type,
        "artifact_type": entry.artifact_type,
        "size": entry.size,
        "annotations": dict(entry.annotations),
    }
