"""Which blobs are in use, and why."""

import errno

import attrs
import pytest

from oci_layers import Limits
from oci_layers.blob.store import MemoryBlobs
from oci_layers.errors import BlobMissingError, DocumentError, IntegrityError, LimitError
from oci_layers.spec.codec import dumps
from oci_layers.spec.descriptor import Descriptor
from oci_layers.spec.digest import Digest
from oci_layers.spec.mediatype import OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from oci_layers.store.mark import Marks, Reason, mentions
from tests.support.stores import (
    NOT_THERE,
    UNKNOWN,
    blob,
    config,
    digests,
    document,
    flipped,
    index_of,
    manifest,
    multi,
    signature,
)

A, B, C = (str(Digest.of(each)) for each in (b"a", b"b", b"c"))


@pytest.fixture
def blobs():
    return MemoryBlobs()


def raw_index(*entries, names=(), **fields):
    """The bytes of an `index.json`."""
    listed = [
        {"mediaType": each.media_type, "digest": str(each.digest), "size": each.size, "annotations": annotations}
        for each, annotations in zip(entries, [*names, *[{}] * len(entries)], strict=False)
    ]
    return dumps({"schemaVersion": 2, "manifests": listed, **fields})


def marked(blobs, *entries, limits=None, allow_missing=False, **fields):
    marks = Marks(blobs, limits or Limits(), allow_missing=allow_missing)
    marks.add_index(raw_index(*entries, **fields))
    return marks


def kept(marks):
    return {Digest(each) for each in marks.reasons}


def replace(blobs, descriptor, data):
    """Damage a blob."""
    blobs._blobs[descriptor.digest] = data


def test_every_digest_of_a_document_is_mentioned_wherever_it_is_but_in_annotations_and_data():
    value = {
        "config": {"mediaType": OCI_LAYER, "digest": A, "size": 1, "annotations": {"base": B}},
        "layers": [{"digest": B, "data": C}],
        "annotations": {"org.opencontainers.image.base.digest": C},
        "some": {"thing": [{"deep": C}, "text", 7, None], "digest": f"{C} "},
        "blob": C,
    }
    assert list(mentions(value)) == [(A, OCI_LAYER, "config"), (B, "", "layers"), (C, "", "some"), (C, "", "blob")]


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digests_of_all_algorithms_of_a_store_are_mentioned(algorithm):
    digest = str(Digest.of(b"x", algorithm))
    assert list(mentions({"x": digest, "y": digest[:-1], "z": digest.upper()})) == [(digest, "", "x")]


def test_all_below_the_entries_is_in_use(blobs):
    index, _ = multi(blobs, "linux/amd64", "linux/arm64")
    image = manifest(blobs, b"other")
    unused = blob(blobs, b"unused")
    marks = marked(blobs, index, image)
    assert kept(marks) == digests(blobs) - {unused.digest}


def test_the_way_from_a_blob_up_to_an_entry_says_why_it_is_kept(blobs):
    layer = blob(blobs, b"layer")
    image = manifest(blobs, layer)
    index = index_of(blobs, image)
    marks = marked(blobs, index, names=[{"org.opencontainers.image.ref.name": "v1"}])
    assert marks.path(str(layer.digest)) == [
        (str(layer.digest), Reason("field", str(image.digest), "layers")),
        (str(image.digest), Reason("field", str(index.digest), "manifests")),
        (str(index.digest), Reason("entry", None, "v1")),
    ]
    assert marks.path(A) == []


def test_an_entry_is_named_as_containerd_names_it_or_not_at_all(blobs):
    one, two = manifest(blobs, b"1"), manifest(blobs, b"2")
    full = {"io.containerd.image.name": "docker.io/library/x:1", "org.opencontainers.image.ref.name": "1"}
    marks = marked(blobs, one, two, names=[full])
    assert [marks.reasons[str(each.digest)].field for each in (one, two)] == ["docker.io/library/x:1", ""]


def test_a_subject_is_in_use_with_what_refers_to_it(blobs):
    subject = manifest(blobs, b"subject")
    signed = signature(blobs, subject)
    marks = marked(blobs, signed)
    assert kept(marks) == digests(blobs)
    assert marks.reasons[str(subject.digest)] == Reason("field", str(signed.digest), "subject")


