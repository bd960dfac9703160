"""The spec's own examples keep its rules; where one does not follow its advice, that is said here, and why."""

import json

import pytest

from oci_layers.spec.annotations import __all__ as annotation_names
from oci_layers.spec.codec import structure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.document import parse_any, parse_config, parse_layout
from oci_layers.spec.mediatype import (
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.validation.rules import validate
from oci_layers.validation.schema import schema_errors

AMD64 = "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"
PPC64LE = "sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f"
BLOB = "sha256:e258d248fda94c63753607f7c4494ee0fcbe92f1a76bfdac795c9d84101eb317"
SHA512 = (
    "401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429080f"
    "b337591abd3e44453b954555b7a0812e1081c39b740293f765eae731f5a65ed1"
)
IMAGE = "org.opencontainers.image."
KEYS = {"com.example.key1": "value1", "com.example.key2": "value2"}


def named(media_type, digest, size, **fields):
    return {"mediaType": media_type, "digest": digest, "size": size, **fields}


def platform(architecture):
    return {"platform": {"architecture": architecture, "os": "linux"}}


def artifact(config, *layers, **fields):
    """A manifest of the guidance on artifacts."""
    kind = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example+type"}
    return kind | {"config": config, "layers": list(layers)} | fields


def index(*entries, **fields):
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), "annotations": KEYS} | fields


EMPTY = named(OCI_EMPTY, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2)
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": named(OCI_CONFIG, "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7", 7023),
    "layers": [
        named(OCI_LAYER_GZIP, "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0", 32654),
        named(OCI_LAYER_GZIP, "sha256:3c3a4604a545cdc127456d94e421cd355bca5b528f4a9c1905b15da2eb4a4c6b", 16724),
        named(OCI_LAYER_GZIP, "sha256:ec4b8955958665577945c89419d1af06b5f7636b4ac3da7f12184802ad867736", 73109),
    ],
    "subject": named(OCI_MANIFEST, AMD64, 7682),
    "annotations": KEYS,
}
ENTRIES = [
    named(OCI_MANIFEST, PPC64LE, 7143, **platform("ppc64le")),
    named(OCI_MANIFEST, AMD64, 7682, **platform("amd64")),
]
NESTED = named(OCI_INDEX, "sha256:601570aaff1b68a61eb9c85b8beca1644e698003e0cdb5bce960f193d265a8b7", 7682)
OF_LAYOUT = [
    named(
        OCI_INDEX,
        "sha256:0228f90e926ba6b96e4f39cf294b2586d38fbb5a1e385c05cd1ee40ea54fe7fd",
        7143,
        annotations={IMAGE + "ref.name": "stable-release"},
    ),
    ENTRIES[0] | {"annotations": {IMAGE + "ref.name": "v1.0"}},
    named(
        "application/xml",
        "sha256:b3d63d132d21c3ff4c35a061adf23cf43da8ae054247e32faa95494d904a007e",
        7143,
        annotations={
            "org.freedesktop.specifications.metainfo.version": "1.0",
            "org.freedesktop.specifications.metainfo.type": "AppStream",
        },
    ),
]
CONFIG = {
    "created": "2015-10-31T22:22:56.015925234Z",
    "author": "Alyssa P. Hacker <alyspdev@example.com>",
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "User": "alice",
        "ExposedPorts": {"8080/tcp": {}},
        "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "FOO=oci_is_a",
            "BAR=well_written_spec",
        ],
        "Entrypoint": ["/bin/my-app-binary"],
        "Cmd": ["--foreground", "--config", "/etc/my-app.d/default.cfg"],
        "Volumes": {"/var/job-result-data": {}, "/var/log/my-app-logs": {}},
        "WorkingDir": "/home/alice",
        "Labels": {
            "com.example.project.git.url": "https://example.com/project.git",
            "com.example.project.git.commit": "45a939b2999782a3f005621a8d0f29aa387e1d6b",
        },
    },
    "rootfs": {
        "diff_ids": [
            "sha256:c6f988f4874bb0add23a778f753c65efe992244e148a1d2ec2a8b664fb66bbd1",
            "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        ],
        "type": "layers",
    },
    "history": [
        {"created": "2015-10-31T22:22:54.690851953Z", "created_by": "/bin/sh -c #(nop) ADD file in /"},
        {
            "created": "2015-10-31T22:22:55.613815829Z",
            "created_by": '/bin/sh -c #(nop) CMD ["sh"]',
            "empty_layer": True,
        },
        {"created": "2015-10-31T22:22:56.329850019Z", "created_by": "/bin/sh -c apk add curl"},
    ],
}
PREDEFINED = {
    "created": "2015-10-31T22:22:56Z",
    "authors": "Alyssa P. Hacker <alyspdev@example.com>",
    "url": "https://example.com",
    "documentation": "https://example.com/docs",
    "source": "https://example.com/project.git",
    "version": "v1.0.0",
    "revision": "45a939b2999782a3f005621a8d0f29aa387e1d6b",
    "vendor": "Example",
    "licenses": "Apache-2.0 AND (MIT OR GPL-2.0-only)",
    "title": "My app",
    "description": "does what it should",
    "base.digest": AMD64,
    "base.name": "registry.example.com/my-org/my-image:tag",
}

