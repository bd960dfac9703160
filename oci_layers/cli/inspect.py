"""`oci-layers inspect`: the documents of an image."""

import argparse
import sys

from oci_layers.cli.output import human_bytes, print_json
from oci_layers.cli.places import image_arguments, opened
from oci_layers.errors import printable
from oci_layers.image.image import Image
from oci_layers.spec.codec import unstructure

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("inspect", help="show the documents of an image")
    image_arguments(parser)
    parser.add_argument("--raw", action="store_true", help="print the manifest's own bytes, and nothing else")
    parser.add_argument("--config", action="store_true", help="with --raw: the config's bytes instead")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    with opened(options) as (image, _):
        if options.raw:
            document = image.config_document if options.config else image.manifest_document
            sys.stdout.buffer.write(document.raw)
        elif options.format == "json":
            print_json(
                {
                    "name": image.name,
                    "digest": str(image.descriptor.digest),
                    "media_type": image.descriptor.media_type,
                    "manifest": unstructure(image.manifest),
                    "config": unstructure(image.config),
                    "chain_ids": [str(layer.chain_id) for layer in image.layers],
                }
            )
        else:
            sys.stdout.writelines(f"{name:<12}{printable(value)}\n" for name, value in _rows(image))
    return 0


def _rows(image: Image) -> list[tuple[str, str]]:
    config, run = image.config, image.config.config
    variant = f"/{config.variant}" if config.variant else ""
    rows = [
        ("digest", str(image.descriptor.digest)),
        ("platform", f"{config.os}/{config.architecture}{variant}"),
        ("created", config.created or ""),
        ("author", config.author or ""),
        ("user", run.user or ""),
        ("workdir", run.working_dir or ""),
        ("entrypoint", " ".join(run.entrypoint or ())),
        ("cmd", " ".join(run.cmd or ())),
        *(("env", each) for each in run.env or ()),
        *(("label", f"{key}={value}") for key, value in (run.labels or {}).items()),
        *(("annotation", f"{key}={value}") for key, value in image.manifest.annotations.items()),
    ]
    for layer in image.layers:
        made = f"  {layer.history.created_by}" if layer.history and layer.history.created_by else ""
        rows.append((f"layer {layer.index}", f"{layer.diff_id}  {human_bytes(layer.descriptor.size)}{made}"))
    return [(name, value) for name, value in rows if value]
