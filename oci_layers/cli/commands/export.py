"""`oci-layers export`: the merged file system as one tar."""

import argparse
import contextlib
import sys
from collections.abc import Iterator

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import counted, human_bytes
from oci_layers.cli.progress import progress
from oci_layers.image.export import Writable
from oci_layers.store.archive_output import ArchiveOutput

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "export",
        help="write the merged file system as one tar",
        description="Write the merged file system as one tar, as docker export does: only what is visible, with all "
        "metadata, always the same bytes. Nothing is written before every layer is verified.",
    )
    image_arguments(parser, policy=True)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="a file that does not exist, and appears when it is complete; or a pipe; - is stdout, the default",
    )
    parser.add_argument(
        "--order",
        choices=("path", "layer"),
        default="path",
        help="path: by path, through temporary files as large as the layers (default); layer: files as the layers "
        "store them, without temporary files, but slower, and for GNU tar with --delay-directory-restore",
    )
    parser.set_defaults(run=_export, refuse=parser.error)


def _export(options: argparse.Namespace) -> int:
    is_stdout = options.output in {"-", "/dev/stdout"}
    if is_stdout and sys.stdout.isatty():
        options.refuse("stdout is a terminal; redirect it to a file or a pipe, or use -o FILE")
    with (
        opened(options) as (image, policy),
        progress(options.progress, then="writing") as show,
        contextlib.nullcontext(sys.stdout.buffer) if is_stdout else _file(options.output) as stream,
    ):
        report = image.export(stream, order=options.order, policy=policy, progress=show)
    if not is_stdout:
        entries = counted(report.entries, "entry", "entries")
        print(f"{entries}, {counted(report.files, 'file')}, {human_bytes(report.bytes)}, every digest verified")
    return 0


@contextlib.contextmanager
def _file(name: str) -> Iterator[Writable]:
    """Yield a file that gets its name when the block ends, and is removed if it raises."""
    output = ArchiveOutput(name, sync=True)
    try:
        yield output
        output.commit()
    except BaseException as error:
        output.discard(error)
        raise