def test_a_subject_that_is_missing_is_an_error_unless_it_may_be(blobs):
    """What it refers to may be there, and be in use."""
    lost = Descriptor(media_type=OCI_MANIFEST, digest=NOT_THERE, size=5)
    signed = signature(blobs, lost)
    with pytest.raises(BlobMissingError) as raised:
        marked(blobs, signed)
    assert raised.value.digest == str(NOT_THERE)
    assert raised.value.__notes__ == [
        "what it refers to is not known, so nothing is deleted; copy it here, or allow it (--allow-missing)"
    ]
    marks = marked(blobs, signed, allow_missing=True)
    assert marks.missing == [str(NOT_THERE)]
    assert kept(marks) == digests(blobs) | {NOT_THERE}


@pytest.mark.parametrize("media_type", [UNKNOWN, "application/octet-stream", "no media type"])
def test_content_of_an_unknown_media_type_keeps_what_it_mentions(blobs, media_type):
    leaf = blob(blobs, b"leaf", "application/x")
    inner = document(blobs, media_type, things=[{"deep": {"digest": str(leaf.digest)}}])
    outer = document(blobs, media_type, blobSum=str(inner.digest))
    assert kept(marked(blobs, outer)) == digests(blobs)


def test_unknown_fields_of_documents_keep_what_they_mention(blobs):
    kinds = [blob(blobs, b"field of %s" % where) for where in (b"manifest", b"descriptor", b"index", b"root")]
    image = manifest(blobs, b"layer", **{"x-more": [kinds[0]]})
    entry = attrs.evolve(image, extra={"x-blob": str(kinds[1].digest)})
    index = index_of(blobs, entry, **{"x-more": kinds[2]})
    marks = marked(blobs, index, **{"x-root": str(kinds[3].digest)})
    assert kept(marks) == digests(blobs)


def test_annotations_keep_nothing(blobs):
    base = manifest(blobs, b"base")
    image = manifest(blobs, b"layer", annotations={"org.opencontainers.image.base.digest": str(base.digest)})
    index = index_of(blobs, attrs.evolve(image, annotations={"about": str(base.digest)}))
    assert base.digest not in kept(marked(blobs, index, annotations={"about": str(base.digest)}))


def test_a_config_of_an_image_is_not_looked_into_and_one_of_an_artifact_is(blobs):
    leaf = blob(blobs, b"leaf")
    other = blob(blobs, b"other")
    image = manifest(blobs, config=config(blobs, author=str(other.digest)))
    artifact = manifest(blobs, config=document(blobs, UNKNOWN, uses=leaf))
    assert kept(marked(blobs, image, artifact)) == digests(blobs) - {other.digest}


def test_what_is_a_layer_here_and_a_manifest_there_keeps_what_a_manifest_does(blobs):
    """An image may claim that the manifest of another is one of its layers: it must not cost that one its blobs."""
    victim = manifest(blobs, b"precious", config=config(blobs, author="victim"))
    for media_type in (OCI_LAYER, UNKNOWN):
        liar = manifest(blobs, attrs.evolve(victim, media_type=media_type), config=config(blobs, author=media_type))
        for entries in ([liar, victim], [victim, liar]):
            assert kept(marked(blobs, *entries)) > {each.digest for each in (victim, liar)} | {Digest.of(b"precious")}
    marks = Marks(blobs, Limits(), allow_missing=False)
    marks.add(str(victim.digest), OCI_LAYER, Reason("new"))
    assert kept(marks) == {victim.digest}
    marks.add(str(victim.digest), OCI_MANIFEST, Reason("entry"))
    assert Digest.of(b"precious") in kept(marks)
    assert marks.reasons[str(victim.digest)] == Reason("new")


def unreadable(blobs, how):
    """An entry whose content cannot be read, and the limits and error for it."""
    image = manifest(blobs, b"layer")
    match how:
        case "missing":
            del blobs._blobs[image.digest]
            return image, Limits(), BlobMissingError
        case "flipped":
            replace(blobs, image, flipped(blobs._blobs[image.digest]))
            return image, Limits(), IntegrityError
        case "cut":
            replace(blobs, image, blobs._blobs[image.digest][:-1])
            return image, Limits(), IntegrityError
        case "empty":
            replace(blobs, image, b"")
            return image, Limits(), IntegrityError
        case "malformed":
            return blob(blobs, b"{", OCI_MANIFEST), Limits(), DocumentError
        case "a list":
            return blob(blobs, b"[]", OCI_INDEX), Limits(), DocumentError
        case "too large":
            return manifest(blobs, annotations={"x": "x" * 999}), Limits(document_bytes=999), LimitError
        case "too deep":
            return blob(blobs, b'{"a":' * 101 + b"1" + b"}" * 101, OCI_MANIFEST), Limits(), LimitError
    raise AssertionError(how)


