"""`oci-layers pack`: an image of a directory, or a layer of one."""

import argparse
import contextlib
import os
from collections.abc import Iterator

from oci_layers.build.begin import edit, scratch
from oci_layers.build.image import NewImage
from oci_layers.build.layer import NewLayer
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.layerfile import is_layer_file, write_layer_file
from oci_layers.cli.layers import file_arguments, layer_options
from oci_layers.cli.options import limits_of, policy_arguments, policy_of
from oci_layers.cli.registries import session_of
from oci_layers.cli.settings import configured, settings_arguments
from oci_layers.errors import PlaceMissingError
from oci_layers.spec.annotations import BASE_DIGEST
from oci_layers.store.open import open_image
from oci_layers.store.select import host_platform
from oci_layers.tree.tree import FileTree

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "pack",
        help="make an image of a directory",
        description="Make an image of a directory: of one layer, or of that on a base, whose layers are shared. The "
        "same files and options give the same image. With DST FILE.tar.gz or FILE.tar.zst, or with --layer, make only "
        "the layer.",
    )
    parser.add_argument("directory", metavar="DIR", help="the directory; what it holds is put into --prefix")
    output_arguments(parser)
    parser.add_argument("--base", metavar="IMAGE", help="put the layer on this image, and name it as the base")
    parser.add_argument(
        "--platform",
        metavar="OS/ARCH[/VARIANT]",
        help="of the image, and which of several of IMAGE (default: that of this machine, with linux)",
    )
    parser.add_argument("--layer", action="store_true", help="make only the layer, in the file DST")
    file_arguments(parser)
    settings_arguments(parser)
    policy_arguments(parser)
    parser.set_defaults(run=_pack, refuse=parser.error)


def _pack(options: argparse.Namespace) -> int:
    if not os.path.lexists(options.directory):
        raise PlaceMissingError(options.directory, "no such directory")
    with _base(options) as (image, tree):
        windows = image.platform.os == "windows"
        files = layer_options(options, base=tree, keep_root=options.base is None, windows=windows)
        layer = NewLayer.from_directory(options.directory, options=files, limits=limits_of(options))
        if options.layer or is_layer_file(options.output):
            return write_layer_file(layer, options)
        name = os.path.basename(os.path.abspath(options.directory))
        packed = image.append(layer, created_by=f"COPY {name} /{options.prefix.strip('/')}")
        return write_image(configured(packed, options), options)


@contextlib.contextmanager
def _base(options: argparse.Namespace) -> Iterator[tuple[NewImage, FileTree | None]]:
    """Yield the image that the layer is put on, and its tree if that matters."""
    created = created_of(options)
    if options.base is None:
        yield scratch(options.platform or host_platform(), created=created), None
        return
    with open_image(
        options.base,
        platform=options.platform,
        limits=limits_of(options),
        temporary_directory=options.temporary_directory,
        threads=options.threads,
        blob_links=options.policy == "lenient",
        session=session_of(options, options.base),
    ) as image:
        tree = image.tree(policy=policy_of(options)) if options.prefix.strip("/") or image.is_windows else None
        yield edit(image, created=created).annotate({BASE_DIGEST: str(image.descriptor.digest)}), tree
