"""`oci-layers rebase`: put the layers of an image on another base."""

import argparse
import contextlib

from oci_layers.build.rebase import rebase
from oci_layers.cli.building import created_of, opened_other, output_arguments, write_image
from oci_layers.cli.options import image_arguments, opened
from oci_layers.errors import BlobMissingError, ReferenceMissingError, escape

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "rebase",
        help="put the layers of an image on another base",
        description="Put the layers of an image that are above those of OLD on those of NEW, unread and unchanged. "
        "All layers are shared. The settings stay, also those that the image has from OLD.",
    )
    image_arguments(parser, places=False)
    parser.add_argument(
        "old",
        metavar="OLD",
        nargs="?",
        help="the image whose layers are the lowest of IMAGE (default: that of the annotation "
        "org.opencontainers.image.base.digest, in the place of NEW or of IMAGE)",
    )
    parser.add_argument("new", metavar="NEW", help="the image whose layers take their place")
    output_arguments(parser, new_layers=False)
    parser.set_defaults(run=_rebase, refuse=parser.error)


def _rebase(options: argparse.Namespace) -> int:
    with opened(options) as (image, _), contextlib.ExitStack() as others:
        old = None if options.old is None else others.enter_context(opened_other(options.old, image, options))
        new = others.enter_context(opened_other(options.new, image, options))
        try:
            rebased = rebase(image, old, new, created=created_of(options))
        except (BlobMissingError, ReferenceMissingError) as error:
            if old is None:
                error.add_note(f"the base of {escape(image.name)}, by its annotation; name it as OLD")
            raise
        return write_image(rebased, options)
