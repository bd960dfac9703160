"""Law: memory grows with the length of a document, and no faster, whatever is wrong with it; every fault is counted."""

import json
import tracemalloc

import pytest

from oci_layers.errors import DocumentError
from oci_layers.limits import Limits
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_any, parse_config
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from oci_layers.validation.document import add_positions, check_document
from oci_layers.validation.rules import validate
from tests.support.documents import CONFIG, DESCRIPTOR, ENTRY, INDEX, MANIFEST, dumped
from tests.support.examples import examples

SOME, TEXT = examples(dev=700, ci=1500), 50_000
SLACK = 1 << 18
"""Bytes that any work takes besides, such as the thousand findings that are kept."""


def repeated(head, item, count, tail):
    return f"{head}{','.join([item] * count)}{tail}".encode()


def keys(count, value):
    return {f"a.{number}": value for number in range(count)}


def manifest(**fields):
    return dumped(MANIFEST | fields)


def with_text(key, text):
    """An annotation with a long value; one of each kind that has a grammar."""
    return manifest(annotations={"org.opencontainers.image." + key: text})


# What the document is, how it is made of a number, and how many findings there are.
HOSTILE = {
    "layers that are empty": (
        OCI_MANIFEST,
        lambda n: repeated('{"schemaVersion":2,"config":{},"layers":[', "{}", n, "]}"),
        lambda n: 3 * n + 4,
    ),
    "layers that are numbers": (OCI_MANIFEST, lambda n: manifest(layers=[1] * n), lambda n: n),
    "layers with everything wrong": (
        OCI_MANIFEST,
        lambda n: manifest(layers=[{"mediaType": "x", "digest": "x", "size": -1, "urls": 1, "data": "x"}] * n),
        lambda n: 5 * n,
    ),
    "good layers": (OCI_MANIFEST, lambda n: manifest(layers=[DESCRIPTOR] * n), lambda _: 0),
    "equal keys in one object": (
        OCI_MANIFEST,
        lambda n: repeated("{", '"a":1', n, "}"),
        lambda _: 1,
    ),
    "equal keys in many objects": (
        OCI_MANIFEST,
        lambda n: repeated('{"a":[', '{"b":1,"b":2}', n, "]}"),
        lambda n: n,
    ),
    "halves of surrogate pairs": (OCI_MANIFEST, lambda n: repeated('{"a":[', '"\\ud800"', n, "]}"), lambda n: n),
    "numbers that are none": (OCI_MANIFEST, lambda n: repeated('{"a":[', "1e999", n, "]}"), lambda n: n),
    "bad numbers below a long key": (
        OCI_MANIFEST,
        lambda n: repeated('{"' + "k" * 10 * n + '":[', "NaN", n, "]}"),
        lambda n: n,
    ),
    "nesting down to the limit": (
        OCI_MANIFEST,
        lambda n: manifest(
            x=json.loads("[" * 90 + "1" + "]" * 90 if n else "0"), y=[json.loads("[" * 90 + "]" * 90)] * (n // 50)
        ),
        lambda _: 0,
    ),
    "unknown keys": (OCI_MANIFEST, lambda n: manifest(**keys(n, {"b": 1})), lambda _: 0),
    "keys in another case": (
        OCI_MANIFEST,
        lambda n: manifest(layers=[DESCRIPTOR | {"Size": 1, "URLS": 1}] * n),
        lambda n: 2 * n,
    ),
    "annotations of another type": (OCI_MANIFEST, lambda n: manifest(annotations=keys(n, 1)), lambda n: n),
    "annotations that are odd": (
        OCI_MANIFEST,
        lambda n: manifest(annotations={f"org.opencontainers.{number} ": "x" for number in range(n)}),
        lambda n: 2 * n,
    ),
    "entries of an index": (OCI_INDEX, lambda n: dumped(INDEX | {"manifests": [ENTRY] * n}), lambda _: 0),
    "entries without anything": (
        OCI_INDEX,
        lambda n: dumped(INDEX | {"manifests": [{"platform": {}}] * n}),
        lambda n: 5 * n,
    ),
    "history of numbers": (OCI_CONFIG, lambda n: dumped(CONFIG | {"history": [1] * n}), lambda n: n),
    "history of another type": (
        OCI_CONFIG,
        lambda n: dumped(CONFIG | {"history": [{"created": 1, "empty_layer": 1}] * n}),
        lambda n: 2 * n + 1,
    ),
    "variables that are none": (OCI_CONFIG, lambda n: dumped(CONFIG | {"config": {"Env": ["A"] * n}}), lambda n: n),
    "ports that are none": (
        OCI_CONFIG,
        lambda n: dumped(CONFIG | {"config": {"ExposedPorts": keys(n, [])}}),
        lambda n: 2 * n,
    ),
}


def peak(work):
    """The most memory in use at once, above what was, and what was returned."""
    tracemalloc.start()
    try:
        result = work()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def parse(raw, media_type):
    """Try to read a document; return how long the error is, and how many problems it lists."""
    descriptor = Descriptor.of(raw, media_type=media_type)
    try:
        (parse_config if media_type == OCI_CONFIG else parse_any)(raw, descriptor)
    except DocumentError as error:
        return len(str(error)), len(error.problems)
    return 0, 0


def judged(raw, media_type):
    """Return how many findings there are, each of those that are kept with its place."""
    found, _ = check_document(raw, Descriptor.of(raw, media_type=media_type), profile="default", limits=Limits())
    assert len(add_positions(found, raw)) == len(found) <= 2000
    return found.total


@pytest.mark.parametrize("work", [parse, judged], ids=["parsed", "judged"])
@pytest.mark.parametrize("case", HOSTILE)
def test_twice_as_much_that_is_wrong_takes_twice_the_memory(case, work):
    media_type, made, count = HOSTILE[case]
    once, twice = made(SOME), made(2 * SOME)
    work(made(3), media_type)  # What is made at first use is not counted.
    first, _ = peak(lambda: work(once, media_type))
    second, found = peak(lambda: work(twice, media_type))
    assert second <= 2.6 * first + SLACK
    if work is judged:
        assert found == count(2 * SOME)
    else:
        length, listed = found
        assert length < 4000
        assert listed <= 1000


LONG = {
    "a URI of escapes": lambda n: with_text("url", "http://a/" + "%41" * (n // 3)),
    "a URI of segments": lambda n: with_text("url", "http://a" + "/b" * (n // 2)),
    "a URI of a host": lambda n: with_text("url", "http://" + "a.%41" * (n // 5)),
    "a URI of a query": lambda n: with_text("source", "http://a?" + "%41=" * (n // 4)),
    "a URI that is none": lambda n: with_text("url", "http://a/" + "%41" * (n // 3) + " "),
    "a date": lambda n: with_text("created", "2015-10-31T22:22:56." + "0" * n + "Z"),
    "a licence": lambda n: with_text("licenses", "A OR " * (n // 5) + "B"),
    "brackets": lambda n: with_text("licenses", "(" * n),
    "a digest": lambda n: with_text("base.digest", "a+" * (n // 2) + "a:b"),
    "a reference": lambda n: with_text("base.name", "a." * (n // 2) + "a/b"),
    "a path": lambda n: with_text("base.name", "a.b/" + "c/" * (n // 2) + "c"),
    "a key": lambda n: manifest(annotations={"a" + ".b" * (n // 2): "x"}),
    "a media type": lambda n: manifest(artifactType="a/" + "b" * n),
    "a digest of a layer": lambda n: manifest(layers=[DESCRIPTOR | {"digest": "a+" * (n // 2) + "a:b"}]),
    "base64": lambda n: manifest(layers=[DESCRIPTOR | {"data": "AAAA" * (n // 4)}]),
    "escapes": lambda n: b'{"a":"' + b"\\n" * (n // 2) + b'"}',
    "a name of an entry": lambda n: dumped(
        INDEX | {"manifests": [ENTRY | {"annotations": {"org.opencontainers.image.ref.name": "a-" * (n // 2) + "a"}}]}
    ),
}


@pytest.mark.parametrize("case", LONG)
def test_a_long_text_takes_no_more_than_some_copies_of_it(case):
    media_type = OCI_INDEX if case == "a name of an entry" else OCI_MANIFEST
    once, twice = LONG[case](TEXT), LONG[case](2 * TEXT)
    validate(LONG[case](10), media_type)
    first, _ = peak(lambda: judged(once, media_type))
    second, _ = peak(lambda: judged(twice, media_type))
    assert second <= 2.6 * first + SLACK
    assert second <= 12 * len(twice) + SLACK
