"""What the verbs that make images share: where the image goes, how layers are compressed, and what was made.

Layers that the image has from others are shared; the report tells these from the new ones.
"""

import argparse
import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import attrs

from oci_layers.blob.store import BlobStore
from oci_layers.build.fields import Created
from oci_layers.build.image import NewImage
from oci_layers.build.layer import BuiltLayer
from oci_layers.build.options import Codec
from oci_layers.build.stack import NO_FILES, LayerSource, Slot, WrittenLayer
from oci_layers.cli.codecs import codec_arguments, codec_of
from oci_layers.cli.options import limits_of, names_stdout, place_arguments, progress_argument
from oci_layers.cli.output import columns, counted, human_bytes, json_text, listing_json, short_digests
from oci_layers.cli.progress import progress
from oci_layers.cli.registries import session_of
from oci_layers.errors import OCIError, escape
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.limits import Limits
from oci_layers.report import Listing, Skipped
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.platform import Platform
from oci_layers.store.open import name_place, open_image, parse_one_image
from oci_layers.store.place import create_repository
from oci_layers.store.repository import WritableRepository

__all__ = [
    "created_of",
    "opened_other",
    "output_arguments",
    "print_skipped",
    "report_stream",
    "target_of",
    "write_image",
]


def output_arguments(
    parser: argparse.ArgumentParser, *, new_layers: bool = True, created: bool = True, positional: bool = False
) -> None:
    """Add where the image goes, and what belongs to that.

    Args:
        parser: The parser of a verb.
        new_layers: Add how new layers are compressed.
        created: Add the time of what is new.
        positional: The place is the argument DST, not the option `--output`.
    """
    place = (
        "where the image goes: oci:DIR[:REF], which is made if it does not exist; oci-archive:FILE[:REF] or "
        "docker-archive:FILE[:NAME:TAG], which must not exist; a path is an archive if it ends with .tar; - is stdout"
    )
    if positional:
        parser.add_argument("output", metavar="DST", help=place)
    else:
        parser.add_argument("-o", "--output", metavar="DST", required=True, help=place)
    parser.add_argument("--target-ref", metavar="REF", help="the name of the image, where DST does not give one")
    if created:
        parser.add_argument(
            "--created",
            metavar="TIME",
            help="the time of what is new: RFC 3339, seconds since 1970, or now (default: SOURCE_DATE_EPOCH, if it is "
            "set, otherwise no time, so that the same input gives the same image)",
        )
    if new_layers:
        codec_arguments(parser)
    parser.add_argument(
        "--fsync",
        choices=("always", "commit", "never"),
        default="always",
        help="when DST survives a power cut: after each blob, or when the command ends, or not at all",
    )
    place_arguments(parser)
    progress_argument(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report")


def created_of(options: argparse.Namespace) -> Created | None:
    """Return the time of `--created`; None if it is not given."""
    text: str | None = options.created
    if text == "now":
        return dt.datetime.now(dt.UTC).replace(microsecond=0)
    if text is not None and text.isascii() and text.isdigit() and len(text) < 12:
        return int(text)
    return text


@attrs.define
class _Recorded:
    """A new layer that notes what was written."""

    layer: LayerSource
    written: WrittenLayer | None = None

    def write(
        self,
        blobs: BlobStore,
        *,
        codec: Codec | None,
        limits: Limits | None,
        temporary_directory: str | None,
        on_bytes: Callable[[int], None] | None,
    ) -> WrittenLayer:
        self.written = self.layer.write(
            blobs, codec=codec, limits=limits, temporary_directory=temporary_directory, on_bytes=on_bytes
        )
        return self.written


@attrs.frozen(kw_only=True)
class _Row:
    """One layer of the image that was made."""

    written: WrittenLayer
    is_new: bool
    created_by: str

    @property
    def size(self) -> int:
        return self.written.descriptor.size


def write_image(image: NewImage, options: argparse.Namespace) -> int:
    """Write an image to where the options say, print what was made, and return the exit code."""
    codec = codec_of(options) if "compression" in options else None
    recorded = attrs.evolve(image, slots=tuple(map(_recorded, image.slots)))
    out = report_stream(options)
    with progress(options.progress) as show, target_of(options) as (target, ref):
        descriptor = recorded.write(
            target, ref, codec=codec, temporary_directory=options.temporary_directory, progress=show
        )
    rows = list(_rows(recorded))
    skipped = Listing[Skipped]()
    for row in rows:
        if row.is_new and isinstance(row.written, BuiltLayer):
            skipped.extend(row.written.skipped)
    if options.format == "json":
        out.write(json_text(_json(descriptor, ref, rows, skipped, options), indent=2) + "\n")
    else:
        _print(descriptor, ref, rows, out)
    print_skipped(skipped)
    return 0


def print_skipped(skipped: Listing[Skipped]) -> None:
    """Print a line on stderr about what new layers do not have."""
    if len(skipped):
        totals = ", ".join(f"{count} {what}" for what, count in sorted(skipped.totals.items()))
        print(f"oci-layers: left out: {totals} (--format json lists them)", file=sys.stderr)


@contextlib.contextmanager
def opened_other(name: str, image: Image, options: argparse.Namespace) -> Iterator[Image]:
    """Yield another image for the platform of one; close it when the block ends."""
    config = image.config
    with open_image(
        name,
        platform=Platform(os=config.os, architecture=config.architecture),
        limits=limits_of(options),
        temporary_directory=options.temporary_directory,
        session=session_of(options, name),
    ) as other:
        yield other


def report_stream(options: argparse.Namespace) -> TextIO:
    """Return where the report goes: to stderr if the archive goes to stdout, which must then be no terminal."""
    if not names_stdout(options.output):
        return sys.stdout
    if sys.stdout.isatty():
        options.refuse("stdout is a terminal; redirect it to a file or a pipe")
    return sys.stderr


@contextlib.contextmanager
def target_of(options: argparse.Namespace) -> Iterator[tuple[WritableRepository, str | None]]:
    """Yield the place that the options name, and the reference; close it when the block ends."""
    _, ref = parse_one_image(options.output, options.target_ref)
    session = session_of(options, options.output)
    target, _ = create_repository(options.output, fsync=options.fsync, limits=limits_of(options), session=session)
    with target:
        try:
            yield target, ref
        except OCIError as error:
            name_place(error, target.place)
            raise


def _recorded(slot: Slot) -> Slot:
    return slot if isinstance(slot.layer, Layer) else attrs.evolve(slot, layer=_Recorded(slot.layer))


def _rows(image: NewImage) -> Iterator[_Row]:
    """Yield the layers that were written."""
    made = [
        str(entry.get("created_by") or entry.get("comment") or "")
        for entry in image.history
        if not entry.get("empty_layer")
    ]
    said = made if len(made) == len(image.slots) else [""] * len(image.slots)
    for slot, created_by in zip(image.slots, said, strict=True):
        layer = slot.layer
        if isinstance(layer, Layer):
            yield _Row(written=layer, is_new=False, created_by=created_by)
            continue
        assert isinstance(layer, _Recorded)
        assert layer.written is not None
        if slot.keep_empty or layer.written.diff_id != NO_FILES:
            yield _Row(written=layer.written, is_new=True, created_by=created_by)


def _print(descriptor: Descriptor, ref: str | None, rows: list[_Row], out: TextIO) -> None:
    out.write(f"{'-' if ref is None else escape(ref)}  {descriptor.digest}\n")
    lines = []
    for number, row in enumerate(rows):
        digest = short_digests(str(row.written.descriptor.digest))
        what = "new" if row.is_new else "shared"
        lines.append((f"layer {number}", what, human_bytes(row.size), digest, _short(row.created_by)))
    out.writelines(columns(lines, {2}) if lines else ())
    parts = []
    for is_new, what in ((True, "new"), (False, "shared")):
        sizes = [row.size for row in rows if row.is_new == is_new]
        if sizes:
            parts.append(f"{counted(len(sizes), 'layer')} {what}, {human_bytes(sum(sizes))}")
    out.write(f"{'; '.join(parts) or 'no layers'}\n")


def _short(text: str) -> str:
    """Return the beginning of a history entry."""
    text = escape(" ".join(text.split()))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _json(
    descriptor: Descriptor, ref: str | None, rows: list[_Row], skipped: Listing[Skipped], options: argparse.Namespace
) -> dict[str, Any]:  # Any: JSON
    return {
        "target": options.output,
        "ref": ref,
        "digest": str(descriptor.digest),
        "media_type": descriptor.media_type,
        "size": descriptor.size,
        "platform": None if descriptor.platform is None else str(descriptor.platform),
        "layers": [
            {
                "layer": number,
                "new": row.is_new,
                "digest": str(row.written.descriptor.digest),
                "diff_id": str(row.written.diff_id),
                "size": row.size,
                "media_type": row.written.descriptor.media_type,
                "plain_size": row.written.plain_size if isinstance(row.written, BuiltLayer) else None,
                "created_by": row.created_by or None,
            }
            for number, row in enumerate(rows)
        ],
        "new_bytes": sum(row.size for row in rows if row.is_new),
        "shared_bytes": sum(row.size for row in rows if not row.is_new),
        "skipped": listing_json(skipped),
    }
