"""`oci-layers commit`: put what a container changed on its image, as a layer."""

import argparse
import contextlib
from collections.abc import Iterator

from oci_layers.build.begin import edit
from oci_layers.cli.building import created_of, output_arguments, write_image
from oci_layers.cli.options import choice_arguments, limits_of, opened
from oci_layers.cli.rooms import opened_room, room_argument
from oci_layers.errors import OCIError, StoreError
from oci_layers.image.image import Image
from oci_layers.snapshot.record import ContainerRecord

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "commit",
        help="put what a container changed on its image",
        description="Write an image to DST: that of the container, with one more layer, which has what the container "
        "changed. The room has no blobs, so the image of the container must still be where it was, or be named with "
        "--base. Its layers are shared, not written again. The container stays as it is, and may be in use; what is "
        "written to it meanwhile is in the layer or not.",
    )
    parser.add_argument("name", metavar="NAME", help="the name of a container")
    room_argument(parser)
    parser.add_argument(
        "--base", dest="image", metavar="IMAGE", help="the image of the container (default: by its name in the room)"
    )
    choice_arguments(parser, "which of several images of the base (default: that for this machine)", places=False)
    output_arguments(parser, positional=True)
    parser.add_argument("--created-by", metavar="TEXT", help="what the history says about the layer")
    parser.add_argument("--comment", metavar="TEXT", help="the comment in the history")
    parser.set_defaults(run=_commit, refuse=parser.error)


def _commit(options: argparse.Namespace) -> int:
    with opened_room(options, limits=limits_of(options)) as room:
        files = room.container_files(options.name)
        with _opened_base(options, files.record) as image:
            created_by = f"commit {options.name}" if options.created_by is None else options.created_by
            new = edit(image, created=created_of(options))
            new = new.append(files.commit(), created_by=created_by, comment=options.comment)
            return write_image(new, options)


@contextlib.contextmanager
def _opened_base(options: argparse.Namespace, record: ContainerRecord) -> Iterator[Image]:
    """Yield the image of a container; close it when the block ends.

    Raises:
        StoreError: It is another one.
        OCIError: It cannot be opened.
    """
    with contextlib.ExitStack() as closing:
        if options.image is None:
            options.image = record.image
            try:
                image, _ = closing.enter_context(opened(options))
            except OCIError as error:
                error.add_note(f"the image of container {record.name}, to be named with --base, cannot be opened")
                raise
        else:
            image, _ = closing.enter_context(opened(options))
        actual = image.descriptor.digest
        if actual != record.manifest:
            raise StoreError(image.name, f"is {actual}, container {record.name} is over {record.manifest} (--base)")
        yield image
