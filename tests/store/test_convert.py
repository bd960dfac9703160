"""What a conversion makes of every media type, and that documents keep all that it does not concern."""

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers import Descriptor, Digest, Limits
from oci_layers.errors import LimitError, UnsupportedError
from oci_layers.spec import mediatype
from oci_layers.spec.codec import dumps
from oci_layers.spec.document import parse_any, parse_index, parse_manifest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN_LAYER,
    DOCKER_FOREIGN_LAYER_GZIP,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    OCI_NONDISTRIBUTABLE_LAYER,
    OCI_NONDISTRIBUTABLE_LAYER_GZIP,
    OCI_NONDISTRIBUTABLE_LAYER_ZSTD,
)
from oci_layers.store.convert import (
    Conversion,
    applicable,
    config_media_type,
    converted_index,
    converted_manifest,
    layer_media_type,
    recompression,
)
from oci_layers.testing.strategies.document import json_of
from tests.support.documents import GOOD, INDEX, MANIFEST, SHA, changed, digest, dumped

DOCKER_LAYER_PLUS_ZSTD = DOCKER_LAYER + "+zstd"
ENCRYPTED = OCI_LAYER_GZIP + "+encrypted"
IN_TOTO = "application/vnd.in-toto+json"
OTHER = digest(b"other")
CONVERSIONS = [
    Conversion(format=format_, compression=compression)
    for format_, compression in itertools.product((None, "oci", "docker"), (None, "gzip", "zstd", "none"))
]
TO_OCI, TO_DOCKER = Conversion(format="oci"), Conversion(format="docker")


def describe(conversion):
    return f"{conversion.format}-{conversion.compression}"


conversions = pytest.mark.parametrize("conversion", CONVERSIONS, ids=describe)


def parsed(value, media_type):
    raw = value if isinstance(value, bytes) else dumped(value)
    return parse_any(raw, Descriptor.of(raw, media_type=media_type))


def refused(function, *arguments, **options):
    with pytest.raises(UnsupportedError) as caught:
        function(*arguments, **options)
    return caught.value.what, caught.value.value


# What is converted to.


@pytest.mark.parametrize(
    "fields",
    [
        {"compression": "gzip", "level": 10},
        {"compression": "gzip", "encoder": "isal", "level": 4},
        {"compression": "gzip", "encoder": "other"},
        {"compression": "zstd", "level": 100},
        {"compression": "lzma"},
        {"format": "rpm"},
    ],
)
def test_a_conversion_to_what_there_is_not_is_refused(fields):
    with pytest.raises(ValueError):
        Conversion(**fields)


def test_what_applies_keeps_the_level_and_the_encoder():
    conversion = Conversion(format="oci", compression="gzip", level=2, encoder="isal")
    document = parse_manifest(dumped(MANIFEST), Descriptor.of(dumped(MANIFEST), media_type=OCI_MANIFEST))
    assert applicable(document, conversion) == Conversion(compression="gzip", level=2, encoder="isal")


def test_a_conversion_says_nothing_by_default():
    assert Conversion() == Conversion(format=None, compression=None)


@pytest.mark.parametrize("options", [{"format": "v2s2"}, {"compression": "xz"}, {"compression": ""}])
def test_a_conversion_to_something_unknown_is_refused(options):
    with pytest.raises(ValueError, match="must be in"):
        Conversion(**options)


# Layers: the table. For each media type and the compression of the bytes: what it becomes without a new compression in
# the OCI and in Docker's format, and what family and kind a new compression chooses from.

