"""JSON bytes to typed documents and back: the documents of the OCI image spec as values.

`document` parses whole documents, with `strict_json` (bytes to JSON) and `codec` (JSON to models, keeping every field).
`descriptor`, `manifest`, `config`, `layout`, `platform` and `digest` define the values; `mediatype`, `annotations` and
`reference` the names. `platform_selection` chooses an entry of an index for a platform. `validation` checks the rules
of the spec that go beyond types. No module here does I/O.

    document = parse_manifest(raw, descriptor)
    document.value.layers[0].digest.algorithm
    str(Reference.parse("alpine"))      # docker.io/library/alpine:latest
"""

from oci_layers.spec.codec import dumps, structure, unstructure
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS, chain_ids
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest, Hasher
from oci_layers.spec.document import Document, parse_any, parse_config, parse_index, parse_layout, parse_manifest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import MediaType, check_media_type, lookup
from oci_layers.spec.platform import Platform
from oci_layers.spec.platform_selection import select
from oci_layers.spec.reference import Reference, is_ref_name
from oci_layers.spec.strict_json import load_json

__all__ = [
    "EMPTY_DESCRIPTOR",
    "ContainerConfig",
    "Descriptor",
    "Digest",
    "Document",
    "Hasher",
    "Healthcheck",
    "History",
    "ImageConfig",
    "ImageLayout",
    "Index",
    "Manifest",
    "MediaType",
    "Platform",
    "Reference",
    "RootFS",
    "chain_ids",
    "check_media_type",
    "dumps",
    "is_ref_name",
    "load_json",
    "lookup",
    "parse_any",
    "parse_config",
    "parse_index",
    "parse_layout",
    "parse_manifest",
    "select",
    "structure",
    "unstructure",
]
