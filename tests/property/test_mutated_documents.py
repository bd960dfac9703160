"""The laws of bad documents: a change of a required part is found at its place, and every input has an answer soon."""

import copy
import functools
import json
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from oci_layers.limits import Limits
from oci_layers.spec.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_CONFIG,
    OCI_DESCRIPTOR,
    OCI_INDEX,
    OCI_LAYOUT,
    OCI_MANIFEST,
)
from oci_layers.spec.strict_json import pointer
from oci_layers.testing.strategies.document import anything, documents, ways
from oci_layers.validation.rules import DOCUMENT_RULES, validate
from tests.support.documents import GOOD, MANIFEST, MISSING, REQUIRED, changed, dumped, steps

REQUIRED_PARTS = [(media_type, way) for media_type, every in REQUIRED.items() for way in every]
ENUMERATED = {"schemaVersion": [1, 3, -2], "imageLayoutVersion": ["1.0.1", ""], "type": ["", "layer"]}
OUT_OF_RANGE = ENUMERATED | {"size": [-1, 1 << 63], "digest": ["", "sha256:a"], "mediaType": ["", "a"]}
RETYPED = [None, True, 7, 1.5, "x", [], {}]


def errors(raw, media_type, **options):
    return {breach.location.pointer for breach in validate(raw, media_type, **options) if breach.severity == "error"}


def place(way):
    return pointer(tuple(steps(way)))


@pytest.mark.parametrize("profile", ["strict", "default", "lenient"])
@pytest.mark.parametrize(("media_type", "way"), REQUIRED_PARTS)
def test_a_required_part_that_is_missing_is_found_at_its_place(media_type, way, profile):
    assert place(way) in errors(dumped(changed(GOOD[media_type], way, MISSING)), media_type, profile=profile)


@pytest.mark.parametrize(("media_type", "way"), REQUIRED_PARTS)
def test_a_required_part_of_another_type_is_found_at_its_place(media_type, way):
    node = GOOD[media_type]
    for step in steps(way):
        node = node[step]
    for value in RETYPED:
        if type(value) is not type(node):
            assert place(way) in errors(dumped(changed(GOOD[media_type], way, value)), media_type), value


@pytest.mark.parametrize(
    ("media_type", "way", "value"),
    [
        (media_type, way, value)
        for media_type, way in REQUIRED_PARTS
        for value in OUT_OF_RANGE.get(way.rpartition("/")[2], [])
    ],
)
def test_a_required_part_out_of_range_is_found_at_its_place(media_type, way, value):
    assert errors(dumped(changed(GOOD[media_type], way, value)), media_type) == {place(way)}


@pytest.mark.parametrize(("media_type", "way"), REQUIRED_PARTS)
def test_a_required_part_that_stands_twice_is_found_at_its_place(media_type, way):
    name = steps(way)[-1]
    twice = f'"{name}": 0, "{name}": '
    mark = "here it is"
    raw = dumped(changed(changed(GOOD[media_type], way, MISSING), way, mark)).decode()
    node = GOOD[media_type]
    for step in steps(way):
        node = node[step]
    raw = raw.replace(f'"{name}": "{mark}"', twice + json.dumps(node))

    assert [(breach.rule, breach.location.pointer) for breach in validate(raw.encode(), media_type)] == [
        ("CON-04", place(way))
    ]


# What must be there in each kind of object; the values that are of the right type and still wrong are above.
NEEDED = {
    "descriptor": {"mediaType", "digest", "size"},
    "platform": {"architecture", "os"},
    "manifest": {"schemaVersion", "config", "layers"},
    "index": {"schemaVersion", "manifests"},
    "config": {"architecture", "os", "rootfs"},
    "rootfs": {"type", "diff_ids"},
    "layout": {"imageLayoutVersion"},
}
HELD = {
    "manifest": {"config": "descriptor", "layers": "descriptor", "subject": "descriptor"},
    "index": {"manifests": "descriptor", "subject": "descriptor"},
    "descriptor": {"platform": "platform"},
    "config": {"rootfs": "rootfs"},
}
KINDS = {
    OCI_DESCRIPTOR: "descriptor",
    OCI_MANIFEST: "manifest",
    DOCKER_MANIFEST: "manifest",
    OCI_INDEX: "index",
    DOCKER_MANIFEST_LIST: "index",
    OCI_CONFIG: "config",
    OCI_LAYOUT: "layout",
}


def required_ways(node, kind, before=()):
    """Yield the way to every required part of a document, in whatever object it stands."""
    yield from ((*before, name) for name in sorted(NEEDED[kind]))
    for name, inner in HELD.get(kind, {}).items():
        value = node.get(name)
        for step, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(item, dict):
                yield from required_ways(item, inner, (*before, name) if step is None else (*before, name, step))


def value_at(document, way):
    return functools.reduce(lambda node, step: node[step], way, document)


@st.composite
def with_a_required_part(draw, among=None):
    """Draw a good document of any kind, and the way to one of its required parts, or of those that have these names."""
    media_type, document = draw(documents())
    ways = [way for way in required_ways(document, KINDS[media_type]) if among is None or way[-1] in among]
    assume(ways)
    return media_type, copy.deepcopy(document), draw(st.sampled_from(ways))


def written_twice(node, way):
    """Return the text of a document with the member at a way standing in its object two times."""
    if not way:
        return json.dumps(node)
    first, *rest = way
    if isinstance(node, list):
        items = [written_twice(item, rest) if step == first else json.dumps(item) for step, item in enumerate(node)]
        return f"[{','.join(items)}]"
    members = []
    for key, item in node.items():
        member = f"{json.dumps(key)}:{written_twice(item, rest) if key == first else json.dumps(item)}"
        members.extend([member] * (2 if key == first and not rest else 1))
    return f"{{{','.join(members)}}}"


