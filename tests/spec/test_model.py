"""Constructors of models check the types of what they are given, and convert what can mean only one value."""

import contextlib
import copy
import inspect
import json
import pickle
import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci_layers.errors import NameFormatError
from oci_layers.spec import codec
from oci_layers.spec.codec import structure, to_json
from oci_layers.spec.config import ContainerConfig, Healthcheck, History, ImageConfig, RootFS
from oci_layers.spec.descriptor import EMPTY_DESCRIPTOR, Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.model import checked, unchecked
from oci_layers.spec.platform import Platform

FEWER = settings(max_examples=max(10, settings.default.max_examples // 8))
"""A model has many fields, and each test of this file is run for each model."""


MODELS = [
    ContainerConfig,
    Descriptor,
    Healthcheck,
    History,
    ImageConfig,
    ImageLayout,
    Index,
    Manifest,
    Platform,
    RootFS,
]
DIGEST = "sha256:" + "a" * 64
PLAIN = {"media_type": "a/b", "digest": DIGEST, "size": 0}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
json_values = st.none() | st.booleans() | st.integers(-9, 9) | text | st.lists(text, max_size=2)


@st.composite
def good(draw, kind):
    """Draw a value of an annotation."""
    if kind is Any:
        return draw(json_values)
    if isinstance(kind, types.UnionType):
        return draw(st.none() | good(get_args(kind)[0]))
    if get_origin(kind) is tuple:
        return tuple(draw(st.lists(good(get_args(kind)[0]), max_size=2)))
    if get_origin(kind) is Mapping:
        return draw(st.dictionaries(text, good(get_args(kind)[1]), max_size=2))
    if kind in MODELS:
        return draw(models(kind))
    return draw(SCALARS[kind])


@st.composite
def models(draw, model):
    """Draw a model that could have been read: what is fixed has its value, and nothing is called as a field is."""
    fields = {field.name: good(field.type) for field in attrs.fields(model)}
    fields["extra"] = st.dictionaries(text.map("x-{}".format), json_values, max_size=2)
    for name in fields.keys() & codec._FIXED:
        fields[name] = st.just(attrs.fields_dict(model)[name].default)
    if "size" in fields:
        fields["size"] = st.integers(0, (1 << 63) - 1)
    return model(**draw(st.fixed_dictionaries(fields)))


SCALARS = {
    str: text,
    int: st.integers(-(1 << 63), (1 << 63) - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=4),
    Digest: st.binary(max_size=4).map(Digest.of),
}

# A value of every type that a field may have, and of some that none may.
VALUES = [
    None, True, 0, 1.5, "text", b"bytes", bytearray(), [], (), {}, set(), iter(()), object(), int, Digest(DIGEST),
    EMPTY_DESCRIPTOR, Platform(os="linux", architecture="amd64"), History(), Healthcheck(), ContainerConfig(),
    RootFS(diff_ids=()), ImageLayout(), Index(manifests=()), Manifest(config=EMPTY_DESCRIPTOR, layers=()),
]  # fmt: skip


def accepts(kind, value):
    """Tell whether a value has the type of an annotation, or one that is converted to it."""
    if isinstance(kind, types.UnionType):
        return value is None or accepts(get_args(kind)[0], value)
    if kind is Any:
        return True
    if get_origin(kind) is tuple:
        return type(value) in {list, tuple} and all(accepts(get_args(kind)[0], item) for item in value)
    if get_origin(kind) is Mapping:
        return type(value) is dict and all(
            type(key) is str and accepts(get_args(kind)[1], item) for key, item in value.items()
        )
    return type(value) is kind or (kind is Digest and type(value) is str)


def inside(value):
    """Return a value, and containers of it."""
    return [value, [value], (value,), {"key": value}, {"key": {"key": value}}] + (
        [{value: "text"}] if isinstance(value, str | int | None) else []
    )


def assert_checked(model, fields, name, value):
    """Assert that a field takes a value if its annotation does, and otherwise says what is wrong."""
    fields = {**fields, name: value}
    if accepts(attrs.fields_dict(model)[name].type, value):
        with contextlib.suppress(NameFormatError):  # Text that is no digest.
            model(**fields)
        return
    with pytest.raises((TypeError, NameFormatError)) as caught:
        model(**fields)
    message = str(caught.value)
    assert caught.type is NameFormatError or (
        message.startswith(f"{model.__name__}.{name}")
        and ": expected " in message
        and ", not " in message
        and message.isprintable()
    )


@pytest.mark.parametrize("model", MODELS)
def test_every_field_refuses_every_other_type(model):
    values = [each for plain in VALUES for each in inside(plain)]
    required = {
        field.name: next(value for value in (*VALUES, *values) if type(value) is not str and accepts(field.type, value))
        for field in attrs.fields(model)
        if field.default is attrs.NOTHING and field.type is not str
    } | {field.name: "text" for field in attrs.fields(model) if field.type is str}

    for field in attrs.fields(model):
        for value in values:
            assert_checked(model, required, field.name, value)


@pytest.mark.thorough
@pytest.mark.parametrize("model", MODELS)
@FEWER
@given(data=st.data())
def test_every_field_refuses_whatever_its_annotation_does(model, data):
    fields = {field.name: data.draw(good(field.type)) for field in attrs.fields(model)}
    wild = st.recursive(
        st.sampled_from(VALUES),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text | st.integers(), inner, max_size=2),
    )
    for name in fields:
        assert_checked(model, fields, name, data.draw(wild))


@pytest.mark.parametrize("model", MODELS)
@FEWER
@given(data=st.data())
def test_what_has_the_right_types_is_kept(model, data):
    fields = {field.name: data.draw(good(field.type)) for field in attrs.fields(model)}
    made = model(**fields)

    assert {name: getattr(made, name) for name in fields} == fields
    assert made == attrs.evolve(made) == copy.deepcopy(made) == pickle.loads(pickle.dumps(made))
    assert made == model(**{name: list(value) if type(value) is tuple else value for name, value in fields.items()})
    assert made == unchecked(model)(fields)
    hash(made)


@pytest.mark.parametrize("model", MODELS)
@FEWER
@given(data=st.data())
def test_a_model_is_read_back_from_its_json(model, data):
    value = data.draw(models(model))

    assert structure(json.loads(to_json(value)), model, media_type="a/b") == value


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (Descriptor, {**PLAIN, "size": "1"}, "Descriptor.size: expected int, not str"),
        (Descriptor, {**PLAIN, "size": True}, "Descriptor.size: expected int, not bool"),
        (Descriptor, {**PLAIN, "size": None}, "Descriptor.size: expected int, not None"),
        (Descriptor, {**PLAIN, "digest": b"sha256:"}, "Descriptor.digest: expected Digest, not bytes"),
        (Descriptor, {**PLAIN, "data": "e30="}, "Descriptor.data: expected bytes, not str"),
        (Descriptor, {**PLAIN, "urls": "https://a"}, "Descriptor.urls: expected tuple, not str"),
        (Descriptor, {**PLAIN, "urls": ("a", b"b")}, "Descriptor.urls[1]: expected str, not bytes"),
        (Descriptor, {**PLAIN, "platform": "linux/amd64"}, "Descriptor.platform: expected Platform, not str"),
        (Descriptor, {**PLAIN, "annotations": [("a", "b")]}, "Descriptor.annotations: expected Mapping, not list"),
        (Descriptor, {**PLAIN, "annotations": {"a\n": 1}}, r"Descriptor.annotations['a\n']: expected str, not int"),
        (Descriptor, {**PLAIN, "annotations": {1: "a"}}, "Descriptor.annotations: expected keys of type str, not int"),
        (Descriptor, {**PLAIN, "extra": {1: "a"}}, "Descriptor.extra: expected keys of type str, not int"),
        (RootFS, {"diff_ids": [DIGEST, 1]}, "RootFS.diff_ids[1]: expected Digest, not int"),
        (
            ContainerConfig,
            {"exposed_ports": {"80": {1: 2}}},
            "ContainerConfig.exposed_ports['80']: expected keys of type str, not int",
        ),
        (ContainerConfig, {"volumes": {"/v": None}}, "ContainerConfig.volumes['/v']: expected Mapping, not None"),
        (ContainerConfig, {"cmd": None}, "ContainerConfig.cmd: expected tuple, not None"),
        (History, {"empty_layer": 1}, "History.empty_layer: expected bool, not int"),
        (Index, {"manifests": [PLAIN]}, "Index.manifests[0]: expected Descriptor, not dict"),
    ],
)
def test_the_error_names_class_field_expected_and_actual_type(model, fields, message):
    with pytest.raises(TypeError) as caught:
        model(**fields)
    assert str(caught.value) == message


