"""`oci-layers unpack`: write the merged, verified file system to DEST."""

import argparse

import attrs

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import counted, human_bytes, print_json, print_summary, report_json
from oci_layers.cli.progress import interruptible_progress
from oci_layers.disk.owner import IdMap, Owner

__all__ = ["add", "run"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "unpack",
        help="write the merged, verified file system to DEST",
        description="Merge the layers of IMAGE and write the result to DEST. Every byte is verified. Without "
        "--in-place, DEST is created in one step; on failure it is unchanged.",
    )
    image_arguments(parser, policy=True)
    parser.add_argument(
        "dest", metavar="DEST", help="an absent or empty directory; created in one step after everything is verified"
    )
    parser.add_argument(
        "--path", action="append", default=[], metavar="PATH", help="only what is at or below PATH; may be repeated"
    )
    parser.add_argument("--owner", metavar="UID[:GID]", help="give everything to one owner")
    parser.add_argument("--no-same-owner", action="store_true", help="give everything to the user who runs the command")
    parser.add_argument(
        "--uid-map", action="append", default=[], metavar="CONTAINER:HOST[:SIZE]", help="map users; may be repeated"
    )
    parser.add_argument(
        "--gid-map", action="append", default=[], metavar="CONTAINER:HOST[:SIZE]", help="map groups; may be repeated"
    )
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="build inside DEST, not in one step, such as in a mount point; empty it again on failure",
    )
    parser.add_argument("--strict-metadata", action="store_true", help="fail where any metadata cannot be set")
    parser.add_argument("--sync", action="store_true", help="flush everything to the disk before the command ends")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report")
    parser.set_defaults(run=run, refuse=parser.error)


def run(options: argparse.Namespace) -> int:
    """Unpack the image, print the report, and return the exit code."""
    owner = _owner(options)
    with opened(options) as (image, policy), interruptible_progress(options.progress) as on_progress:
        report = image.unpack(
            options.dest,
            paths=options.path,
            policy=policy,
            owner=owner,
            in_place=options.in_place,
            sync=options.sync,
            strict_metadata=options.strict_metadata,
            progress=on_progress,
        )
    if options.format == "json":
        print_json({"image": image.name, "digest": str(image.descriptor.digest), **report_json(report)})
    else:
        what = counted(len(options.path), "path") if options.path else counted(len(report.layers), "layer")
        print(f"{what}, {counted(report.files, 'file')}, {human_bytes(report.bytes)}, every digest verified")
    print_summary(report)
    return 0


def _owner(options: argparse.Namespace) -> Owner:
    maps = [*options.uid_map, *options.gid_map]
    if bool(options.owner) + options.no_same_owner + bool(maps) > 1:
        options.refuse("--owner, --no-same-owner and the maps exclude each other")
    if options.owner:
        return Owner.parse(options.owner)
    uids, gids = map(IdMap.parse, options.uid_map), map(IdMap.parse, options.gid_map)
    return attrs.evolve(Owner(same=not options.no_same_owner), uids=tuple(uids), gids=tuple(gids))