DISTRIBUTABLE = {
    "oci": {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD},
    "docker": {"": DOCKER_LAYER, "gzip": DOCKER_LAYER_GZIP, "zstd": DOCKER_LAYER_ZSTD},
}
LAYERS = {
    # media type, compression of the bytes: family, OCI, Docker; None where there is no such type
    (OCI_LAYER, ""): ("oci", OCI_LAYER, DOCKER_LAYER),
    (OCI_LAYER_GZIP, "gzip"): ("oci", OCI_LAYER_GZIP, DOCKER_LAYER_GZIP),
    (OCI_LAYER_ZSTD, "zstd"): ("oci", OCI_LAYER_ZSTD, DOCKER_LAYER_ZSTD),
    (OCI_NONDISTRIBUTABLE_LAYER, ""): ("oci", OCI_NONDISTRIBUTABLE_LAYER, DOCKER_FOREIGN_LAYER),
    (OCI_NONDISTRIBUTABLE_LAYER_GZIP, "gzip"): ("oci", OCI_NONDISTRIBUTABLE_LAYER_GZIP, DOCKER_FOREIGN_LAYER_GZIP),
    (OCI_NONDISTRIBUTABLE_LAYER_ZSTD, "zstd"): ("oci", OCI_NONDISTRIBUTABLE_LAYER_ZSTD, None),
    (DOCKER_LAYER, ""): ("docker", OCI_LAYER, DOCKER_LAYER),
    (DOCKER_LAYER, "gzip"): ("docker", OCI_LAYER_GZIP, DOCKER_LAYER),
    (DOCKER_LAYER, "zstd"): ("docker", OCI_LAYER_ZSTD, DOCKER_LAYER),
    (DOCKER_LAYER, "xz"): ("docker", None, DOCKER_LAYER),
    (DOCKER_LAYER, "bz2"): ("docker", None, DOCKER_LAYER),
    (DOCKER_LAYER_GZIP, "gzip"): ("docker", OCI_LAYER_GZIP, DOCKER_LAYER_GZIP),
    (DOCKER_LAYER_GZIP, ""): ("docker", OCI_LAYER, DOCKER_LAYER_GZIP),
    (DOCKER_LAYER_ZSTD, "zstd"): ("docker", OCI_LAYER_ZSTD, DOCKER_LAYER_ZSTD),
    (DOCKER_LAYER_PLUS_ZSTD, "zstd"): ("docker", OCI_LAYER_ZSTD, DOCKER_LAYER_PLUS_ZSTD),
    (DOCKER_FOREIGN_LAYER, ""): ("docker", OCI_NONDISTRIBUTABLE_LAYER, DOCKER_FOREIGN_LAYER),
    (DOCKER_FOREIGN_LAYER, "gzip"): ("docker", OCI_NONDISTRIBUTABLE_LAYER_GZIP, DOCKER_FOREIGN_LAYER),
    (DOCKER_FOREIGN_LAYER, "xz"): ("docker", None, DOCKER_FOREIGN_LAYER),
    (DOCKER_FOREIGN_LAYER_GZIP, "gzip"): ("docker", OCI_NONDISTRIBUTABLE_LAYER_GZIP, DOCKER_FOREIGN_LAYER_GZIP),
    (DOCKER_FOREIGN_LAYER_GZIP, "zstd"): ("docker", OCI_NONDISTRIBUTABLE_LAYER_ZSTD, DOCKER_FOREIGN_LAYER_GZIP),
}
FOREIGN = {media_type for media_type, _ in LAYERS if "foreign" in media_type or "nondistributable" in media_type}


def test_the_table_has_every_media_type_of_a_layer():
    rows = {row.name for row in mediatype._TABLE if row.role == "layer"}
    assert {media_type for media_type, _ in LAYERS} == rows


@conversions
@pytest.mark.parametrize(("media_type", "found"), LAYERS)
def test_every_layer_by_every_conversion(media_type, found, conversion):
    own, in_oci, in_docker = LAYERS[media_type, found]
    family = conversion.format or own
    wanted = {"none": "", None: found}.get(conversion.compression, conversion.compression)
    if media_type in FOREIGN or wanted == found:
        assert recompression(media_type, found, conversion) is None
        expected = media_type if family == own else {"oci": in_oci, "docker": in_docker}[family]
    else:
        assert recompression(media_type, found, conversion) == wanted
        expected = DISTRIBUTABLE[family][wanted]
    if expected is None:
        kind = "foreign layer" if media_type in FOREIGN else "layer"
        name = {"oci": "OCI", "docker": "Docker"}[family]
        assert refused(layer_media_type, media_type, found, conversion) == (
            f"compression of a {kind} in {name}'s format",
            found,
        )
    else:
        assert layer_media_type(media_type, found, conversion) == expected


