"""`oci-layers cat`: print files of the merged file system."""

import argparse
import sys

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.progress import progress
from oci_layers.errors import LimitError
from oci_layers.image.files import find_files
from oci_layers.tree.path import to_bytes_each

__all__ = ["add"]

_HELD = 64 << 20
"""The most bytes of files that are held in memory; more are read from a temporary file."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("cat", help="print files of the merged file system")
    image_arguments(parser, policy=True)
    parser.add_argument("path", metavar="PATH", nargs="+", help="a file, or a link to one; printed in this order")
    parser.set_defaults(run=_cat)


def _cat(options: argparse.Namespace) -> int:
    paths = to_bytes_each(options.path)
    with opened(options, held=_HELD) as (image, policy):
        try:
            with progress(options.progress) as show:
                data = image.read(paths, policy=policy, progress=show)
        except LimitError as error:
            if error.limit != "content_bytes":
                raise
            found = find_files(image.tree(policy=policy), paths)
            for path in paths:
                for chunk in found[path][1].content.chunks():
                    sys.stdout.buffer.write(chunk)
        else:
            sys.stdout.buffer.writelines(data[path] for path in paths)
    return 0
