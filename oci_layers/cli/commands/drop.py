"""`oci-layers drop`: an image without some of its layers."""

import argparse

from oci_layers.build.rebase import drop_layer
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.options import image_arguments, opened, require_layer

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "drop",
        help="take layers out of an image",
        description="Take layers out of an image, and their entries out of its history. The other layers are shared, "
        "and not looked into: what they remove or link to may be in none of them.",
    )
    image_arguments(parser, places=False)
    parser.add_argument(
        "layer", metavar="N", nargs="+", type=int, help="the number of a layer: 0 is the lowest, -1 the highest"
    )
    output_arguments(parser, new_layers=False)
    parser.set_defaults(run=_drop, refuse=parser.error)


def _drop(options: argparse.Namespace) -> int:
    with opened(options) as (image, _):
        count = len(image.layers)
        indexes = [number + count if -count <= number < 0 else number for number in options.layer]
        for index in indexes:
            require_layer(index, count)
        return write_image(drop_layer(image, *indexes, created=created_of(options)), options)