@conversions
@pytest.mark.parametrize(("media_type", "found"), LAYERS)
def test_a_layer_that_was_converted_is_not_converted_again(media_type, found, conversion):
    _, in_oci, in_docker = LAYERS[media_type, found]
    if None not in (in_oci, in_docker):
        new = recompression(media_type, found, conversion)
        once = layer_media_type(media_type, found, conversion)
        now = found if new is None else new
        assert recompression(once, now, conversion) is None
        assert layer_media_type(once, now, conversion) == once


@pytest.mark.parametrize("found", ["gzip", "zstd", "xz"])
def test_a_layer_of_the_spec_is_what_its_media_type_says(found):
    """A false media type is found by those who read the layer, as promised there; it is not mended on the way."""
    assert layer_media_type(OCI_LAYER, found, TO_DOCKER) == DOCKER_LAYER
    assert recompression(OCI_LAYER, found, Conversion(compression="none")) is None
    assert recompression(OCI_LAYER, found, Conversion(compression="gzip")) == "gzip"


@conversions
@pytest.mark.parametrize(
    "media_type", [IN_TOTO, OCI_CONFIG, OCI_EMPTY, "application/x", "application/vnd.erofs.layer.v1"]
)
def test_what_is_no_known_layer_stays(media_type, conversion):
    assert recompression(media_type, "", conversion) is None
    if conversion.format == "docker":
        what = refused(layer_media_type, media_type, "", conversion)
        assert what == ("layer media type in Docker's format", media_type)
    else:
        assert layer_media_type(media_type, "", conversion) == media_type


@conversions
@pytest.mark.parametrize("media_type", [OCI_LAYER + "+encrypted", ENCRYPTED, "application/x+encrypted"])
def test_an_encrypted_layer_cannot_be_recompressed(media_type, conversion):
    if conversion.compression is not None:
        expected = "recompression of an encrypted layer", media_type
        assert refused(recompression, media_type, "", conversion) == expected
        if conversion.format != "docker":
            assert refused(layer_media_type, media_type, "", conversion) == expected
    else:
        assert recompression(media_type, "", conversion) is None
    if conversion.format == "docker":
        expected = "layer media type in Docker's format", media_type
        assert refused(layer_media_type, media_type, "", conversion) == expected
    elif conversion.compression is None:
        assert layer_media_type(media_type, "", conversion) == media_type


# Configs.


@pytest.mark.parametrize(
    ("media_type", "in_oci", "in_docker"),
    [
        (OCI_CONFIG, OCI_CONFIG, DOCKER_CONFIG),
        (DOCKER_CONFIG, OCI_CONFIG, DOCKER_CONFIG),
        (OCI_EMPTY, OCI_EMPTY, OCI_EMPTY),
        ("application/vnd.docker.plugin.v1+json",) * 3,
        (OCI_LAYER, OCI_LAYER, OCI_LAYER),
        ("application/x",) * 3,
    ],
)
def test_every_config_by_every_format(media_type, in_oci, in_docker):
    assert config_media_type(media_type, Conversion(compression="zstd")) == media_type
    assert config_media_type(media_type, TO_OCI) == in_oci
    assert config_media_type(media_type, TO_DOCKER) == in_docker


# What applies to a manifest.

DOCKERS = changed(
    changed(MANIFEST | {"mediaType": DOCKER_MANIFEST}, "config/mediaType", DOCKER_CONFIG),
    "layers/0/mediaType",
    DOCKER_LAYER_GZIP,
)
ARTIFACT = changed(MANIFEST, "config/mediaType", OCI_EMPTY) | {"artifactType": "application/x"}


@conversions
@pytest.mark.parametrize(
    ("manifest", "media_type", "family"), [(MANIFEST, OCI_MANIFEST, "oci"), (DOCKERS, DOCKER_MANIFEST, "docker")]
)
def test_all_applies_to_an_image_but_the_format_that_it_has(manifest, media_type, family, conversion):
    found = applicable(parsed(manifest, media_type), conversion)
    assert found.compression == conversion.compression
    assert found.format == (None if conversion.format == family else conversion.format)


