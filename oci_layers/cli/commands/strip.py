"""`oci-layers strip`: an image without some paths, in any of its layers."""

import argparse

from oci_layers.build.strip import strip_paths
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.options import image_arguments, opened

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "strip",
        help="take paths out of every layer of an image",
        description="Take paths, and what is below them, out of every layer of an image, also where an upper layer "
        "hides them: a key that was copied by mistake. Layers that have none of them are shared; one of which nothing "
        "is left goes.",
    )
    image_arguments(parser, places=False)
    parser.add_argument(
        "path", metavar="PATH", nargs="+", help="a path as the layers have it; a link in it is not followed"
    )
    parser.add_argument("--keep-empty", action="store_true", help="keep a layer of which nothing is left")
    output_arguments(parser)
    parser.set_defaults(run=_strip, refuse=parser.error)


def _strip(options: argparse.Namespace) -> int:
    with opened(options) as (image, _):
        new = strip_paths(image, options.path, keep_empty=options.keep_empty, created=created_of(options))
        return write_image(new, options)
