"""The law: reading a document and writing it again keeps every field, known or not, set or null."""

import json

from hypothesis import given
from hypothesis import strategies as st

from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps, structure, unstructure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.strict_json import load_json

TYPE = "application/example+json"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
number = st.integers(-(1 << 63), (1 << 63) - 1)
anything = st.recursive(
    st.none() | st.booleans() | number | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=5,
)
texts = st.lists(text, max_size=2)
labels = st.dictionaries(text, text, max_size=2)
ports = st.dictionaries(text, st.just({}), max_size=2)
digest = st.from_regex(r"(sha256:[a-f0-9]{64}|[a-z]{2,4}[+._-]x:[A-Za-z0-9=_-]{1,9})", fullmatch=True)


def document(required, optional):
    """Return documents with every required field, some optional or null ones, and some that nobody knows."""
    unknown = st.dictionaries(text.map("x-{}".format), anything, max_size=2)
    nullable = {name: st.none() | values for name, values in optional.items()}
    known = st.fixed_dictionaries(required, optional=nullable)
    return st.tuples(unknown, known).map(lambda pair: pair[0] | pair[1])


platform = document(
    {"architecture": text, "os": text},
    {"os.version": text, "os.features": texts, "variant": text, "features": texts},
)
descriptor = document(
    {"mediaType": text, "digest": digest, "size": st.integers(0, (1 << 63) - 1)},
    {
        "urls": texts,
        "annotations": labels,
        "data": st.sampled_from(["", "e30=", "AAEC"]),
        "platform": platform,
        "artifactType": text,
    },
)
common = {"mediaType": text, "artifactType": text, "subject": descriptor, "annotations": labels}
manifest = document(
    {"schemaVersion": st.just(2), "config": descriptor, "layers": st.lists(descriptor, max_size=2)}, common
)
index = document({"schemaVersion": st.just(2), "manifests": st.lists(descriptor, max_size=2)}, common)
healthcheck = document({}, {"Test": texts, "Interval": number, "Retries": number})
container = document(
    {},
    {
        "User": text,
        "ExposedPorts": ports,
        "Env": texts,
        "Cmd": texts,
        "Volumes": ports,
        "Labels": labels,
        "ArgsEscaped": st.booleans(),
        "Healthcheck": healthcheck,
        "OnBuild": texts,
        "StopTimeout": number,
    },
)
history = document({}, {"created": text, "created_by": text, "comment": text, "empty_layer": st.booleans()})
rootfs = document({"type": st.just("layers"), "diff_ids": st.lists(digest, max_size=2)}, {})
config = document(
    {"architecture": text, "os": text, "rootfs": rootfs},
    {"created": text, "os.features": texts, "config": container, "history": st.lists(history, max_size=2)},
)
layout = document({"imageLayoutVersion": st.just("1.0.0")}, {})

documents = st.one_of(
    descriptor.map(lambda value: (Descriptor, value)),
    manifest.map(lambda value: (Manifest, value)),
    index.map(lambda value: (Index, value)),
    config.map(lambda value: (ImageConfig, value)),
    layout.map(lambda value: (ImageLayout, value)),
)


@given(documents)
def test_reading_and_writing_keeps_every_field(case):
    model, expected = case
    value = structure(expected, model, media_type=TYPE)

    assert unstructure(value) == expected
    assert structure(unstructure(value), model, media_type=TYPE) == value


@given(documents)
def test_what_is_written_is_read_as_the_same_value(case):
    model, expected = case
    value = structure(expected, model, media_type=TYPE)
    raw = dumps(unstructure(value))

    assert load_json(raw, media_type=TYPE, limits=Limits(document_bytes=len(raw))) == json.loads(raw) == expected
    assert dumps(unstructure(structure(load_json(raw, media_type=TYPE), model, media_type=TYPE))) == raw
