"""The layers that verbs add to images: what their arguments name, and the options for the files in them."""

import argparse
import contextlib
import datetime as dt
import os
import re
import sys
from pathlib import Path

import attrs

from oci_layers.build.layer import NewLayer
from oci_layers.build.options import LayerOptions
from oci_layers.build.stack import AnyLayer
from oci_layers.cli.options import limits_of, namespace_of, require_layer
from oci_layers.cli.trees import LayerFile, kind_of, opened_source
from oci_layers.disk.owner import Owner
from oci_layers.errors import NameFormatError, StoreError
from oci_layers.image.layer import Layer
from oci_layers.tree.tree import FileTree

__all__ = ["NamedLayer", "file_arguments", "layer_options", "named_layer"]

_OF_IMAGE = re.compile(r"(?P<image>.+)#(?P<number>-?[0-9]{1,6})", re.DOTALL | re.ASCII)


def file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the files in new layers."""
    group = parser.add_argument_group("files")
    group.add_argument(
        "--prefix",
        metavar="PATH",
        default="",
        help="the directory in the image that they are put into, as COPY DIR PATH in a Dockerfile (default: /)",
    )
    group.add_argument("--owner", metavar="UID[:GID]", help="whose files they are (default: as they are on disk)")
    group.add_argument("--chmod", metavar="MODE", help="the mode of all files and directories, in octal digits")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="PATTERN", help="leave out files, as in .dockerignore"
    )
    group.add_argument("--ignore-file", metavar="FILE", help="leave out what a file such as .dockerignore says")
    group.add_argument(
        "--mtime",
        metavar="TIME",
        help="the latest time that a file has, RFC 3339 or seconds since 1970; later ones become it (default: "
        "SOURCE_DATE_EPOCH, if it is set)",
    )


def layer_options(
    options: argparse.Namespace, *, base: FileTree | None = None, keep_root: bool = False, windows: bool | None = None
) -> LayerOptions:
    """Return what the options say about files.

    Args:
        options: The options.
        base: What the layer is put on.
        keep_root: Whether the directory itself describes the root of the image, unless there is a prefix.
        windows: Whether the layer is for Windows; as `base` if None.

    Raises:
        NameFormatError: One is malformed.
        OSError: The file of patterns cannot be read.
    """
    lines = list(options.ignore)
    if options.ignore_file is not None:
        lines = [*Path(options.ignore_file).read_text("utf-8", "surrogateescape").splitlines(), *lines]
    owner = (None, None) if options.owner is None else Owner.parse(options.owner).fixed or (None, None)
    found = LayerOptions(
        prefix=options.prefix,
        base=base,
        keep_root=keep_root and not options.prefix.strip("/"),
        ignore=lines,
        uid=owner[0],
        gid=owner[1],
        mode=_mode(options.chmod),
        windows=windows,
    )
    return found if options.mtime is None else attrs.evolve(found, clamp_mtime=_seconds(options.mtime))


def _mode(text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch("0?[0-7]{3,4}", text) is None:
        raise NameFormatError("mode", text, "expected three or four octal digits, such as 0755")
    return int(text, 8)


def _seconds(text: str) -> int:
    if re.fullmatch("[0-9]{1,11}", text, re.ASCII):
        return int(text)
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise NameFormatError("time", text, "expected RFC 3339, such as 2024-01-31T12:00:00Z, or seconds since 1970")
    return int(when.timestamp())


@attrs.frozen
class NamedLayer:
    """A layer, and what a history entry says about it; None for what its own says."""

    layer: AnyLayer
    created_by: str | None


def named_layer(
    text: str, options: argparse.Namespace, files: LayerOptions, opened: contextlib.ExitStack
) -> NamedLayer:
    """Return the layer that an argument names: a tar file, `-`, a directory, or `IMAGE#N`.

    Args:
        text: The argument.
        options: The options of an image, and those for files.
        files: The options for files, evaluated.
        opened: Closes what must be open until the layer is written.

    Raises:
        LayerMissingError: An image has no such layer.
        StoreError: It is an image.
        OCIError: As `opened_source`.
    """
    found = _OF_IMAGE.fullmatch(text)
    if found is not None and not os.path.lexists(text):
        return NamedLayer(_of_image(found["image"], int(found["number"]), options, opened), None)
    where = f"/{options.prefix.strip('/')}"
    kind = kind_of(text)
    name = "-" if text == "-" else os.path.basename(os.path.abspath(text))
    if kind == "directory":
        namespace = namespace_of(options)
        if namespace is not None:
            upper = NewLayer.from_upper(text, namespace=namespace, options=files, limits=limits_of(options))
            return NamedLayer(upper, f"overlay upper directory {name}")
        return NamedLayer(NewLayer.from_directory(text, options=files), f"COPY {name} {where}")
    if kind == "image":
        raise _several(text)
    limits = limits_of(options)
    kept = None if _changes_nothing(options) else files
    if text == "-":
        return NamedLayer(NewLayer.from_tar(_Stdin, options=kept, limits=limits), f"ADD {name} {where}")
    with opened_source(text, options) as source:
        if not isinstance(source, LayerFile):
            raise _several(text)
    return NamedLayer(NewLayer.from_tar(text, options=kept, limits=limits), f"ADD {name} {where}")


class _Stdin:
    """Stdin as a stream."""

    def read(self, size: int, /) -> bytes:
        data: bytes = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer).read(size)
        return data

    def close(self) -> None:
        pass


def _several(text: str) -> StoreError:
    return StoreError(text, f"it holds an image; {text}#N is layer N of it, 0 the lowest, -1 the highest")


def _of_image(name: str, number: int, options: argparse.Namespace, opened: contextlib.ExitStack) -> Layer:
    image = opened.enter_context(opened_source(name, options))
    if isinstance(image, LayerFile | Path):
        raise StoreError(name, "it is no image, so it has no layers")
    count = len(image.layers)
    require_layer(number + count if number < 0 else number, count)
    return image.layers[number]


def _changes_nothing(options: argparse.Namespace) -> bool:
    """Tell whether a tar is taken as it is."""
    given = (options.owner, options.chmod, options.ignore_file, options.mtime)
    return not options.prefix.strip("/") and not options.ignore and all(each is None for each in given)