@conversions
def test_an_artifact_keeps_its_layers_and_its_format(conversion):
    document = parsed(ARTIFACT, OCI_MANIFEST)
    if conversion.format == "docker":
        assert refused(applicable, document, conversion) == ("artifact in Docker's format", "application/x")
    else:
        assert applicable(document, conversion) == Conversion()
        layers = document.value.layers
        assert converted_manifest(document, conversion, layers) == (document.raw, document.descriptor)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"artifactType": "application/x"}, ("artifact in Docker's format", "application/x")),
        (
            {"config": MANIFEST["config"] | {"mediaType": "application/y"}},
            ("artifact in Docker's format", "application/y"),
        ),
        ({"config": MANIFEST["config"] | {"mediaType": OCI_EMPTY}}, ("artifact in Docker's format", OCI_EMPTY)),
        (
            {"config": MANIFEST["config"] | {"mediaType": "application/octet-stream"}},
            ("artifact in Docker's format", "application/octet-stream"),
        ),
        ({"subject": MANIFEST["config"] | {"mediaType": OCI_MANIFEST}}, ("subject in Docker's format", SHA)),
    ],
)
def test_what_docker_cannot_express_is_refused(change, expected):
    document = parsed(MANIFEST | change, OCI_MANIFEST)
    assert refused(applicable, document, TO_DOCKER) == expected
    assert refused(converted_manifest, document, TO_DOCKER, document.value.layers) == expected


@pytest.mark.parametrize("change", [{"artifactType": ""}, {"artifactType": None}, {"subject": None}])
def test_an_empty_field_does_not_make_an_artifact(change):
    document = parsed(MANIFEST | change, OCI_MANIFEST)
    assert applicable(document, TO_DOCKER) == TO_DOCKER


def test_a_docker_manifest_in_dockers_format_may_hold_anything():
    plugin = changed(DOCKERS, "config/mediaType", "application/vnd.docker.plugin.v1+json")
    document = parsed(changed(plugin, "layers/0/mediaType", "application/x"), DOCKER_MANIFEST)
    conversion = applicable(document, TO_DOCKER)
    assert conversion == Conversion()
    assert layer_media_type("application/x", "", conversion) == "application/x"
    assert converted_manifest(document, TO_DOCKER, document.value.layers) == (document.raw, document.descriptor)


def test_the_config_of_old_docker_images_becomes_one_of_the_spec():
    document = parsed(changed(DOCKERS, "config/mediaType", "application/octet-stream"), DOCKER_MANIFEST)
    assert applicable(document, Conversion(format="oci", compression="zstd")).compression == "zstd"
    raw, _ = converted_manifest(document, TO_OCI, document.value.layers)
    assert json.loads(raw)["config"] == MANIFEST["config"]
    raw, _ = converted_manifest(document, Conversion(compression="zstd"), document.value.layers)
    assert raw == document.raw


# Manifests.


def converted(document, conversion):
    """Convert a manifest as a caller does who recompresses nothing; bytes of layers are what their media types say."""
    applied = applicable(document, conversion)
    layers = []
    for layer in document.value.layers:
        found = mediatype.lookup(layer.media_type).compression or ""
        layers.append(
            Descriptor(
                media_type=layer_media_type(layer.media_type, found, applied), digest=layer.digest, size=layer.size
            )
        )
    return converted_manifest(document, conversion, layers)


def test_a_manifest_in_the_other_format():
    document = parsed(MANIFEST, OCI_MANIFEST)
    raw, descriptor = converted(document, TO_DOCKER)
    assert raw == dumps(DOCKERS)
    assert descriptor == Descriptor.of(raw, media_type=DOCKER_MANIFEST)
    back, descriptor = converted(parsed(raw, DOCKER_MANIFEST), TO_OCI)
    assert back == dumps(MANIFEST)
    assert descriptor == Descriptor.of(back, media_type=OCI_MANIFEST)


