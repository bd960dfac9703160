"""`oci-layers tag`: give an image of a layout or a registry further names, or another name."""

import argparse
import sys
from typing import TYPE_CHECKING

from oci_layers.cli.options import layout_argument, opened_names
from oci_layers.cli.output import columns, print_json
from oci_layers.cli.registries import registry_arguments
from oci_layers.errors import NameFormatError, ReferenceMissingError, escape
from oci_layers.store.layout import Layout
from oci_layers.store.name import TRANSPORTS
from oci_layers.store.open import parse_one_image
from oci_layers.store.select import one_image

if TYPE_CHECKING:
    from oci_layers.store.registry import RegistryRepository

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "tag",
        help="give an image further names",
        description="Give an image of a layout or a registry further names. Another image that has one of them loses "
        "it. The index of a layout is replaced in one step; other programs may write to the layout meanwhile.",
    )
    layout_argument(
        parser,
        "oci:DIR[:REF|@DIGEST], or the path of a layout's directory; REF may be left out if it has one image; "
        "docker://HOST/REPOSITORY[:TAG|@DIGEST]",
    )
    registry_arguments(parser)
    parser.add_argument("name", metavar="NEW", nargs="+", help="the names: references alone, without the layout")
    parser.add_argument("--ref", help="the reference, where LAYOUT does not give one")
    parser.add_argument("--rename", action="store_true", help="take the old name away; expects one NEW")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_tag, refuse=parser.error)


def _tag(options: argparse.Namespace) -> int:
    if options.rename and len(options.name) != 1:
        options.refuse("--rename expects one NEW")
    for name in options.name:
        transport, _, rest = name.partition(":")
        if transport in TRANSPORTS and ":" in rest:
            raise NameFormatError("new name", name, "expected the reference alone, without the layout")
    rows = []
    with opened_names(options.layout, options) as (layout, _):
        if options.rename and not isinstance(layout, Layout):
            options.refuse("--rename is for layouts")
        _, ref = parse_one_image(options.layout, options.ref)
        entries = one_image(layout.entries(ref), ref)
        for name in dict.fromkeys(options.name):
            before = _digests(layout, name)
            if options.rename and isinstance(layout, Layout):
                layout.move(ref or str(entries[0].digest), name)
            else:
                layout.tag(name, *entries)
            digests = [str(each.digest) for each in entries]
            rows.append({"ref": name, "digests": digests, "replaced": [each for each in before if each not in digests]})
    if options.format == "json":
        print_json({"layout": options.layout, "tagged": rows})
        return 0
    was = (f"(was {', '.join(each['replaced'])})" if each["replaced"] else "" for each in rows)
    lines = [(escape(str(each["ref"])), ", ".join(each["digests"]), text) for each, text in zip(rows, was, strict=True)]
    sys.stdout.writelines(columns(lines))
    return 0


def _digests(layout: "Layout | RegistryRepository", name: str) -> list[str]:
    """Return the digests of the entries that have a name; none if it is new."""
    try:
        return [str(each.digest) for each in layout.entries(name)]
    except ReferenceMissingError:
        return []
