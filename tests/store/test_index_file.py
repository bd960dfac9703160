"""The bytes of an index to those with an entry more, less or renamed; all else is kept."""

import json

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oci_layers.errors import DocumentError, LimitError, NameFormatError, ReferenceMissingError
from oci_layers.limits import Limits
from oci_layers.spec.annotations import CONTAINERD_IMAGE_NAME, REF_NAME
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.mediatype import OCI_INDEX, OCI_MANIFEST
from oci_layers.store.index_file import EMPTY_INDEX, renamed, tagged, untagged
from tests.support.process import outcome

LIMITS = Limits()
IMAGES = [Descriptor.of(b"%d" % number, media_type=OCI_MANIFEST) for number in range(4)]
A, B, C, D = IMAGES


def entry(image, ref=None, **fields):
    """Return an entry as the index has it."""
    found = {"mediaType": image.media_type, "digest": str(image.digest), "size": image.size}
    if ref is not None:
        found["annotations"] = {REF_NAME: ref}
    return found | fields


def index(*entries, **fields):
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)} | fields).encode()


def entries(raw):
    return json.loads(raw)["manifests"]


def tag(raw, ref, *images):
    return tagged(raw, [(ref, images)], LIMITS)


def full(image, name, ref):
    """An entry as containerd and Docker write it."""
    return entry(image, annotations={CONTAINERD_IMAGE_NAME: name, REF_NAME: ref})


def test_a_new_index_is_empty_and_has_its_type():
    assert json.loads(EMPTY_INDEX) == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def test_an_entry_is_added_at_the_end():
    raw = tag(tag(EMPTY_INDEX, "a", A), "b", B)
    assert entries(raw) == [entry(A, "a"), entry(B, "b")]


def test_an_entry_that_is_replaced_keeps_its_place():
    raw = index(entry(A, "a"), entry(B, "b"), entry(C, "c"))
    assert entries(tag(raw, "b", D)) == [entry(A, "a"), entry(D, "b"), entry(C, "c")]
    assert entries(tag(raw, "b", C, D)) == [entry(A, "a"), entry(C, "b"), entry(D, "b"), entry(C, "c")]


def test_all_entries_of_a_name_are_replaced():
    raw = index(entry(A, "a"), entry(B, "b"), entry(C, "a"))
    assert entries(tag(raw, "a", D)) == [entry(D, "a"), entry(B, "b")]


def test_the_same_image_without_a_name_is_replaced_by_the_one_with_it():
    raw = index(entry(A), entry(B, "b"), entry(B))
    assert entries(tag(raw, "a", A)) == [entry(A, "a"), entry(B, "b"), entry(B)]
    # At the first of all places that become free.
    assert entries(tag(raw, "b", A)) == [entry(A, "b"), entry(B)]
    # An image with another name stays.
    assert entries(tag(index(entry(A, "a")), "b", A)) == [entry(A, "a"), entry(A, "b")]


def test_without_a_name_an_image_is_added_that_is_not_listed():
    raw = index(entry(A, "a"))
    assert entries(tag(raw, None, A, B)) == [entry(A, "a"), entry(B)]


def test_a_tag_that_docker_writes_beside_a_full_name_is_not_that_name():
    """Several of its images may have the same tag."""
    raw = index(full(A, "docker.io/library/alpine:3.20", "3.20"), full(B, "docker.io/library/debian:3.20", "3.20"))
    assert entries(tag(raw, "3.20", C)) == [*entries(raw), entry(C, "3.20")]
    assert entries(tag(raw, "alpine:3.20", C)) == [entry(C, "alpine:3.20"), entries(raw)[1]]
    # Where no image has it as its name, it finds those that have it as their tag.
    assert entries(untagged(raw, "3.20", LIMITS)) == []
    assert entries(untagged(raw, "debian:3.20", LIMITS)) == entries(raw)[:1]


def test_a_renamed_entry_has_one_name():
    raw = index(full(A, "docker.io/library/alpine:3.20", "3.20"), entry(B, "b"))
    assert entries(renamed(raw, "alpine:3.20", "mine", LIMITS)) == [entry(A, "mine"), entry(B, "b")]


