"""`oci-layers rebase`: put the layers of an image on another base."""

import argparse
import contextlib
import functools

from oci_layers.build.rebase import rebase
from oci_layers.cli.building import created_of, opened_other, output_arguments, write_image
from oci_layers.cli.options import image_arguments, limits_of, opened, opened_place
from oci_layers.errors import BaseMismatchError, MissingError, ReferenceMissingError, escape
from oci_layers.image.image import Image
from oci_layers.spec.annotations import BASE_DIGEST, BASE_NAME
from oci_layers.spec.config import platform_of
from oci_layers.store.name import ImageName
from oci_layers.store.open import open_image
from oci_layers.system import is_pipe

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
        help="the image whose layers are the lowest of IMAGE (default: that of the annotations "
        "org.opencontainers.image.base.digest or base.name, in the place of NEW or of IMAGE)",
    )
    parser.add_argument("new", metavar="NEW", help="the image whose layers take their place")
    output_arguments(parser, new_layers=False)
    parser.set_defaults(run=_rebase, refuse=parser.error)


def _rebase(options: argparse.Namespace) -> int:
    with opened(options) as (image, _), contextlib.ExitStack() as others:
        old = None if options.old is None else others.enter_context(opened_other(options.old, image, options))
        new = others.enter_context(opened_other(options.new, image, options))
        open_named = functools.partial(_opened_named, image, options, others)
        try:
            rebased = rebase(image, old, new, open_named=open_named, created=created_of(options))
        except (MissingError, BaseMismatchError) as error:
            if old is None:
                error.add_note(f"the base of {escape(image.name)}, {_named_by(image)}; name it as OLD")
            raise
        return write_image(rebased, options)


def _named_by(image: Image) -> str:
    """Return how an image names its base, in words."""
    found = ((key, image.manifest.annotations.get(key)) for key in (BASE_DIGEST, BASE_NAME))
    named = [f"{key.rpartition('image.')[2]} {escape(value)}" for key, value in found if value is not None]
    return f"by its annotation {' and '.join(named)}" if named else "by its annotations"


def _opened_named(image: Image, options: argparse.Namespace, opened: contextlib.ExitStack, name: str) -> Image:
    """Return the image of a name in the place of NEW or of IMAGE: the text of an annotation leads to no other place."""
    known: dict[str, None] = {}
    for text in dict.fromkeys((options.new, options.image)):
        if is_pipe(ImageName.parse(text).place):
            continue
        place, _ = opened.enter_context(opened_place(text, options))
        try:
            return open_image(place, ref=name, platform=platform_of(image.config), limits=limits_of(options))
        except ReferenceMissingError as error:
            known |= dict.fromkeys(error.known)
    raise ReferenceMissingError(name, tuple(known))
