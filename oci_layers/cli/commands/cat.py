"""`oci-layers cat`: print a file of the merged file system."""

import argparse
import sys

from oci_layers.cli.options import image_arguments, opened
from oci_layers.errors import IsDirectoryError, PathError
from oci_layers.tree.node import Directory, File
from oci_layers.tree.path import to_bytes

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("cat", help="print a file of the merged file system")
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH")
    parser.set_defaults(run=_cat)


def _cat(options: argparse.Namespace) -> int:
    path = to_bytes(options.path)
    with opened(options) as (image, policy):
        node = image.tree(policy=policy).require(path, follow=True)
        if isinstance(node, Directory):
            raise IsDirectoryError(path)
        if not isinstance(node, File):
            raise PathError(path, "not a regular file")
        for chunk in node.content.chunks():
            sys.stdout.buffer.write(chunk)
    return 0