def test_an_entry_that_has_the_new_name_goes():
    raw = index(entry(A, "a"), entry(B, "b"), entry(C, "c"))
    assert entries(renamed(raw, "c", "a", LIMITS)) == [entry(B, "b"), entry(C, "a")]
    assert entries(renamed(raw, "a", "c", LIMITS)) == [entry(A, "c"), entry(B, "b")]
    assert entries(renamed(raw, "a", "a", LIMITS)) == entries(raw)


def test_an_entry_is_renamed_and_removed_by_its_digest_too():
    raw = index(entry(A), entry(B, "b"))
    assert entries(renamed(raw, str(A.digest), "a", LIMITS)) == [entry(A, "a"), entry(B, "b")]
    assert entries(untagged(raw, str(A.digest), LIMITS)) == [entry(B, "b")]


@pytest.mark.parametrize("change", [untagged, lambda raw, ref, limits: renamed(raw, ref, "new", limits)])
def test_an_unknown_name_is_refused_with_those_there_are(change):
    raw = index(entry(A, "a"), entry(B), full(C, "docker.io/library/c:1", "1"))
    with pytest.raises(ReferenceMissingError) as caught:
        change(raw, "absent", LIMITS)
    assert (caught.value.name, caught.value.known) == ("absent", ("a", str(B.digest), "docker.io/library/c:1"))


@pytest.mark.parametrize("name", ["", "a\nb", str(A.digest)])
def test_what_is_no_name_is_refused(name):
    raw = index(entry(A, "a"))
    for change in (lambda: tag(raw, name, A), lambda: renamed(raw, "a", name, LIMITS)):
        with pytest.raises(NameFormatError) as caught:
            change()
        assert caught.value.text == name


def test_unknown_fields_and_the_order_of_all_are_kept():
    raw = (
        b'{"x-first": [1.5, {"deep": null}], "manifests": ['
        b'{"size": 1, "x-own": true, "digest": "%s", "annotations": null, "mediaType": "%s"},'
        b'{"annotations": {"z": "1", "org.opencontainers.image.ref.name": "b", "a": "2"},'
        b' "mediaType": "text/plain", "digest": "%s", "size": 1}'
        b'], "annotations": {"b": "1", "a": "2"}, "schemaVersion": 2, "x-last": 123456789012345678901234567890}'
    ) % (str(A.digest).encode(), A.media_type.encode(), str(B.digest).encode())
    changed = tag(raw, "c", C)
    before, after = (json.loads(each, object_pairs_hook=list) for each in (raw, changed))
    assert [key for key, _ in after] == [key for key, _ in before]
    assert [pair for pair in after if pair[0] != "manifests"] == [pair for pair in before if pair[0] != "manifests"]
    assert dict(after)["manifests"][:2] == dict(before)["manifests"]
    moved = dict(json.loads(renamed(raw, "b", "c", LIMITS), object_pairs_hook=list))["manifests"][1]
    assert moved[1:] == dict(before)["manifests"][1][1:]
    assert dict(moved)["annotations"] == [("z", "1"), (REF_NAME, "c"), ("a", "2")]
    assert entries(renamed(raw, str(A.digest), "a", LIMITS))[0]["annotations"] == {REF_NAME: "a"}


def test_the_descriptor_is_written_with_all_that_it_says():
    image = attrs.evolve(A, annotations={"note": "kept"}, artifact_type="a/b", extra={"x": [1]}, data=b"0")
    assert entries(tag(EMPTY_INDEX, "a", image)) == [
        entry(A, annotations={"note": "kept", REF_NAME: "a"}, artifactType="a/b", data="MA==", x=[1])
    ]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"schemaVersion":2,"manifests":null}', b"\xff"])
def test_a_malformed_index_is_refused(raw):
    for change in (
        lambda: tag(raw, "a", A),
        lambda: untagged(raw, "a", LIMITS),
        lambda: renamed(raw, "a", "b", LIMITS),
    ):
        with pytest.raises(DocumentError) as caught:
            change()
        assert caught.value.media_type == OCI_INDEX