@pytest.mark.parametrize("how", ["missing", "flipped", "cut", "empty", "malformed", "a list", "too large", "too deep"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_document_in_use_that_cannot_be_read_is_an_error(blobs, how, nested):
    entry, limits, error = unreadable(blobs, how)
    if nested:
        entry = index_of(blobs, entry)
    with pytest.raises(error) as raised:
        marked(blobs, entry, limits=limits)
    assert any("nothing is deleted" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("at", [0, 5])
def test_content_of_an_unknown_type_that_is_damaged_is_an_error(blobs, at):
    """At its first byte, too, without which it looks like content that refers to nothing."""
    thing = document(blobs, UNKNOWN, uses=blob(blobs, b"leaf"))
    replace(blobs, thing, flipped(blobs._blobs[thing.digest], at))
    with pytest.raises(IntegrityError):
        marked(blobs, thing)


def test_content_of_an_unknown_type_that_is_no_document_keeps_nothing_and_is_no_error(blobs):
    entries = [blob(blobs, each, UNKNOWN) for each in (b"", b"{", b"[]", b"text", b'{"a":' * 101, b'{"a":1,"a":2}')]
    entries.append(attrs.evolve(blob(blobs, b"gone", UNKNOWN), digest=NOT_THERE))
    marks = marked(blobs, *entries)
    assert kept(marks) == {each.digest for each in entries}
    assert marks.missing == []


def test_no_more_than_a_document_may_have_is_read_of_content_of_an_unknown_type():
    seen = []

    class Zeros:
        def open_blob(self, digest):
            return self

        def read(self, size):
            seen.append(size)
            return bytes(size)

        def close(self):
            seen.append("closed")

    entry = Descriptor(media_type=UNKNOWN, digest=NOT_THERE, size=1 << 40)
    assert kept(marked(Zeros(), entry, limits=Limits(document_bytes=1 << 18))) == {NOT_THERE}
    assert seen == [1 << 16] * 5 + ["closed"]


def test_an_error_of_the_system_comes_through():
    class Broken:
        def open_blob(self, digest):
            raise OSError(errno.EIO, "input/output error")

    for media_type in (OCI_MANIFEST, UNKNOWN):
        with pytest.raises(OSError, match="input/output error"):
            marked(Broken(), Descriptor(media_type=media_type, digest=NOT_THERE, size=1))


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"{}", b"[]", b'{"schemaVersion":2}', b'{"schemaVersion":2,"manifests":{}}']
)
def test_an_index_that_is_none_is_an_error(blobs, raw):
    with pytest.raises(DocumentError):
        Marks(blobs, Limits(), allow_missing=True).add_index(raw)


def test_what_is_kept_though_nothing_refers_to_it_need_not_be_readable(blobs):
    bad = manifest(blobs, b"layer")
    good = manifest(blobs, b"other")
    replace(blobs, bad, b"{}")
    marks = Marks(blobs, Limits(), allow_missing=False)
    for each in (bad, good, blob(blobs, b"text")):
        marks.add(str(each.digest), "", Reason("new"), required=False)
    assert {bad.digest, good.digest, Digest.of(b"other")} < kept(marks)
    assert Digest.of(b"layer") not in kept(marks)


def test_what_could_not_be_read_is_an_error_once_an_entry_leads_to_it(blobs):
    bad = manifest(blobs, b"layer")
    replace(blobs, bad, b"{}")
    marks = Marks(blobs, Limits(), allow_missing=False)
    marks.add(str(bad.digest), "", Reason("new"), required=False)
    with pytest.raises(IntegrityError):
        marks.add_index(raw_index(bad))


def test_a_blob_that_is_a_json_object_is_readable_and_others_are_not(blobs):
    marks = Marks(blobs, Limits(document_bytes=200), allow_missing=False)
    good, text, large = document(blobs, UNKNOWN, a=1), blob(blobs, b"text"), document(blobs, UNKNOWN, a="x" * 300)
    bad = document(blobs, UNKNOWN, a=2)
    replace(blobs, bad, b'{"a":3}')
    assert marks.readable(str(good.digest)) == {"a": 1}
    assert [marks.readable(str(each)) for each in (text.digest, large.digest, bad.digest, NOT_THERE)] == [None] * 4
