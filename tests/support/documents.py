"""The smallest good document of each kind, and ways to change one; for the tables of rules that are kept and broken."""

import copy
import hashlib
import json

from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYOUT,
    OCI_MANIFEST,
)

SHA = "sha256:" + "0123456789abcdef" * 4
MISSING = object()


def digest(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


DESCRIPTOR = {"mediaType": OCI_LAYER_GZIP, "digest": SHA, "size": 7682}
ENTRY = {"mediaType": OCI_MANIFEST, "digest": SHA, "size": 7143, "platform": {"architecture": "amd64", "os": "linux"}}
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": {"mediaType": OCI_CONFIG, "digest": SHA, "size": 7023},
    "layers": [DESCRIPTOR],
}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [ENTRY]}
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [SHA]}}
LAYOUT = {"imageLayoutVersion": "1.0.0"}

GOOD = {
    OCI_DESCRIPTOR: DESCRIPTOR,
    OCI_MANIFEST: MANIFEST,
    DOCKER_MANIFEST: MANIFEST | {"mediaType": DOCKER_MANIFEST},
    OCI_INDEX: INDEX,
    DOCKER_MANIFEST_LIST: INDEX | {"mediaType": DOCKER_MANIFEST_LIST},
    OCI_CONFIG: CONFIG,
    OCI_LAYOUT: LAYOUT,
}
REQUIRED = {
    OCI_DESCRIPTOR: ["mediaType", "digest", "size"],
    OCI_MANIFEST: [
        "schemaVersion",
        *("config", "config/mediaType", "config/digest", "config/size"),
        *("layers", "layers/0/mediaType", "layers/0/digest", "layers/0/size"),
    ],
    OCI_INDEX: [
        *("schemaVersion", "manifests", "manifests/0/mediaType", "manifests/0/digest", "manifests/0/size"),
        *("manifests/0/platform/architecture", "manifests/0/platform/os"),
    ],
    OCI_CONFIG: ["architecture", "os", "rootfs", "rootfs/type", "rootfs/diff_ids"],
    OCI_LAYOUT: ["imageLayoutVersion"],
}
"""The ways to what must be there, for each kind of document."""


def steps(way):
    """Return the keys and indexes of a way such as `layers/0/size`; `a~1b` is one key."""
    parts = way.split("/")
    return [int(part) if part.isdigit() else part.replace("~1", "/").replace("~0", "~") for part in parts]


def changed(document, way, value):
    """Return a copy of a document with another value at a way, objects made as needed, or MISSING there."""
    document = copy.deepcopy(document)
    *before, last = steps(way)
    node = document
    for step in before:
        node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
    if value is MISSING:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return document


def dumped(document):
    return json.dumps(document).encode()