def test_layers_are_replaced_one_by_one():
    names = {"annotations": {"com.example.a": "b"}, "x-more": [1.5, None]}
    layers = [{"mediaType": OCI_LAYER_GZIP, "digest": digest(bytes([at])), "size": at} | names for at in range(3)]
    document = parsed(MANIFEST | {"layers": [*layers, layers[0]]}, OCI_MANIFEST)
    new = list(document.value.layers)
    new[1] = Descriptor(media_type=OCI_LAYER_ZSTD, digest=Digest(OTHER), size=99, annotations={"not": "used"})
    raw, _ = converted_manifest(document, Conversion(compression="zstd"), new)
    replaced = {"mediaType": OCI_LAYER_ZSTD, "digest": OTHER, "size": 99} | names
    assert raw == dumps(MANIFEST | {"layers": [layers[0], replaced, layers[2], layers[0]]})


def test_every_layer_must_be_given():
    document = parsed(MANIFEST, OCI_MANIFEST)
    with pytest.raises(ValueError, match="shorter"):
        converted_manifest(document, TO_DOCKER, [])


def test_what_describes_the_old_bytes_goes_with_them():
    toc = {
        "containerd.io/snapshot/stargz/toc.digest": SHA,
        "io.github.containers.zstd-chunked.manifest-checksum": SHA,
        "io.github.containers.zstd-chunked.manifest-position": "1:2:3:1",
    }
    data = base64.b64encode(b"data").decode()
    layer = {
        "mediaType": OCI_LAYER_GZIP,
        "data": data,
        "digest": digest(b"data"),
        "size": 4,
        "urls": ["https://example.com/x"],
        "annotations": {"a": "b"} | toc,
    }
    document = parsed(MANIFEST | {"layers": [layer]}, OCI_MANIFEST)
    new = Descriptor(media_type=OCI_LAYER_ZSTD, digest=Digest(OTHER), size=99)
    raw, _ = converted_manifest(document, Conversion(compression="zstd"), [new])
    left = {"mediaType": OCI_LAYER_ZSTD, "digest": OTHER, "size": 99, "annotations": {"a": "b"}}
    assert raw == dumps(MANIFEST | {"layers": [left]})
    raw, _ = converted(document, TO_DOCKER)
    assert json.loads(raw)["layers"] == [layer | {"mediaType": DOCKER_LAYER_GZIP}]


def test_a_media_type_that_the_document_did_not_have_comes_after_the_version():
    document = parsed({"config": MANIFEST["config"], "schemaVersion": 2, "layers": [], "x": 1}, OCI_MANIFEST)
    raw, _ = converted(document, TO_DOCKER)
    config = MANIFEST["config"] | {"mediaType": DOCKER_CONFIG}
    assert raw == dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": [], "x": 1})


def test_a_media_type_that_the_document_did_not_have_is_not_added_without_a_format():
    without = {key: value for key, value in MANIFEST.items() if key != "mediaType"}
    new = Descriptor(media_type=OCI_LAYER, digest=Digest(OTHER), size=9)
    raw, descriptor = converted_manifest(parsed(without, OCI_MANIFEST), Conversion(compression="none"), [new])
    assert json.loads(raw) == changed(without, "layers/0", {"mediaType": OCI_LAYER, "digest": OTHER, "size": 9})
    assert descriptor.media_type == OCI_MANIFEST


def test_a_subject_that_was_converted_is_found():
    subject = {"mediaType": OCI_MANIFEST, "digest": digest(b"old"), "size": 3, "x": True}
    document = parsed(MANIFEST | {"subject": subject}, OCI_MANIFEST)
    new = Descriptor.of(b"converted", media_type=OCI_MANIFEST)
    other = {Digest(SHA): new}
    layers = document.value.layers
    assert converted_manifest(document, TO_OCI, layers, converted=other)[0] == document.raw
    raw, _ = converted_manifest(document, TO_OCI, layers, converted={Digest(digest(b"old")): new})
    replaced = {"mediaType": OCI_MANIFEST, "digest": str(new.digest), "size": 9, "x": True}
    assert raw == dumps(MANIFEST | {"subject": replaced})