def test_text_for_a_digest_is_parsed():
    assert Descriptor(**PLAIN) == Descriptor(**{**PLAIN, "digest": Digest(DIGEST)})
    assert RootFS(diff_ids=[DIGEST]).diff_ids == (Digest(DIGEST),)
    with pytest.raises(NameFormatError) as caught:
        Descriptor(**{**PLAIN, "digest": "sha256:a"})
    with pytest.raises(NameFormatError) as parsed:
        Digest.parse("sha256:a")
    assert str(caught.value) == str(parsed.value)


def test_a_list_becomes_a_tuple_and_a_mapping_stays_as_it_is():
    annotations = types.MappingProxyType({"a": "b"})
    manifest = Manifest(config=EMPTY_DESCRIPTOR, layers=[EMPTY_DESCRIPTOR], annotations=annotations)

    assert manifest.layers == (EMPTY_DESCRIPTOR,)
    assert manifest.annotations is annotations
    assert Manifest(config=EMPTY_DESCRIPTOR, layers=[], annotations=(plain := {})).annotations is plain


def test_values_of_subclasses_are_kept():
    class Text(str):
        __slots__ = ()

    assert type(History(author=Text("a")).author) is Text


def test_what_is_no_type_is_left_to_validation():
    assert Descriptor(media_type="", digest=DIGEST, size=-1).size == -1


