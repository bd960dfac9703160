"""`oci-layers append`: put further layers on an image."""

import argparse
import contextlib

from oci_layers.build.begin import edit
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.layers import file_arguments, layer_options, named_layer
from oci_layers.cli.options import image_arguments, opened, overlay_arguments, policy_arguments

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "append",
        help="put further layers on an image",
        description="Put layers on an image, in their order. The layers that it has are shared, not written again. A "
        "tar is taken as it is, unless an option for files changes it; what it removes is in its whiteouts.",
    )
    image_arguments(parser, places=False)
    parser.add_argument(
        "layer",
        metavar="LAYER",
        nargs="+",
        help="a directory; a tar file, perhaps compressed, - is one on stdin; or IMAGE#N, layer N of an image, 0 the "
        "lowest, -1 the highest",
    )
    overlay_arguments(
        parser,
        "directories are the upper directories of overlay mounts, unmounted: what they remove, the layer removes",
    )
    output_arguments(parser)
    file_arguments(parser)
    parser.add_argument("--created-by", metavar="TEXT", help="what the history says about the layers")
    parser.add_argument("--comment", metavar="TEXT", help="the comment in the history")
    policy_arguments(parser)
    parser.set_defaults(run=_append, refuse=parser.error)


def _append(options: argparse.Namespace) -> int:
    with opened(options) as (image, policy), contextlib.ExitStack() as others:
        # Without a prefix there is nothing to look up in the base, unless Windows must know its directories.
        base = image.tree(policy=policy) if options.prefix.strip("/") or image.is_windows else None
        files = layer_options(options, base=base)
        new = edit(image, created=created_of(options))
        for text in options.layer:
            named = named_layer(text, options, files, others)
            created_by = named.created_by if options.created_by is None else options.created_by
            new = new.append(named.layer, created_by=created_by, comment=options.comment)
        return write_image(new, options)