def test_the_descriptor_of_a_document_keeps_its_other_fields():
    raw = dumped(MANIFEST)
    given_ = Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest.of(raw, "sha512"),
        size=len(raw),
        data=raw,
        urls=("https://example.com/x",),
        annotations={"org.opencontainers.image.ref.name": "1"},
    )
    document = parse_manifest(raw, given_)
    assert converted(document, TO_OCI) == (raw, given_)
    new, descriptor = converted(document, TO_DOCKER)
    assert descriptor == Descriptor(
        media_type=DOCKER_MANIFEST, digest=Digest.of(new), size=len(new), annotations=given_.annotations
    )


def test_the_limits_of_the_caller_hold():
    document = parsed(MANIFEST, OCI_MANIFEST)
    with pytest.raises(LimitError) as caught:
        converted_manifest(document, TO_DOCKER, document.value.layers, limits=Limits(document_bytes=10))
    assert caught.value.limit == "document_bytes"


# Indexes.


def test_an_index_in_the_other_format():
    entry = INDEX["manifests"][0] | {"annotations": {"a": "b"}, "x": 1}
    inner = {"mediaType": OCI_INDEX, "digest": OTHER, "size": 5}
    document = parsed(INDEX | {"manifests": [entry, inner]}, OCI_INDEX)
    manifest = Descriptor.of(b"manifest", media_type=DOCKER_MANIFEST)
    index = Descriptor.of(b"index", media_type=DOCKER_MANIFEST_LIST)
    raw, descriptor = converted_index(document, TO_DOCKER, {Digest(SHA): manifest, Digest(OTHER): index})
    new_entry = entry | {"mediaType": DOCKER_MANIFEST, "digest": str(manifest.digest), "size": 8}
    new_inner = {"mediaType": DOCKER_MANIFEST_LIST, "digest": str(index.digest), "size": 5}
    assert raw == dumps(INDEX | {"mediaType": DOCKER_MANIFEST_LIST, "manifests": [new_entry, new_inner]})
    assert descriptor == Descriptor.of(raw, media_type=DOCKER_MANIFEST_LIST)
    back = {manifest.digest: document.value.manifests[0], index.digest: document.value.manifests[1]}
    assert converted_index(parse_index(raw, descriptor), TO_OCI, back)[0] == dumps(json.loads(document.raw))


def test_entries_that_were_not_converted_stay():
    document = parsed(INDEX, OCI_INDEX)
    raw, _ = converted_index(document, TO_DOCKER, {})
    assert raw == dumps(INDEX | {"mediaType": DOCKER_MANIFEST_LIST})
    assert converted_index(document, TO_OCI, {}) == (document.raw, document.descriptor)
    same = {Digest(SHA): document.value.manifests[0]}
    assert converted_index(document, Conversion(compression="zstd"), same) == (document.raw, document.descriptor)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"artifactType": "application/x"}, ("artifact in Docker's format", "application/x")),
        ({"subject": MANIFEST["config"] | {"mediaType": OCI_MANIFEST}}, ("subject in Docker's format", SHA)),
        (
            {"manifests": [MANIFEST["config"] | {"mediaType": "application/x"}]},
            ("media type of an entry in Docker's format", "application/x"),
        ),
        ({"manifests": [MANIFEST["config"]]}, ("media type of an entry in Docker's format", OCI_CONFIG)),
    ],
)
def test_an_index_that_docker_cannot_express_is_refused(change, expected):
    assert refused(converted_index, parsed(INDEX | change, OCI_INDEX), TO_DOCKER, {}) == expected
    document = parsed(INDEX | change, OCI_INDEX)
    assert converted_index(document, TO_OCI, {}) == (document.raw, document.descriptor)
    listed = parsed({k: v for k, v in INDEX.items() if k != "mediaType"} | {"manifests": []}, DOCKER_MANIFEST_LIST)
    assert converted_index(listed, TO_DOCKER, {}) == (listed.raw, listed.descriptor)


