"""`oci-layers untag`: take names away from images of a layout or a registry."""

import argparse
import sys

from oci_layers.cli.options import limit_argument, opened_names
from oci_layers.cli.output import columns, print_json
from oci_layers.cli.registries import registry_arguments
from oci_layers.errors import NameFormatError, escape

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "untag",
        help="take names away from images",
        description="Remove the entries with a name or a digest from the index of a layout, or a tag from a repository "
        "of a registry, which many registries do not allow. Blobs stay until `gc` deletes those that no other image "
        "needs. If one name does not exist, nothing is removed.",
    )
    parser.add_argument(
        "name",
        metavar="IMAGE",
        nargs="+",
        help="oci:DIR:REF or oci:DIR@DIGEST; a digest removes all its names; docker://HOST/REPOSITORY:TAG",
    )
    parser.add_argument("--ref", help="the reference, where IMAGE does not give one")
    limit_argument(parser)
    registry_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_untag)


def _untag(options: argparse.Namespace) -> int:
    rows = []
    for name in options.name:
        with opened_names(name, options) as (place, ref):
            if ref is None:
                raise NameFormatError("image name", name, "it has no reference; write oci:DIR:REF or use --ref")
            rows.append({"name": name, "ref": ref, "digests": [str(each.digest) for each in place.entries(ref)]})
    for name in dict.fromkeys(options.name):
        with opened_names(name, options) as (place, ref):
            place.untag(str(ref))
    if options.format == "json":
        print_json(rows)
        return 0
    lines = [(escape(str(each["ref"])), ", ".join(each["digests"]), "untagged") for each in rows]
    sys.stdout.writelines(columns(lines))
    return 0
