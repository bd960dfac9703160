"""`oci-layers config`: change the settings of an image."""

import argparse

from oci_layers.build.begin import edit
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.settings import configured, settings_arguments

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "config",
        help="change the settings of an image",
        description="Change the settings of an image, such as its command and its environment. What is not named stays "
        "as it is. All layers are shared.",
    )
    image_arguments(parser, places=False)
    output_arguments(parser, new_layers=False)
    settings_arguments(parser)
    parser.add_argument(
        "--set-platform", metavar="OS/ARCH[/VARIANT]", help="say that the image is for another platform"
    )
    parser.set_defaults(run=_config, refuse=parser.error)


def _config(options: argparse.Namespace) -> int:
    with opened(options) as (image, _):
        created = created_of(options)
        new = configured(edit(image, created=created), options, created=created)
        if options.set_platform is not None:
            new = new.configure(platform=options.set_platform)
        return write_image(new, options)
