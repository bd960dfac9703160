"""`oci-layers inspect`: show the documents of an image, or the manifest of an artifact."""

import argparse
import sys
from typing import Any

import attrs

from oci_layers.cli.options import image_arguments, opened
from oci_layers.cli.output import human_bytes, print_json
from oci_layers.cli.registries import session_of
from oci_layers.errors import escape
from oci_layers.image.image import Image
from oci_layers.image.layer import Layer
from oci_layers.spec.annotations import TITLE
from oci_layers.spec.codec import unstructure
from oci_layers.spec.config import platform_of
from oci_layers.spec.mediatype import role_of
from oci_layers.store.docker import DockerArchive
from oci_layers.store.listing import ListedImage, list_images
from oci_layers.store.open import parse_one_image

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
        siblings = _siblings(image, options)
        if options.format == "json":
            print_json(_json(image, siblings, is_artifact=is_artifact))
        else:
            rows = _artifact_rows(image) if is_artifact else _rows(image, siblings)
            sys.stdout.writelines(f"{name:<12}{escape(value)}\n" for name, value in rows if value)
    return 0


def _siblings(image: Image, options: argparse.Namespace) -> list[ListedImage]:
    """Return the image as its layout lists it, and then the others of its index or its name."""
    if isinstance(image.blobs, DockerArchive):
        return []
    where, ref = parse_one_image(options.image, options.ref)
    # The other tags of a repository in a registry are not asked for: there may be thousands.
    name = str(attrs.evolve(where, ref=ref)) if where.transport == "docker" else options.image
    listed = list_images(
        name,
        limits=image.limits,
        temporary_directory=options.temporary_directory,
        blob_links=options.policy == "lenient",
        session=session_of(options, options.image),
    )
    own = [each for each in listed if each.digest == image.descriptor.digest]
    if not own:
        return []
    this = own[0]
    others = [
        each
        for each in listed
        if each.digest != this.digest
        and each.artifact_type is None
        and ((this.index is not None and each.index == this.index) or set(each.refs) & set(this.refs))
    ]
    return [this, *others]


def _json(image: Image, siblings: list[ListedImage], *, is_artifact: bool) -> dict[str, Any]:  # Any: JSON
    index = siblings[0].index if siblings else None
    return {
        "name": image.name,
        "refs": list(siblings[0].refs) if siblings else [],
        "index": None if index is None else str(index),
        "platforms": [str(each.platform) for each in siblings if each.platform is not None],
        "digest": str(image.descriptor.digest),
        "media_type": image.descriptor.media_type,
        "manifest": unstructure(image.manifest),
        "config": None if is_artifact else unstructure(image.config),
        "layers": [] if is_artifact else [_layer_json(layer) for layer in image.layers],
    }


def _layer_json(layer: Layer) -> dict[str, Any]:  # Any: JSON
    return {
        "layer": layer.index,
        "digest": str(layer.descriptor.digest),
        "diff_id": str(layer.diff_id),
        "chain_id": str(layer.chain_id),
        "size": layer.descriptor.size,
        "media_type": layer.descriptor.media_type,
        "created_by": None if layer.history is None else layer.history.created_by,
    }


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


def _rows(image: Image, siblings: list[ListedImage]) -> list[tuple[str, str]]:
    config, run, manifest = image.config, image.config.config, image.manifest
    others = [str(each.platform) for each in siblings[1:] if each.platform is not None]
    index = siblings[0].index if siblings else None
    rows = [
        *(("ref", ref) for ref in (siblings[0].refs if siblings else ())),
        ("index", "" if index is None else str(index)),
        ("digest", str(image.descriptor.digest)),
        ("media type", image.descriptor.media_type),
        ("config", f"{manifest.config.digest}  {human_bytes(manifest.config.size)}  {manifest.config.media_type}"),
        ("platform", str(platform_of(config))),
        ("also for", ", ".join(dict.fromkeys(others))),
        ("created", config.created or ""),
        ("author", config.author or ""),
        ("user", run.user or ""),
        ("workdir", run.working_dir or ""),
        ("entrypoint", " ".join(run.entrypoint or ())),
        ("cmd", " ".join(run.cmd or ())),
        ("ports", ", ".join(run.exposed_ports)),
        ("volumes", ", ".join(run.volumes)),
        ("stop signal", run.stop_signal or ""),
        ("healthcheck", " ".join(run.healthcheck.test) if run.healthcheck else ""),
        *(("env", each) for each in run.env or ()),
        *(("label", f"{key}={value}") for key, value in (run.labels or {}).items()),
        *(("annotation", f"{key}={value}") for key, value in manifest.annotations.items()),
    ]
    for layer in image.layers:
        descriptor = layer.descriptor
        stored = f"digest   {descriptor.digest}  {human_bytes(descriptor.size)}  {descriptor.media_type}"
        rows.append((f"layer {layer.index}", stored))
        rows.append(("", f"diff_id  {layer.diff_id}"))
        if layer.history and layer.history.created_by:
            rows.append(("", f"made by  {layer.history.created_by}"))
    return rows