def test_the_subject_of_an_index_that_was_converted_is_found():
    subject = {"mediaType": OCI_MANIFEST, "digest": OTHER, "size": 3}
    new = Descriptor.of(b"converted", media_type=OCI_MANIFEST)
    raw, _ = converted_index(parsed(INDEX | {"subject": subject}, OCI_INDEX), TO_OCI, {Digest(OTHER): new})
    replaced = {"mediaType": OCI_MANIFEST, "digest": str(new.digest), "size": 9}
    assert raw == dumps(INDEX | {"subject": replaced})


# Laws.

document_conversions = st.sampled_from(CONVERSIONS)


def image_of(manifest):
    """Return a manifest without what only the spec knows."""
    kept = {key: value for key, value in manifest.items() if key not in {"artifactType", "subject"}}
    return kept | {"config": kept["config"] | {"mediaType": OCI_CONFIG}}


@given(manifest=json_of(OCI_MANIFEST).map(image_of))
def test_there_and_back_is_the_same_document(manifest):
    raw = dumps(manifest)
    there, descriptor = converted(parsed(raw, OCI_MANIFEST), TO_DOCKER)
    assert descriptor.media_type == DOCKER_MANIFEST
    back, descriptor = converted(parse_manifest(there, descriptor), TO_OCI)
    assert (back, descriptor) == (raw, Descriptor.of(raw, media_type=OCI_MANIFEST))


@given(manifest=json_of(OCI_MANIFEST).map(image_of), conversion=document_conversions)
def test_a_converted_manifest_is_not_converted_again(manifest, conversion):
    once, descriptor = converted(parsed(manifest, OCI_MANIFEST), conversion)
    assert converted(parse_manifest(once, descriptor), conversion) == (once, descriptor)


CONCERNED = {"mediaType", "digest", "size", "data", "urls"}


def rest(node):
    """Return a document without what a conversion may change, and with the order of its keys."""
    if isinstance(node, dict):
        return [(key, rest(value)) for key, value in node.items() if key not in CONCERNED]
    return [rest(each) for each in node] if isinstance(node, list) else node


@given(manifest=json_of(OCI_MANIFEST), data=st.data())
def test_all_else_stays_in_a_manifest(manifest, data):
    document = parsed(manifest, OCI_MANIFEST)
    contents = st.binary(max_size=3).map(lambda content: Descriptor.of(content, media_type=OCI_LAYER_GZIP))
    layers = [data.draw(st.just(layer) | contents) for layer in document.value.layers]
    try:
        raw, descriptor = converted_manifest(document, data.draw(document_conversions), layers)
    except UnsupportedError:
        raw, descriptor = converted_manifest(document, TO_OCI, layers)
    assert rest(json.loads(raw)) == rest(manifest)
    new = parse_manifest(raw, descriptor).value
    assert [(layer.digest, layer.size) for layer in new.layers] == [(layer.digest, layer.size) for layer in layers]
    assert (new.config.digest, new.config.size) == (document.value.config.digest, document.value.config.size)


@given(index=json_of(OCI_INDEX), data=st.data())
def test_all_else_stays_in_an_index(index, data):
    document = parsed(index, OCI_INDEX)
    contents = st.binary(max_size=3).map(lambda content: Descriptor.of(content, media_type=DOCKER_MANIFEST))
    map_ = {entry.digest: data.draw(contents) for entry in document.value.manifests if data.draw(st.booleans())}
    try:
        raw, descriptor = converted_index(document, data.draw(document_conversions), map_)
    except UnsupportedError:
        raw, descriptor = converted_index(document, TO_OCI, map_)
    assert rest(json.loads(raw)) == rest(index)
    entries = parse_index(raw, descriptor).value.manifests
    expected = [map_.get(entry.digest, entry).digest for entry in document.value.manifests]
    assert [entry.digest for entry in entries] == expected


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_conversion_that_says_nothing_keeps_the_very_bytes(media_type):
    spaced = json.dumps(GOOD[media_type], indent=3).encode() + b"\n"
    document = parsed(spaced, media_type)
    assert converted(document, Conversion()) == (spaced, document.descriptor)