def test_evolve_checks_and_converts_too():
    changed = attrs.evolve(EMPTY_DESCRIPTOR, digest=DIGEST, urls=["a"])

    assert (changed.digest, changed.urls, changed.data) == (Digest(DIGEST), ("a",), b"{}")
    with pytest.raises(TypeError, match=r"^Descriptor\.size: expected int, not str$"):
        attrs.evolve(EMPTY_DESCRIPTOR, size="2")


def test_missing_unknown_and_positional_arguments_are_errors_as_in_any_class():
    with pytest.raises(TypeError, match=r"Descriptor.__init__\(\) missing 2 required keyword-only arguments"):
        Descriptor(size=1)
    with pytest.raises(TypeError, match=r"Descriptor.__init__\(\) got an unexpected keyword argument 'mediaType'"):
        Descriptor(**PLAIN, mediaType="a/b")
    with pytest.raises(TypeError, match=r"Descriptor.__init__\(\) takes 1 positional argument but 2 were given"):
        Descriptor("a/b")


def test_the_signature_is_that_of_the_fields():
    @attrs.frozen(kw_only=True)
    class Plain:
        size: int
        names: tuple[str, ...] = ()

    expected = inspect.signature(Plain)
    assert checked(Plain) is Plain
    assert inspect.signature(Plain) == expected
    assert Plain(size=1, names=["a"]) == unchecked(Plain)({"size": 1, "names": ("a",)})


def test_every_model_of_the_codec_is_checked():
    assert set(codec._SPELLING) == set(MODELS)
    for model in MODELS:
        assert inspect.unwrap(model.__init__) is not model.__init__