def test_an_index_that_would_be_too_large_to_be_read_is_refused():
    limits = Limits(document_bytes=len(tag(EMPTY_INDEX, "a", A)))
    assert tagged(EMPTY_INDEX, [("a", (A,))], limits) == tag(EMPTY_INDEX, "a", A)
    with pytest.raises(LimitError) as caught:
        tagged(EMPTY_INDEX, [("ab", (A,))], limits)
    assert (caught.value.limit, caught.value.seen) == ("document_bytes", limits.document_bytes + 1)


NAMES = st.sampled_from(["a", "b", "c", "ü/.."])
REFS = NAMES | st.sampled_from([str(each.digest) for each in IMAGES])
PICKED = st.lists(st.sampled_from(IMAGES), min_size=1, max_size=2, unique=True)
OPERATIONS = (
    st.tuples(st.just("tag"), NAMES | st.none(), PICKED)
    | st.tuples(st.just("untag"), REFS, st.none())
    | st.tuples(st.just("move"), REFS, NAMES)
)


class Model:
    """What an index should hold: names and images in order, each with a number that nobody may lose."""

    def __init__(self):
        self.rows = []

    def found(self, ref):
        by_name = [row for row in self.rows if row[0] == ref]
        found = by_name or [row for row in self.rows if str(row[1].digest) == ref]
        if not found:
            raise ReferenceMissingError(
                ref, tuple(dict.fromkeys(name or str(image.digest) for name, image in self.rows))
            )
        return found

    def tag(self, ref, images):
        if ref is None:
            self.rows += [(None, each) for each in images if each not in [image for _, image in self.rows]]
            return
        gone = [at for at, (name, each) in enumerate(self.rows) if name == ref or (name is None and each in images)]
        at = min(gone, default=len(self.rows))
        kept = [row for number, row in enumerate(self.rows) if number not in gone]
        self.rows = [*kept[:at], *((ref, each) for each in images), *kept[at:]]

    def untag(self, ref, _):
        found = self.found(ref)
        self.rows = [row for row in self.rows if row not in found]

    def move(self, old, new):
        found = self.found(old)
        rows = [row for row in self.rows if row in found or row[0] != new]
        self.rows = [(new, row[1]) if row in found else row for row in rows]


CHANGES = {
    "tag": lambda raw, ref, images: tagged(raw, [(ref, tuple(images))], LIMITS),
    "untag": lambda raw, ref, _: untagged(raw, ref, LIMITS),
    "move": lambda raw, old, new: renamed(raw, old, new, LIMITS),
}


@given(st.lists(OPERATIONS, max_size=12))
def test_an_index_holds_what_a_list_would(operations):
    raw = index(**{"x-kept": {"deep": [None]}})
    model = Model()
    for kind, *arguments in operations:
        expected = outcome(getattr(model, kind), *arguments)
        found = outcome(CHANGES[kind], raw, *arguments)
        assert found == expected or found[0] == expected[0] == "ok"
        if found[0] == "ok":
            raw = found[1]
        assert entries(raw) == [entry(image, name) for name, image in model.rows]
        assert json.loads(raw)["x-kept"] == {"deep": [None]}


NAMED = st.sampled_from([None, "a", "b", "docker.io/library/c:1", "c:1"])
ROWS = st.builds(
    lambda image, ref, whole: full(image, "docker.io/library/c:1", "1") if whole else entry(image, ref),
    st.sampled_from(IMAGES),
    NAMED,
    st.booleans(),
)


@example([], [("a", [IMAGES[0]]), ("a", [IMAGES[1]]), (None, [IMAGES[0]])])
@given(
    st.lists(ROWS, max_size=5), st.lists(st.tuples(NAMED, st.lists(st.sampled_from(IMAGES), min_size=1, max_size=2)))
)
def test_many_names_at_once_make_the_index_that_one_after_the_other_makes(rows, images):
    raw = expected = index(*rows)
    for ref, descriptors in images:
        expected = tag(expected, ref, *descriptors)
    assert entries(tagged(raw, images, LIMITS)) == entries(expected)
