"""Whole documents: their kind is settled by the descriptor (MAN-02, MAN-21, IDX-03), and within limits."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import DocumentError, LimitError, Problem, UnsupportedError
from oci_layers.limits import Limits
from oci_layers.spec.codec import to_json
from oci_layers.spec.config import ImageConfig, RootFS
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.document import Document, parse_any, parse_config, parse_index, parse_layout, parse_manifest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYOUT,
    OCI_MANIFEST,
)

EMPTY = {"mediaType": EMPTY_DESCRIPTOR.media_type, "digest": str(EMPTY_DESCRIPTOR.digest), "size": 2, "data": "e30="}
MANIFEST = {"schemaVersion": 2, "config": EMPTY, "layers": [EMPTY]}
INDEX = {"schemaVersion": 2, "manifests": [EMPTY]}
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
BOTH = {**MANIFEST, **INDEX}
PARSERS = [parse_manifest, parse_index, parse_any, parse_config]


def named(document, media_type):
    """Return the bytes of a document, and the descriptor that names them."""
    raw = json.dumps(document, indent=1).encode()
    return raw, Descriptor.of(raw, media_type=media_type)


@pytest.mark.parametrize("said", [True, False], ids=["with mediaType", "without mediaType"])
@pytest.mark.parametrize(
    ("parse", "document", "media_type", "value"),
    [
        (parse_manifest, MANIFEST, OCI_MANIFEST, Manifest(config=EMPTY_DESCRIPTOR, layers=(EMPTY_DESCRIPTOR,))),
        (parse_manifest, MANIFEST, DOCKER_MANIFEST, Manifest(config=EMPTY_DESCRIPTOR, layers=(EMPTY_DESCRIPTOR,))),
        (parse_index, INDEX, OCI_INDEX, Index(manifests=(EMPTY_DESCRIPTOR,))),
        (parse_index, INDEX, DOCKER_MANIFEST_LIST, Index(manifests=(EMPTY_DESCRIPTOR,))),
    ],
)
def test_a_document_keeps_its_bytes_and_its_descriptor(parse, document, media_type, value, said):
    raw, descriptor = named({**document, "mediaType": media_type} if said else document, media_type)
    parsed = parse(raw, descriptor)

    assert (parsed.raw, parsed.descriptor) == (raw, descriptor)
    assert (parsed.value.media_type, parsed.value.extra) == (media_type if said else None, {})
    assert parsed == parse_any(raw, descriptor)
    assert said or parsed.value == value


@pytest.mark.parametrize("media_type", [OCI_CONFIG, DOCKER_CONFIG, "application/octet-stream"])
def test_a_config_is_parsed_whatever_its_media_type(media_type):
    """MAN-07 is left to the caller; MTY-07."""
    raw, descriptor = named(CONFIG, media_type)
    value = ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(diff_ids=()))

    assert parse_config(raw, descriptor) == Document(raw=raw, descriptor=descriptor, value=value)


def test_a_layout_marker_is_parsed():
    """LAY-02."""
    assert parse_layout(b'{"imageLayoutVersion": "1.0.0"}') == ImageLayout()
    with pytest.raises(DocumentError) as caught:
        parse_layout(b'{"imageLayoutVersion": "2.0.0"}')
    assert str(caught.value) == f"{OCI_LAYOUT}: /imageLayoutVersion: must be 1.0.0, not 2.0.0"


@pytest.mark.parametrize(
    ("document", "media_type", "said"),
    [
        pytest.param(MANIFEST, OCI_MANIFEST, OCI_INDEX, id="MAN-21 says index"),
        pytest.param(INDEX, OCI_INDEX, OCI_MANIFEST, id="MAN-21 says manifest"),
        pytest.param(MANIFEST, OCI_MANIFEST, DOCKER_MANIFEST, id="MAN-02 Docker's twin"),
        pytest.param(INDEX, DOCKER_MANIFEST_LIST, OCI_INDEX, id="IDX-03 OCI's twin"),
        pytest.param(INDEX, OCI_INDEX, OCI_INDEX.upper(), id="IDX-03 letter case"),
        pytest.param(MANIFEST, OCI_MANIFEST, "", id="MAN-02 empty"),
        pytest.param(INDEX, OCI_MANIFEST, OCI_INDEX, id="MAN-21 an index where a manifest should be"),
    ],
)
def test_a_document_that_says_another_type_than_its_descriptor_is_refused_for_that_alone(document, media_type, said):
    with pytest.raises(DocumentError) as caught:
        parse_any(*named({**document, "mediaType": said}, media_type))
    assert caught.value.media_type == media_type
    assert caught.value.problems == (Problem("/mediaType", f"is {said}, but the descriptor says {media_type}"),)


def test_a_media_type_that_is_no_text_is_refused():
    with pytest.raises(DocumentError) as caught:
        parse_any(*named({**INDEX, "mediaType": 2}, OCI_INDEX))
    assert caught.value.problems == (Problem("/mediaType", "must be a string, not an integer"),)


def test_a_control_character_in_a_media_type_does_not_reach_the_message():
    with pytest.raises(DocumentError) as caught:
        parse_any(*named({**INDEX, "mediaType": "\x1b[2J"}, OCI_INDEX))
    assert str(caught.value) == f"{OCI_INDEX}: /mediaType: is \\x1b[2J, but the descriptor says {OCI_INDEX}"


@pytest.mark.parametrize(
    ("document", "media_type", "pointers"),
    [
        pytest.param(BOTH, OCI_MANIFEST, ["/manifests"], id="MAN-21 both, as a manifest"),
        pytest.param(BOTH, DOCKER_MANIFEST_LIST, ["/config", "/layers"], id="MAN-21 both, as a list"),
        pytest.param(INDEX, OCI_MANIFEST, ["/manifests", "/config", "/layers"], id="MAN-21 index as a manifest"),
        pytest.param(MANIFEST, OCI_INDEX, ["/config", "/layers", "/manifests"], id="MAN-21 manifest as an index"),
    ],
)
def test_a_document_of_two_kinds_or_the_wrong_kind_is_refused(document, media_type, pointers):
    with pytest.raises(DocumentError) as caught:
        parse_any(*named(document, media_type))
    assert [problem.pointer for problem in caught.value.problems] == pointers


@pytest.mark.parametrize(
    ("parse", "media_type", "what"),
    [
        (parse_manifest, OCI_INDEX, "media type of an image manifest"),
        (parse_index, DOCKER_MANIFEST, "media type of an image index"),
        (parse_any, OCI_LAYER, "media type of a document"),
        (parse_manifest, "application/xml", "media type of a document"),
    ],
)
def test_a_descriptor_of_something_else_is_unsupported(parse, media_type, what):
    with pytest.raises(UnsupportedError) as caught:
        parse(*named(BOTH, media_type))
    assert (caught.value.what, caught.value.value) == (what, media_type)


def test_each_document_is_held_to_its_own_limit():
    limits = Limits(document_bytes=10, config_bytes=20)
    asked = [
        (parse_manifest, OCI_MANIFEST, "document_bytes", 10),
        (parse_index, OCI_INDEX, "document_bytes", 10),
        (parse_any, OCI_INDEX, "document_bytes", 10),
        (parse_config, OCI_CONFIG, "config_bytes", 20),
    ]
    for parse, media_type, limit, allowed in asked:
        with pytest.raises(LimitError) as caught:
            parse(*named(BOTH, media_type), limits)
        assert (caught.value.limit, caught.value.allowed) == (limit, allowed)
    with pytest.raises(LimitError) as caught:
        parse_layout(b'{"imageLayoutVersion":"1.0.0"}', limits)
    assert caught.value.limit == "document_bytes"


def refusals(raw):
    """Yield the error of each parser, or None for one that takes the bytes."""
    for media_type, parse in [(OCI_MANIFEST, parse_any), (OCI_INDEX, parse_any), (OCI_CONFIG, parse_config)]:
        try:
            parse(raw, Descriptor.of(raw, media_type=media_type))
        except (DocumentError, LimitError) as error:
            yield error
        else:
            yield None


@given(st.sampled_from([MANIFEST, INDEX, CONFIG]), st.data())
def test_a_document_cut_short_anywhere_is_a_document_error(document, data):
    raw = json.dumps(document).encode()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]

    assert {type(error) for error in refusals(cut)} == {DocumentError}


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_errors_of_this_library_only(raw):
    assert None not in refusals(raw)


KEYS = sorted(
    {*MANIFEST, *INDEX, *CONFIG, *EMPTY, "mediaType", "annotations", "history", "platform", "type", "diff_ids"}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([2, EMPTY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=15,
)


@given(
    JSON
    | st.sampled_from([MANIFEST, INDEX, CONFIG]).flatmap(
        lambda document: st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2).map(
            lambda changes: document | changes
        )
    )
)
def test_arbitrary_json_is_a_document_of_at_most_one_kind_or_refused_with_errors_of_this_library(document):
    assert [*refusals(json.dumps(document).encode())].count(None) <= 1


NOTHING = Manifest(config=EMPTY_DESCRIPTOR, layers=())
VALUES = [
    (NOTHING, OCI_MANIFEST),
    (attrs.evolve(NOTHING, media_type=OCI_MANIFEST, annotations={"é": "\n"}), OCI_MANIFEST),
    (attrs.evolve(NOTHING, media_type=DOCKER_MANIFEST), DOCKER_MANIFEST),
    (Index(manifests=(EMPTY_DESCRIPTOR,)), OCI_INDEX),
    (Index(manifests=(), media_type=DOCKER_MANIFEST_LIST), DOCKER_MANIFEST_LIST),
    (ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(diff_ids=())), OCI_CONFIG),
    (ImageLayout(), OCI_LAYOUT),
    (EMPTY_DESCRIPTOR, OCI_DESCRIPTOR),
]


@pytest.mark.parametrize(("value", "media_type"), VALUES)
def test_the_document_of_a_value_has_its_bytes_and_their_descriptor(value, media_type):
    raw = to_json(value)
    document = Document.of(value)

    assert document == Document(raw=raw, descriptor=Descriptor.of(raw, media_type=media_type), value=value)
    assert document == Document.of(document.value) == Document.of(value, media_type=media_type)


@pytest.mark.parametrize(("value", "media_type"), VALUES)
def test_the_document_of_a_value_is_what_its_bytes_parse_to(value, media_type):
    document = Document.of(value)

    if isinstance(value, Manifest | Index):
        assert parse_any(document.raw, document.descriptor) == document
    elif isinstance(value, ImageConfig):
        assert parse_config(document.raw, document.descriptor) == document
    elif isinstance(value, ImageLayout):
        assert parse_layout(document.raw) == value


def test_the_media_type_of_a_document_can_be_given():
    config = VALUES[5][0]

    assert Document.of(config, media_type=DOCKER_CONFIG).descriptor.media_type == DOCKER_CONFIG
    assert Document.of(NOTHING, media_type=DOCKER_MANIFEST).descriptor.media_type == DOCKER_MANIFEST
    with pytest.raises(DocumentError) as caught:
        Document.of(attrs.evolve(NOTHING, media_type=OCI_MANIFEST), media_type=DOCKER_MANIFEST)
    message = f"is {OCI_MANIFEST}, but the descriptor says {DOCKER_MANIFEST}"
    assert caught.value.problems == (Problem("/mediaType", message),)


def test_there_is_no_document_of_what_is_none():
    with pytest.raises(TypeError) as caught:
        Document.of(RootFS(diff_ids=()))
    assert str(caught.value) == (
        "value: expected one of Manifest, Index, ImageConfig, ImageLayout, Descriptor, not RootFS"
    )
    with pytest.raises(TypeError, match="not Document"):
        Document.of(Document.of(NOTHING))


@pytest.mark.parametrize("raw", [json.dumps(MANIFEST), bytearray(b"{}"), None])
def test_documents_are_parsed_from_bytes_alone(raw):
    message = f"^raw: expected bytes, not {type(raw).__name__}$"
    for parse, media_type in zip(PARSERS, [OCI_MANIFEST, OCI_INDEX, OCI_MANIFEST, OCI_CONFIG], strict=True):
        with pytest.raises(TypeError, match=message):
            parse(raw, Descriptor.of(b"", media_type=media_type))
    with pytest.raises(TypeError, match=message):
        parse_layout(raw)
