"""`oci-layers copy`: copy images between layouts, archives and registries."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from oci_layers.cli.codecs import codec_arguments, codec_of
from oci_layers.cli.options import at_least_one, limits_of, names_stdout, place_arguments, progress_argument
from oci_layers.cli.output import columns, counted, human_bytes, json_text, short_digests
from oci_layers.cli.progress import progress
from oci_layers.cli.registries import session_of, side_arguments
from oci_layers.errors import escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.platform_selection import own_name
from oci_layers.store.convert import Conversion
from oci_layers.store.copy import Copied, copy

__all__ = ["add"]

_LISTED = 3
"""The number of missing blobs that a line lists."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "copy",
        help="copy images between layouts, archives and registries",
        description="Copy an image: the blobs that DST does not have, each verified, then its documents, unchanged, "
        "then the name. After an interruption the same command goes on.",
    )
    parser.add_argument(
        "source",
        metavar="SRC",
        help="oci:DIR[:REF|@DIGEST], oci-archive:FILE[:REF|@DIGEST], docker-archive:FILE[:NAME:TAG], or the path of "
        "one of these; - is an archive on stdin; docker://HOST/REPOSITORY[:TAG|@DIGEST]",
    )
    parser.add_argument(
        "target",
        metavar="DST",
        help="oci:DIR[:REF], which is made if it does not exist; oci-archive:FILE[:REF] or "
        "docker-archive:FILE[:NAME:TAG], which must not exist; a path is an archive if it ends with .tar; - is stdout; "
        "docker://HOST/REPOSITORY[:TAG]",
    )
    parser.add_argument("--ref", help="the reference, where SRC does not give one")
    parser.add_argument(
        "--target-ref", metavar="REF", help="the new name, where DST does not give one (default: the old one)"
    )
    parser.add_argument("--all", action="store_true", help="copy all images of SRC, each under its own name")
    parser.add_argument(
        "--platform",
        action="append",
        default=[],
        metavar="OS/ARCH[/VARIANT]",
        help="copy only the image for this platform (default: all); may be repeated",
    )
    parser.add_argument(
        "--referrers", action="store_true", help="copy also what refers to the image, such as signatures and SBOMs"
    )
    parser.add_argument(
        "--convert",
        choices=("oci", "docker"),
        help="convert media types; the image gets a new digest if any changes; skopeo reads only oci in a layout (an "
        "image of a docker-archive, which has no manifest, becomes oci anyway)",
    )
    codec_arguments(parser, "recompress layers that have another one; the image gets a new digest")
    parser.add_argument("--threads", type=at_least_one, metavar="N", help="blobs copied at once (default: at most 4)")
    parser.add_argument(
        "--fsync",
        choices=("always", "commit", "never"),
        default="always",
        help="when DST survives a power cut: after each blob, or when the command ends, or not at all",
    )
    place_arguments(parser)
    side_arguments(parser)
    progress_argument(parser)
    parser.add_argument(
        "--policy", choices=("default", "lenient"), default="default", help="lenient follows links to blobs in SRC"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report")
    parser.set_defaults(run=_copy, refuse=parser.error)


def _copy(options: argparse.Namespace) -> int:
    is_stdout = names_stdout(options.target)
    if is_stdout and sys.stdout.isatty():
        options.refuse("stdout is a terminal; redirect it to a file or a pipe")
    conversion = None
    if options.compression is None and (options.level is not None or options.encoder is not None):
        options.refuse("--level and --encoder go with --compression")
    if options.convert or options.compression:
        codec = codec_of(options)
        conversion = Conversion(
            format=options.convert, compression=options.compression, level=codec.level, encoder=codec.encoder
        )
    with progress(options.progress, unit="blob") as show:
        copied = copy(
            options.source,
            options.target,
            options.ref,
            target_ref=options.target_ref,
            everything=options.all,
            platforms=options.platform,
            referrers=options.referrers,
            conversion=conversion,
            threads=options.threads,
            fsync=options.fsync,
            blob_links=options.policy == "lenient",
            session=session_of(options, options.source, side="src"),
            target_session=session_of(options, options.target, side="dest"),
            limits=limits_of(options),
            temporary_directory=options.temporary_directory,
            progress=show,
        )
    out = sys.stderr if is_stdout else sys.stdout
    if options.format == "json":
        out.write(json_text(_json(copied, options), indent=2) + "\n")
    else:
        _print(copied, out)
    return 0


def _print(copied: Copied, out: TextIO) -> None:
    was = {new: old for old, new in copied.converted.items()}
    rows = []
    for entries, note in ((copied.entries, ""), (copied.referrers, "referrer")):
        for each in entries:
            converted = [f"was {was[each.digest]}"] if each.digest in was else []
            text = ", ".join([*converted, note] if note else converted)
            rows.append((_name(each), str(each.digest), f"({text})" if text else ""))
    out.writelines(columns(rows) if rows else ())
    parts = [f"{counted(copied.blobs, 'blob')}, {human_bytes(copied.bytes)} copied"]
    if copied.present:
        parts.append(f"{counted(copied.present, 'blob')}, {human_bytes(copied.present_bytes)} there already")
    if copied.converted:
        parts.append(f"{counted(len(copied.converted), 'blob')} converted, with new digests")
    out.write("; ".join(parts) + "\n")
    if copied.missing:
        listed = ", ".join(map(_missing, copied.missing[:_LISTED]))
        more = len(copied.missing) - _LISTED
        listed += f" and {more} more" if more > 0 else ""
        print(f"oci-layers: not in the source, or not distributed, and not copied: {listed}", file=sys.stderr)


def _name(entry: Descriptor) -> str:
    name = own_name(entry)
    return "-" if name is None else escape(name)


def _missing(descriptor: Descriptor) -> str:
    text = short_digests(str(descriptor.digest))
    return text if descriptor.platform is None else f"{text} for {escape(str(descriptor.platform))}"


def _json(copied: Copied, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    was = {new: old for old, new in copied.converted.items()}
    return {
        "source": options.source,
        "target": options.target,
        "images": _entries_json(copied.entries, was),
        "referrers": _entries_json(copied.referrers, was),
        "blobs": copied.blobs,
        "bytes": copied.bytes,
        "present": copied.present,
        "present_bytes": copied.present_bytes,
        "missing": [
            {
                "digest": str(each.digest),
                "media_type": each.media_type,
                "size": each.size,
                "platform": None if each.platform is None else str(each.platform),
            }
            for each in copied.missing
        ],
        "converted": {str(old): str(new) for old, new in copied.converted.items()},
    }


def _entries_json(entries: Sequence[Descriptor], was: dict[Digest, Digest]) -> list[dict[str, Any]]:  # Any: JSON
    return [
        {
            "ref": own_name(each),
            "digest": str(each.digest),
            "media_type": each.media_type,
            "size": each.size,
            "platform": None if each.platform is None else str(each.platform),
            "was": str(was[each.digest]) if each.digest in was else None,
        }
        for each in entries
    ]
