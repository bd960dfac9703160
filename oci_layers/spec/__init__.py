"""JSON bytes to typed documents and back: the documents of the OCI image spec as values.

`document` parses whole documents, with `strict_json` (bytes to JSON) and `codec` (JSON to models, keeping every field).
`descriptor`, `manifest`, `config`, `layout`, `platform` and `digest` define the values; `mediatype`, `annotations` and
`reference` the names. `platform_selection` chooses an entry of an index for a platform. `validation` checks the rules
of the spec that go beyond types. No module here does I/O.

A config, a manifest and an index are made as values, and written as JSON:

    >>> import attrs
    >>> from oci_layers import spec
    >>> plain = spec.Digest.of(b"a tar")
    >>> hasher: spec.Hasher = plain.hasher()
    >>> hasher.update(b"a tar")
    >>> hasher.hexdigest() == plain.encoded, spec.chain_ids([plain]) == (plain,)
    (True, True)
    >>> config = spec.ImageConfig(
    ...     architecture="arm64",
    ...     os="linux",
    ...     config=spec.ContainerConfig(cmd=("lamp",), healthcheck=spec.Healthcheck(test=("CMD", "lamp", "--lit"))),
    ...     rootfs=spec.RootFS(diff_ids=(plain,)),
    ...     history=(spec.History(created_by="by hand"),),
    ... )
    >>> raw_config = spec.to_json(config)
    >>> manifest = spec.Manifest(
    ...     media_type="application/vnd.oci.image.manifest.v1+json",
    ...     config=spec.Descriptor.of(raw_config, media_type="application/vnd.oci.image.config.v1+json"),
    ...     layers=(spec.Descriptor.of(b"a tar", media_type="application/vnd.oci.image.layer.v1.tar"),),
    ... )
    >>> raw, named = spec.to_json(manifest), spec.Document.of(manifest).descriptor
    >>> raw_index = spec.dumps(spec.unstructure(spec.Index(manifests=(named,))))
    >>> spec.dumps(spec.unstructure(spec.ImageLayout()))
    b'{"imageLayoutVersion":"1.0.0"}'

Models check the types of what they are given, and parse the text of a digest. `attrs.asdict` gives Python's names, not
those of the spec; `unstructure` gives the JSON object, `to_json` its bytes:

    >>> spec.Descriptor(media_type="text/plain", digest="sha256:" + "0" * 64, size="1")
    Traceback (most recent call last):
        ...
    TypeError: Descriptor.size: expected int, not str

A `Document` keeps the bytes beside the value. The descriptor decides what the bytes are; `parse_any` takes both kinds:

    >>> document: spec.Document[spec.Manifest] = spec.parse_manifest(raw, named)
    >>> document.value == manifest, document.raw == raw
    (True, True)
    >>> spec.parse_config(raw_config, manifest.config).value.config.cmd
    ('lamp',)
    >>> index = spec.Descriptor.of(raw_index, media_type="application/vnd.oci.image.index.v1+json")
    >>> spec.parse_index(raw_index, index).value == spec.parse_any(raw_index, index).value
    True
    >>> spec.parse_layout(b'{"imageLayoutVersion": "1.0.0"}').image_layout_version
    '1.0.0'
    >>> spec.load_json(b'{"size": 1, "size": 2}', media_type="text/json")
    Traceback (most recent call last):
        ...
    oci_layers.errors.DocumentError: text/json: /size: name is repeated in its object
    >>> spec.structure({"architecture": "arm64", "os": "linux"}, spec.Platform, media_type="a platform")
    Platform(architecture='arm64', os='linux', os_version=None, os_features=(), variant=None, features=(), extra={})

An entry of an index is chosen for a platform:

    >>> entries = [attrs.evolve(named, platform=spec.Platform.parse(text)) for text in ("linux/amd64", "linux/arm64")]
    >>> str(spec.select(entries, spec.Platform.parse("linux/arm64/v8")).platform)
    'linux/arm64'

Names: media types, references of registries, and the references in a layout:

    >>> row: spec.MediaType = spec.lookup("application/vnd.docker.image.rootfs.diff.tar.gzip")
    >>> row.role, row.family, row.compression
    ('layer', 'docker', 'gzip')
    >>> spec.check_media_type(spec.EMPTY_DESCRIPTOR.media_type)
    >>> str(spec.Reference.parse("alpine")), spec.is_ref_name("3.20"), spec.is_ref_name("no spaces")
    ('docker.io/library/alpine:latest', True, False)
"""

from oci_layers.spec.codec import dumps, structure, to_json, unstructure
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
    "to_json",
    "unstructure",
]
