"""Images in memory, to be changed by `oci_layers.build`, and what was made of them, read again.

`stack(tar(...), ...)` is an open image; every field of its documents can be given. `rewritten(new)` writes a new image,
and opens it; `tree_of` is the tree of an image.
"""

import io
import json

from oci_layers.build import LayerOptions
from oci_layers.spec import Descriptor
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
)
from oci_layers.store import MemoryRepository, open_image
from tests.support.layers import COMPRESS, digest
from tests.support.trees import merged

EXACT = LayerOptions(nanoseconds=True, clamp_mtime=None, keep_xattr=lambda name: True)
"""Options that leave every entry as it is."""
TYPES = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


def put(blobs, data, media_type):
    """Store bytes, and return the JSON of their descriptor."""
    descriptor = Descriptor.of(data, media_type=media_type)
    blobs.put_blob(io.BytesIO(data), descriptor)
    return {"mediaType": media_type, "digest": str(descriptor.digest), "size": len(data)}


def stack(*tars, history=None, compression="gzip", docker=False, config=None, manifest=None, dumps=json.dumps):
    """An open image of some layers; `config` and `manifest` are further fields, `dumps` formats the documents."""
    place = MemoryRepository()
    layer_type = DOCKER_LAYER_GZIP if docker else TYPES[compression]
    layers = [put(place.blobs, COMPRESS[compression](each), layer_type) for each in tars]
    rootfs = {"type": "layers", "diff_ids": [digest(each) for each in tars]}
    said = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, **(config or {})}
    if history is not None:
        said["history"] = history
    node = put(place.blobs, dumps(said).encode(), DOCKER_CONFIG if docker else OCI_CONFIG)
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document = {"schemaVersion": 2, "mediaType": media_type, "config": node, "layers": layers, **(manifest or {})}
    raw = dumps(document).encode()
    put(place.blobs, raw, media_type)
    place.tag("t", Descriptor.of(raw, media_type=media_type))
    return open_image(place, ref="t", platform="linux/amd64")


def rewritten(new, **options):
    """Write a new image into a repository of its own, and open it."""
    place = MemoryRepository()
    new.write(place, "t", **options)
    return open_image(place, ref="t")


def tars_of(image):
    """The uncompressed layers of an image, verified."""
    found = []
    for layer in image.layers:
        with layer.reader.open_uncompressed() as plain:
            found.append(b"".join(iter(lambda: plain.read(1 << 20), b"")))
    return found


def tree_of(image):
    """The merged tree of an image, with its contents in memory, so that nothing is left open."""
    return merged(*tars_of(image))


def says(image):
    """What the history of an image tells: for each entry what made it, "-" before those without a layer."""
    entries = json.loads(image.config_document.raw).get("history") or []
    return ["-" * bool(entry.get("empty_layer")) + entry.get("created_by", "") for entry in entries]
