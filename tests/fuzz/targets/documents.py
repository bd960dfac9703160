"""JSON documents, from bytes to models and back.

Laws: what is accepted, Python's parser reads as the same; a model is written as what it was read from; `validate` has
an answer for all bytes, and its places are in the document; an index that is changed keeps all that was not meant.
"""

import json

from oci_layers.limits import Limits
from oci_layers.spec.codec import dumps, structure, to_json, unstructure
from oci_layers.spec.config import ImageConfig
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.document import parse_any, parse_config, parse_layout
from oci_layers.spec.layout import ImageLayout
from oci_layers.spec.manifest import Index, Manifest
from oci_layers.spec.mediatype import OCI_CONFIG, OCI_DESCRIPTOR, OCI_INDEX, OCI_LAYOUT, OCI_MANIFEST
from oci_layers.spec.strict_json import load_json
from oci_layers.store.docker_listing import format_listing, format_repositories, parse_listing, with_full_names
from oci_layers.store.files import parse_index_file
from oci_layers.store.index_file import EMPTY_INDEX, renamed, tagged, untagged
from oci_layers.store.select import matching
from oci_layers.testing import strategies
from oci_layers.validation.detect import detect_media_type
from oci_layers.validation.positions import locate
from oci_layers.validation.rules import DOCUMENT_RULES, validate
from oci_layers.validation.schema import schema_errors
from tests.fuzz.target import Target, drawn, refusals
from tests.support.documents import GOOD, INDEX, dumped

LIMITS = Limits(json_depth=40)
MODELS = {
    OCI_DESCRIPTOR: Descriptor,
    OCI_MANIFEST: Manifest,
    OCI_INDEX: Index,
    OCI_CONFIG: ImageConfig,
    OCI_LAYOUT: ImageLayout,
}


def read_document(data):
    accepted = False
    with refusals():
        detect_media_type(data, limits=LIMITS)
    for media_type in GOOD:
        found = validate(data, media_type, limits=LIMITS)
        places = locate(data, [each.location.pointer for each in found])
        for each in found:
            assert each.rule in DOCUMENT_RULES
            assert each.message.isprintable()
            assert 0 <= places[each.location.pointer].offset <= places[each.location.pointer].end <= len(data)
    with refusals():
        loaded = load_json(data, media_type="document", limits=LIMITS)
        assert json.loads(data) == loaded
        for media_type, model in MODELS.items():
            accepted = read_model(loaded, model, media_type) or accepted
        parsers(data)
    return accepted


def read_model(loaded, model, media_type):
    with refusals():
        value = structure(loaded, model, media_type=media_type)
        assert unstructure(value) == loaded
        assert structure(json.loads(to_json(value)), model, media_type=media_type) == value
        return True
    return False


def parsers(data):
    for media_type in GOOD:
        descriptor = Descriptor.of(data, media_type=media_type)
        with refusals():
            assert parse_any(data, descriptor, LIMITS).raw == data
        with refusals():
            parse_config(data, descriptor, LIMITS)
    with refusals():
        parse_layout(data, LIMITS)


def read_schema(data):
    with refusals():
        for media_type in MODELS:
            for problem in schema_errors(data, media_type, limits=LIMITS):
                assert str(problem).isprintable()
        return True
    return False


OTHER = Descriptor.of(b"other", media_type=OCI_MANIFEST)


def read_index(data):
    """The first line is a name, the rest the index."""
    line, _, raw = data.partition(b"\n")
    ref = line.decode("utf-8", "surrogateescape")
    accepted = False
    with refusals():
        before = parse_index_file(raw, LIMITS)
        accepted = True
        with refusals():
            assert with_full_names(raw, LIMITS)
    with refusals():
        after = parse_index_file(tagged(raw, [(ref, (OTHER,))], LIMITS), LIMITS)
        assert [after.manifests[at].digest for at in matching(after.manifests, ref, names_only=True)] == [OTHER.digest]
        # Entries that go away are those of the name, and the same content without a name.
        kept = [each for each in before.manifests if each in after.manifests]
        lost = [each for each in before.manifests if each not in after.manifests]
        assert all(each.digest == OTHER.digest or matching([each], ref, names_only=True) for each in lost)
        assert len(after.manifests) == len(kept) + 1
    with refusals():
        after = parse_index_file(untagged(raw, ref, LIMITS), LIMITS)
        assert len(after.manifests) == len(before.manifests) - len(matching(before.manifests, ref))
    with refusals():
        after = parse_index_file(renamed(raw, ref, "new", LIMITS), LIMITS)
        assert matching(after.manifests, "new", names_only=True)
    return accepted


def read_listing(data):
    with refusals():
        items = parse_listing(data, LIMITS)
        assert isinstance(json.loads(data), list)
        assert parse_listing(format_listing(items), LIMITS) == items
        with refusals():
            format_repositories(items)
        return True
    return False


def documents():
    """Documents that keep every rule, the smallest of each kind first."""
    made = strategies.documents().map(lambda pair: json.dumps(pair[1], ensure_ascii=False).encode())
    return [*map(dumped, GOOD.values()), *drawn(made, 25)]


def index_files():
    """Names, and indexes with and without them."""
    named = dict(INDEX["manifests"][0], annotations={"org.opencontainers.image.ref.name": "a"})
    full = dict(named, annotations={"io.containerd.image.name": "docker.io/library/b:c"} | named["annotations"])
    made = drawn(strategies.json_of(OCI_INDEX).map(lambda document: b"a\n" + dumped(document)), 20)
    several = dumps(INDEX | {"manifests": [named, full, INDEX["manifests"][0]]})
    return [b"a\n" + EMPTY_INDEX, b"a\n" + several, b"docker.io/library/b:c\n" + several, *made]


def listings():
    """Lists as Docker writes them."""
    item = {"Config": "a.json", "RepoTags": ["alpine:latest"], "Layers": ["a/layer.tar", "b/layer.tar"]}
    return [json.dumps(rows).encode() for rows in ([], [item], [item | {"RepoTags": None}, item | {"Layers": None}])]


KEYS = sorted({key for document in GOOD.values() for key in document} | {"size", "digest", "annotations", "data"})
WORDS = (
    *(f'"{key}"'.encode() for key in KEYS),
    *(b"null", b"NaN", b"-0", b"1e400", b"\\ud800", b"{}", b"[]", b'"":', b"99999999999999999999", b"application/"),
)
TARGETS = [
    Target("json", read_document, documents, WORDS, 4096),
    Target("schema", read_schema, documents, WORDS, 2048),
    Target("index-file", read_index, index_files, WORDS, 4096),
    Target("docker-listing", read_listing, listings, (b'"Config"', b'"RepoTags"', b'"Layers"', b"null", *WORDS), 1024),
]
