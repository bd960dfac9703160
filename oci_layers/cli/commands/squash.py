"""`oci-layers squash`: several layers of an image into one."""

import argparse
import contextlib

from oci_layers.build.squash import squash
from oci_layers.cli.building import created_of, opened_other, output_arguments, write_image
from oci_layers.cli.options import at_least_one, image_arguments, opened
from oci_layers.cli.output import counted
from oci_layers.errors import NameFormatError

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "squash",
        help="make one layer of several",
        description="Make one layer of all layers of an image, of the top ones, or of those above a base. It holds "
        "what can be seen, and the merged file system is the same. The layers below are shared.",
    )
    image_arguments(parser, places=False)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", type=at_least_one, metavar="N", help="only the top N layers")
    which.add_argument("--base", metavar="IMAGE", help="only the layers above those of this image")
    output_arguments(parser)
    parser.set_defaults(run=_squash, refuse=parser.error)


def _squash(options: argparse.Namespace) -> int:
    with opened(options) as (image, _), contextlib.ExitStack() as others:
        base = None if options.base is None else others.enter_context(opened_other(options.base, image, options))
        count = len(image.layers)
        if options.last is not None and options.last > count:
            raise NameFormatError("number of layers", str(options.last), f"{image.name} has {counted(count, 'layer')}")
        return write_image(squash(image, top=options.last, base=base, created=created_of(options)), options)
