"""Models check what they are given: every field of every model refuses every wrong type."""

import json
import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oci_layers as oci
from oci_layers.errors import NameFormatError
from oci_layers.spec import (
    ContainerConfig,
    Descriptor,
    Digest,
    Document,
    Healthcheck,
    History,
    ImageConfig,
    ImageLayout,
    Index,
    Manifest,
    Platform,
    RootFS,
    structure,
    to_json,
    unstructure,
)
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYOUT, OCI_MANIFEST
from tests.support.documents import CONFIG, MANIFEST

DIGEST = Digest.of(b"x")
DESCRIPTOR = Descriptor(media_type="text/plain", digest=DIGEST, size=1)
PLATFORM = Platform(os="linux", architecture="amd64")
WHOLE = {
    Descriptor: DESCRIPTOR,
    Platform: PLATFORM,
    Manifest: Manifest(config=DESCRIPTOR, layers=(DESCRIPTOR,)),
    Index: Index(manifests=(DESCRIPTOR,)),
    RootFS: RootFS(diff_ids=(DIGEST,)),
    History: History(),
    Healthcheck: Healthcheck(),
    ContainerConfig: ContainerConfig(),
    ImageConfig: ImageConfig(os="linux", architecture="amd64", rootfs=RootFS(diff_ids=())),
    ImageLayout: ImageLayout(),
}
FIELDS = [(model, field) for model in WHOLE for field in attrs.fields(model) if field.type is not Any]
SAMPLES = [None, True, 1, 1.5, "text", b"bytes", ("a",), {"a": "b"}, {1: "b"}, DIGEST, DESCRIPTOR, PLATFORM, object()]


def fits(value, kind):
    """Whether a value is of an annotation, or is converted to it."""
    if kind is Any:
        return True
    if isinstance(kind, types.UnionType):
        return value is None or fits(value, get_args(kind)[0])
    origin = get_origin(kind)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(fits(each, get_args(kind)[0]) for each in value)
    if origin is Mapping:
        _, below = get_args(kind)
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and fits(each, below) for key, each in value.items()
        )
    if kind is Digest:
        return isinstance(value, Digest | str)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=[f"{model.__name__}.{f.name}" for model, f in FIELDS])
@given(value=st.sampled_from(SAMPLES) | st.lists(st.sampled_from(SAMPLES), max_size=2))
def test_a_field_takes_its_type_and_no_other(model, field, value):
    whole = WHOLE[model]
    if fits(value, field.type):
        try:
            attrs.evolve(whole, **{field.name: value})
        except NameFormatError:
            assert "text" in str(value) or "('a',)" in str(value) or "'a'" in str(value)
        return
    with pytest.raises((TypeError, NameFormatError)) as raised:
        attrs.evolve(whole, **{field.name: value})
    message = str(raised.value)
    assert "\n" not in message
    if isinstance(raised.value, NameFormatError):  # Text that is no digest came before.
        assert isinstance(value, list)
    else:
        assert message.startswith(f"{model.__name__}.{field.name}")
        assert "expected" in message


def test_messages_say_class_field_and_types():
    def message(model, **fields):
        with pytest.raises(TypeError) as raised:
            model(**fields)
        return str(raised.value)

    common = {"media_type": "a/b", "digest": DIGEST}
    assert message(Descriptor, **common, size="1") == "Descriptor.size: expected int, not str"
    assert message(Descriptor, **common, size=True) == "Descriptor.size: expected int, not bool"
    assert message(Descriptor, **common, size=None) == "Descriptor.size: expected int, not None"
    assert message(Index, manifests=[DESCRIPTOR, {}]) == "Index.manifests[1]: expected Descriptor, not dict"
    assert message(Index, manifests=(), annotations={"a": 1}) == "Index.annotations['a']: expected str, not int"
    assert "unexpected keyword" in message(ImageLayout, none=1)


def test_text_becomes_a_digest_and_a_list_a_tuple():
    made = Descriptor(media_type="a/b", digest=str(DIGEST), size=1)
    assert (made.digest, made) == (DIGEST, Descriptor(media_type="a/b", digest=DIGEST, size=1))
    assert Manifest(config=DESCRIPTOR, layers=[DESCRIPTOR]).layers == (DESCRIPTOR,)
    assert RootFS(diff_ids=[str(DIGEST)]).diff_ids == (DIGEST,)
    with pytest.raises(NameFormatError):
        Descriptor(media_type="a/b", digest="sha256:abc", size=1)


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        (structure(MANIFEST, Manifest, media_type=OCI_MANIFEST), OCI_MANIFEST),
        (Manifest(config=DESCRIPTOR, layers=()), OCI_MANIFEST),
        (Manifest(config=DESCRIPTOR, layers=(), media_type="vnd/docker"), "vnd/docker"),
        (Index(manifests=(DESCRIPTOR,)), OCI_INDEX),
        (structure(CONFIG, ImageConfig, media_type=OCI_CONFIG), OCI_CONFIG),
        (ImageLayout(), OCI_LAYOUT),
    ],
)
def test_a_document_is_made_of_its_model(value, media_type):
    made = Document.of(value)
    assert made.value is value
    assert made.raw == to_json(value) == json.dumps(unstructure(value), separators=(",", ":")).encode()
    assert (made.descriptor.media_type, made.descriptor.size) == (media_type, len(made.raw))
    assert made.descriptor.digest == Digest.of(made.raw)
    assert structure(json.loads(made.raw), type(value), media_type=media_type) == value
    assert Document.of(value, "other/type").descriptor.media_type == "other/type"
    assert Document.of(made.value) == made


def test_only_documents_make_documents():
    with pytest.raises(TypeError, match="the model of a document, not dict"):
        Document.of({})


def test_text_is_no_document():
    with pytest.raises(TypeError, match="raw: expected bytes, not str"):
        oci.validate("{}", OCI_INDEX)
