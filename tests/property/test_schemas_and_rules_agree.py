"""The law: where schemas and rules speak of the same thing they give the same verdict, at the same places.

And so do the rules and the parser: what it refuses is an error of the rules, at the same place, in every profile.
"""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci_layers.errors import DocumentError
from oci_layers.spec.codec import structure
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_any, parse_config, parse_layout
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_DESCRIPTOR, OCI_LAYOUT
from oci_layers.testing.strategies.document import anything, documents, ways
from oci_layers.validation.rules import validate
from oci_layers.validation.schema import schema_errors
from tests.validation.rule_cases import BAD_DATES, BAD_DIGESTS, BAD_TYPES, BAD_URIS, ROWS
from tests.validation.test_rules import document, identify

texts = st.sampled_from(BAD_DATES + BAD_DIGESTS + BAD_TYPES + BAD_URIS + ["e30=", "e30", "A=b\n", "layers", "2", "x\n"])
values = anything() | texts | st.sampled_from([-1, 0, 2, 2.0, True, 1 << 63, None, [], {}, [None], [{}], {"a": None}])
NAMES = [
    "mediaType",
    "artifactType",
    "subject",
    "manifests",
    "layers",
    "config",
    "fsLayers",
    "urls",
    "data",
    "platform",
]
NAMES += ["annotations", "created", "history", "rootfs", "variant", "Env", "Cmd", "Labels", "Healthcheck", "User"]


@st.composite
def mutated(draw):
    """Draw a document with one to three values taken away, put in another's place, or added."""
    media_type, document = draw(documents())
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        every = list(ways(document))
        *before, last = draw(st.sampled_from(every)) if every else [draw(st.sampled_from(NAMES))]
        node = document
        for step in before:
            node = node[step]
        if isinstance(node, dict) and draw(st.booleans()):
            last = draw(st.sampled_from(NAMES))
        if draw(st.booleans()) and (isinstance(node, list) or last in node):
            del node[last]
        else:
            node[last] = copy.deepcopy(draw(values))
    return media_type, document


FOREIGN = {"manifests", "layers", "config", "fsLayers", "history", "signatures"}


def spoken_of_by_both(breach):
    """A schema cannot decode and hash, and does not know letter case."""
    if breach.rule == "MAN-21":
        return breach.location.pointer.rpartition("/")[2] in FOREIGN
    return breach.severity == "error" and breach.rule != "DSC-16"


def assert_same_verdict(raw, media_type):
    breaches = [breach for breach in validate(raw, media_type) if spoken_of_by_both(breach)]
    problems = schema_errors(raw, media_type)

    assert {breach.location.pointer for breach in breaches} == {problem.pointer for problem in problems}, (
        breaches,
        problems,
    )


def parse(raw, media_type):
    descriptor = Descriptor.of(raw, media_type=media_type)
    if media_type == OCI_DESCRIPTOR:
        return structure(json.loads(raw), Descriptor, media_type=media_type)
    if media_type == OCI_LAYOUT:
        return parse_layout(raw)
    return parse_config(raw, descriptor) if media_type == OCI_CONFIG else parse_any(raw, descriptor)


@given(documents())
def test_a_generated_document_keeps_every_rule_and_fits_its_schema_and_can_be_read(case):
    media_type, value = case
    raw = json.dumps(value).encode()

    assert validate(raw, media_type, profile="strict") == ()
    assert schema_errors(raw, media_type) == ()
    parse(raw, media_type)


@given(mutated())
def test_schemas_and_rules_agree_on_mutated_documents(case):
    media_type, value = case

    assert_same_verdict(json.dumps(value).encode(), media_type)


@pytest.mark.parametrize("row", ROWS, ids=identify)
def test_schemas_and_rules_agree_on_the_table_of_cases(row):
    assert_same_verdict(document(row, row.broken), row.media_type)
    assert_same_verdict(document(row, row.kept), row.media_type)


def refused(raw, media_type):
    """Return where a parser finds something wrong."""
    try:
        parse(raw, media_type)
    except DocumentError as error:
        return {problem.pointer for problem in error.problems}
    return set()


@given(mutated(), st.sampled_from(["strict", "default", "lenient"]))
def test_what_the_parser_refuses_is_an_error_there_in_every_profile(case, profile):
    media_type, value = case
    raw = json.dumps(value).encode()
    breaches = validate(raw, media_type, profile=profile)

    assert refused(raw, media_type) <= {breach.location.pointer for breach in breaches if breach.severity == "error"}