@given(with_a_required_part())
def test_any_required_part_of_any_document_is_missed_where_it_should_be(case):
    media_type, document, way = case
    del value_at(document, way[:-1])[way[-1]]

    for profile in ("strict", "default", "lenient"):
        assert pointer(way) in errors(json.dumps(document).encode(), media_type, profile=profile)


@given(with_a_required_part(), anything())
def test_any_required_part_of_any_document_is_found_if_it_is_of_another_type(case, value):
    media_type, document, way = case
    assume(type(value) is not type(value_at(document, way)))
    value_at(document, way[:-1])[way[-1]] = value

    assert pointer(way) in errors(json.dumps(document).encode(), media_type)


@given(with_a_required_part(OUT_OF_RANGE), st.data())
def test_any_required_part_of_any_document_is_found_if_it_is_out_of_range(case, data):
    media_type, document, way = case
    value_at(document, way[:-1])[way[-1]] = data.draw(st.sampled_from(OUT_OF_RANGE[way[-1]]))

    assert pointer(way) in errors(json.dumps(document).encode(), media_type)


@given(with_a_required_part())
def test_any_required_part_of_any_document_is_found_if_it_stands_twice(case):
    media_type, document, way = case
    raw = written_twice(document, way).encode()

    assert json.loads(raw) == document
    assert [(breach.rule, breach.location.pointer) for breach in validate(raw, media_type)] == [
        ("CON-04", pointer(way))
    ]


@given(documents(), st.data())
def test_any_change_of_any_document_gives_an_answer_with_places_that_exist(case, data):
    media_type, document = case
    document = copy.deepcopy(document)
    way = data.draw(st.sampled_from([*ways(document)] or [("x",)]))
    node = document
    for step in way[:-1]:
        node = node[step]
    node[way[-1]] = data.draw(anything())

    for breach in validate(json.dumps(document).encode(), media_type):
        assert breach.rule in DOCUMENT_RULES
        assert breach.message
        here = document
        *before, last = breach.location.pointer.split("/")[1:] or [None]
        for step in before:
            here = here[int(step)] if isinstance(here, list) else here[step.replace("~1", "/").replace("~0", "~")]
        assert last is None or isinstance(here, dict | list)


def test_every_truncation_of_a_manifest_is_one_breach_of_json_with_its_place():
    raw = json.dumps(MANIFEST, indent=1).encode()

    for length in range(len(raw)):
        (breach,) = validate(raw[:length], OCI_MANIFEST)
        assert (breach.rule, breach.location.pointer) == ("CON-04", "")
        assert "at line " in breach.message


@given(st.integers(0, len(dumped(MANIFEST)) - 1), st.integers(0, 255))
def test_any_byte_may_be_another(at, byte):
    raw = bytearray(dumped(MANIFEST))
    raw[at] = byte

    for breach in validate(bytes(raw), OCI_MANIFEST):
        assert breach.rule in DOCUMENT_RULES


@given(st.binary(max_size=60).filter(lambda raw: b"imageLayoutVersion" not in raw))  # which is a document, if short
@example(b'{"schemaVersion":1' + b"0" * 400 + b"}")
@example(b"\xff")
def test_any_bytes_have_an_answer(raw):
    for media_type in GOOD:
        assert validate(raw, media_type) != ()


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        pytest.param(b'{"layers":' + b"[" * 3_000_000, "LIM-02", id="nested arrays"),
        pytest.param(b'{"layers":' * 400_000, "LIM-02", id="nested objects"),
        pytest.param(b'{"size":' + b"9" * 10_000 + b"}", "CON-04", id="10,000 digits"),
        pytest.param(b'{"size":-' + b"9" * 4_000_000 + b"}", "CON-04", id="4,000,000 digits"),
        pytest.param(b'{"size":1e' + b"9" * 10_000 + b"}", "CON-04", id="an exponent of 10,000 digits"),
        pytest.param(b'{"a":1,' * 500_000, "LIM-02", id="objects that go on"),
        pytest.param(b'{"a":"' + b"\\u0041" * 600_000, "CON-04", id="a text without an end"),
        pytest.param(b" " * ((4 << 20) + 1), "LIM-01", id="longer than the limit"),
    ],
)
def test_what_is_huge_is_answered_in_bounded_time(raw, rule):
    start = time.process_time()
    (breach,) = validate(raw, OCI_MANIFEST)

    assert breach.rule == rule
    assert time.process_time() - start < 5


def test_a_document_past_the_limit_is_not_parsed():
    """So it does not matter what it is."""
    raw = dumped(MANIFEST) * 2
    (breach,) = validate(raw, OCI_MANIFEST, limits=Limits(document_bytes=len(raw) - 1))

    assert (breach.rule, breach.message) == (
        "LIM-01",
        f"limit document_bytes is {len(raw) - 1}, the document has {len(raw)} bytes",
    )


@pytest.mark.parametrize("name", ["annotations", "layers"])
def test_a_hundred_thousand_faults_are_all_counted_in_bounded_time(name):
    value = {f"a.{number}": 1 for number in range(100_000)} if name == "annotations" else [1] * 100_000
    start = time.process_time()

    found = validate(dumped(MANIFEST | {name: value}), OCI_MANIFEST)
    assert (len(found), found.total) == (1000, 100_000)
    assert time.process_time() - start < 10
