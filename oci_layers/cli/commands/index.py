"""`oci-layers index`: several images under one name, one for each platform."""

import argparse
import contextlib
from collections.abc import Callable, Sequence
from typing import TextIO

from oci_layers.build.index import NewIndex
from oci_layers.cli.building import output_arguments, report_stream, target_of
from oci_layers.cli.options import limits_of, opened_place
from oci_layers.cli.output import columns, counted, json_text
from oci_layers.cli.progress import progress
from oci_layers.cli.settings import pairs
from oci_layers.errors import StoreError, escape
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import is_document
from oci_layers.spec.platform_selection import is_attestation
from oci_layers.store.graph import as_index, read_node
from oci_layers.store.open import parse_image_name
from oci_layers.store.select import one_image

__all__ = ["add"]

_IMAGE = (
    "oci:DIR[:REF|@DIGEST], oci-archive:FILE[:REF|@DIGEST], docker-archive:FILE[:NAME:TAG], or the path of one of these"
)


_ANNOTATION = "an annotation of the index; may be repeated"
_NO_ANNOTATION = "remove one; may be repeated"


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "index",
        help="images for several platforms under one name",
        description="Put images for several platforms under one name, or change which are there.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    create = _action(
        actions, _create, "make an index of images", "Make an index of images. Of an index, all images are taken."
    )
    create.add_argument("image", metavar="IMAGE", nargs="+", help=_IMAGE)
    append = _action(
        actions,
        _append,
        "add images to an index",
        "Add images to an index. An image takes the place of that for the same platform; of an index, all are taken.",
    )
    append.add_argument("index", metavar="INDEX", help=_IMAGE)
    append.add_argument("image", metavar="IMAGE", nargs="+", help="what is added, named as INDEX is")
    only = _action(
        actions,
        _filter,
        "keep the images for some platforms",
        "Keep of an index the images for some platforms, with the attestations of these.",
    )
    only.add_argument("index", metavar="INDEX", help=_IMAGE)
    only.add_argument(
        "--platform",
        metavar="OS/ARCH[/VARIANT]",
        action="append",
        required=True,
        help="keep the image for this platform; may be repeated",
    )
    for each in (append, only):
        each.add_argument("--ref", help="the reference, where INDEX does not give one")
    for each in (create, append, only):
        for name, form, text in (
            ("annotation", "KEY=VALUE", "an annotation of the index"),
            ("no-annotation", "KEY", "remove one"),
        ):
            each.add_argument(f"--{name}", metavar=form, action="append", default=[], help=f"{text}; may be repeated")
        output_arguments(each, new_layers=False, created=False)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: Callable[[argparse.Namespace], int],
    text: str,
    description: str,
) -> argparse.ArgumentParser:
    name = run.__name__.removeprefix("_")
    parser = actions.add_parser(
        name, help=text, description=f"{description} What DST lacks is copied, each blob verified."
    )
    parser.set_defaults(run=run, refuse=parser.error)
    return parser


def _create(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as places:
        return _write(_updated(NewIndex.of(), options.image, options, places), options)


def _append(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as places:
        return _write(_updated(_read(options, places), options.image, options, places), options)


def _filter(options: argparse.Namespace) -> int:
    with contextlib.ExitStack() as places:
        return _write(_read(options, places).filter(*options.platform), options)


def _updated(
    index: NewIndex, names: Sequence[str], options: argparse.Namespace, places: contextlib.ExitStack
) -> NewIndex:
    for name in names:
        place, ref = places.enter_context(opened_place(name, options))
        index = index.update(place, ref, limits=limits_of(options))
    return index


def _read(options: argparse.Namespace, places: contextlib.ExitStack) -> NewIndex:
    """Return the index that the options name."""
    _, ref = parse_image_name(options.index, options.ref)
    place, _ = places.enter_context(opened_place(options.index, options))
    entry, *others = one_image(place.entries(ref), ref)
    if others or not is_document(entry.media_type):
        raise StoreError(options.index, "it is no index; `index create` makes one of images")
    document = as_index(read_node(place.blobs, entry, limits_of(options)))
    if document is None:
        raise StoreError(options.index, "it is an image for one platform, no index; `index create` makes one of images")
    return NewIndex.edit(document, place.blobs, limits=limits_of(options))


def _write(index: NewIndex, options: argparse.Namespace) -> int:
    index = index.annotate(pairs("annotation", options.annotation, options.no_annotation) or {})
    out, entries = report_stream(options), list[Descriptor]()
    with progress(options.progress, unit="entry") as show, target_of(options) as (target, ref):
        descriptor = index.write(target, ref, on_entry=entries.append, progress=show)
    if options.format == "json":
        value = {
            "target": options.output,
            "ref": ref,
            "digest": str(descriptor.digest),
            "media_type": descriptor.media_type,
            "size": descriptor.size,
            "entries": [_json(each) for each in entries],
        }
        out.write(json_text(value, indent=2) + "\n")
        return 0
    _print(descriptor, ref, entries, out)
    return 0


def _json(entry: Descriptor) -> dict[str, object]:
    return {
        "digest": str(entry.digest),
        "media_type": entry.media_type,
        "size": entry.size,
        "platform": None if entry.platform is None else str(entry.platform),
        "artifact_type": "attestation" if is_attestation(entry) else entry.artifact_type or None,
    }


def _print(descriptor: Descriptor, ref: str | None, entries: Sequence[Descriptor], out: TextIO) -> None:
    out.write(f"{'-' if ref is None else escape(ref)}  {descriptor.digest}\n")
    rows = []
    for each in entries:
        what = "attestation" if is_attestation(each) else each.artifact_type or ""
        platform = "-" if each.platform is None or what == "attestation" else str(each.platform)
        rows.append((escape(platform), str(each.digest), escape(what)))
    out.writelines(columns(rows) if rows else ())
    out.write(f"{counted(len(entries), 'entry', 'entries')}\n")
