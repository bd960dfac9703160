"""`oci-layers tags`: list the tags of a repository in a registry."""

import argparse
import sys

from oci_layers.cli.options import opened_repository, place_arguments
from oci_layers.cli.output import print_json
from oci_layers.errors import NameFormatError

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "tags",
        help="list the tags of a repository in a registry",
        description="List all tags of REPOSITORY, sorted. `refs` and `images` list what they name, with a request for "
        "each.",
    )
    parser.add_argument("repository", metavar="REPOSITORY", help="docker://HOST/REPOSITORY")
    place_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_tags)


def _tags(options: argparse.Namespace) -> int:
    with opened_repository(options.repository, options) as (repository, ref):
        if ref is not None:
            raise NameFormatError("image name", options.repository, "expected a repository, without a tag or digest")
        tags = repository.tags()
    if options.format == "json":
        print_json(tags)
    else:
        sys.stdout.writelines(f"{tag}\n" for tag in tags)
    return 0