XML = ("IDX-06", "note", "/manifests/2/mediaType")
# The spec's advice is for portable indexes; its example shows that a layout may list anything.

EXAMPLES = {
    "descriptor.md, a manifest": (OCI_DESCRIPTOR, named(OCI_MANIFEST, AMD64, 7682), []),
    "descriptor.md, with urls": (
        OCI_DESCRIPTOR,
        named(OCI_MANIFEST, AMD64, 7682, urls=["https://example.com/example-manifest"]),
        [],
    ),
    "descriptor.md, of an artifact": (
        OCI_DESCRIPTOR,
        named(
            OCI_MANIFEST,
            "sha256:87923725d74f4bfb94c9e86d64170f7521aad8221a5de834851470ca142da630",
            123,
            artifactType="application/vnd.example.sbom.v1",
        ),
        [],
    ),
    "manifest.md, an image with a subject": (OCI_MANIFEST, MANIFEST, []),
    "manifest.md, the empty descriptor": (OCI_DESCRIPTOR, EMPTY | {"data": "e30="}, []),
    "manifest.md, an artifact of annotations alone": (
        OCI_MANIFEST,
        artifact(
            EMPTY,
            EMPTY,
            # The first key has oci in the place of org, in the spec as here, and so is anybody's.
            annotations={"oci.opencontainers.image.created": "2023-01-02T03:04:05Z", "com.example.data": "payload"},
        ),
        [],
    ),
    "manifest.md, an artifact of blobs": (
        OCI_MANIFEST,
        artifact(EMPTY, named("application/vnd.example+type", BLOB, 1234)),
        [],
    ),
    "manifest.md, an artifact with a config": (
        OCI_MANIFEST,
        artifact(
            named(
                "application/vnd.example.config.v1+json",
                "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
                123,
            ),
            named("application/vnd.example.data.v1.tar+gzip", BLOB, 1234),
        ),
        [],
    ),
    "image-index.md": (OCI_INDEX, index(*ENTRIES), []),
    "image-index.md, with another index": (OCI_INDEX, index(ENTRIES[0], NESTED), []),
    "image-layout.md, the marker": (OCI_LAYOUT, {"imageLayoutVersion": "1.0.0"}, []),
    "image-layout.md, the index": (
        OCI_INDEX,
        index(*OF_LAYOUT, annotations={"com.example.index.revision": "r124356"}),
        [XML],
    ),
    "config.md": (OCI_CONFIG, CONFIG, []),
    "annotations.md, on a manifest": (
        OCI_MANIFEST,
        MANIFEST | {"annotations": {IMAGE + key: value for key, value in PREDEFINED.items()}},
        [],
    ),
    "annotations.md, on an index": (
        OCI_INDEX,
        index(*ENTRIES, annotations={IMAGE + key: "" for key in PREDEFINED}),
        [],
    ),
}


@pytest.mark.parametrize(("media_type", "document", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_of_the_spec_keeps_its_rules(media_type, document, expected):
    raw = json.dumps(document).encode()

    assert [(each.rule, each.severity, each.location.pointer) for each in validate(raw, media_type)] == expected
    assert schema_errors(raw, media_type) == ()


@pytest.mark.parametrize(("media_type", "document", "_"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_of_the_spec_can_be_read(media_type, document, _):
    raw = json.dumps(document).encode()
    descriptor = Descriptor.of(raw, media_type=media_type)

    match media_type:
        case "application/vnd.oci.descriptor.v1+json":
            assert structure(document, Descriptor, media_type=media_type).size == document["size"]
        case "application/vnd.oci.layout.header.v1+json":
            assert parse_layout(raw).image_layout_version == "1.0.0"
        case "application/vnd.oci.image.config.v1+json":
            assert isinstance(parse_config(raw, descriptor).value, ImageConfig)
        case _:
            assert parse_any(raw, descriptor).raw == raw


@pytest.mark.parametrize(
    "text",
    [
        "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
        f"sha512:{SHA512}",
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
    ],
)
def test_the_digests_that_the_spec_shows_are_digests(text):
    """DIG-04: also those of algorithms that are not registered."""
    errors = [
        breach
        for breach in validate(json.dumps(named(OCI_MANIFEST, text, 1)).encode(), OCI_DESCRIPTOR)
        if breach.severity == "error"
    ]

    assert errors == []
    assert str(Digest.parse(text)) == text


def test_the_empty_descriptor_is_the_one_of_the_spec():
    """ART-01."""
    assert structure(EMPTY | {"data": "e30="}, Descriptor, media_type=OCI_DESCRIPTOR) == EMPTY_DESCRIPTOR
    assert validate(b"{}", OCI_EMPTY) == ()


def test_every_predefined_annotation_is_in_the_examples():
    """ANN-06; `ref.name` stands on entries of an index alone, and is in that of a layout."""
    assert len(PREDEFINED) + 1 == 14
    assert {name.lower().replace("_", ".") for name in annotation_names} >= set(PREDEFINED)
