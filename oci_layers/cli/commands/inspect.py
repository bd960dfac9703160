"""`oci-layers inspect`: show the documents of an image, or the manifest of an artifact."""

import argparse
import sys

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import human_bytes, print_json
from oci_layers.errors import escape
from oci_layers.image.image import Image
from oci_layers.spec.annotations import TITLE
from oci_layers.spec.codec import unstructure
from oci_layers.spec.mediatype import role_of

__all__ = ["add"]


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser("inspect", help="show the documents of an image")
    image_arguments(parser)
    parser.add_argument("--raw", action="store_true", help="print only the bytes of the manifest")
    parser.add_argument("--config", action="store_true", help="with --raw: the bytes of the config instead")
    parser.add_argument(
        "--policy",
        choices=("default", "strict", "lenient"),
        default="default",
        help="lenient follows links to blobs; otherwise without effect, as no layer is read",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    with opened(options) as (image, _):
        if options.raw:
            document = image.config_document if options.config else image.manifest_document
            sys.stdout.buffer.write(document.raw)
            return 0
        is_artifact = role_of(image.manifest.config.media_type) != "config"
        if options.format == "json":
            print_json(
                {
                    "name": image.name,
                    "digest": str(image.descriptor.digest),
                    "media_type": image.descriptor.media_type,
                    "manifest": unstructure(image.manifest),
                    "config": None if is_artifact else unstructure(image.config),
                    "chain_ids": [] if is_artifact else [str(layer.chain_id) for layer in image.layers],
                }
            )
        else:
            rows = _artifact_rows(image) if is_artifact else _rows(image)
            sys.stdout.writelines(f"{name:<12}{escape(value)}\n" for name, value in rows if value)
    return 0


def _artifact_rows(image: Image) -> list[tuple[str, str]]:
    """Return the rows of a manifest whose config is not an image config: only the manifest is read."""
    manifest = image.manifest
    rows = [
        ("digest", str(image.descriptor.digest)),
        ("media type", image.descriptor.media_type),
        ("artifact", manifest.artifact_type or manifest.config.media_type),
        ("config", f"{manifest.config.digest}  {human_bytes(manifest.config.size)}  {manifest.config.media_type}"),
        *(("annotation", f"{key}={value}") for key, value in manifest.annotations.items()),
    ]
    for number, layer in enumerate(manifest.layers):
        title = layer.annotations.get(TITLE, "")
        parts = [str(layer.digest), human_bytes(layer.size), layer.media_type, title]
        rows.append((f"layer {number}", "  ".join(filter(None, parts))))
    return rows


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
    return rows
