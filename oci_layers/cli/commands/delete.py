"""`oci-layers delete`: delete images in a registry by their digests."""

import argparse
import sys

from oci_layers.cli.options import opened_repository, place_arguments
from oci_layers.cli.output import columns, print_json
from oci_layers.errors import NameFormatError, escape
from oci_layers.spec.digest import Digest

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "delete",
        help="delete images in a registry",
        description="Delete manifests or indexes in a registry by their digests, and with each all of its tags. "
        "`untag` removes a tag and leaves the image. Blobs stay until the registry collects them; many registries "
        "delete nothing.",
    )
    parser.add_argument("image", metavar="IMAGE", nargs="+", help="docker://HOST/REPOSITORY@DIGEST")
    place_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_delete)


def _delete(options: argparse.Namespace) -> int:
    deleted = []
    for name in options.image:
        with opened_repository(name, options) as (repository, ref):
            if ref is None or ":" not in ref:
                reason = "expected a digest, as all tags of an image go with it; `untag` removes one tag"
                raise NameFormatError("image name", name, reason)
            repository.delete(Digest.parse(ref))
            deleted.append({"image": name, "digest": ref})
    if options.format == "json":
        print_json(deleted)
    else:
        sys.stdout.writelines(columns([(escape(each["image"]), "deleted") for each in deleted]))
    return 0
